/* SPDX-License-Identifier: MIT
 *
 * What a replica needs next is on the disk and not in memory. Nothing of it is sent before it has been
 * read, and nobody who is up to date asks.
 */
#include <errno.h>

#include "fake_readahead.h"
#include "replica_stage.h"

enum { MB = 1024 * 1024 };

static char text[4 * MB + 1];

static const char *long_text(size_t length)
{
    CHECK(length < sizeof(text));
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

static void finish_job(int error)
{
    fake_readahead_do(error, replica_on_read);
    fake_loop_turn(stage.loop);
    if (!stage.gone)
        fake_conn_run(stage.peer);
}

static void expect_job(uint64_t position, size_t length)
{
    assert_int_equal(fake_readahead_count(), 1);
    assert_int_equal(fake_readahead_oldest()->position, position);
    assert_int_equal(fake_readahead_oldest()->length, length);
}

STAGE_TEST(a_cold_rdb_and_stream_are_read_before_they_are_sent)
{
    fake_page_cache_set_cold(true);
    stage_have_whole_snapshot("the RDB");
    stage_append("stream");
    stage_attach(ASK_PSYNC, 0);
    stage_expect_sent("+OK\r\n+FULLRESYNC " STAGE_ID " 100\r\n$7\r\n");
    expect_job(0, 7);
    stage_append(" more");
    stage_wake();
    stage_pass_seconds(3);
    stage_hear("\n");
    stage_expect_sent("");
    expect_job(0, 7);
    finish_job(0);
    stage_expect_sent("the RDB");
    stage_expect_state(REPLICA_STREAMING);
    expect_job(0, 11);
    finish_job(0);
    stage_expect_sent("stream more");
    assert_int_equal(fake_readahead_count(), 0);
}

STAGE_TEST(one_that_is_up_to_date_neither_asks_nor_waits)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    stage_expect_sent("+OK\r\n+CONTINUE " STAGE_ID "\r\n");
    fake_page_cache_set_cold(true);
    for (int i = 0; i < 30; i++) {
        stage_append("new");
        replica_handle(stage.replica, REPLICA_EVENT_WAKE);
        stage_expect_sent("new"); /* at once, and not in a queue */
        stage_hear("\n");
        stage_pass_seconds(10);
    }
    assert_int_equal(fake_page_cache_asked(), 0);
    assert_int_equal(fake_readahead_count(), 0);
}

/* What it did not take may have left the page cache. */
STAGE_TEST(one_that_was_blocked_for_long_asks_again)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_conn_forget_sent(stage.peer);
    fake_page_cache_set_cold(true);
    fake_conn_set_room(stage.peer, 1);
    stage_append("stream");
    stage_wake();
    stage_expect_sent("s");
    assert_int_equal(fake_page_cache_asked(), 0);
    for (int i = 0; i < 3; i++) {
        stage_pass_seconds(2);
        stage_hear("\n");
    }
    fake_conn_set_room(stage.peer, 2);
    fake_conn_run(stage.peer);
    stage_expect_sent("");
    expect_job(1, 5);
    finish_job(0);
    stage_expect_sent("tr");
    fake_conn_set_room(stage.peer, SIZE_MAX);
    fake_conn_run(stage.peer);
    stage_expect_sent("eam");
    stage_append(" more");
    stage_wake();
    stage_expect_sent(" more");
    assert_int_equal(fake_readahead_count(), 0);
}

STAGE_TEST(the_next_piece_is_read_while_one_is_sent)
{
    fake_page_cache_set_cold(true);
    stage_append(long_text(7 * MB / 2));
    stage_wait_for_answer(ASK_CONTINUE, STAGE_X, bytes_at(NULL, 0));
    stage_answer(ASK_CONTINUE);
    fake_conn_set_room(stage.peer, 1000);
    expect_job(0, MB);
    finish_job(0);
    expect_job(MB, MB); /* 1000 bytes of the first piece have gone: no other before this is read */
    finish_job(0);
    assert_int_equal(fake_readahead_count(), 0); /* a whole piece is ready */
    fake_conn_set_room(stage.peer, MB);
    fake_conn_run(stage.peer);
    expect_job(2 * MB, MB);
    finish_job(0);
    assert_int_equal(fake_readahead_count(), 0);
    fake_conn_set_room(stage.peer, SIZE_MAX);
    fake_conn_run(stage.peer);
    expect_job(3 * MB, MB / 2);
    finish_job(0);
    fake_conn_run(stage.peer);
    assert_int_equal(fake_readahead_count(), 0);
    assert_int_equal(stage.replica->feed.cursor.offset, STAGE_X + 7 * MB / 2);
}

