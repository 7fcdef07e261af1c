/* SPDX-License-Identifier: MIT
 *
 * How the link comes to a stream: full syncs in every framing, partial ones after a break, and under a
 * new id; and what it acknowledges when.
 */
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/base/clock.h"
#include "relay/resp/payload.h"
#include "test.h"

enum { WIRE_MAX = 65536 };

#define FULLRESYNC "+FULLRESYNC " STAGE_ID " 4711\r\n"
#define CONTINUE "+CONTINUE " STAGE_ID "\r\n"

static const char *asks_from(uint64_t first_wanted)
{
    static char words[80];
    snprintf(words, sizeof(words), "PSYNC " STAGE_ID " %llu", (unsigned long long)first_wanted);
    return words;
}

static const char *acknowledges(uint64_t offset)
{
    static char words[80];
    snprintf(words, sizeof(words), "REPLCONF ACK %llu", (unsigned long long)offset);
    return words;
}

/* ------------------------------------------------------------------ full */

LINK_TEST(a_full_sync_with_a_length)
{
    stage_start();
    assert_int_equal(stage_status().state, LINK_IDLE);
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_expect_state(LINK_HANDSHAKE);
    stage_say(primary, "\n");
    stage_say(primary, FULLRESYNC);
    stage_expect_state(LINK_LOADING);
    assert_true(stage_status().sync_in_progress);
    assert_null(store_current(stage.temp.store));
    stage_say(primary, "\n\n");
    stage_second();
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    assert_true(stage_status().is_up);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    stage_expect(primary, NULL); /* the primary does not wait for an ACK */
    stage_say(primary, SET_K);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + strlen(SET_K)));
    assert_int_equal(stage_status().full_syncs, 1);
    assert_int_equal(stage_status().partial_syncs, 0);
}

LINK_TEST(progress_is_told_while_the_rdb_comes)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC "$1000\r\nREDIS0011");
    assert_int_equal(stage_status().sync_total_bytes, 1000);
    assert_int_equal(stage_status().sync_read_bytes, 9);
    assert_non_null(history_arriving_snapshot(store_arriving(stage.temp.store)));
    assert_false(stage_status().is_up);
}

/* After the mark the primary says nothing before it has heard of us. */
static void expect_acknowledged_mark(struct conn *primary)
{
    stage_expect_state(LINK_STREAMING);
    stage_expect(primary, acknowledges(STAGE_X));
    stage_second(); /* the first one came too early, perhaps */
    stage_expect(primary, acknowledges(STAGE_X));
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X));
    stage_say(primary, SET_K);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
}

LINK_TEST(a_full_sync_with_a_mark)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    stage_say_marked_rdb(primary, STAGE_RDB_BODY);
    expect_acknowledged_mark(primary);
}

/* Reply, header, RDB and mark as one run of bytes, cut at every place. */
static struct conn *primary_of_split;

static void begin_split(void *context)
{
    (void)context;
    link_close(&stage.link);
    store_abandon(stage.temp.store);
    temp_store_close(&stage.temp);
    temp_store_open(&stage.temp);
    stage_start();
    primary_of_split = stage_greet("PSYNC ? -1");
}

static void feed_split(void *context, struct bytes piece)
{
    (void)context;
    if (piece.length > 0)
        stage_say_bytes(primary_of_split, piece);
}

static void end_marked_split(void *context)
{
    (void)context;
    stage_expect_state(LINK_STREAMING);
    stage_expect(primary_of_split, acknowledges(STAGE_X));
    stage_expect_held(STAGE_ID, STAGE_X, "");
}

LINK_TEST(a_mark_cut_at_every_place)
{
    struct text wire;
    text_init(&wire, WIRE_MAX);
    text_append_string(&wire, "\n" FULLRESYNC "\n");
    payload_format_mark(&wire, STAGE_MARK);
    temp_store_rdb(&wire, 20);
    text_append_string(&wire, STAGE_MARK);
    each_split(text_bytes(&wire), begin_split, feed_split, end_marked_split, NULL);
    text_fini(&wire);
}

static void end_glued_split(void *context)
{
    (void)context;
    stage_expect_state(LINK_STREAMING);
    stage_expect(primary_of_split, acknowledges(STAGE_X + strlen(SET_K GETACK_COMMAND)));
    stage_expect_held(STAGE_ID, STAGE_X, SET_K GETACK_COMMAND MULTI_COMMAND);
}

LINK_TEST(reply_rdb_and_stream_glued_and_cut_at_every_place)
{
    struct text rdb;
    struct text wire;
    text_init(&rdb, WIRE_MAX);
    text_init(&wire, WIRE_MAX);
    temp_store_rdb(&rdb, 20);
    text_append_string(&wire, FULLRESYNC);
    payload_format_length(&wire, rdb.length);
    text_append(&wire, text_bytes(&rdb));
    text_append_string(&wire, SET_K GETACK_COMMAND MULTI_COMMAND);
    each_split(text_bytes(&wire), begin_split, feed_split, end_glued_split, NULL);
    text_fini(&wire);
    text_fini(&rdb);
}

