/* SPDX-License-Identifier: MIT
 *
 * WebSockets on a wire: the two ends of one, and each alone with what it must not let through. What arrives is cut at
 * every byte.
 */
#include <fcntl.h>
#include <unistd.h>

#include "test.h"
#include "websocket_stage.h"

enum { GOT_MAX = 1024 * 1024, SMALL = 20 };

static uint8_t got[GOT_MAX];
static size_t got_length;

/* All that can be received now. Returns what came instead of bytes. */
static enum conn_io take(struct websocket_end *end, size_t most)
{
    enum conn_io io = CONN_OK;
    while (io == CONN_OK) {
        size_t received;
        size_t room = sizeof(got) - got_length;
        io = channel_receive(&end->channel, got + got_length, most < room ? most : room, &received);
        got_length += received;
        if (io == CONN_AGAIN && channel_has_pending(&end->channel))
            io = CONN_OK;
    }
    return io;
}

/* Frames as they stand on the wire, one byte after the other; what came, and how it ended. */
static enum conn_io take_cut(struct websocket_end *end, struct bytes frames, size_t longest)
{
    enum conn_io io = CONN_AGAIN;
    got_length = 0;
    while (io == CONN_AGAIN && frames.length > 0) {
        size_t length = frames.length < longest ? frames.length : longest;
        text_append(&end->in, bytes_first(frames, length));
        frames = bytes_skip(frames, length);
        io = take(end, SIZE_MAX);
    }
    return io;
}

static void move(struct websocket_end *from, struct websocket_end *to, size_t longest)
{
    size_t length = from->out.length < longest ? from->out.length : longest;
    text_append(&to->in, bytes_first(text_bytes(&from->out), length));
    text_skip(&from->out, length);
}

TEST(both_ends_meet_however_the_handshake_is_cut)
{
    for (size_t longest = 1; longest < 400; longest += longest < 40 ? 1 : 37) {
        struct websocket_end server;
        struct websocket_end client;
        websocket_stage_begin(&server);
        websocket_stage_begin(&client);
        server.longest = client.longest = longest;
        assert_true(transport_websocket_accept(&server.channel, &websocket_stage_rules));
        assert_true(
            transport_websocket_connect(&client.channel, "::1", 8080, websocket_stage_rules.path));
        enum conn_io of_server = CONN_AGAIN;
        enum conn_io of_client = CONN_AGAIN;
        while (of_server == CONN_AGAIN || of_client == CONN_AGAIN) {
            client.room = server.room = longest;
            if (of_client == CONN_AGAIN)
                of_client = channel_handshake(&client.channel);
            move(&client, &server, longest);
            if (of_server == CONN_AGAIN)
                of_server = channel_handshake(&server.channel);
            move(&server, &client, longest);
        }
        assert_int_equal(of_server, CONN_OK);
        assert_int_equal(of_client, CONN_OK);
        websocket_stage_end(&server);
        websocket_stage_end(&client);
    }
}

static void fill(uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
}

/* Sends all of it from one to the other, `longest` bytes of the wire at a time. */
static void send_through(struct websocket_end *from, struct websocket_end *to, struct bytes bytes,
                         size_t longest)
{
    size_t sent = 0;
    got_length = 0;
    while (got_length < bytes.length) {
        from->room = longest;
        if (sent < bytes.length) {
            size_t taken = 0;
            (void)channel_send(&from->channel, bytes_skip(bytes, sent), false, &taken);
            sent += taken;
        } else {
            (void)channel_flush(&from->channel);
        }
        move(from, to, longest);
        assert_int_equal(take(to, longest), CONN_AGAIN);
    }
    assert_int_equal(got_length, bytes.length);
    assert_memory_equal(got, bytes.data, bytes.length);
    assert_false(channel_has_unsent(&from->channel));
}

TEST(bytes_arrive_as_they_were_in_both_directions)
{
    static const size_t lengths[] = {1, 125, 126, 65535, 65536, 300 * 1000, 700 * 1000};
    static uint8_t bytes[700 * 1000];
    fill(bytes, sizeof(bytes));
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        size_t least = lengths[i] < 200 ? 1 : lengths[i] / 50;
        for (size_t longest = least; longest <= 2 * lengths[i]; longest = 3 * longest + 1) {
            struct websocket_end server;
            struct websocket_end client;
            websocket_stage_server(&server);
            websocket_stage_client(&client);
            send_through(&server, &client, bytes_at(bytes, lengths[i]), longest);
            send_through(&client, &server, bytes_at(bytes, lengths[i]), longest);
            send_through(&server, &client, bytes_at(bytes, SMALL), longest);
            websocket_stage_end(&server);
            websocket_stage_end(&client);
        }
    }
}

