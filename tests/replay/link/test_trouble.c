/* SPDX-License-Identifier: MIT
 *
 * What goes wrong: primaries that refuse, fall silent or talk nonsense, disks that refuse, readers that
 * hold on; and being pointed elsewhere or closed, in every state.
 */
#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/base/clock.h"
#include "relay/net/loop.h"
#include "test.h"

enum { SETS = 400, SETS_LENGTH = SETS * (sizeof(SET_K) - 1) };

static const struct primary_address other = {.host = "other.test", .port = 7000};

#define FROM_X "PSYNC " STAGE_ID " 4712"
#define CONTINUE "+CONTINUE " STAGE_ID "\r\n"
#define RENAMED "+CONTINUE " STAGE_OTHER_ID "\r\n"

static void say_sets(struct conn *primary)
{
    static char sets[SETS_LENGTH];
    for (size_t i = 0; i < SETS; i++)
        memcpy(sets + i * strlen(SET_K), SET_K, strlen(SET_K));
    stage_say_bytes(primary, bytes_at(sets, sizeof(sets)));
}

static void hang_up(struct conn *primary)
{
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
}

/* ------------------------------------------------------------------ into every state */

/* Each brings the link there, from stage_open, and returns its connection; NULL: it has none. */
typedef struct conn *reach_fn(void);

static struct conn *reach_idle(void)
{
    stage_start();
    stage_expect_state(LINK_IDLE);
    return NULL;
}

static struct conn *reach_connecting(void)
{
    stage_start();
    struct conn *primary = stage_await();
    stage_expect_state(LINK_CONNECTING);
    return primary;
}

static struct conn *reach_handshake(void)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_expect_state(LINK_HANDSHAKE);
    return primary;
}

static struct conn *reach_loading(void)
{
    struct conn *primary = reach_handshake();
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n$1000\r\nREDIS0011");
    stage_expect_state(LINK_LOADING);
    return primary;
}

static struct conn *reach_streaming(void)
{
    return stage_stream();
}

static struct conn *reach_paused(void)
{
    struct conn *primary = stage_stream();
    temp_store_refuse_files(true);
    say_sets(primary);
    temp_store_refuse_files(false);
    assert_false(fake_conn_wants_read(primary));
    stage_expect_state(LINK_STREAMING);
    return primary;
}

static struct conn *reach_resting(void)
{
    stage_start();
    fake_conn_down(stage_await(), "Connection refused");
    fake_conn_run_all();
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("unreachable: Connection refused");
    return NULL;
}

static reach_fn *const reaches[] = {
    reach_idle,      reach_connecting, reach_handshake, reach_loading,
    reach_streaming, reach_paused,     reach_resting,
};

static void start_over(void)
{
    stage_close(NULL);
    stage_open(NULL);
}

LINK_TEST(closed_in_every_state)
{
    for (size_t i = 0; i < LENGTH_OF(reaches); i++) {
        struct conn *primary = reaches[i]();
        link_close(&stage.link);
        assert_null(stage.link);
        assert_true(primary == NULL || fake_conn_is_closed(primary));
        assert_null(store_arriving(stage.temp.store));
        fake_loop_pass(stage.loop, 10000);
        assert_false(stage_has_new());
        start_over();
    }
    link_close(&stage.link); /* of none */
}

LINK_TEST(pointed_elsewhere_in_every_state)
{
    for (size_t i = 0; i < LENGTH_OF(reaches); i++) {
        struct conn *primary = reaches[i]();
        bool has_history = store_current(stage.temp.store) != NULL;
        link_follow(stage.link, &other);
        assert_true(primary == NULL || fake_conn_is_closed(primary));
        assert_null(store_arriving(stage.temp.store));
        struct conn *primary_there = stage_await();
        assert_string_equal(fake_conn_host(primary_there), "other.test");
        assert_int_equal(fake_conn_port(primary_there), 7000);
        assert_string_equal(stage_status().host, "other.test");
        stage.connections--; /* the one that stage_greet is to take up */
        char psync[80] = "PSYNC ? -1";
        if (has_history)
            snprintf(psync, sizeof(psync), "PSYNC " STAGE_ID " %llu",
                     (unsigned long long)stage_boundary() + 1);
        (void)stage_greet(psync);
        start_over();
    }
}