LINK_TEST(more_stream_behind_the_rdb_than_a_segment_holds)
{
    struct text wire;
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    text_init(&wire, WIRE_MAX);
    text_append_string(&wire, "$18\r\nREDIS0011\xff");
    text_append(&wire, bytes_at("\0\0\0\0\0\0\0\0", 8));
    size_t before = wire.length;
    while (wire.length < before + (size_t)TEMP_SEGMENT_BYTES * 3)
        text_append_string(&wire, SET_K);
    stage_say_bytes(primary, text_bytes(&wire));
    stage_expect_state(LINK_STREAMING);
    assert_int_equal(stage_boundary(), STAGE_X + wire.length - before);
    assert_false(snapshot_is_verified(history_snapshot(store_current(stage.temp.store))));
    text_fini(&wire);
}

/* ------------------------------------------------------------------ acknowledging */

LINK_TEST(acknowledges_every_second_what_is_complete)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K "*3\r\n$3\r\nSET\r\n");
    for (int i = 0; i < 3; i++) {
        stage_second();
        stage_expect(primary, acknowledges(STAGE_X + strlen(SET_K)));
        assert_int_equal(stage_status().acknowledged, STAGE_X + strlen(SET_K));
    }
}

LINK_TEST(answers_getack_in_its_turn)
{
    struct conn *primary = stage_stream();
    struct bytes getack = bytes_of(GETACK_COMMAND);
    stage_say(primary, SET_K);
    for (size_t i = 0; i < getack.length; i++) {
        stage_expect(primary, NULL);
        stage_say_bytes(primary, bytes_first(bytes_skip(getack, i), 1));
    }
    stage_expect(primary, acknowledges(STAGE_X + strlen(SET_K GETACK_COMMAND)));
}

LINK_TEST(an_acknowledgement_that_does_not_leave_is_not_doubled)
{
    struct conn *primary = stage_stream();
    fake_conn_set_room(primary, 4);
    stage_seconds(5);
    fake_conn_set_room(primary, SIZE_MAX);
    fake_conn_run(primary);
    stage_expect(primary, acknowledges(STAGE_X));
}

/* ------------------------------------------------------------------ partial */

/* Breaks off in the middle of a transaction and of a command in it. */
static void break_in_multi(void)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K MULTI_COMMAND SET_K "*3\r\n$3\r\nSE");
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("broken: the primary closed the connection");
}

enum { BROKEN_AT = STAGE_X + sizeof(SET_K) - 1 };

LINK_TEST(a_break_asks_for_what_follows_the_last_complete_command)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE);
    stage_expect_state(LINK_STREAMING);
    stage_say(primary, MULTI_COMMAND SET_K SET_K EXEC_COMMAND);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K MULTI_COMMAND SET_K SET_K EXEC_COMMAND);
    stage_second();
    stage_expect(primary, acknowledges(BROKEN_AT + strlen(MULTI_COMMAND SET_K SET_K EXEC_COMMAND)));
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
    assert_int_equal(stage_status().partial_syncs, 1);
    assert_int_equal(stage_status().full_syncs, 1);
}

LINK_TEST(reply_and_stream_in_one_read)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE MULTI_COMMAND SET_K SET_K EXEC_COMMAND PING_COMMAND "*1");
    stage_expect_held(STAGE_ID, STAGE_X,
                      SET_K MULTI_COMMAND SET_K SET_K EXEC_COMMAND PING_COMMAND "*1");
}

/* What is compared is held in the store: it must be let go of, too. */
LINK_TEST(a_break_while_the_same_bytes_come)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE MULTI_COMMAND "*3");
    fake_conn_end(primary);
    fake_conn_run(primary);
    primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE MULTI_COMMAND "*3\r");
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K MULTI_COMMAND SET_K "*3\r\n$3\r\nSE");
}

LINK_TEST(a_bare_continue_keeps_the_id)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, "+CONTINUE\r\n");
    stage_say(primary, MULTI_COMMAND SET_K SET_K EXEC_COMMAND);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K MULTI_COMMAND SET_K SET_K EXEC_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
}

LINK_TEST(continue_under_a_new_id_cuts_back_to_the_boundary)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n" PING_COMMAND);
    stage_expect_state(LINK_STREAMING);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 1);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    const struct identity *identity = history_identity(store_current(stage.temp.store));
    assert_int_equal(identity->earlier_count, 1);
    assert_string_equal(identity->earlier[0].replid.hex, STAGE_ID);
    assert_int_equal(identity->earlier[0].limit, BROKEN_AT);
    stage_second();
    stage_expect(primary, acknowledges(BROKEN_AT + strlen(PING_COMMAND)));
}

LINK_TEST(a_new_id_without_anything_to_cut)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K);
    fake_conn_fail(primary, "Connection reset by peer");
    fake_conn_run(primary);
    stage_expect_error("broken: Connection reset by peer");
    primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n");
    stage_say(primary, PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 1);
}