TEST(a_file_is_framed_and_never_moved_by_the_kernel)
{
    static uint8_t bytes[300 * 1000];
    char name[] = "/tmp/psync-relay-websocket-XXXXXX";
    int file = mkstemp(name);
    assert_true(file != -1);
    unlink(name);
    fill(bytes, sizeof(bytes));
    assert_int_equal(write(file, bytes, sizeof(bytes)), sizeof(bytes));
    struct websocket_end server;
    struct websocket_end client;
    websocket_stage_server(&server);
    websocket_stage_client(&client);
    assert_false(channel_moves_files(&server.channel));
    size_t sent = 0;
    got_length = 0;
    while (got_length < sizeof(bytes) - 7) {
        size_t taken = 0;
        server.room = 10 * 1000;
        if (sent < sizeof(bytes) - 7)
            (void)channel_send_file(&server.channel, file, 7 + sent, sizeof(bytes) - 7 - sent,
                                    &taken);
        else
            (void)channel_flush(&server.channel);
        sent += taken;
        move(&server, &client, SIZE_MAX);
        assert_int_equal(take(&client, SIZE_MAX), CONN_AGAIN);
    }
    assert_memory_equal(got, bytes + 7, sizeof(bytes) - 7);
    server.room = SIZE_MAX;
    size_t taken;
    assert_int_equal(channel_send_file(&server.channel, file, sizeof(bytes), 1, &taken),
                     CONN_UNREADABLE);
    websocket_stage_end(&server);
    websocket_stage_end(&client);
    close(file);
}

TEST(what_is_kept_for_a_full_socket_is_bounded)
{
    static uint8_t bytes[200 * 1000];
    struct websocket_end server;
    websocket_stage_server(&server);
    server.room = 0;
    size_t kept = 0;
    size_t taken = 0;
    do {
        kept += taken;
        (void)channel_send(&server.channel, bytes_at(bytes, sizeof(bytes)), false, &taken);
    } while (taken > 0);
    assert_in_range(kept, 1, 16 * 1024);
    assert_true(channel_has_unsent(&server.channel));
    server.room = SIZE_MAX;
    websocket_stage_end(&server);
}

/* ---- what a server must let through ---- */

/* Masked with zeros, so that the payload can be read here. */
#define MASK "\0\0\0\0"

struct meeting {
    struct bytes frames;
    struct bytes data;   /* that comes out of them */
    struct bytes answer; /* what the server says */
    enum conn_io end;
    const char *error;
};

static void assert_meeting(const struct meeting *meeting)
{
    for (size_t longest = 1; longest <= meeting->frames.length; longest++) {
        struct websocket_end server;
        websocket_stage_server(&server);
        enum conn_io io = take_cut(&server, meeting->frames, longest);
        assert_int_equal(io, meeting->end);
        assert_views_equal(bytes_at(got, got_length), meeting->data);
        assert_views_equal(text_bytes(&server.out), meeting->answer);
        if (meeting->error != NULL)
            assert_string_equal(server.channel.error, meeting->error);
        websocket_stage_end(&server);
    }
}

