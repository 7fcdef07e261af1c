/* SPDX-License-Identifier: MIT
 *
 * Layers on a wire that takes as many bytes as the test lets it. A layer here greets with its name, and
 * brackets each send: "tls(abc)". */
#include "../../../relay/net/channel.h"

#include <fcntl.h>
#include <unistd.h>

#include "relay/base/text.h"
#include "test.h"

enum { TEXT_MAX = 64 * 1024, FILE_LENGTH = 40 * 1000 };

struct wire {
    struct text out;
    struct text in;
    size_t room; /* how many bytes it takes yet */
    bool has_finished;
};

/* ---- the bottom ---- */

static struct bytes at_most(struct bytes view, size_t length)
{
    return bytes_first(view, length < view.length ? length : view.length);
}

static enum conn_io wire_receive(struct layer *layer, void *into, size_t capacity, size_t *received)
{
    struct wire *wire = layer->session;
    struct bytes view = at_most(text_bytes(&wire->in), capacity);
    *received = view.length;
    if (view.length == 0)
        return CONN_AGAIN;
    memcpy(into, view.data, view.length);
    text_skip(&wire->in, view.length);
    return CONN_OK;
}

static enum conn_io wire_send(struct layer *layer, struct bytes view, bool more, size_t *sent)
{
    struct wire *wire = layer->session;
    (void)more;
    struct bytes taken = at_most(view, wire->room);
    *sent = taken.length;
    wire->room -= taken.length;
    text_append(&wire->out, taken);
    return taken.length > 0 ? CONN_OK : CONN_AGAIN;
}

static enum conn_io wire_finish(struct layer *layer)
{
    struct wire *wire = layer->session;
    wire->has_finished = true;
    return CONN_OK;
}

static const struct transport transport_wire = {
    .name = "wire", .receive = wire_receive, .send = wire_send, .finish = wire_finish};

/* ---- what stands on it ---- */

struct toy {
    const char *name;
    bool has_greeted;
    bool leaves; /* when it is up */
    struct text owed;
    struct text *ends; /* names of those that were freed */
};

static enum conn_io toy_flush(struct layer *layer)
{
    struct toy *toy = layer->session;
    size_t sent = 0;
    while (toy->owed.length > 0) {
        enum conn_io io = layer_send(layer->below, text_bytes(&toy->owed), false, &sent);
        text_skip(&toy->owed, sent);
        if (io != CONN_OK)
            return io;
    }
    return CONN_OK;
}

static enum conn_io toy_handshake(struct layer *layer)
{
    struct toy *toy = layer->session;
    if (!toy->has_greeted)
        text_format(&toy->owed, "%s?", toy->name);
    toy->has_greeted = true;
    if (toy_flush(layer) == CONN_AGAIN) {
        layer->channel->handshake_waits = layer->channel->send_waits;
        return CONN_AGAIN;
    }
    char answer;
    size_t received;
    enum conn_io io = layer_receive(layer->below, &answer, 1, &received);
    layer->channel->handshake_waits = layer->channel->receive_waits;
    if (io != CONN_OK)
        return io;
    if (answer != '!')
        return channel_fail(layer->channel, "no answer");
    if (toy->leaves)
        channel_remove(layer);
    return CONN_OK;
}

static enum conn_io toy_send(struct layer *layer, struct bytes view, bool more, size_t *sent)
{
    struct toy *toy = layer->session;
    (void)more;
    *sent = 0;
    enum conn_io io = toy_flush(layer);
    if (io != CONN_OK)
        return io;
    text_format(&toy->owed, "%s(", toy->name);
    text_append(&toy->owed, view);
    text_format(&toy->owed, ")");
    *sent = view.length;
    io = toy_flush(layer);
    return io == CONN_FAILED ? io : CONN_OK;
}

static bool toy_has_unsent(const struct layer *layer)
{
    const struct toy *toy = layer->session;
    return toy->owed.length > 0;
}

static enum conn_io toy_finish(struct layer *layer)
{
    struct toy *toy = layer->session;
    if (toy->has_greeted)
        text_format(&toy->owed, "%s.", toy->name);
    toy->has_greeted = false;
    return toy_flush(layer);
}

static void toy_fini(struct layer *layer)
{
    struct toy *toy = layer->session;
    if (toy->ends != NULL)
        text_format(toy->ends, "%s ", toy->name);
    text_fini(&toy->owed);
}

