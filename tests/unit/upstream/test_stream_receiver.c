/* SPDX-License-Identifier: MIT
 *
 * The stream into a real backlog with small segments: cut at every place, broken off and begun again
 * in the middle of commands, refused by the disk and by slow readers. No byte may be lost or doubled.
 */
#include "../../../relay/upstream/stream_receiver.h"

#include "../../../relay/upstream/handshake.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/codec/compressor.h"
#include "relay/store/status.h"
#include "temp_store.h"
#include "test.h"

#define ID "8e7f0123456789abcdef0123456789abcdef0123"
#define SET "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"
#define PING "*1\r\n$4\r\nPING\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC "*1\r\n$4\r\nEXEC\r\n"
#define GETACK "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
#define NO_GETACK                                                                                  \
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$37\r\n"                                                        \
    "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"                                          \
    "\r\n"

enum { X = 4711, SCRATCH = 100, FILL = 1000, STREAM_MAX = 8 * 1024 * 1024 };

static struct temp_store temp;
static struct loop *loop;
static struct conn *conn;
static struct stream_receiver stream_receiver;
static uint8_t scratch[SCRATCH];
static struct text why;
static struct text stored;
static enum stream_receiver_result result;
static unsigned events;

static struct history *history(void)
{
    return store_current(temp.store);
}

static uint64_t stream_end(void)
{
    return history_end(history());
}

static void begin_stream_receiver(void)
{
    text_clear(&why);
    result = STREAM_RECEIVER_OK;
    stream_receiver_begin(&stream_receiver, history(), scratch, SCRATCH);
}

static void on_event(struct conn *which, enum conn_event event, void *arg)
{
    (void)arg;
    if (event != CONN_EVENT_READABLE || result != STREAM_RECEIVER_OK)
        return;
    events++;
    result = stream_receiver_receive(&stream_receiver, which, &why);
    (void)store_publish(temp.store);
}

static void connect_anew(void)
{
    const struct conn_options options = {0};
    if (conn != NULL)
        conn_close(&conn);
    conn = conn_connect(loop, "primary.test", 6379, &options, on_event, NULL);
    assert_non_null(conn);
    fake_conn_up(conn);
    conn_want(conn, true, false);
}

static int begin(void **state)
{
    (void)state;
    temp_store_open(&temp);
    temp_store_fill(&temp, ID, X);
    loop = loop_new(&(struct error){0});
    text_init(&why, 512);
    text_init(&stored, STREAM_MAX);
    connect_anew();
    begin_stream_receiver();
    events = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    stream_receiver_end(&stream_receiver);
    conn_close(&conn);
    fake_conn_reset();
    loop_free(&loop);
    text_fini(&why);
    text_fini(&stored);
    temp_store_close(&temp);
    return 0;
}

#define STREAM_TEST(name) TEST_SETUP(name, begin, end)

/* As what came with the RDB in one read: a view that is gone afterwards. */
static void feed(void *context, struct bytes piece)
{
    (void)context;
    uint8_t *copy = malloc(piece.length + 1);
    assert_non_null(copy);
    if (piece.length > 0)
        memcpy(copy, piece.data, piece.length);
    struct bytes input = bytes_at(copy, piece.length);
    if (result == STREAM_RECEIVER_OK)
        result = stream_receiver_feed(&stream_receiver, &input, &why);
    if (result == STREAM_RECEIVER_OK)
        assert_int_equal(input.length, 0);
    (void)store_publish(temp.store);
    free(copy);
}

static void receive(void *context, struct bytes piece)
{
    (void)context;
    if (piece.length > 0)
        fake_conn_feed(conn, piece);
    fake_conn_run(conn);
}

static void check_stored(uint64_t from, struct bytes expected)
{
    assert_int_equal(result, STREAM_RECEIVER_OK);
    assert_int_equal(stream_end(), from + expected.length);
    (void)store_publish(temp.store);
    text_clear(&stored);
    temp_store_read(&temp, from, &stored);
    assert_views_equal(text_bytes(&stored), expected);
}

/* ------------------------------------------------------------------ cut at every place */

static const char everything[] = PING SET GETACK MULTI SET NO_GETACK EXEC SET;
static uint64_t start;
static bool by_receive;

