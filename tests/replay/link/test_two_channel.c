/* SPDX-License-Identifier: MIT
 *
 * A full sync over two connections, with a Redis and with a Valkey: in each order, with each death of each connection,
 * and where it is refused.
 */
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/base/crc64.h"
#include "relay/resp/payload.h"
#include "relay/store/status.h"
#include "test.h"

enum { WIRE_MAX = 65536 };

#define FULLRESYNC "+FULLRESYNC " STAGE_ID " 4711\r\n"
#define ENDOFF "$ENDOFF:4711 " STAGE_ID " 0 9\r\n"

static struct conn *main_conn;
static struct conn *rdb_conn;

static int set_up(void **state)
{
    int result = stage_open(state);
    stage.options.rdb_channel = true;
    stage.is_offered_channel = true;
    return result;
}

#define TWO_CHANNEL_TEST(name) TEST_SETUP(name, set_up, stage_close)

/* ------------------------------------------------------------------ how far it is */

/* The RDB's connection is asked for. */
static void reach_opened(bool is_valkey)
{
    main_conn = stage_greet("PSYNC ? -1");
    stage_say(main_conn, is_valkey ? "+DUALCHANNELSYNC\r\n" : "+RDBCHANNELSYNC 7\r\n");
    stage_expect_state(LINK_LOADING);
    assert_true(stage_status().has_rdb_channel);
    rdb_conn = stage_await();
    assert_string_equal(fake_conn_host(rdb_conn), "primary.test");
}

static void reach_asked(bool is_valkey)
{
    reach_opened(is_valkey);
    fake_conn_up(rdb_conn);
    stage_expect(rdb_conn, "REPLCONF listening-port 6380");
    stage_say(rdb_conn, "+OK\r\n");
    if (is_valkey) {
        stage_expect(rdb_conn, "REPLCONF version 7.2.0");
        stage_say(rdb_conn, "+OK\r\n");
        stage_expect(rdb_conn, "REPLCONF capa eof rdb-only 1 rdb-channel 1");
    } else {
        stage_expect(rdb_conn, "REPLCONF capa eof rdb-only 1 rdb-channel 1 main-ch-client-id 7");
    }
    stage_say(rdb_conn, "+OK\r\n");
    stage_expect(rdb_conn, is_valkey ? "SYNC" : "PSYNC ? -1");
    stage_say(rdb_conn, "\n");
    assert_null(store_arriving(stage.temp.store));
}

static void reach_begun(bool is_valkey)
{
    reach_asked(is_valkey);
    fake_conn_forget_sent(main_conn);
    stage_say(rdb_conn, is_valkey ? ENDOFF : FULLRESYNC);
    assert_non_null(store_arriving(stage.temp.store));
}

static void join(void)
{
    stage_expect(main_conn, "REPLCONF set-rdb-client-id 9");
    stage_say(main_conn, "+OK\r\n");
    stage_expect(main_conn, "PSYNC " STAGE_ID " 4712");
    stage_say(main_conn, "+CONTINUE " STAGE_ID "\r\n");
}

static void reach_flowing(bool is_valkey)
{
    reach_begun(is_valkey);
    if (is_valkey)
        join();
    stage_expect(main_conn, NULL);
    fake_loop_pass(stage.loop, 0);
}

static void expect_streaming(const char *stream)
{
    stage_expect_state(LINK_STREAMING);
    assert_int_equal(stage_status().rdb_channel_syncs, 1);
    assert_false(stage_status().has_rdb_channel);
    assert_true(fake_conn_is_closed(rdb_conn));
    stage_expect_held(STAGE_ID, STAGE_X, stream);
}

/* ------------------------------------------------------------------ good */