static const struct transport transport_toy = {
    .name = "toy",
    .handshake = toy_handshake,
    .send = toy_send,
    .has_unsent = toy_has_unsent,
    .flush = toy_flush,
    .finish = toy_finish,
    .fini = toy_fini,
};

/* ---- a stage ---- */

struct stage {
    struct channel channel;
    struct wire wire;
    struct toy tls;
    struct toy ws;
};

static void begin(struct stage *stage)
{
    *stage = (struct stage){.tls = {.name = "tls"}, .ws = {.name = "ws"}};
    stage->wire.room = SIZE_MAX;
    text_init(&stage->wire.in, TEXT_MAX);
    text_init(&stage->wire.out, TEXT_MAX);
    text_init(&stage->tls.owed, TEXT_MAX);
    text_init(&stage->ws.owed, TEXT_MAX);
    channel_init(&stage->channel, &transport_wire);
    stage->channel.layers[LAYER_SOCKET].session = &stage->wire;
    channel_add(&stage->channel, LAYER_WEBSOCKET, &transport_toy, &stage->ws);
    channel_add(&stage->channel, LAYER_TLS, &transport_toy, &stage->tls);
}

static void begin_up(struct stage *stage)
{
    begin(stage);
    text_format(&stage->wire.in, "!!");
    assert_int_equal(channel_handshake(&stage->channel), CONN_OK);
    text_clear(&stage->wire.out);
}

static void end(struct stage *stage)
{
    channel_fini(&stage->channel);
    text_fini(&stage->wire.in);
    text_fini(&stage->wire.out);
}

static void assert_out(struct stage *stage, const char *expected)
{
    assert_view(text_bytes(&stage->wire.out), expected);
}

static size_t send_text(struct stage *stage, const char *what, enum conn_io expected)
{
    size_t sent;
    assert_int_equal(channel_send(&stage->channel, bytes_of(what), false, &sent), expected);
    return sent;
}

TEST(layers_are_raised_from_the_socket_up)
{
    struct stage stage;
    begin(&stage);
    assert_int_equal(channel_handshake(&stage.channel), CONN_AGAIN);
    assert_int_equal(channel_handshake_waits(&stage.channel), WAITS_READ);
    assert_out(&stage, "tls?");
    text_format(&stage.wire.in, "!");
    assert_int_equal(channel_handshake(&stage.channel), CONN_AGAIN);
    assert_out(&stage, "tls?tls(ws?)");
    text_format(&stage.wire.in, "!");
    assert_int_equal(channel_handshake(&stage.channel), CONN_OK);
    assert_int_equal(send_text(&stage, "abc", CONN_OK), 3);
    assert_out(&stage, "tls?tls(ws?)tls(ws(abc))");
    end(&stage);
}

TEST(a_handshake_on_a_full_socket_waits_until_it_can_write)
{
    struct stage stage;
    begin(&stage);
    stage.wire.room = 0;
    text_format(&stage.wire.in, "!!");
    for (size_t sent = 0; sent < strlen("tls?"); sent++) {
        assert_int_equal(channel_handshake(&stage.channel), CONN_AGAIN);
        assert_int_equal(channel_handshake_waits(&stage.channel) & WAITS_WRITE, WAITS_WRITE);
        stage.wire.room = 1;
    }
    /* The answer is there, so that the upper layer is up while the lower one keeps what it said. */
    assert_int_equal(channel_handshake(&stage.channel), CONN_OK);
    assert_true(channel_has_unsent(&stage.channel));
    stage.wire.room = SIZE_MAX;
    assert_int_equal(channel_flush(&stage.channel), CONN_OK);
    assert_out(&stage, "tls?tls(ws?)");
    end(&stage);
}

TEST(a_handshake_that_fails_says_why)
{
    struct stage stage;
    begin(&stage);
    text_format(&stage.wire.in, "!-");
    assert_int_equal(channel_handshake(&stage.channel), CONN_FAILED);
    assert_string_equal(stage.channel.error, "no answer");
    end(&stage);
}

TEST(a_layer_may_leave_when_its_handshake_is_done)
{
    struct stage stage;
    begin(&stage);
    stage.tls.leaves = true;
    text_format(&stage.wire.in, "!!");
    assert_int_equal(channel_handshake(&stage.channel), CONN_OK);
    assert_false(channel_has(&stage.channel, LAYER_TLS));
    assert_int_equal(send_text(&stage, "abc", CONN_OK), 3);
    assert_out(&stage, "tls?ws?ws(abc)");
    end(&stage);
}

