/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/full_sync_limits.h"

#include "relay/base/clock.h"
#include "replica_stage.h"

/* A piece is SYNC_RATE_PIECE_MIN bytes here, and due a half second after the one before it. */
enum { RATE = 1024, PIECE = SYNC_RATE_PIECE_MIN, PIECE_MS = 500, RDB_LENGTH = 10 * PIECE };

static struct full_sync_limits limits;
static char rdb[RDB_LENGTH + 1];

static int set_up(void **state)
{
    memset(rdb, 'R', RDB_LENGTH);
    memset(&limits, 0, sizeof(limits));
    sync_rate_set(&limits.rate, RATE, clock_us());
    return stage_set_up(state);
}

#define LIMITS_TEST(name) TEST_SETUP(name, set_up, stage_tear_down)

static void attach_within_limits(enum ask ask)
{
    stage_wait_for_answer(ask, 0, bytes_at(NULL, 0));
    replica_take_place(stage.replica, &limits);
    stage_answer(ask);
    fake_conn_run(stage.peer);
}

/* Everything that was sent, but for the replies. */
static size_t rdb_sent(void)
{
    struct bytes sent = fake_conn_sent(stage.peer);
    size_t count = 0;
    for (size_t i = 0; i < sent.length; i++)
        count += sent.data[i] == 'R';
    return count;
}

static void pass_ms(int64_t ms)
{
    fake_loop_pass(stage.loop, ms);
    if (!stage.gone)
        fake_conn_run(stage.peer);
}

/* "+FULLRESYNC" has one, too. */
enum { OTHER_RS = 1 };

LIMITS_TEST(an_rdb_is_sent_piece_by_piece)
{
    stage_have_whole_snapshot(rdb);
    stage_append("stream");
    attach_within_limits(ASK_PSYNC);
    assert_int_equal(rdb_sent(), OTHER_RS + PIECE);
    for (unsigned i = 2; i <= 10; i++) {
        stage_expect_state(REPLICA_LOADING);
        pass_ms(PIECE_MS - 1);
        assert_int_equal(rdb_sent(), OTHER_RS + (i - 1) * PIECE);
        pass_ms(1);
        assert_int_equal(rdb_sent(), OTHER_RS + i * PIECE);
    }
    stage_expect_state(REPLICA_STREAMING);
    struct bytes sent = fake_conn_sent(stage.peer);
    assert_views_equal(bytes_skip(sent, sent.length - 6), LITERAL("stream"));
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), -1);
    assert_int_equal(full_sync_limits_taken(&limits), 0);
}

LIMITS_TEST(one_that_waits_for_the_rate_is_not_taken_for_silent)
{
    sync_rate_set(&limits.rate, 1, clock_us()); /* a piece is due each 512 seconds */
    stage_have_whole_snapshot(rdb);
    attach_within_limits(ASK_PSYNC);
    stage_pass_seconds(5 * STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_LOADING);
    /* When its piece is due its connection takes nothing: its time begins there. */
    fake_conn_set_room(stage.peer, 0);
    pass_ms(fake_loop_next_timer_ms(stage.loop));
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_LOADING);
    stage_pass_seconds(2);
    stage_expect_gone(CLOSE_SILENT);
    assert_int_equal(full_sync_limits_taken(&limits), 0);
}

/* What it cannot send it keeps, and reserves no more meanwhile. */
LIMITS_TEST(one_whose_connection_is_full_reserves_nothing)
{
    stage_have_whole_snapshot(rdb);
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_set_room(stage.peer, 100);
    replica_take_place(stage.replica, &limits);
    stage_answer(ASK_PSYNC);
    fake_conn_run(stage.peer);
    pass_ms(20 * PIECE_MS);
    int64_t now_us = clock_us();
    assert_int_equal(sync_rate_reserve(&limits.rate, now_us).due_us, now_us - SYNC_RATE_SLACK_US);
}

LIMITS_TEST(the_stream_of_a_replica_is_not_counted)
{
    stage_have_whole_snapshot("RDB");
    attach_within_limits(ASK_PSYNC);
    stage_expect_state(REPLICA_STREAMING);
    fake_conn_forget_sent(stage.peer);
    for (int i = 0; i < 100; i++) {
        stage_append(rdb);
        stage_wake();
    }
    assert_int_equal(fake_conn_sent(stage.peer).length, 100 * RDB_LENGTH);
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), -1);
}

LIMITS_TEST(an_rdb_that_arrives_is_cut_through_at_the_rate)
{
    stage_have_snapshot(rdb);
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, PIECE + PIECE / 2);
    attach_within_limits(ASK_PSYNC);
    assert_int_equal(rdb_sent(), OTHER_RS + PIECE);
    pass_ms(PIECE_MS);
    assert_int_equal(rdb_sent(), OTHER_RS + PIECE + PIECE / 2);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    assert_int_equal(rdb_sent(), OTHER_RS + 2 * PIECE);
    pass_ms(PIECE_MS);
    assert_int_equal(rdb_sent(), OTHER_RS + 3 * PIECE);
}

LIMITS_TEST(another_rate_holds_at_once)
{
    sync_rate_set(&limits.rate, 1, clock_us());
    stage_have_whole_snapshot(rdb);
    attach_within_limits(ASK_PSYNC);
    assert_int_equal(rdb_sent(), OTHER_RS + PIECE);
    sync_rate_set(&limits.rate, RATE, clock_us());
    replica_note_rate_changed(stage.replica);
    pass_ms(0);
    assert_int_equal(rdb_sent(), OTHER_RS + 2 * PIECE);
    pass_ms(PIECE_MS);
    assert_int_equal(rdb_sent(), OTHER_RS + 3 * PIECE);
    sync_rate_set(&limits.rate, 0, clock_us());
    replica_note_rate_changed(stage.replica);
    pass_ms(0);
    assert_int_equal(rdb_sent(), OTHER_RS + RDB_LENGTH);
    stage_expect_state(REPLICA_STREAMING);
}

LIMITS_TEST(one_that_closes_leaves_what_it_has_reserved)
{
    stage_have_whole_snapshot(rdb);
    attach_within_limits(ASK_PSYNC);
    replica_close(stage.replica, CLOSE_KILLED);
    stage_expect_gone(CLOSE_KILLED);
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), -1);
    assert_int_equal(sync_rate_reserve(&limits.rate, clock_us()).due_us,
                     clock_us() + PIECE_MS * 1000);
    assert_int_equal(full_sync_limits_taken(&limits), 0);
}

LIMITS_TEST(after_a_mark_the_place_is_kept_until_the_first_ack)
{
    sync_rate_set(&limits.rate, 0, clock_us());
    stage_have_snapshot("RDB");
    fake_snapshot_set_readable(stage.snapshot, 1);
    attach_within_limits(ASK_PSYNC);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    stage_expect_state(REPLICA_LOADING);
    assert_int_equal(full_sync_limits_taken(&limits), 1);
    stage_hear("REPLCONF ACK 0\r\n");
    assert_int_equal(full_sync_limits_taken(&limits), 0);
}

/* It never acknowledges, and would keep its place for ever. */
LIMITS_TEST(one_that_said_sync_keeps_it_until_the_rdb_is_sent)
{
    sync_rate_set(&limits.rate, 0, clock_us());
    stage_have_snapshot("RDB");
    fake_snapshot_set_readable(stage.snapshot, 1);
    attach_within_limits(ASK_SYNC);
    assert_int_equal(full_sync_limits_taken(&limits), 1);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    assert_int_equal(full_sync_limits_taken(&limits), 0);
}
