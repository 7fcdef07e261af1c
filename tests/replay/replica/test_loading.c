/* SPDX-License-Identifier: MIT */
#include "replica_stage.h"

/* ---- the RDB ---- */

STAGE_TEST(a_whole_rdb_is_followed_by_the_stream_at_once)
{
    stage_have_whole_snapshot("the RDB");
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    stage_expect_sent("+OK\r\n+FULLRESYNC " STAGE_ID " 100\r\n$7\r\nthe RDBstream");
    stage_expect_state(REPLICA_STREAMING);
    assert_int_equal(fake_snapshot_references(stage.snapshot), 1);
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 0);
    stage_hear("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n106\r\n");
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 106);
}

/* The RDB comes byte by byte: what is sent is what is readable, and the stream follows the whole. */
STAGE_TEST(an_arriving_rdb_of_known_length_is_cut_through)
{
    static const char rdb[] = "0123456789";
    stage_have_snapshot(rdb);
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 1);
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    stage_expect_sent("+OK\r\n+FULLRESYNC " STAGE_ID " 100\r\n$10\r\n0");
    stage_expect_state(REPLICA_LOADING);
    for (uint64_t readable = 2; readable <= 10; readable++) {
        assert_false(fake_conn_wants_write(stage.peer));
        fake_snapshot_set_readable(stage.snapshot, readable);
        stage_wake();
        assert_views_equal(fake_conn_sent(stage.peer), bytes_at(rdb + readable - 1, 1));
        fake_conn_forget_sent(stage.peer);
    }
    stage_wake();
    stage_expect_sent(""); /* all bytes are there, and nobody has proven them */
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    stage_expect_sent("stream");
    stage_expect_state(REPLICA_STREAMING);
}

static void expect_mark_head(char mark[41])
{
    struct bytes sent = fake_conn_sent(stage.peer);
    static const char before[] = "+OK\r\n+FULLRESYNC " STAGE_ID " 100\r\n$EOF:";
    assert_true(bytes_starts(sent, before));
    assert_true(sent.length >= sizeof(before) - 1 + 42);
    memcpy(mark, sent.data + sizeof(before) - 1, 40);
    mark[40] = '\0';
}

static void cut_through_to_mark(char mark[41])
{
    stage_have_snapshot("the RDB");
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    expect_mark_head(mark);
    assert_views_equal(
        bytes_skip(fake_conn_sent(stage.peer), fake_conn_sent(stage.peer).length - 5),
        LITERAL("\r\nthe"));
    fake_conn_forget_sent(stage.peer);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    char rest[60];
    snprintf(rest, sizeof(rest), " RDB%s", mark);
    stage_expect_sent(rest);
}

STAGE_TEST(after_a_mark_nothing_is_sent_until_the_first_ack)
{
    char mark[41];
    cut_through_to_mark(mark);
    stage_expect_state(REPLICA_LOADING);
    stage_append(" more");
    stage_wake();
    stage_hear("\n");
    stage_pass_seconds(30);
    stage_hear("\n");
    stage_pass_seconds(3);
    stage_expect_sent("");
    stage_hear("REPLCONF ACK 100\r\n");
    stage_expect_state(REPLICA_STREAMING);
    stage_expect_sent("stream more");
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 100);
}

STAGE_TEST(any_ack_starts_the_stream)
{
    char mark[41];
    cut_through_to_mark(mark);
    stage_hear("REPLCONF ACK 0\r\n");
    stage_expect_sent("stream");
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 0);
}

STAGE_TEST(an_ack_before_the_mark_starts_nothing)
{
    stage_have_snapshot("the RDB");
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    stage_hear("REPLCONF ACK 100\r\n");
    stage_expect_state(REPLICA_LOADING);
    fake_conn_forget_sent(stage.peer);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    assert_int_equal(fake_conn_sent(stage.peer).length, 4 + 40);
    stage_expect_state(REPLICA_LOADING);
}