static void begin_part(void *context)
{
    (void)context;
    start = stream_end();
    (void)stream_receiver_take_getack(&stream_receiver);
}

static void feed_part(void *context, struct bytes piece)
{
    (by_receive ? receive : feed)(context, piece);
}

static void end_part(void *context)
{
    (void)context;
    check_stored(start, bytes_of(everything));
    assert_int_equal(history_boundary(history()), stream_end());
    assert_true(stream_receiver_take_getack(&stream_receiver));
    assert_false(stream_receiver_take_getack(&stream_receiver));
}

STREAM_TEST(every_split_of_the_stream)
{
    by_receive = true;
    each_split(bytes_of(everything), begin_part, feed_part, end_part, NULL);
    by_receive = false;
    each_split(bytes_of(everything), begin_part, feed_part, end_part, NULL);
    assert_true(stream_end() > X + TEMP_WINDOW_BYTES);
}

STREAM_TEST(byte_by_byte)
{
    begin_part(NULL);
    feed_pieces(bytes_of(everything), 1, receive, NULL);
    end_part(NULL);
}

STREAM_TEST(a_getack_is_seen_when_it_is_whole_and_not_inside_a_value)
{
    struct bytes getack = bytes_of(GETACK);
    feed(NULL, bytes_of(NO_GETACK));
    assert_false(stream_receiver_take_getack(&stream_receiver));
    for (size_t i = 0; i < getack.length; i++) {
        assert_false(stream_receiver_take_getack(&stream_receiver));
        feed(NULL, bytes_first(bytes_skip(getack, i), 1));
    }
    assert_true(stream_receiver_take_getack(&stream_receiver));
    feed(NULL, bytes_of(GETACK GETACK));
    assert_true(stream_receiver_take_getack(&stream_receiver));
    assert_false(stream_receiver_take_getack(&stream_receiver));
}

STREAM_TEST(the_boundary_waits_for_exec_over_many_segments)
{
    feed(NULL, bytes_of(SET MULTI));
    for (unsigned i = 0; i < FILL; i++)
        feed(NULL, bytes_of(SET));
    assert_int_equal(history_boundary(history()), X + strlen(SET));
    assert_int_equal(stream_end(), X + strlen(SET MULTI) + FILL * strlen(SET));
    struct store_status status;
    store_status(temp.store, &status);
    assert_true(status.segments > 5);
    feed(NULL, bytes_of(EXEC));
    assert_int_equal(history_boundary(history()), stream_end());
}

/* The last one before `end`, of SETs from X on. */
static uint64_t last_boundary(uint64_t end)
{
    return X + (end - X) / strlen(SET) * strlen(SET);
}

/* However much comes at once: a relay that finds this segment as its newest goes on from its end. */
static void expect_sealed_with_boundaries(void)
{
    const struct identity *identity = history_identity(history());
    assert_true(identity->segment_count > 5);
    for (size_t i = 0; i < identity->segment_count; i++) {
        const struct identity_segment *row = &identity->segments[i];
        assert_int_equal(row->boundary, last_boundary(row->end));
    }
}

STREAM_TEST(a_segment_is_sealed_with_the_last_boundary_in_it)
{
    struct text many;
    text_init(&many, STREAM_MAX);
    for (unsigned i = 0; i < FILL; i++)
        text_append_string(&many, SET);
    struct bytes input = text_bytes(&many);
    while (input.length > 0) {
        result = stream_receiver_feed(&stream_receiver, &input, &why);
        assert_true(result == STREAM_RECEIVER_OK || result == STREAM_RECEIVER_HELD);
        (void)store_publish(temp.store);
    }
    expect_sealed_with_boundaries();
    check_stored(X, text_bytes(&many));
    receive(NULL, text_bytes(&many));
    assert_int_equal(stream_end(), X + 2 * many.length);
    expect_sealed_with_boundaries();
    text_fini(&many);
}