static void expect_whole_sync(bool is_valkey)
{
    stage_start();
    reach_flowing(is_valkey);
    stage_say(main_conn, SET_K);
    assert_null(store_current(stage.temp.store));
    struct history *arriving = store_arriving(stage.temp.store);
    assert_int_equal(history_end(arriving), STAGE_X + strlen(SET_K));
    assert_true(stage_status().sync_in_progress);
    stage_expect(main_conn, NULL); /* nothing is acknowledged before it can be served */
    stage_second();
    assert_view(fake_conn_sent(main_conn), "\n");
    fake_conn_forget_sent(main_conn);
    stage_say(main_conn, GETACK_COMMAND);
    stage_expect(main_conn, NULL);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    expect_streaming(SET_K GETACK_COMMAND);
    char words[64];
    snprintf(words, sizeof(words), "REPLCONF ACK %zu",
             STAGE_X + strlen(SET_K) + strlen(GETACK_COMMAND));
    struct bytes sent = fake_conn_sent(main_conn);
    assert_true(bytes_starts(sent, "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n"));
    fake_conn_forget_sent(main_conn);
    stage_second();
    stage_expect(main_conn, words);
    stage_say(main_conn, SET_K);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K GETACK_COMMAND SET_K);
    assert_int_equal(stage_status().full_syncs, 1);
}

TWO_CHANNEL_TEST(with_a_redis)
{
    expect_whole_sync(false);
}

TWO_CHANNEL_TEST(with_a_valkey)
{
    expect_whole_sync(true);
}

/* What the primary wrote first may be read last. */
TWO_CHANNEL_TEST(a_stream_that_is_quicker_than_the_offset_waits_for_it)
{
    stage_start();
    reach_asked(false);
    stage_say(main_conn, SET_K);
    assert_false(fake_conn_wants_read(main_conn));
    stage_seconds(3);
    stage_say(rdb_conn, FULLRESYNC);
    fake_loop_pass(stage.loop, 0);
    assert_true(fake_conn_wants_read(main_conn));
    stage_say(main_conn, SET_K);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    expect_streaming(SET_K SET_K);
}

TWO_CHANNEL_TEST(an_rdb_that_is_whole_waits_for_the_stream_to_be_joined)
{
    stage_start();
    reach_begun(true);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    fake_conn_end(rdb_conn); /* as the primary does */
    fake_conn_run(rdb_conn);
    stage_expect_state(LINK_LOADING);
    assert_null(store_current(stage.temp.store));
    join();
    fake_loop_pass(stage.loop, 50);
    expect_streaming("");
    stage_say(main_conn, SET_K);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
}

TWO_CHANNEL_TEST(the_history_before_is_served_meanwhile)
{
    temp_store_fill(&stage.temp, STAGE_OTHER_ID, 50);
    stage.replication = "role:master\r\nmaster_replid:" STAGE_ID "\r\n";
    struct history *before = store_current(stage.temp.store);
    stage_start();
    main_conn = stage_greet("PSYNC " STAGE_OTHER_ID " 51");
    stage_say(main_conn, "+RDBCHANNELSYNC 7\r\n");
    rdb_conn = stage_await();
    fake_conn_up(rdb_conn);
    stage_say(rdb_conn, "+OK\r\n+OK\r\n" FULLRESYNC);
    assert_ptr_equal(store_current(stage.temp.store), before);
    stage_say(main_conn, SET_K);
    assert_ptr_equal(store_current(stage.temp.store), before);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
}

/* ------------------------------------------------------------------ cut at every place */

static bool is_split_valkey;

static void begin_split(void *context)
{
    (void)context;
    link_close(&stage.link);
    store_abandon(stage.temp.store);
    temp_store_close(&stage.temp);
    temp_store_open(&stage.temp);
    stage_start();
    reach_asked(is_split_valkey);
    fake_conn_forget_sent(main_conn);
}

static void feed_split(void *context, struct bytes piece)
{
    (void)context;
    if (piece.length > 0)
        stage_say_bytes(rdb_conn, piece);
}

static void end_split(void *context)
{
    (void)context;
    if (is_split_valkey)
        join();
    fake_loop_pass(stage.loop, 50);
    stage_expect_state(LINK_STREAMING);
    stage_say(main_conn, SET_K);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
}

static void expect_all_splits(bool is_valkey)
{
    struct text wire;
    text_init(&wire, WIRE_MAX);
    text_append_string(&wire, is_valkey ? "\n" ENDOFF "\n" : "\n" FULLRESYNC);
    payload_format_mark(&wire, STAGE_MARK);
    temp_store_rdb(&wire, 20);
    text_append_string(&wire, STAGE_MARK);
    is_split_valkey = is_valkey;
    each_split(text_bytes(&wire), begin_split, feed_split, end_split, NULL);
    text_fini(&wire);
}