/* A replica that loops over its full syncs is told by this; one that says so early loops, too. */
STAGE_TEST(an_ack_says_that_the_rdb_was_loaded_only_once_it_is_through)
{
    stage_have_snapshot("0123456789");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 5);
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    stage_hear("REPLCONF ACK 100\r\n");
    assert_false(stage.stats.has_acknowledged);
    stage_answer(ASK_PSYNC);
    stage_hear("REPLCONF ACK 100\r\n");
    stage_expect_state(REPLICA_LOADING);
    assert_false(stage.stats.has_acknowledged);
    fake_snapshot_set_readable(stage.snapshot, 10);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    stage_expect_state(REPLICA_STREAMING);
    assert_false(stage.stats.has_acknowledged);
    stage_hear("REPLCONF ACK 100\r\n");
    assert_true(stage.stats.has_acknowledged);
}

/* The mark itself is cut: nothing of the stream comes before its last byte and the ACK. */
STAGE_TEST(a_mark_may_be_cut_anywhere)
{
    for (size_t room = 0; room < 40; room++) {
        stage_have_snapshot("RDB");
        fake_snapshot_set_readable(stage.snapshot, 3);
        stage_append("stream");
        stage_attach(ASK_PSYNC, 0);
        fake_conn_forget_sent(stage.peer);
        fake_conn_set_room(stage.peer, room);
        fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
        stage_wake();
        stage_hear("REPLCONF ACK 100\r\n"); /* too early */
        fake_conn_set_room(stage.peer, 1000);
        fake_conn_run(stage.peer);
        assert_int_equal(fake_conn_sent(stage.peer).length, 40);
        stage_hear("REPLCONF ACK 100\r\n");
        assert_int_equal(fake_conn_sent(stage.peer).length, 46);
        stage_tear_down(NULL);
        stage_set_up(NULL);
    }
}

STAGE_TEST(nobody_gets_a_broken_rdb_as_a_whole)
{
    stage_have_snapshot("the RDB");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 7);
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    fake_conn_forget_sent(stage.peer);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_FAILED);
    stage_wake();
    assert_int_equal(fake_conn_sent(stage.peer).length, 0);
    stage_expect_gone(CLOSE_SNAPSHOT);
}

STAGE_TEST(a_failed_rdb_is_noticed_while_blocked)
{
    stage_have_snapshot("the RDB");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 7);
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_set_room(stage.peer, 60);
    stage_answer(ASK_PSYNC);
    assert_true(fake_conn_wants_write(stage.peer));
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_FAILED);
    replica_handle(stage.replica, REPLICA_EVENT_WAKE);
    stage_expect_gone(CLOSE_SNAPSHOT);
}

STAGE_TEST(rdb_only_is_served_and_drained)
{
    stage.terms.rdb_only = true;
    stage_have_whole_snapshot("the RDB");
    stage_append("stream");
    stage_attach(ASK_SYNC, 0);
    assert_view(fake_conn_sent(stage.peer), "+OK\r\n$7\r\nthe RDB");
    stage_expect_gone(CLOSE_SERVED);
    assert_true(fake_conn_is_drained(stage.peer));
}

STAGE_TEST(rdb_only_is_served_the_mark_too)
{
    stage.terms.rdb_only = true;
    stage_have_snapshot("RDB");
    fake_snapshot_set_readable(stage.snapshot, 2);
    stage_attach(ASK_SYNC, 0);
    stage_expect_state(REPLICA_LOADING);
    fake_conn_forget_sent(stage.peer);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    assert_int_equal(fake_conn_sent(stage.peer).length, 1 + 40);
    stage_expect_gone(CLOSE_SERVED);
}

STAGE_TEST(the_empty_rdb_is_followed_by_the_stream)
{
    stage.terms.filter_empty = true;
    stage_append("before");
    stage_attach(ASK_SYNC, 0);
    stage_append("stream");
    stage_wake();
    struct bytes sent = fake_conn_sent(stage.peer);
    assert_int_equal(sent.length, 5 + 5 + 18 + 6);
    assert_views_equal(bytes_skip(sent, sent.length - 6), LITERAL("stream"));
    stage_expect_state(REPLICA_STREAMING);
}