STREAM_TEST(a_turn_is_bounded)
{
    enum { TURN = 4 * 1024 * 1024, MUCH = 9 * 1024 * 1024 };
    char *value = malloc(MUCH + 64);
    assert_non_null(value);
    int head = snprintf(value, 64, "*2\r\n$3\r\nSET\r\n$%d\r\n", MUCH);
    memset(value + head, 'v', MUCH);
    fake_conn_feed(conn, bytes_at(value, (size_t)head + MUCH));
    assert_true(fake_conn_step(conn));
    uint64_t taken = stream_end() - X;
    assert_in_range(taken, TURN, TURN + TEMP_SEGMENT_BYTES);
    fake_conn_run(conn);
    assert_int_equal(stream_end(), X + (uint64_t)head + MUCH);
    assert_in_range(events, 3, 4);
    free(value);
}

/* ------------------------------------------------------------------ the same bytes come again */

static size_t held; /* bytes of the tail that came before the break */

/* A new history each time would be slow: each round goes on behind the one before it. */
static const char tail[] = MULTI SET EXEC PING;

/* The connection breaks after `held` bytes of the tail, and comes again from the boundary. */
static void begin_again(void *context)
{
    (void)context;
    start = stream_end();
    assert_int_equal(history_boundary(history()), start);
    receive(NULL, bytes_at(tail, held));
    assert_int_equal(stream_end(), start + held);
    connect_anew();
    begin_stream_receiver();
    if (history_boundary(history()) > start)
        start = history_boundary(history());
}

static void feed_again(void *context, struct bytes piece)
{
    feed_part(context, piece);
}

static void end_again(void *context)
{
    (void)context;
    check_stored(start, bytes_of(tail));
    assert_int_equal(history_boundary(history()), stream_end());
    assert_null(stream_receiver.overlap.segment);
}

static void every_break_and_split(void)
{
    for (held = 0; held < strlen(MULTI SET EXEC); held++)
        each_split(bytes_of(tail), begin_again, feed_again, end_again, NULL);
}

STREAM_TEST(what_came_before_the_break_is_not_appended_twice)
{
    by_receive = true;
    every_break_and_split();
}

STREAM_TEST(nor_where_it_came_together_with_the_reply)
{
    by_receive = false;
    every_break_and_split();
}

STREAM_TEST(a_second_break_while_the_same_bytes_come)
{
    feed(NULL, bytes_of(SET MULTI SET SET SET));
    for (size_t again = 0; again < strlen(MULTI SET SET SET); again++) {
        connect_anew();
        begin_stream_receiver();
        receive(NULL, bytes_at(MULTI SET SET SET, again));
        assert_int_equal(result, STREAM_RECEIVER_OK);
    }
    connect_anew();
    begin_stream_receiver();
    receive(NULL, bytes_of(MULTI SET SET SET EXEC));
    check_stored(X, bytes_of(SET MULTI SET SET SET EXEC));
}

/* More than the scratch holds, over several segments. */
STREAM_TEST(a_long_overlap)
{
    static char multi[sizeof(MULTI) + FILL * (sizeof(SET) - 1)];
    size_t length = strlen(MULTI);
    memcpy(multi, MULTI, length);
    for (unsigned i = 0; i < FILL; i++) {
        memcpy(multi + length, SET, strlen(SET));
        length += strlen(SET);
    }
    receive(NULL, bytes_at(multi, length));
    connect_anew();
    begin_stream_receiver();
    fake_conn_feed_cut(conn, bytes_at(multi, length), 777);
    fake_conn_feed(conn, bytes_of(EXEC SET));
    fake_conn_run(conn);
    assert_int_equal(result, STREAM_RECEIVER_OK);
    assert_int_equal(stream_end(), X + length + strlen(EXEC SET));
    assert_int_equal(history_boundary(history()), stream_end());
}

STREAM_TEST(a_restart_is_a_break_like_any_other)
{
    receive(NULL, bytes_of(SET MULTI SET));
    stream_receiver_end(&stream_receiver);
    temp_store_reopen(&temp);
    assert_int_equal(history_boundary(history()), X + strlen(SET));
    connect_anew();
    begin_stream_receiver();
    receive(NULL, bytes_of(MULTI SET EXEC));
    check_stored(X, bytes_of(SET MULTI SET EXEC));
}