TWO_CHANNEL_TEST(the_rdb_of_a_redis_cut_at_every_place)
{
    expect_all_splits(false);
}

TWO_CHANNEL_TEST(the_rdb_of_a_valkey_cut_at_every_place)
{
    expect_all_splits(true);
}

/* ------------------------------------------------------------------ deaths */

typedef void reach_fn(bool is_valkey);

static void reach_half(bool is_valkey)
{
    reach_flowing(is_valkey);
    stage_say(main_conn, SET_K);
    stage_say(rdb_conn, "$EOF:" STAGE_MARK "\r\nREDIS0011");
}

static const struct {
    const char *name;
    reach_fn *reach;
    bool has_begun; /* a fork was paid for: the next attempt takes longer */
} points[] = {
    {"opened", reach_opened, false},  {"asked", reach_asked, false}, {"begun", reach_begun, true},
    {"flowing", reach_flowing, true}, {"half", reach_half, true},
};

enum death { DEATH_MAIN_ENDS, DEATH_MAIN_BREAKS, DEATH_RDB_ENDS, DEATH_RDB_BREAKS, DEATH_SILENCE };

static void kill_sync(enum death death)
{
    struct conn *conn = death == DEATH_RDB_ENDS || death == DEATH_RDB_BREAKS ? rdb_conn : main_conn;
    switch (death) {
    case DEATH_MAIN_ENDS:
    case DEATH_RDB_ENDS:
        if (fake_conn_is_up(conn)) {
            fake_conn_end(conn);
            fake_conn_run(conn);
            return;
        }
        /* fall through */
    case DEATH_MAIN_BREAKS:
    case DEATH_RDB_BREAKS:
        fake_conn_down(conn, "Connection reset by peer");
        fake_conn_run(conn);
        return;
    case DEATH_SILENCE:
        stage_seconds(STAGE_TIMEOUT_MS / 1000 + 1);
        return;
    }
}

/* Both are closed, nothing of it is left, and another attempt succeeds. */
static void expect_clean_retry(void)
{
    stage_expect_state(LINK_RETRYING);
    assert_true(fake_conn_is_closed(main_conn));
    assert_true(fake_conn_is_closed(rdb_conn));
    assert_null(store_arriving(stage.temp.store));
    assert_null(store_current(stage.temp.store));
    assert_int_equal(stage_status().rdb_channel_refusals, 0);
    link_retry(stage.link);
}

static void expect_survived(bool is_valkey, size_t point, enum death death)
{
    stage_start();
    points[point].reach(is_valkey);
    kill_sync(death);
    expect_clean_retry();
    reach_flowing(is_valkey);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    expect_streaming("");
    link_close(&stage.link);
    fake_loop_turn(stage.loop);
    temp_store_close(&stage.temp);
    temp_store_open(&stage.temp);
    stage.news[LINK_NEWS_REPLACED] = 0;
}

static void expect_deaths_survived(bool is_valkey)
{
    for (size_t point = 0; point < LENGTH_OF(points); point++) {
        for (unsigned death = DEATH_MAIN_ENDS; death <= DEATH_SILENCE; death++)
            expect_survived(is_valkey, point, (enum death)death);
    }
}

TWO_CHANNEL_TEST(whatever_dies_with_a_redis_it_begins_anew)
{
    expect_deaths_survived(false);
}

TWO_CHANNEL_TEST(whatever_dies_with_a_valkey_it_begins_anew)
{
    expect_deaths_survived(true);
}

/* The stream's end is met when the history is the current one: then it goes on with a partial resync. */
TWO_CHANNEL_TEST(a_main_connection_that_ends_behind_the_rdb_costs_no_rdb)
{
    stage_start();
    reach_flowing(false);
    stage_say(main_conn, SET_K);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    expect_streaming(SET_K);
    fake_conn_end(main_conn);
    fake_conn_run(main_conn);
    stage_expect_state(LINK_RETRYING);
    char words[80];
    snprintf(words, sizeof(words), "PSYNC " STAGE_ID " %zu", STAGE_X + strlen(SET_K) + 1);
    (void)stage_greet(words);
}