/* ---- another id meanwhile ---- */

static void rename_now(void)
{
    fake_history_set_fate(stage.history, CURSOR_RENAMED);
    replica_rename(stage.replica, STAGE_X);
    fake_loop_turn(stage.loop);
}

/* What is on its way is not thrown away: it goes when it has loaded, and comes back for a partial resync. */
STAGE_TEST(a_new_id_lets_a_full_sync_finish)
{
    stage_have_snapshot("0123456789");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_attach(ASK_PSYNC, 0);
    rename_now();
    stage_pass_seconds(3);
    stage_expect_state(REPLICA_LOADING);
    fake_conn_forget_sent(stage.peer);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    stage_expect_sent("3456789");
    stage_expect_state(REPLICA_STREAMING);
    for (int i = 0; i < 100; i++) { /* it loads for longer than repl-timeout */
        stage_hear("\n");
        stage_pass_seconds(1);
        stage_wake();
    }
    stage_expect_state(REPLICA_STREAMING);
    stage_hear("REPLCONF ACK 100\r\n");
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 100);
    stage_expect_gone(CLOSE_RENAMED);
    assert_true(fake_conn_is_drained(stage.peer));
}

STAGE_TEST(a_new_id_after_an_end_mark_waits_for_the_first_ack)
{
    char mark[41];
    cut_through_to_mark(mark);
    rename_now();
    stage_pass_seconds(3);
    stage_expect_state(REPLICA_LOADING);
    stage_hear("REPLCONF ACK 100\r\n");
    stage_expect_gone(CLOSE_RENAMED);
}

/* One that has been sent its RDB may still be loading it: that takes longer than the transfer. */
STAGE_TEST(a_new_id_waits_for_one_that_has_its_rdb_and_loads)
{
    stage_have_whole_snapshot("the RDB");
    stage_attach(ASK_PSYNC, 0);
    stage_expect_state(REPLICA_STREAMING);
    rename_now();
    stage_expect_state(REPLICA_STREAMING);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000 + 1); /* but not for ever */
    stage_expect_gone(CLOSE_SILENT);
}

STAGE_TEST(a_new_id_closes_who_has_loaded)
{
    stage_have_whole_snapshot("the RDB");
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    stage_hear("REPLCONF ACK 103\r\n");
    rename_now();
    stage_expect_gone(CLOSE_RENAMED);
}

/* SYNC says nothing: it goes when all has been sent. */
STAGE_TEST(a_new_id_lets_sync_have_its_rdb)
{
    stage_have_snapshot("0123456789");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_attach(ASK_SYNC, 0);
    rename_now();
    stage_expect_state(REPLICA_LOADING);
    fake_conn_forget_sent(stage.peer);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    stage_expect_sent("3456789");
    stage_expect_gone(CLOSE_RENAMED);
    assert_true(fake_conn_is_drained(stage.peer));
}

/* A backup goes on, but not of a branch that was lost. */
STAGE_TEST(a_new_id_is_none_of_a_backups_business)
{
    static const uint64_t begins[] = {STAGE_X, STAGE_X - 1};
    for (size_t i = 0; i < LENGTH_OF(begins); i++) {
        stage.terms.rdb_only = true;
        stage_have_snapshot("0123456789");
        fake_snapshot_announce_length(stage.snapshot);
        fake_snapshot_set_readable(stage.snapshot, 3);
        stage_attach(ASK_SYNC, 0);
        replica_rename(stage.replica, begins[i]);
        if (i == 1) {
            stage_expect_gone(CLOSE_REWOUND);
            return;
        }
        fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
        stage_wake();
        stage_expect_gone(CLOSE_SERVED);
        stage_tear_down(NULL);
        stage_set_up(NULL);
    }
}