STREAM_TEST(other_bytes_are_cut_off_at_the_boundary)
{
    for (size_t wrong = 0; wrong < strlen(MULTI SET); wrong++) {
        char other[] = MULTI SET;
        struct cursor reader = {0};
        struct bytes view;
        uint64_t boundary = stream_end() + strlen(SET);
        receive(NULL, bytes_of(SET MULTI SET));
        assert_true(history_attach(history(), &reader, stream_end()));
        connect_anew();
        begin_stream_receiver();
        other[wrong] ^= 1;
        receive(NULL, bytes_of(other));
        assert_int_equal(result, STREAM_RECEIVER_REWOUND);
        assert_non_null(strstr(text_string(&why), "came again and were others: cut off there"));
        assert_int_equal(stream_end(), boundary);
        assert_int_equal(history_boundary(history()), boundary);
        assert_int_equal(cursor_peek(&reader, &view), CURSOR_REWOUND);
        cursor_detach(&reader);
        connect_anew();
        begin_stream_receiver();
        assert_null(stream_receiver.overlap.segment);
        receive(NULL, bytes_of(MULTI PING EXEC));
        check_stored(boundary - strlen(SET), bytes_of(SET MULTI PING EXEC));
    }
}

STREAM_TEST(the_disk_refuses_the_cut)
{
    receive(NULL, bytes_of(SET MULTI SET));
    connect_anew();
    begin_stream_receiver();
    temp_store_refuse(true);
    receive(NULL, bytes_of(SET));
    temp_store_refuse(false);
    assert_int_equal(result, STREAM_RECEIVER_LOST);
    assert_string_equal(text_string(&why), "tail: cannot write: File too large");
}

/* ------------------------------------------------------------------ refused, and gone on with */

/* Commands, numbered, so that a lost or doubled byte is seen. */
static void make_stream(struct text *out, size_t commands)
{
    text_init(out, STREAM_MAX);
    for (size_t i = 0; i < commands; i++)
        text_format(out, "*2\r\n$4\r\nINCR\r\n$8\r\n%08zu\r\n", i);
}

static void check_tail_of(const struct text *stream)
{
    uint64_t first = history_first(history());
    check_stored(first, bytes_skip(text_bytes(stream), (size_t)(first - X)));
}

STREAM_TEST(a_disk_without_room_stops_it_without_a_loss)
{
    struct text stream;
    make_stream(&stream, FILL);
    temp_store_refuse_files(true);
    fake_conn_feed(conn, text_bytes(&stream));
    fake_conn_step(conn);
    assert_int_equal(result, STREAM_RECEIVER_NO_SPACE);
    assert_int_equal(stream_end(), X + TEMP_SEGMENT_BYTES);
    result = stream_receiver_receive(&stream_receiver, conn, &why);
    assert_int_equal(result, STREAM_RECEIVER_NO_SPACE);
    temp_store_refuse_files(false);
    result = STREAM_RECEIVER_OK;
    fake_conn_run(conn);
    check_tail_of(&stream);
    text_fini(&stream);
}

STREAM_TEST(what_the_disk_fails_is_written_as_soon_as_it_can_be)
{
    receive(NULL, bytes_of(SET));
    temp_store_refuse(true);
    receive(NULL, bytes_of(PING));
    assert_int_equal(result, STREAM_RECEIVER_NO_SPACE);
    assert_string_equal(history_stream_error(history()), "4711.seg: cannot write: File too large");
    assert_int_equal(stream_end(), X + strlen(SET));
    assert_int_equal(history_boundary(history()), X + strlen(SET));
    assert_int_equal(stream_receiver_receive(&stream_receiver, conn, &why),
                     STREAM_RECEIVER_NO_SPACE);
    temp_store_refuse(false);
    result = STREAM_RECEIVER_OK;
    assert_int_equal(stream_receiver_receive(&stream_receiver, conn, &why),
                     STREAM_RECEIVER_OK); /* nothing more has come */
    assert_string_equal(history_stream_error(history()), "");
    check_stored(X, bytes_of(SET PING));
    receive(NULL, bytes_of(SET));
    check_stored(X, bytes_of(SET PING SET));
}