LINK_TEST(pointed_elsewhere_it_does_not_rest_long)
{
    stage_start();
    for (int i = 0; i < 8; i++) {
        fake_conn_down(stage_await(), "Connection refused");
        fake_conn_run_all();
    }
    assert_true(fake_loop_next_timer_ms(stage.loop) >= 2500);
    link_follow(stage.link, &other);
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), 0);
}

LINK_TEST(breaks_in_every_state)
{
    static reach_fn *const connected[] = {reach_connecting, reach_handshake, reach_loading,
                                          reach_streaming, reach_paused};
    for (size_t i = 0; i < LENGTH_OF(connected); i++) {
        struct conn *primary = connected[i]();
        fake_conn_down(primary, "Connection timed out");
        fake_conn_run(primary);
        stage_expect_state(LINK_RETRYING);
        stage_expect_error(i == 0 ? "unreachable: Connection timed out"
                                  : "broken: Connection timed out");
        assert_true(fake_conn_is_closed(primary));
        (void)stage_connect();
        start_over();
    }
}

/* ------------------------------------------------------------------ silence */

static void expect_patience(struct conn *primary)
{
    stage_seconds(60);
    assert_false(fake_conn_is_closed(primary));
    stage_second();
    assert_true(fake_conn_is_closed(primary));
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("silent: nothing came from the primary for repl-timeout");
}

LINK_TEST(silence_ends_every_state)
{
    static reach_fn *const connected[] = {reach_connecting, reach_handshake, reach_loading,
                                          reach_streaming};
    for (size_t i = 0; i < LENGTH_OF(connected); i++) {
        expect_patience(connected[i]());
        start_over();
    }
}

LINK_TEST(silence_while_we_stood_still_is_not_the_primarys)
{
    struct conn *primary = reach_streaming();
    fake_clock_advance(3600 * 1000);
    clock_note_standstill(); /* as the first timer does that is so late */
    expect_patience(primary);
}

LINK_TEST(keepalives_are_no_silence)
{
    struct conn *primary = reach_handshake();
    stage_seconds(50);
    stage_say(primary, "\n");
    stage_seconds(50);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_seconds(50);
    stage_say(primary, "\n");
    stage_seconds(50);
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_seconds(50);
    stage_say(primary, PING_COMMAND);
    fake_conn_forget_sent(primary);
    expect_patience(primary);
}

/* ------------------------------------------------------------------ retrying */

static int64_t fail_to_connect(void)
{
    fake_conn_down(stage_await(), "Connection refused");
    fake_conn_run_all();
    return fake_loop_next_timer_ms(stage.loop);
}

LINK_TEST(rests_longer_each_time_up_to_a_limit)
{
    static const int64_t longest[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    stage_start();
    for (size_t i = 0; i < LENGTH_OF(longest); i++)
        assert_in_range(fail_to_connect(), longest[i] / 2, longest[i]);
    assert_int_equal(stage_status().attempts, LENGTH_OF(longest));
}

LINK_TEST(a_stream_that_flows_ends_the_series)
{
    stage_start();
    for (int i = 0; i < 5; i++)
        (void)fail_to_connect();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_say(primary, PING_COMMAND);
    hang_up(primary);
    assert_in_range(fake_loop_next_timer_ms(stage.loop), 50, 100);
}

LINK_TEST(a_stream_that_begins_with_nonsense_does_not)
{
    hang_up(stage_stream());
    for (int64_t longest = 200; longest <= 3200; longest *= 2) {
        struct conn *primary = stage_greet(FROM_X);
        stage_say(primary, CONTINUE);
        stage_expect_state(LINK_STREAMING);
        stage_say(primary, "+PONG\r\n");
        stage_expect_state(LINK_RETRYING);
        stage_expect_error("stream: what the primary sent at offset 4711 is no replication stream");
        assert_in_range(fake_loop_next_timer_ms(stage.loop), longest / 2, longest);
        stage_expect_held(STAGE_ID, STAGE_X, "");
    }
    (void)stage_greet("PSYNC ? -1"); /* it will not become one by asking for it once more */
}

LINK_TEST(a_refusal_is_told_and_tried_again)
{
    static const char *const answers[] = {
        "-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-ERR unknown command 'PSYNC'\r\n",
        "+CONTINUE\r\n",
    };
    stage_start();
    for (size_t i = 0; i < LENGTH_OF(answers); i++) {
        struct conn *primary = stage_greet("PSYNC ? -1");
        stage_say(primary, answers[i]);
        stage_expect_state(LINK_RETRYING);
        stage_expect_error("refused: PSYNC: the primary answered: ");
        stage_expect(primary, NULL); /* no SYNC */
        assert_true(fake_conn_is_closed(primary));
    }
}

/* Its stream would run over the end of the numbers, and the next PSYNC could not be written. */
LINK_TEST(an_offset_that_leaves_no_space_for_a_stream_is_refused)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 9223372036854775806\r\n");
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("refused: PSYNC: the primary answered: +FULLRESYNC");
    assert_null(store_arriving(stage.temp.store));
}