/* It may have been dropped again; what is asked for begins where it stands. */
STAGE_TEST(what_was_read_long_ago_is_looked_for_again)
{
    fake_page_cache_set_cold(true);
    stage_append("stream");
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_conn_forget_sent(stage.peer);
    fake_conn_set_room(stage.peer, 2);
    finish_job(0);
    stage_expect_sent("st");
    stage_pass_seconds(3);
    fake_conn_set_room(stage.peer, SIZE_MAX);
    fake_conn_run(stage.peer);
    stage_expect_sent("");
    expect_job(2, 4);
    finish_job(0);
    stage_expect_sent("ream");
}

STAGE_TEST(a_job_outlives_its_replica)
{
    fake_page_cache_set_cold(true);
    stage_append("stream");
    stage_attach(ASK_CONTINUE, STAGE_X);
    expect_job(0, 6);
    fake_conn_fail(stage.peer, "reset");
    fake_conn_run(stage.peer);
    stage_expect_gone(CLOSE_FAILED);
    assert_int_equal(fake_readahead_count(), 1);
    fake_readahead_do(0, replica_on_read);
}

STAGE_TEST(what_cannot_be_read_closes_it)
{
    fake_page_cache_set_cold(true);
    stage_append("stream");
    stage_attach(ASK_CONTINUE, STAGE_X);
    finish_job(EIO);
    stage_expect_gone(CLOSE_UNREADABLE);
}

STAGE_TEST(what_is_given_up_meanwhile_has_its_own_reason)
{
    fake_page_cache_set_cold(true);
    stage_append("stream");
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_history_set_fate(stage.history, CURSOR_LAGGED);
    finish_job(EIO);
    stage_expect_gone(CLOSE_LAGGED);
}

STAGE_TEST(one_that_waits_for_the_disk_lets_go_of_what_is_given_up)
{
    fake_page_cache_set_cold(true);
    stage_append("stream");
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_history_set_fate(stage.history, CURSOR_REWOUND);
    replica_handle(stage.replica, REPLICA_EVENT_WAKE);
    stage_expect_gone(CLOSE_REWOUND);
}

STAGE_TEST(without_descriptors_the_next_second_tries_again)
{
    fake_page_cache_set_cold(true);
    stage_append("stream");
    fake_readahead_refuse_next();
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_conn_forget_sent(stage.peer);
    assert_int_equal(fake_readahead_count(), 0);
    stage_pass_seconds(1);
    finish_job(0);
    stage_expect_sent("stream");
}

/* The disk may take longer than the time-out: that is not the replica's silence. */
STAGE_TEST(one_that_waits_for_its_rdb_is_not_silent)
{
    fake_page_cache_set_cold(true);
    stage_have_whole_snapshot("the RDB");
    stage_attach(ASK_PSYNC, 0);
    stage_pass_seconds(3 * STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_LOADING);
    finish_job(0);
    stage_expect_state(REPLICA_STREAMING);
}

/* One that is behind gets a piece a turn, whatever it could take; the turn's other work comes first. */
STAGE_TEST(one_that_is_behind_is_sent_a_piece_a_turn)
{
    enum { PIECES = 3 };
    stage_append(long_text(PIECES * FEED_TURN_BYTES));
    fake_loop_set_chores_max(stage.loop, 0);
    stage_wait_for_answer(ASK_CONTINUE, STAGE_X, bytes_at(NULL, 0));
    uint64_t owed = stage.replica->feed.sent_bytes;
    stage_answer(ASK_CONTINUE);
    assert_true(fake_loop_has_chores(stage.loop)); /* nothing is sent before its turn */
    assert_int_equal(stage.replica->feed.sent_bytes, owed);
    fake_loop_set_chores_max(stage.loop, 1);
    fake_loop_turn(stage.loop);
    for (uint64_t i = 1; i <= PIECES; i++) {
        assert_int_equal(stage.replica->feed.sent_bytes - owed, i * FEED_TURN_BYTES);
        assert_true(fake_conn_step(stage.peer));
    }
    assert_int_equal(stage.replica->feed.cursor.offset, STAGE_X + PIECES * FEED_TURN_BYTES);
    assert_false(fake_loop_has_chores(stage.loop));
}