STREAM_TEST(what_the_disk_failed_is_asked_for_again_by_the_next_link)
{
    receive(NULL, bytes_of(SET));
    temp_store_refuse(true);
    receive(NULL, bytes_of(PING));
    assert_int_equal(result, STREAM_RECEIVER_NO_SPACE);
    temp_store_refuse(false);
    connect_anew();
    begin_stream_receiver();
    receive(NULL, bytes_of(PING));
    check_stored(X, bytes_of(SET PING));
}

STREAM_TEST(nor_of_what_was_received_already)
{
    struct text stream;
    make_stream(&stream, FILL);
    struct bytes input = text_bytes(&stream);
    temp_store_refuse_files(true);
    assert_int_equal(stream_receiver_feed(&stream_receiver, &input, &why),
                     STREAM_RECEIVER_NO_SPACE);
    assert_int_equal(stream_end(), X + TEMP_SEGMENT_BYTES);
    assert_int_equal(input.length,
                     stream.length - TEMP_SEGMENT_BYTES); /* the caller has the rest */
    temp_store_refuse_files(false);
    assert_int_equal(stream_receiver_feed(&stream_receiver, &input, &why), STREAM_RECEIVER_OK);
    assert_int_equal(input.length, 0);
    assert_int_equal(stream_receiver_receive(&stream_receiver, conn, &why), STREAM_RECEIVER_OK);
    check_tail_of(&stream);
    text_fini(&stream);
}

STREAM_TEST(readers_at_the_cap_hold_it_until_they_let_go)
{
    struct text stream;
    struct cursor reader = {0};
    struct bytes view;
    temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp.options.window_bytes_max = (uint64_t)TEMP_SEGMENT_BYTES * 3;
    stream_receiver_end(&stream_receiver);
    temp_store_reopen(&temp);
    begin_stream_receiver();
    make_stream(&stream, FILL);
    assert_true(history_attach(history(), &reader, X));
    fake_conn_feed(conn, text_bytes(&stream));
    fake_conn_step(conn);
    assert_int_equal(result, STREAM_RECEIVER_HELD);
    assert_in_range(stream_end(), X + TEMP_SEGMENT_BYTES, X + 3 * TEMP_SEGMENT_BYTES);
    assert_int_equal(cursor_peek(&reader, &view), CURSOR_LAGGED);
    cursor_detach(&reader);
    result = STREAM_RECEIVER_OK;
    fake_conn_run(conn);
    check_tail_of(&stream);
    text_fini(&stream);
}

/* ------------------------------------------------------------------ what is no stream */

STREAM_TEST(nonsense_is_not_appended)
{
    receive(NULL, bytes_of(SET MULTI));
    receive(NULL, bytes_of("+PONG\r\n"));
    assert_int_equal(result, STREAM_RECEIVER_BROKEN);
    assert_string_equal(text_string(&why),
                        "what the primary sent at offset 4757 is no replication stream: a command "
                        "does not begin with '*'");
    assert_int_equal(stream_end(), X + strlen(SET MULTI));
    assert_int_equal(history_boundary(history()), X + strlen(SET));
}

STREAM_TEST(the_end_of_the_connection)
{
    receive(NULL, bytes_of(SET));
    fake_conn_end(conn);
    fake_conn_run(conn);
    assert_int_equal(result, STREAM_RECEIVER_END);
    assert_string_equal(text_string(&why), "the primary closed the connection");
    connect_anew();
    begin_stream_receiver();
    fake_conn_feed(conn, bytes_of(SET "*1"));
    fake_conn_fail(conn, "Connection reset by peer");
    fake_conn_run(conn);
    assert_int_equal(result, STREAM_RECEIVER_END);
    assert_string_equal(text_string(&why), "Connection reset by peer");
    assert_int_equal(stream_end(), X + strlen(SET SET "*1"));
    assert_int_equal(history_boundary(history()), X + strlen(SET SET));
}

/* ------------------------------------------------------------------ compressed (docs/protocol.md 7.5) */

static struct handshake compressing;
static struct compression_use use;
static bool has_pending; /* the first part came with the answer to PSYNC */

/* Reads on as the link does: in turns, without an event. */
static void receive_all(void)
{
    while (result == STREAM_RECEIVER_OK && stream_receiver_has_more(&stream_receiver)) {
        result = stream_receiver_receive(&stream_receiver, conn, &why);
        (void)store_publish(temp.store);
    }
}