TWO_CHANNEL_TEST(a_corrupt_rdb_leaves_nothing)
{
    stage_start();
    reach_flowing(false);
    stage_say(main_conn, SET_K);
    stage_say(rdb_conn, "$EOF:" STAGE_MARK "\r\nREDIS0011\xff"
                        "12345678" STAGE_MARK);
    stage_expect_error("rdb: ");
    expect_clean_retry();
}

/* An RDB that says where it was taken, as those of servers do. */
static void say_rdb_of(const char *offset)
{
    struct text wire;
    struct text rdb;
    text_init(&wire, WIRE_MAX);
    text_init(&rdb, WIRE_MAX);
    text_format(&rdb, "REDIS0011\xfa%crepl-id%c" STAGE_ID "\xfa%crepl-offset%c%s\xff", 7, 40, 11,
                (int)strlen(offset), offset);
    uint64_t crc = crc64(0, rdb.data, rdb.length);
    for (unsigned i = 0; i < 8; i++)
        text_append(&rdb, bytes_at((uint8_t[]){(uint8_t)(crc >> (8 * i))}, 1));
    payload_format_mark(&wire, STAGE_MARK);
    text_append(&wire, text_bytes(&rdb));
    text_append_string(&wire, STAGE_MARK);
    stage_say_bytes(rdb_conn, text_bytes(&wire));
    text_fini(&rdb);
    text_fini(&wire);
}

TWO_CHANNEL_TEST(an_rdb_that_was_taken_at_another_offset_is_refused)
{
    stage_start();
    reach_flowing(true);
    stage_say(main_conn, SET_K);
    say_rdb_of("4712");
    stage_expect_error("rdb: 4711.rdb: the RDB says that it was taken at offset 4712 of " STAGE_ID);
    expect_clean_retry();
    reach_flowing(true);
    say_rdb_of("4711");
    expect_streaming("");
}

TWO_CHANNEL_TEST(a_stream_that_is_none_ends_it)
{
    stage_start();
    reach_flowing(false);
    stage_say(main_conn, "hello\r\n");
    stage_expect_error("stream: ");
    expect_clean_retry();
}

/* ------------------------------------------------------------------ refused */