LINK_TEST(memory_is_out)
{
    fake_conn_refuse_next();
    stage_start();
    fake_loop_pass(stage.loop, 1);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("unreachable: out of memory");
    (void)stage_greet("PSYNC ? -1");
}

LINK_TEST(a_full_socket_delays_the_handshake)
{
    stage_start();
    struct conn *primary = stage_await();
    fake_conn_set_room(primary, 5);
    fake_conn_up(primary);
    fake_conn_run(primary);
    assert_view(fake_conn_sent(primary), "*1\r\n$");
    fake_conn_set_room(primary, SIZE_MAX);
    fake_conn_run(primary);
    stage_expect(primary, "PING");
}

/* ------------------------------------------------------------------ disks and readers */

LINK_TEST(a_disk_that_refuses_a_new_history)
{
    struct conn *primary = reach_handshake();
    temp_store_refuse(true);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    temp_store_refuse(false);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("store: ");
    assert_null(store_arriving(stage.temp.store));
    primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
}

static void fail_full_sync(void)
{
    for (int waited = 0; !stage_has_new() && waited <= 300; waited++)
        stage_second();
    struct conn *primary = stage_greet("PSYNC ? -1");
    temp_store_refuse(true);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    temp_store_refuse(false);
    stage_expect_state(LINK_RETRYING);
}

/* As long as nobody mends our disk, the primary must not fork for us again and again. */
LINK_TEST(full_syncs_that_fail_are_asked_for_ever_more_slowly)
{
    stage_start();
    fail_full_sync();
    for (unsigned longest = 1; longest < 600; longest *= 2) {
        unsigned least = longest < 300 ? longest / 2 : 150;
        if (least > 0)
            stage_seconds(least - 1);
        assert_false(stage_has_new());
        fail_full_sync();
    }
    stage_seconds(140);
    assert_false(stage_has_new());
    link_retry(stage.link); /* an operator */
    stage_second();
    assert_true(stage_has_new());
    fail_full_sync();
    link_retry(stage.link);
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(a_disk_that_refuses_the_rdb)
{
    struct conn *primary = reach_handshake();
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    temp_store_refuse(true);
    stage_say_rdb(primary, STAGE_RDB_BODY);
    temp_store_refuse(false);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("rdb: 4711.rdb.part: cannot write");
    assert_null(store_arriving(stage.temp.store));
    (void)stage_greet("PSYNC ? -1");
}

/* Not reading is not the same as hearing nothing. */
LINK_TEST(a_disk_without_room_for_the_stream)
{
    struct conn *primary = stage_stream();
    temp_store_refuse_files(true);
    say_sets(primary);
    for (int i = 0; i < 65; i++) {
        stage_second();
        assert_false(fake_conn_wants_read(primary));
        assert_int_equal(stage_status().acknowledged, stage_boundary());
        assert_true(fake_conn_sent(primary).length > 0);
        fake_conn_forget_sent(primary);
    }
    stage_expect_state(LINK_STREAMING);
    temp_store_refuse_files(false);
    stage_second();
    fake_conn_run(primary);
    assert_true(fake_conn_wants_read(primary));
    assert_int_equal(stage_boundary(), STAGE_X + SETS_LENGTH);
}

/* The RDB is whole and was perhaps served already, but its history cannot be made to last. */
LINK_TEST(a_disk_that_cannot_keep_a_new_history)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_expect_state(LINK_LOADING);
    temp_store_refuse_files(true);
    stage_say_rdb(primary, STAGE_RDB_BODY);
    temp_store_refuse_files(false);
    stage_expect_state(LINK_RETRYING);
    assert_null(store_current(stage.temp.store));
    assert_int_equal(stage.news[LINK_NEWS_WITHDRAWN], 1);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 0);
}