LINK_TEST(other_bytes_after_a_break_are_news)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE PING_COMMAND);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("rewound: the bytes after the boundary 4742 came again and were others");
    assert_int_equal(stage.news[LINK_NEWS_REWOUND], 1);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
    primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE PING_COMMAND);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K PING_COMMAND);
}

LINK_TEST(a_restart_asks_for_what_follows)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K MULTI_COMMAND);
    link_close(&stage.link);
    temp_store_reopen(&stage.temp);
    stage_start();
    primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, CONTINUE MULTI_COMMAND EXEC_COMMAND);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K MULTI_COMMAND EXEC_COMMAND);
}

LINK_TEST(a_transaction_larger_than_the_window_leaves_nothing_to_continue)
{
    struct conn *primary = stage_stream();
    stage_say(primary, MULTI_COMMAND);
    struct text sets;
    text_init(&sets, WIRE_MAX);
    while (sets.length < WIRE_MAX / 2)
        text_append_string(&sets, SET_K);
    for (int i = 0; i < 4; i++)
        stage_say_bytes(primary, text_bytes(&sets));
    text_fini(&sets);
    assert_true(history_first(store_current(stage.temp.store)) > stage_boundary());
    fake_conn_end(primary);
    fake_conn_run(primary);
    (void)stage_greet("PSYNC ? -1");
}

/* ------------------------------------------------------------------ full again */

LINK_TEST(the_old_history_is_served_until_the_new_one_is_whole)
{
    break_in_multi();
    struct conn *primary = stage_greet(asks_from(BROKEN_AT + 1));
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n$118\r\nREDIS");
    stage_expect_state(LINK_LOADING);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K MULTI_COMMAND SET_K "*3\r\n$3\r\nSE");
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    assert_false(stage_status().is_up);
    assert_int_equal(stage_status().old_history_since_ms, clock_ms());
    struct text rdb;
    text_init(&rdb, WIRE_MAX);
    temp_store_rdb(&rdb, STAGE_RDB_BODY);
    assert_int_equal(rdb.length, 118);
    stage_say_bytes(primary, bytes_skip(text_bytes(&rdb), 5));
    text_fini(&rdb);
    stage_expect_state(LINK_STREAMING);
    stage_say(primary, PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, 9000, PING_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 2);
    assert_true(stage_status().is_up);
    assert_int_equal(stage_status().old_history_since_ms, 0);
}

/* An RDB that fails, and the partial resync that is asked for next. */
static void fail_rdb(struct bytes wire, bool ends, const char *error)
{
    struct conn *primary = fake_conn_newest();
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n");
    if (wire.length > 0)
        stage_say_bytes(primary, wire);
    if (ends) {
        fake_conn_end(primary);
        fake_conn_run(primary);
    }
    stage_expect_state(LINK_RETRYING);
    stage_expect_error(error);
    assert_true(fake_conn_is_closed(primary));
    assert_true(stage_status().old_history_since_ms > 0);
    assert_null(store_arriving(stage.temp.store));
    stage_expect_held(STAGE_ID, STAGE_X, SET_K MULTI_COMMAND SET_K "*3\r\n$3\r\nSE");
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    link_retry(stage.link); /* many come in this test */
    (void)stage_greet(asks_from(BROKEN_AT + 1));
}

LINK_TEST(a_truncated_or_broken_rdb_changes_nothing)
{
    struct text wire;
    break_in_multi();
    (void)stage_greet(asks_from(BROKEN_AT + 1));
    text_init(&wire, WIRE_MAX);
    text_append_string(&wire, "$118\r\n");
    temp_store_rdb(&wire, STAGE_RDB_BODY);
    for (size_t length = 0; length < wire.length; length += 11)
        fail_rdb(bytes_first(text_bytes(&wire), length), true,
                 "broken: the primary closed the connection");
    for (size_t wrong = 6; wrong < wire.length; wrong += 13) {
        wire.data[wrong] ^= 1;
        fail_rdb(text_bytes(&wire), false, "rdb: th");
        wire.data[wrong] ^= 1;
    }
    fail_rdb(bytes_of("$0\r\n"), false, "rdb: this is no RDB");
    fail_rdb(bytes_of("-ERR BGSAVE failed, replication can't continue\r\n"), false,
             "rdb: the primary sent no RDB but: -ERR BGSAVE failed");
    text_clear(&wire);
    text_append_string(&wire, "$EOF:" STAGE_MARK "\r\n");
    temp_store_rdb(&wire, STAGE_RDB_BODY);
    fail_rdb(text_bytes(&wire), true, "broken: the primary closed the connection");
    wire.data[100] ^= 1;
    text_append_string(&wire, STAGE_MARK);
    fail_rdb(text_bytes(&wire), false, "rdb: the RDB's CRC-64 does not match");
    text_fini(&wire);
}
