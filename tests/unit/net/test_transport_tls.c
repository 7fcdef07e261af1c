/* SPDX-License-Identifier: MIT
 *
 * The transport: bytes under TLS. Who is accepted, and why not, is in test_tls_context. */
#include "relay/net/conn.h"

#include <openssl/ssl.h>

#include "echo_worker.h"
#include "tls_stage.h"

enum { TRANSFER_BYTES = 6 * 1024 * 1024, PIECE_MAX = 60 * 1000 };

static void begin_good(struct stage *stage, const char *protocol)
{
    struct tls_options server = server_options();
    struct tls_options client = client_options();
    server.protocols = protocol;
    begin_stage(stage, &server, &client);
}

/* ---- large transfers ---- */

/* What an end has been allowed to send. After an AGAIN it offers something else, as it may. */
struct sender {
    uint64_t seed;
    uint8_t *sent;
    size_t length;
    size_t target;
};

static struct sender senders[2]; /* the server's, the client's */

static void begin_sender(struct sender *sender, uint64_t seed, size_t target)
{
    *sender = (struct sender){.seed = seed, .target = target};
    sender->sent = malloc(target);
    assert_non_null(sender->sent);
}

static struct sender *sender_of(struct end *end)
{
    return &senders[end == &end->stage->client ? 1 : 0];
}

static size_t make_piece(struct sender *sender, uint8_t *piece)
{
    size_t left = sender->target - sender->length;
    size_t most = test_random_below(&sender->seed, 4) == 0 ? 3 : PIECE_MAX;
    size_t length = 1 + (size_t)test_random_below(&sender->seed, most);
    if (length > left)
        length = left;
    for (size_t i = 0; i < length; i++)
        piece[i] = (uint8_t)(test_random(&sender->seed) >> 24);
    return length;
}

static void send_pieces(struct end *end)
{
    struct sender *sender = sender_of(end);
    static uint8_t piece[PIECE_MAX];
    while (sender->length < sender->target) {
        size_t length = make_piece(sender, piece);
        size_t sent;
        enum conn_io io = conn_send(end->conn, bytes_at(piece, length), false, &sent);
        memcpy(sender->sent + sender->length, piece, sent);
        sender->length += sent;
        if (io == CONN_AGAIN) {
            conn_want(end->conn, end->reads, true);
            return;
        }
        assert_int_equal(io, CONN_OK);
        assert_true(sent > 0);
    }
    conn_want(end->conn, end->reads, false);
}

static bool all_came(struct stage *stage)
{
    (void)both_are_up(stage);
    return stage->client.got_length >= senders[0].target &&
           stage->server.got_length >= senders[1].target;
}

static void assert_came(const struct end *end, struct sender *sender)
{
    assert_int_equal(end->got_length, sender->length);
    assert_memory_equal(end->got, sender->sent, sender->length);
    free(sender->sent);
    sender->sent = NULL;
}

static void transfer(const char *protocol)
{
    struct stage stage;
    begin_good(&stage, protocol);
    stage.buffer_bytes = SMALL_BUFFER;
    begin_sender(&senders[0], 11, TRANSFER_BYTES);
    begin_sender(&senders[1], 12, TRANSFER_BYTES);
    stage.server.on_writable = stage.client.on_writable = send_pieces;
    begin_client(&stage);
    run_until(&stage, all_came, "all bytes at both ends");
    assert_int_equal(conn_sent_total(stage.server.conn), TRANSFER_BYTES);
    assert_int_equal(conn_received_total(stage.server.conn), TRANSFER_BYTES);
    assert_came(&stage.client, &senders[0]);
    assert_came(&stage.server, &senders[1]);
    end_stage(&stage);
}

TEST(both_send_much_at_once_through_small_buffers)
{
    transfer("TLSv1.2");
    transfer("TLSv1.3");
}

/* ---- files ---- */

static int file;