/* It was refused after it had been received: it is kept, and nothing more is read until it is written. */
LINK_TEST(a_disk_that_fails_the_stream)
{
    struct conn *primary = stage_stream();
    temp_store_refuse(true);
    stage_say(primary, SET_K);
    temp_store_refuse(false);
    stage_expect_state(LINK_STREAMING);
    assert_false(fake_conn_wants_read(primary));
    assert_int_equal(stage_boundary(), STAGE_X);
    stage_second();
    stage_expect_state(LINK_STREAMING);
    assert_true(fake_conn_wants_read(primary));
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
}

LINK_TEST(no_space_for_what_came_with_the_reply)
{
    struct text wire;
    hang_up(stage_stream());
    struct conn *primary = stage_greet(FROM_X);
    text_init(&wire, (size_t)SETS_LENGTH * 2);
    text_append_string(&wire, CONTINUE);
    for (int i = 0; i < SETS; i++)
        text_append_string(&wire, SET_K);
    temp_store_refuse_files(true);
    stage_say_bytes(primary, text_bytes(&wire));
    temp_store_refuse_files(false);
    assert_false(fake_conn_wants_read(primary));
    /* The rest waits in the connection; the boundary is that of what is there. */
    const uint64_t whole = TEMP_SEGMENT_BYTES / strlen(SET_K) * strlen(SET_K);
    assert_int_equal(history_end(store_current(stage.temp.store)), STAGE_X + TEMP_SEGMENT_BYTES);
    assert_int_equal(stage_boundary(), STAGE_X + whole);
    stage_second();
    assert_int_equal(stage_boundary(), STAGE_X + SETS_LENGTH);
    assert_true(fake_conn_wants_read(primary));
    text_fini(&wire);
}

LINK_TEST(readers_that_hold_on_pause_it_for_moments)
{
    struct cursor reader = {0};
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    stage.temp.options.window_bytes_max = (uint64_t)TEMP_SEGMENT_BYTES * 2;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    struct history *history = store_current(stage.temp.store);
    assert_true(history_attach(history, &reader, STAGE_X));
    say_sets(primary);
    assert_false(fake_conn_wants_read(primary));
    uint64_t end = history_end(history);
    assert_true(end < STAGE_X + SETS_LENGTH);
    fake_loop_pass(stage.loop, 100);
    assert_int_equal(history_end(history), end);
    cursor_detach(&reader);
    fake_loop_pass(stage.loop, 5);
    fake_conn_run(primary);
    assert_true(fake_conn_wants_read(primary));
    assert_int_equal(stage_boundary(), STAGE_X + SETS_LENGTH);
}

/* ------------------------------------------------------------------ a history that cannot be cut */

static struct conn *break_in_command(void)
{
    struct conn *primary = stage_stream();
    stage_say(primary, "*3\r\n$3\r\nSE");
    hang_up(primary);
    return stage_greet(FROM_X);
}

static void expect_full_sync_next(void)
{
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("store: ");
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 9000\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    hang_up(primary);
    (void)stage_greet("PSYNC " STAGE_ID " 9001");
}

LINK_TEST(the_disk_refuses_to_cut_for_a_new_id)
{
    struct conn *primary = break_in_command();
    temp_store_refuse(true);
    stage_say(primary, RENAMED);
    temp_store_refuse(false);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
    expect_full_sync_next();
}

LINK_TEST(the_disk_refuses_to_cut_other_bytes)
{
    struct conn *primary = break_in_command();
    temp_store_refuse(true);
    stage_say(primary, CONTINUE PING_COMMAND);
    temp_store_refuse(false);
    expect_full_sync_next();
}

LINK_TEST(the_disk_refuses_the_new_id)
{
    hang_up(stage_stream());
    struct conn *primary = stage_greet(FROM_X);
    temp_store_refuse(true);
    stage_say(primary, RENAMED);
    temp_store_refuse(false);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("store: segments.");
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
    primary = stage_greet(FROM_X);
    stage_say(primary, RENAMED PING_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 1);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, PING_COMMAND);
}