static void begin_compressed(void *context)
{
    begin_part(context);
    connect_anew();
    begin_stream_receiver();
    use = (struct compression_use){.faults = 0};
    has_pending = true;
}

static void feed_compressed(void *context, struct bytes piece)
{
    if (has_pending) {
        stream_receiver_decompress(&stream_receiver, &compressing, &use, &piece);
        assert_int_equal(piece.length, 0);
        has_pending = false;
    }
    receive_all();
    if (result == STREAM_RECEIVER_OK)
        receive(context, piece);
    receive_all();
}

/* One piece for each few bytes, as when a primary is slow. */
static void compress_everything(enum codec codec, bool has_envelope, struct text *out)
{
    uint8_t piece[1024];
    struct compressor *compressor = compressor_new((struct compression){codec, 1});
    assert_non_null(compressor);
    text_append(out, bytes_at(piece, compressor_head(codec, has_envelope, piece)));
    for (struct bytes left = bytes_of(everything); left.length > 0;) {
        size_t length = left.length < 50 ? left.length : 50;
        size_t made;
        assert_true(compressor_piece(compressor, bytes_first(left, length), piece, &made));
        text_append(out, bytes_at(piece, made));
        left = bytes_skip(left, length);
    }
    compressor_free(&compressor);
}

static void receives_compressed(enum codec codec, int frames_level)
{
    struct text sent;
    if (!codec_is_built(codec))
        return;
    text_init(&sent, STREAM_MAX);
    compressing.asked.codec = codec;
    compressing.frames_level = frames_level;
    compress_everything(codec, frames_level == 0, &sent);
    each_split(text_bytes(&sent), begin_compressed, feed_compressed, end_part, NULL);
    assert_int_equal(use.stream_codec, codec);
    assert_int_equal(use.plain_bytes, strlen(everything));
    assert_in_range(use.wire_bytes, 1, sent.length);
    text_fini(&sent);
}

STREAM_TEST(every_split_of_a_compressed_stream)
{
    receives_compressed(CODEC_LZ4, 0);
    receives_compressed(CODEC_ZSTD, 0);
    receives_compressed(CODEC_ZSTD, 3);
}

STREAM_TEST(a_primary_that_does_not_compress_is_read_as_before)
{
    compressing.asked.codec = CODEC_LZ4;
    for (compressing.frames_level = 0; compressing.frames_level < 2; compressing.frames_level++) {
        each_split(bytes_of(everything), begin_compressed, feed_compressed, end_part, NULL);
        assert_int_equal(use.stream_codec, CODEC_NONE);
        assert_int_equal(use.wire_bytes, 0);
    }
    compressing.frames_level = 0;
}

/* The connection ends; what was whole before the fault is kept. */
STREAM_TEST(a_broken_frame_ends_the_connection_and_not_the_data)
{
    struct text sent;
    if (!codec_is_built(CODEC_ZSTD))
        return;
    text_init(&sent, STREAM_MAX);
    compressing.asked.codec = CODEC_ZSTD;
    compress_everything(CODEC_ZSTD, true, &sent);
    uint64_t first = stream_end();
    begin_compressed(NULL);
    sent.data[sent.length - 1] = (char)(sent.data[sent.length - 1] ^ 1); /* of the last checksum */
    feed_compressed(NULL, bytes_of(""));
    feed_compressed(NULL, text_bytes(&sent));
    assert_int_equal(result, STREAM_RECEIVER_GARBLED);
    assert_non_null(strstr(text_string(&why), "cannot decompress: zstd"));
    assert_in_range(stream_end(), first + 50, first + strlen(everything));
    /* Asked for again from the last boundary, it comes whole. */
    uint64_t boundary = history_boundary(history());
    result = STREAM_RECEIVER_OK;
    begin_compressed(NULL);
    feed_compressed(NULL, bytes_skip(bytes_of(everything), (size_t)(boundary - first)));
    assert_int_equal(result, STREAM_RECEIVER_OK);
    check_stored(first, bytes_of(everything));
    text_fini(&sent);
}