static void send_the_file(struct end *end)
{
    struct sender *sender = sender_of(end);
    size_t sent;
    enum conn_io io = CONN_OK;
    while (sender->length < sender->target && io == CONN_OK) {
        io =
            conn_send_file(end->conn, file, sender->length, sender->target - sender->length, &sent);
        sender->length += sent;
    }
    assert_true(io == CONN_OK || io == CONN_AGAIN);
    conn_want(end->conn, end->reads, sender->length < sender->target);
}

TEST(a_file_goes_whole_and_one_that_is_too_short_fails)
{
    struct stage stage;
    begin_good(&stage, NULL);
    stage.buffer_bytes = SMALL_BUFFER;
    begin_sender(&senders[0], 13, TRANSFER_BYTES);
    senders[1] = (struct sender){.target = 0};
    for (size_t i = 0; i < TRANSFER_BYTES; i++)
        senders[0].sent[i] = (uint8_t)(test_random(&senders[0].seed) >> 24);
    file = make_file("", NULL);
    assert_int_equal(pwrite(file, senders[0].sent, TRANSFER_BYTES, 0), TRANSFER_BYTES);
    stage.server.on_writable = send_the_file;
    begin_client(&stage);
    run_until(&stage, all_came, "the file");
    assert_came(&stage.client, &senders[0]);

    size_t sent;
    assert_int_equal(conn_send_file(stage.server.conn, file, TRANSFER_BYTES - 2, 5, &sent),
                     CONN_OK);
    assert_int_equal(sent, 2);
    assert_int_equal(conn_send_file(stage.server.conn, file, TRANSFER_BYTES, 3, &sent),
                     CONN_UNREADABLE);
    assert_int_equal(sent, 0);
    assert_int_equal(conn_send_file(stage.server.conn, file, 0, 1, &sent), CONN_OK);
    close(file);
    end_stage(&stage);
}

/* ---- the last bytes ---- */

static size_t awaited_length;

static bool client_has_all(struct stage *stage)
{
    return stage->client.got_length == awaited_length;
}

static bool client_has_ended(struct stage *stage)
{
    return stage->client.has_ended || stage->client.has_failed;
}

static void begin_filled(struct stage *stage)
{
    begin_good(stage, NULL);
    stage->buffer_bytes = SMALL_BUFFER;
    stage->client.reads = false;
    meet(stage);
    awaited_length = fill(stage->server.conn);
    assert_true(awaited_length > 0);
}

TEST(what_counts_as_sent_goes_although_the_owner_wants_nothing)
{
    struct stage stage;
    begin_filled(&stage);
    conn_want(stage.server.conn, false, false);
    conn_want(stage.client.conn, true, false);
    run_until(&stage, client_has_all, "all that was sent");
    end_stage(&stage);
}

TEST(what_counts_as_sent_goes_after_the_connection_has_moved)
{
    struct stage stage;
    begin_filled(&stage);
    conn_detach(stage.server.conn);
    conn_want(stage.client.conn, true, false);
    run_for(stage.loop, 20);
    assert_true(stage.client.got_length < awaited_length);
    assert_true(conn_attach(stage.server.conn, stage.loop, on_end_event, &stage.server));
    run_until(&stage, client_has_all, "all that was sent");
    end_stage(&stage);
}

TEST(draining_delivers_all_and_ends_in_order)
{
    struct stage stage;
    begin_filled(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.client.conn, bytes_of("unread"), false, &sent), CONN_OK);
    conn_drain(&stage.server.conn, CONNECT_TIMEOUT_MS);
    conn_want(stage.client.conn, true, false);
    run_until(&stage, client_has_ended, "the end");
    assert_int_equal(stage.client.got_length, awaited_length);
    assert_true(stage.client.has_ended);
    assert_string_equal(stage.client.error, "");
    end_stage(&stage);
}

TEST(closing_ends_in_order_too)
{
    struct stage stage;
    begin_good(&stage, NULL);
    meet(&stage);
    conn_close(&stage.client.conn);
    run_until(&stage, server_has_ended, "the end");
    assert_true(stage.server.has_ended);
    end_stage(&stage);
}