/* The next one is over one connection; when that is whole it is offered again. */
static void expect_fallback(void)
{
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("rdb_channel: ");
    assert_int_equal(stage_status().rdb_channel_refusals, 1);
    assert_true(fake_conn_is_closed(main_conn));
    assert_true(fake_conn_is_closed(rdb_conn));
    assert_null(store_arriving(stage.temp.store));
    stage.is_offered_channel = false;
    link_retry(stage.link);
    main_conn = stage_greet("PSYNC ? -1");
    stage_say(main_conn, FULLRESYNC);
    stage_say_marked_rdb(main_conn, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    fake_conn_end(main_conn);
    fake_conn_run(main_conn);
    stage.is_offered_channel = true;
    (void)stage_greet("PSYNC " STAGE_ID " 4712");
}

TWO_CHANNEL_TEST(a_redis_that_does_not_know_the_main_connection)
{
    stage_start();
    reach_opened(false);
    fake_conn_up(rdb_conn);
    stage_say(rdb_conn, "+OK\r\n-ERR Unrecognized RDB client id: 7\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_redis_that_answers_psync_with_an_error)
{
    stage_start();
    reach_asked(false);
    stage_say(rdb_conn, "-ERR Filtered replica requires EOF capability\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_valkey_whose_user_may_not_sync)
{
    stage_start();
    reach_asked(true);
    stage_say(rdb_conn, "-NOPERM this user has no permissions to run the 'sync' command\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_valkey_that_begins_with_the_rdb)
{
    stage_start();
    reach_asked(true);
    stage_say(rdb_conn, "$EOF:" STAGE_MARK "\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_valkey_with_an_end_offset_that_is_none)
{
    stage_start();
    reach_asked(true);
    stage_say(rdb_conn, "$ENDOFF:x " STAGE_ID " 0 9\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_valkey_that_talks_before_it_is_asked)
{
    stage_start();
    reach_asked(true);
    stage_say(main_conn, SET_K);
    expect_fallback();
}

TWO_CHANNEL_TEST(a_valkey_that_does_not_know_the_rdb_any_more)
{
    stage_start();
    reach_begun(true);
    stage_expect(main_conn, "REPLCONF set-rdb-client-id 9");
    stage_say(main_conn, "-ERR Unrecognized RDB client id 9\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_valkey_that_goes_on_under_another_id)
{
    stage_start();
    reach_begun(true);
    stage_say(main_conn, "+OK\r\n+CONTINUE " STAGE_OTHER_ID "\r\n");
    expect_fallback();
}

TWO_CHANNEL_TEST(a_second_connection_that_is_never_accepted)
{
    stage_start();
    reach_opened(false);
    fake_conn_down(rdb_conn, "Connection refused");
    fake_conn_run(rdb_conn);
    expect_clean_retry();
    reach_opened(false);
    fake_conn_down(rdb_conn, "Connection refused");
    fake_conn_run(rdb_conn);
    expect_fallback();
}

TWO_CHANNEL_TEST(who_is_not_told_may_not_answer_so)
{
    stage.options.rdb_channel = false;
    stage.is_offered_channel = false;
    stage_start();
    main_conn = stage_greet("PSYNC ? -1");
    stage_say(main_conn, "+RDBCHANNELSYNC 7\r\n");
    stage_expect_error("refused: PSYNC");
}

TWO_CHANNEL_TEST(a_relay_is_not_told)
{
    stage.server = "psync_relay_version:1.0.0-dev\r\n";
    stage.is_offered_channel = false;
    stage_start();
    main_conn = stage_greet("PSYNC ? -1");
    stage_say(main_conn, FULLRESYNC);
    stage_say_rdb(main_conn, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
}

/* ------------------------------------------------------------------ more of the stream than there is room for */

TWO_CHANNEL_TEST(a_stream_that_fills_the_backlog_waits_for_the_rdb)
{
    struct text stream;
    text_init(&stream, 4 * TEMP_SEGMENT_BYTES);
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    stage.temp.options.window_bytes_max = 2 * TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    while (stream.length < 3 * TEMP_SEGMENT_BYTES)
        text_append_string(&stream, SET_K);
    stage_start();
    reach_flowing(false);
    stage_say_bytes(main_conn, text_bytes(&stream));
    struct history *arriving = store_arriving(stage.temp.store);
    for (int i = 0; i < 10; i++)
        stage_second();
    stage_expect_state(LINK_LOADING);
    assert_true(stage_status().is_sync_backlog_full);
    assert_false(fake_conn_wants_read(main_conn));
    assert_int_equal(history_first(arriving), STAGE_X);
    assert_int_equal(history_end(arriving), STAGE_X + 2 * TEMP_SEGMENT_BYTES);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    fake_loop_turn(stage.loop);
    /* Who waited for the RDB finds it, and all of the stream behind it. */
    assert_false(stage_status().is_sync_backlog_full);
    stage_seconds(2);
    assert_int_equal(history_end(store_current(stage.temp.store)), STAGE_X + stream.length);
    text_fini(&stream);
}

TWO_CHANNEL_TEST(what_came_meanwhile_is_kept_for_a_while)
{
    struct text stream;
    text_init(&stream, 8 * TEMP_SEGMENT_BYTES);
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    while (stream.length < 4 * TEMP_SEGMENT_BYTES)
        text_append_string(&stream, SET_K);
    stage_start();
    reach_flowing(false);
    stage_say_bytes(main_conn, text_bytes(&stream));
    fake_conn_run(main_conn);
    stage_say_marked_rdb(rdb_conn, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    stage_seconds(30);
    struct history *history = store_current(stage.temp.store);
    assert_non_null(history_usable_snapshot(history));
    assert_int_equal(history_first(history), STAGE_X);
    stage_say(main_conn, PING_COMMAND);
    stage_seconds(40);
    assert_true(history_first(history) > STAGE_X);
    text_fini(&stream);
}