TEST(what_a_layer_keeps_goes_before_what_follows)
{
    struct stage stage;
    begin_up(&stage);
    stage.wire.room = 5;
    assert_int_equal(send_text(&stage, "abc", CONN_OK), 3);
    assert_out(&stage, "tls(w");
    assert_true(channel_has_unsent(&stage.channel));
    assert_int_equal(channel_flush(&stage.channel), CONN_AGAIN);
    stage.wire.room = SIZE_MAX;
    assert_int_equal(channel_flush(&stage.channel), CONN_OK);
    assert_false(channel_has_unsent(&stage.channel));
    assert_out(&stage, "tls(ws(abc))");
    end(&stage);
}

TEST(the_end_is_said_from_the_top_however_little_the_socket_takes)
{
    struct stage stage;
    begin_up(&stage);
    stage.wire.room = 0;
    assert_int_equal(send_text(&stage, "a", CONN_OK), 1);
    channel_finish(&stage.channel);
    while (channel_has_unsent(&stage.channel)) {
        assert_false(stage.wire.has_finished);
        assert_int_equal(channel_flush(&stage.channel), CONN_AGAIN);
        stage.wire.room = 1;
        if (channel_flush(&stage.channel) == CONN_OK)
            break;
    }
    assert_true(stage.wire.has_finished);
    assert_false(channel_has_unsent(&stage.channel));
    assert_out(&stage, "tls(ws(a))tls(ws.)tls.");
    end(&stage);
}

TEST(a_layer_that_is_added_later_comes_on_top)
{
    static const struct transport through = {.name = "through"};
    static const struct transport late = {
        .name = "late",
        .send = toy_send,
        .has_unsent = toy_has_unsent,
        .flush = toy_flush,
        .fini = toy_fini,
    };
    struct stage stage;
    struct toy toy = {.name = "zip"};
    text_init(&toy.owed, TEXT_MAX);
    begin_up(&stage);
    channel_add(&stage.channel, LAYER_COMPRESSION, &late, &toy);
    assert_int_equal(send_text(&stage, "abc", CONN_OK), 3);
    assert_out(&stage, "tls(ws(zip(abc)))");
    channel_remove(stage.channel.top);
    channel_add(&stage.channel, LAYER_COMPRESSION, &through, NULL);
    text_clear(&stage.wire.out);
    text_format(&stage.wire.in, "xyz");
    char into[8];
    size_t received;
    assert_int_equal(channel_receive(&stage.channel, into, sizeof into, &received), CONN_OK);
    assert_view(bytes_at(into, received), "xyz");
    assert_int_equal(send_text(&stage, "def", CONN_OK), 3);
    assert_out(&stage, "tls(ws(def))");
    assert_false(channel_moves_files(&stage.channel));
    end(&stage);
}

TEST(a_file_is_read_for_a_layer_that_has_only_send)
{
    char path[] = "/tmp/test_channel.XXXXXX";
    int file = mkstemp(path);
    assert_int_not_equal(file, -1);
    assert_int_equal(unlink(path), 0);
    static char content[FILE_LENGTH];
    memset(content, 'f', sizeof content);
    assert_int_equal(write(file, content, sizeof content), FILE_LENGTH);
    struct stage stage;
    begin_up(&stage);
    size_t sent;
    /* More is asked for than there is: what there is goes, then the file is named. */
    assert_int_equal(channel_send_file(&stage.channel, file, 1, FILE_LENGTH + 1, &sent), CONN_OK);
    assert_int_equal(sent, FILE_LENGTH - 1);
    assert_int_equal(channel_send_file(&stage.channel, file, FILE_LENGTH, 1, &sent),
                     CONN_UNREADABLE);
    assert_int_equal(sent, 0);
    size_t seen = 0;
    for (size_t i = 0; i < stage.wire.out.length; i++)
        seen += text_bytes(&stage.wire.out).data[i] == 'f';
    assert_int_equal(seen, FILE_LENGTH - 1);
    end(&stage);
    close(file);
}

TEST(sessions_are_freed_from_the_top)
{
    struct stage stage;
    struct text ends;
    text_init(&ends, TEXT_MAX);
    begin_up(&stage);
    stage.tls.ends = stage.ws.ends = &ends;
    end(&stage);
    assert_view(text_bytes(&ends), "ws tls ");
    text_fini(&ends);
}