TEST(what_is_left_in_the_transport_comes_in_the_next_turn)
{
    struct stage stage;
    begin_good(&stage, NULL);
    stage.server.reads = false;
    meet(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.client.conn, bytes_of("abc"), false, &sent), CONN_OK);
    char byte;
    size_t received = 0;
    while (conn_receive(stage.server.conn, &byte, 1, &received) == CONN_AGAIN)
        run_for(stage.loop, 5);
    assert_int_equal(byte, 'a');
    conn_want(stage.server.conn, true, false); /* the descriptor has nothing to tell any more */
    awaited_length = 2;
    while (stage.server.got_length < 2)
        run_for(stage.loop, 5);
    assert_memory_equal(stage.server.got, "bc", 2);
    end_stage(&stage);
}

/* A client's OpenSSL takes all from the socket that there is, and the socket has nothing to tell then. */
TEST(what_was_read_ahead_comes_in_the_next_turn)
{
    struct stage stage;
    begin_good(&stage, NULL);
    stage.client.reads = false;
    meet(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.server.conn, bytes_of("ab"), false, &sent), CONN_OK);
    assert_int_equal(conn_send(stage.server.conn, bytes_of("cd"), false, &sent), CONN_OK);
    run_for(stage.loop, 5); /* loopback has delivered both */
    char bytes[2];
    size_t received = 0;
    while (conn_receive(stage.client.conn, bytes, 2, &received) == CONN_AGAIN)
        run_for(stage.loop, 5);
    assert_memory_equal(bytes, "ab", 2);
    conn_want(stage.client.conn, true, false);
    awaited_length = 2;
    run_until(&stage, client_has_all, "what was read ahead");
    assert_memory_equal(stage.client.got, "cd", 2);
    end_stage(&stage);
}

/* ---- refused ---- */

static bool server_has_refused(struct stage *stage)
{
    return stage->server.has_failed && stage->client.ups == 1;
}

/* Under TLS 1.3 the client is up by then, and has something to say: the socket is reset before it reads. */
TEST(a_refusal_is_named_also_by_a_send_that_fails)
{
    struct stage stage;
    struct tls_options server = server_options();
    struct tls_options client = client_options();
    client.cert_file = client.key_file = NULL;
    begin_stage(&stage, &server, &client);
    stage.client.reads = false;
    begin_client(&stage);
    run_until(&stage, server_has_refused, "the refusal");
    size_t sent;
    while (conn_send(stage.client.conn, bytes_of("x"), false, &sent) != CONN_FAILED)
        run_for(stage.loop, 1);
    assert_string_equal(conn_error(stage.client.conn),
                        "TLS: the peer refuses: it wants a certificate of us");
    end_stage(&stage);
}

/* ---- to another thread ---- */

static bool client_has_twelve(struct stage *stage)
{
    return stage->client.got_length == 12;
}

TEST(one_goes_to_another_thread_with_its_session)
{
    struct echo_worker worker;
    begin_echo_worker(&worker);

    struct stage stage;
    begin_good(&stage, NULL);
    meet(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.client.conn, bytes_of("before "), false, &sent), CONN_OK);
    struct parcel parcel = {.conn = stage.server.conn};
    conn_detach(stage.server.conn);
    stage.server.conn = NULL;
    mailbox_post(worker.mailbox, &parcel.message);
    assert_int_equal(conn_send(stage.client.conn, bytes_of("after"), false, &sent), CONN_OK);
    run_until(&stage, client_has_twelve, "the echo");
    assert_memory_equal(stage.client.got, "before after", 12);
    /* The context goes while the other thread has a connection of it. */
    tls_context_release(&stage.server_tls);
    conn_close(&stage.client.conn);
    end_echo_worker(&worker);
    end_stage(&stage);
}

TEST_GROUP(make_certificates, remove_certificates);