TEST(a_server_takes_every_kind_of_frame)
{
    const struct meeting all[] = {
        {LITERAL("\x82\x83" MASK "abc"), LITERAL("abc"), LITERAL(""), CONN_AGAIN, NULL},
        {LITERAL("\x82\x83\1\2\3\4\x60\x60\x60"), LITERAL("abc"), LITERAL(""), CONN_AGAIN, NULL},
        {LITERAL("\x82\xfe\0\x7e" MASK "0123456789012345678901234567890123456789012345678901234567"
                 "89012345678901234567890123456789012345678901234567890123456789012345"),
         LITERAL("0123456789012345678901234567890123456789012345678901234567"
                 "89012345678901234567890123456789012345678901234567890123456789012345"),
         LITERAL(""), CONN_AGAIN, NULL},
        /* fragments, with a ping in between, and empty ones */
        {LITERAL("\x02\x82" MASK "ab"
                 "\x89\x82" MASK "hi"
                 "\0\x80" MASK "\x80\x81" MASK "c"
                 "\x82\x80" MASK "\x82\x81" MASK "d"),
         LITERAL("abcd"), LITERAL("\x8a\2hi"), CONN_AGAIN, NULL},
        {LITERAL("\x8a\x82" MASK "hi"), LITERAL(""), LITERAL(""), CONN_AGAIN, NULL},
        {LITERAL("\x82\x81" MASK "a\x88\x82" MASK "\3\xe9"), LITERAL("a"), LITERAL("\x88\2\3\xe9"),
         CONN_END, NULL},
        {LITERAL("\x88\x80" MASK), LITERAL(""), LITERAL("\x88\2\3\xe8"), CONN_END, NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        assert_meeting(&all[i]);
}

TEST(a_server_refuses_what_is_no_frame)
{
#define PROTOCOL_ERROR LITERAL("\x88\2\3\xea")
    const struct meeting all[] = {
        {LITERAL("\x82\3abc"), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED,
         "WebSocket: a frame that is not masked"},
        {LITERAL("\x82\x81" MASK "a\xc2\x81" MASK "b"), LITERAL("a"), PROTOCOL_ERROR, CONN_FAILED,
         "WebSocket: a frame with reserved bits"},
        {LITERAL("\x81\x81" MASK "a"), LITERAL(""), LITERAL("\x88\2\3\xeb"), CONN_FAILED,
         "WebSocket: a message of text"},
        {LITERAL("\x83\x81" MASK "a"), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED,
         "WebSocket: a frame of an unknown kind"},
        {LITERAL("\x8b\x80" MASK), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED, NULL},
        {LITERAL("\x80\x81" MASK "a"), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED,
         "WebSocket: a fragment without a message"},
        {LITERAL("\x02\x81" MASK "a\x82\x81" MASK "b"), LITERAL("a"), PROTOCOL_ERROR, CONN_FAILED,
         "WebSocket: a message within a message"},
        {LITERAL("\x09\x80" MASK), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED, NULL},
        {LITERAL("\x89\xfe\1\0" MASK "aaaa"), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED, NULL},
        {LITERAL("\x82\xfe\0\1" MASK "aaaa"), LITERAL(""), PROTOCOL_ERROR, CONN_FAILED, NULL},
        {LITERAL("\x82\xff\xff\0\0\0\0\0\0\1" MASK "aaaa"), LITERAL(""), PROTOCOL_ERROR,
         CONN_FAILED, NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        assert_meeting(&all[i]);
}

TEST(a_message_may_be_longer_than_anything)
{
    struct websocket_end server;
    websocket_stage_server(&server);
    text_append(&server.in, LITERAL("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK));
    got_length = 0;
    for (unsigned i = 0; i < 100; i++)
        text_append(&server.in, LITERAL("0123456789"));
    assert_int_equal(take(&server, 13), CONN_AGAIN);
    assert_int_equal(got_length, 1000);
    websocket_stage_end(&server);
}

TEST(frames_without_bytes_do_not_keep_the_thread)
{
    struct websocket_end server;
    uint8_t byte;
    size_t received;
    websocket_stage_server(&server);
    for (unsigned i = 0; i < 1000; i++)
        text_append(&server.in, LITERAL("\x82\x80" MASK));
    text_append(&server.in, LITERAL("\x82\x81" MASK "x"));
    assert_int_equal(channel_receive(&server.channel, &byte, 1, &received), CONN_AGAIN);
    assert_true(channel_has_pending(&server.channel));
    assert_true(server.in.length > 0);
    got_length = 0;
    assert_int_equal(take(&server, SIZE_MAX), CONN_AGAIN);
    assert_view(bytes_at(got, got_length), "x");
    assert_false(channel_has_pending(&server.channel));
    websocket_stage_end(&server);
}

TEST(pings_are_answered_behind_a_frame_that_has_begun)
{
    static uint8_t bytes[100 * 1000];
    struct websocket_end server;
    websocket_stage_server(&server);
    server.room = 20 * 1000;
    size_t sent;
    assert_int_equal(channel_send(&server.channel, bytes_at(bytes, sizeof(bytes)), false, &sent),
                     CONN_OK);
    assert_int_equal(take_cut(&server, LITERAL("\x89\x81" MASK "a\x89\x81" MASK "b"), 3),
                     CONN_AGAIN);
    server.room = SIZE_MAX;
    size_t rest;
    assert_int_equal(
        channel_send(&server.channel, bytes_at(bytes + sent, sizeof(bytes) - sent), false, &rest),
        CONN_OK);
    assert_int_equal(sent + rest, sizeof(bytes));
    struct bytes last = bytes_skip(text_bytes(&server.out), server.out.length - 3);
    assert_views_equal(last, LITERAL("\x8a\1b")); /* the newest */
    websocket_stage_end(&server);
}

TEST(who_is_quiet_sends_pings)
{
    struct websocket_end server;
    websocket_stage_server(&server);
    transport_websocket_keep_alive(&server.channel);
    assert_views_equal(text_bytes(&server.out), LITERAL("\x89\0"));
    size_t sent;
    assert_int_equal(channel_send(&server.channel, LITERAL("x"), false, &sent), CONN_OK);
    transport_websocket_keep_alive(&server.channel);
    assert_views_equal(text_bytes(&server.out), LITERAL("\x89\0\x82\1x"));
    transport_websocket_keep_alive(&server.channel);
    assert_views_equal(text_bytes(&server.out), LITERAL("\x89\0\x82\1x\x89\0"));
    websocket_stage_end(&server);
}

TEST(the_end_is_said_by_a_close_frame)
{
    struct websocket_end server;
    websocket_stage_server(&server);
    channel_finish(&server.channel);
    assert_views_equal(text_bytes(&server.out), LITERAL("\x88\2\3\xe8"));
    assert_true(server.has_finished);
    websocket_stage_end(&server);

    struct websocket_end client;
    websocket_stage_client(&client);
    got_length = 0;
    text_append(&client.in, LITERAL("\x82\3abc\x88\0"));
    assert_int_equal(take(&client, SIZE_MAX), CONN_END);
    assert_view(bytes_at(got, got_length), "abc");
    size_t sent;
    assert_int_equal(channel_send(&client.channel, LITERAL("x"), false, &sent), CONN_FAILED);
    websocket_stage_end(&client);
}

TEST(a_client_refuses_masked_frames)
{
    struct websocket_end client;
    websocket_stage_client(&client);
    got_length = 0;
    text_append(&client.in, LITERAL("\x82\x83" MASK "abc"));
    assert_int_equal(take(&client, SIZE_MAX), CONN_FAILED);
    assert_string_equal(client.channel.error, "WebSocket: a masked frame of a server");
    websocket_stage_end(&client);
}

/* ---- handshakes that fail ---- */

TEST(who_is_no_websocket_is_answered_and_waited_for)
{
    struct websocket_end server;
    websocket_stage_begin(&server);
    assert_true(transport_websocket_accept(&server.channel, &websocket_stage_rules));
    text_append_string(&server.in, "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(channel_handshake(&server.channel), CONN_AGAIN);
    assert_true(bytes_starts(text_bytes(&server.out), "HTTP/1.1 404 Not Found\r\n"));
    assert_true(server.has_finished);
    text_append_string(&server.in, "more");
    assert_int_equal(channel_handshake(&server.channel), CONN_AGAIN);
    server.has_ended = true;
    assert_int_equal(channel_handshake(&server.channel), CONN_FAILED);
    assert_string_equal(server.channel.error, "WebSocket: refused with 404: there is nothing here: "
                                              "see [downstream] ws-path");
    websocket_stage_end(&server);
}

TEST(what_comes_with_the_handshake_is_received)
{
    struct websocket_end server;
    websocket_stage_begin(&server);
    assert_true(transport_websocket_accept(&server.channel, &websocket_stage_rules));
    text_append_string(&server.in, websocket_request_text);
    text_append(&server.in, LITERAL("\x82\x83" MASK "abc\x82\x81" MASK "d"));
    assert_int_equal(channel_handshake(&server.channel), CONN_OK);
    assert_true(channel_has_pending(&server.channel));
    got_length = 0;
    assert_int_equal(take(&server, 2), CONN_AGAIN);
    assert_view(bytes_at(got, got_length), "abcd");
    websocket_stage_end(&server);
}
