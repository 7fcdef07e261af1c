/* SPDX-License-Identifier: MIT */
#include "relay/base/clock.h"
#include "replica_stage.h"

/* ---- waiting ---- */

STAGE_TEST(one_that_waits_hears_a_newline_a_second)
{
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    stage_expect_sent("+OK\r\n");
    stage_expect_state(REPLICA_WAITING);
    stage_pass_seconds(3);
    stage_expect_sent("\n\n\n");
    stage_have_whole_snapshot("RDB");
    stage_answer(ASK_PSYNC);
    fake_conn_run(stage.peer);
    stage_expect_sent("+FULLRESYNC " STAGE_ID " 100\r\n$3\r\nRDB");
    stage_pass_seconds(3);
    stage_expect_sent("");
}

STAGE_TEST(owed_replies_go_first)
{
    stage_come(ASK_SYNC, 0, bytes_at(NULL, 0), 2);
    stage_pass_seconds(2);
    assert_view(fake_conn_sent(stage.peer), "+O"); /* no newline in the middle of a reply */
    stage_have_whole_snapshot("RDB");
    stage_answer(ASK_SYNC);
    fake_conn_set_room(stage.peer, 100);
    fake_conn_run(stage.peer);
    stage_expect_sent("+OK\r\n$3\r\nRDB");
}

STAGE_TEST(one_that_leaves_while_waiting_is_let_go)
{
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_end(stage.peer);
    fake_conn_run(stage.peer);
    stage_expect_gone(CLOSE_ENDED);
}

STAGE_TEST(what_was_read_with_psync_is_heard)
{
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_of("\nPING\r\n"));
    stage_expect_gone(CLOSE_UNEXPECTED);
}

STAGE_TEST(much_that_was_read_with_psync_is_heard_in_pieces)
{
    char newlines[3 * REPLICA_INPUT_BYTES + 1];
    memset(newlines, '\n', sizeof(newlines) - 1);
    newlines[sizeof(newlines) - 1] = '\0';
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_of(newlines));
    stage_expect_state(REPLICA_WAITING);
}

/* ---- the stream ---- */

STAGE_TEST(a_partial_sync_streams_from_its_offset)
{
    stage_append("0123456789");
    stage_attach(ASK_CONTINUE, STAGE_X + 4);
    stage_expect_state(REPLICA_STREAMING);
    stage_expect_sent("+OK\r\n+CONTINUE " STAGE_ID "\r\n456789");
    stage_append("abc");
    stage_wake();
    stage_expect_sent("abc");
    assert_false(fake_conn_wants_write(stage.peer));
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, sent_offset), STAGE_X + 13);
}

STAGE_TEST(a_replica_at_the_end_is_sent_nothing_but_the_reply)
{
    stage_append("0123");
    stage_attach(ASK_CONTINUE, STAGE_X + 4);
    stage_expect_sent("+OK\r\n+CONTINUE " STAGE_ID "\r\n");
    stage_pass_seconds(5);
    stage_hear("REPLCONF ACK 104\r\n");
    stage_pass_seconds(5);
    stage_expect_sent("");
}

STAGE_TEST(large_pieces_go_from_the_file)
{
    enum { LENGTH = 3 * FEED_FILE_BYTES };
    char *bytes = malloc(LENGTH + 1);
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)('a' + i % 23);
    bytes[LENGTH] = '\0';
    stage_append(bytes);
    stage_attach(ASK_CONTINUE, STAGE_X);
    assert_true(fake_conn_sent_by_file(stage.peer) >= 2 * FEED_FILE_BYTES);
    struct bytes sent = fake_conn_sent(stage.peer);
    struct bytes stream = bytes_skip(sent, bytes_of("+OK\r\n+CONTINUE " STAGE_ID "\r\n").length);
    assert_views_equal(stream, bytes_at(bytes, LENGTH));
    free(bytes);
}

STAGE_TEST(a_turn_sends_its_share_and_no_more)
{
    fake_history_set_piece_max(stage.history, 1000);
    enum { LENGTH = FEED_TURN_BYTES + 5000 };
    char *bytes = malloc(LENGTH + 1);
    memset(bytes, 'x', LENGTH);
    bytes[LENGTH] = '\0';
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_conn_forget_sent(stage.peer);
    stage_append(bytes);
    replica_handle(stage.replica, REPLICA_EVENT_WAKE);
    assert_int_equal(fake_conn_sent(stage.peer).length, FEED_TURN_BYTES);
    assert_true(fake_conn_wants_write(stage.peer)); /* comes back in the next turn */
    fake_conn_run(stage.peer);
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, sent_offset), STAGE_X + LENGTH);
    free(bytes);
}

static void stream_in_pieces(size_t send_max)
{
    stage_append("*1\r\n$4\r\nPING\r\n");
    stage_wait_for_answer(ASK_CONTINUE, STAGE_X, bytes_at(NULL, 0));
    fake_conn_forget_sent(stage.peer);
    fake_conn_set_send_max(stage.peer, send_max);
    stage_answer(ASK_CONTINUE);
    fake_conn_run(stage.peer);
    stage_append("tail");
    stage_wake();
    stage_expect_sent("+CONTINUE " STAGE_ID "\r\n*1\r\n$4\r\nPING\r\ntail");
}

STAGE_TEST(sends_are_cut_anywhere)
{
    for (size_t length = 1; length < 80; length++) {
        stream_in_pieces(length);
        stage_tear_down(NULL);
        stage_set_up(NULL);
    }
}

/* The connection fills up after `room` bytes and has room again a while later. */
static void block_after(size_t room, const char *whole)
{
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_forget_sent(stage.peer);
    fake_conn_set_room(stage.peer, room);
    stage_answer(ASK_PSYNC);
    fake_conn_run(stage.peer);
    assert_int_equal(fake_conn_sent(stage.peer).length, room);
    assert_true(fake_conn_wants_write(stage.peer));
    replica_handle(stage.replica, REPLICA_EVENT_WAKE); /* has no room for it either */
    stage_pass_seconds(2);
    assert_int_equal(fake_conn_sent(stage.peer).length, room);
    fake_conn_set_room(stage.peer, 1000);
    fake_conn_run(stage.peer);
    stage_expect_sent(whole);
    stage_expect_state(REPLICA_STREAMING);
}

STAGE_TEST(a_connection_may_fill_up_anywhere)
{
    static const char whole[] = "+FULLRESYNC " STAGE_ID " 100\r\n$9\r\nRDB bytesstream";
    for (size_t room = 0; room < sizeof(whole) - 1; room++) {
        stage_have_whole_snapshot("RDB bytes");
        stage_append("stream");
        block_after(room, whole);
        stage_tear_down(NULL);
        stage_set_up(NULL);
    }
}

/* ---- what it says ---- */

static void expect_acknowledged(const char *line, uint64_t expected)
{
    stage_hear(line);
    assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), expected);
}

STAGE_TEST(acknowledgements_move_forward_within_what_was_sent)
{
    stage_append("0123456789");
    stage_attach(ASK_CONTINUE, STAGE_X);
    expect_acknowledged("REPLCONF ACK 103\r\n", 103);
    expect_acknowledged("REPLCONF ACK 102\r\n", 103);
    expect_acknowledged("REPLCONF ACK 0\r\n", 103);
    expect_acknowledged("REPLCONF ACK 111\r\n", 103);
    expect_acknowledged("REPLCONF ACK 18446744073709551615\r\n", 103);
    expect_acknowledged("REPLCONF ACK 110 FACK 105\r\n", 110);
    stage_expect_state(REPLICA_STREAMING);
}

STAGE_TEST(what_is_still_to_be_sent_cannot_be_acknowledged)
{
    stage_wait_for_answer(ASK_CONTINUE, STAGE_X, bytes_at(NULL, 0));
    stage_append("0123456789");
    fake_conn_set_room(stage.peer, 57); /* "+CONTINUE <id>" and five bytes */
    stage_answer(ASK_CONTINUE);
    expect_acknowledged("REPLCONF ACK 110\r\n", 0);
    expect_acknowledged("REPLCONF ACK 105\r\n", 105);
}

/* A third of repl-timeout without an answer of its system; what its program says does not matter. */
STAGE_TEST(one_whose_host_is_gone_is_closed_before_the_time_out)
{
    stage_append("stream");
    stage_attach(ASK_CONTINUE, STAGE_X);
    assert_int_equal(fake_conn_keepalive_s(stage.peer), STAGE_TIMEOUT_MS / 6000);
    for (int i = 0; i < 3; i++) {
        fake_conn_set_unanswered(stage.peer, true);
        stage_pass_seconds(STAGE_TIMEOUT_MS / 3000);
        stage_expect_state(REPLICA_STREAMING);
        fake_conn_set_unanswered(stage.peer, false);
        stage_pass_seconds(1); /* an answer: from the beginning */
        stage_hear("\n");
    }
    fake_conn_set_unanswered(stage.peer, true);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 3000 + 2);
    stage_expect_gone(CLOSE_VANISHED);
}

STAGE_TEST(sync_never_acknowledges)
{
    stage_have_whole_snapshot("RDB");
    stage_append("stream");
    stage_attach(ASK_SYNC, 0);
    expect_acknowledged("REPLCONF ACK 0\r\n", 0);
    expect_acknowledged("REPLCONF ACK 106\r\n", 0);
    stage_pass_seconds(1000);
    stage_expect_state(REPLICA_STREAMING);
}

STAGE_TEST(commands_may_be_cut_anywhere)
{
    static const char said[] = "\n*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n103\r\n\n\r\n"
                               "REPLCONF ACK 104\r\nREPLCONF GETACK *\r\nPSYNC ? -1\r\nSYNC\r\n"
                               "*5\r\n$8\r\nreplconf\r\n$3\r\nack\r\n$3\r\n107\r\n$4\r\nFACK\r\n"
                               "$1\r\n0\r\n";
    for (size_t length = 1; length < sizeof(said); length++) {
        stage_append("0123456789");
        stage_attach(ASK_CONTINUE, STAGE_X);
        fake_conn_feed_cut(stage.peer, LITERAL(said), length);
        fake_conn_run(stage.peer);
        assert_int_equal(REPLICA_STATS_GET(&stage.stats, acknowledged), 107);
        stage_expect_state(REPLICA_STREAMING);
        stage_tear_down(NULL);
        stage_set_up(NULL);
    }
}

STAGE_TEST(a_command_that_needs_a_reply_ends_the_link)
{
    static const char *const lines[] = {
        "PING\r\n", "*1\r\n$4\r\nPING\r\n", "REPLCONF capa eof\r\n", "GET x\r\n", "*1\r\n$-4\r\n",
        "*x\r\n",   "REPLCONF ACK -5\r\n",
    };
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        stage_append("0123456789");
        stage_attach(ASK_CONTINUE, STAGE_X);
        fake_conn_forget_sent(stage.peer);
        stage_hear(lines[i]);
        assert_int_equal(fake_conn_sent(stage.peer).length, 0);
        stage_expect_gone(CLOSE_UNEXPECTED);
        stage_tear_down(NULL);
        stage_set_up(NULL);
    }
}

STAGE_TEST(a_command_without_end_ends_the_link)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    char line[REPLICA_INPUT_BYTES + 1];
    memset(line, 'x', REPLICA_INPUT_BYTES);
    line[REPLICA_INPUT_BYTES - 1] = '\0';
    stage_hear(line);
    stage_expect_state(REPLICA_STREAMING);
    stage_hear("x");
    stage_expect_gone(CLOSE_UNEXPECTED);
}

/* ---- going ---- */

static void lose(enum cursor_view fate, enum close_reason reason)
{
    stage_append("0123456789");
    stage_wait_for_answer(ASK_CONTINUE, STAGE_X, bytes_at(NULL, 0));
    fake_conn_set_room(stage.peer, 55);
    stage_answer(ASK_CONTINUE);
    assert_true(fake_conn_wants_write(stage.peer)); /* blocked, it never peeks by itself */
    fake_history_set_fate(stage.history, fate);
    replica_handle(stage.replica, REPLICA_EVENT_WAKE);
    stage_expect_gone(reason);
}

STAGE_TEST(a_blocked_replica_lets_go_of_what_is_given_up)
{
    lose(CURSOR_LAGGED, CLOSE_LAGGED);
}

STAGE_TEST(a_blocked_replica_is_told_of_a_full_disk)
{
    lose(CURSOR_DISK_FULL, CLOSE_DISK_FULL);
}

STAGE_TEST(a_blocked_replica_is_told_of_a_disk_that_cannot_read)
{
    lose(CURSOR_UNREADABLE, CLOSE_UNREADABLE);
}

STAGE_TEST(a_blocked_replica_lets_go_of_what_was_cut_off)
{
    lose(CURSOR_REWOUND, CLOSE_REWOUND);
}

STAGE_TEST(a_blocked_replica_goes_where_the_id_ends)
{
    lose(CURSOR_RENAMED, CLOSE_RENAMED);
}

STAGE_TEST(a_loading_replica_lets_go_as_well)
{
    stage_have_snapshot("the RDB");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_attach(ASK_PSYNC, 0);
    fake_history_set_fate(stage.history, CURSOR_LAGGED);
    stage_pass_seconds(1);
    stage_expect_gone(CLOSE_LAGGED);
}

STAGE_TEST(a_silent_replica_is_given_up)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_STREAMING);
    stage_hear("\n");
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_STREAMING);
    stage_pass_seconds(1);
    stage_expect_gone(CLOSE_SILENT);
}

STAGE_TEST(silence_while_we_stood_still_is_not_the_replicas)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_clock_advance(10 * STAGE_TIMEOUT_MS);
    clock_note_standstill();
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_STREAMING);
    stage_pass_seconds(1);
    stage_expect_gone(CLOSE_SILENT);
}

STAGE_TEST(one_that_loads_and_says_so_is_not)
{
    stage_have_whole_snapshot("the RDB");
    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_set_room(stage.peer, 69); /* the RDB and nothing behind it */
    stage_append("stream");
    stage_answer(ASK_PSYNC);
    for (unsigned i = 0; i < 3 * STAGE_TIMEOUT_MS / 1000; i++) {
        stage_hear("\n");
        stage_pass_seconds(1);
    }
    stage_expect_state(REPLICA_STREAMING);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000 + 1);
    stage_expect_gone(CLOSE_SILENT);
}

STAGE_TEST(one_that_takes_nothing_of_its_rdb_is_given_up)
{
    stage_have_whole_snapshot("the RDB");
    stage_wait_for_answer(ASK_SYNC, 0, bytes_at(NULL, 0));
    fake_conn_set_room(stage.peer, 5);
    stage_answer(ASK_SYNC);
    stage_expect_state(REPLICA_LOADING);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_LOADING);
    fake_conn_set_room(stage.peer, 1);
    fake_conn_run(stage.peer);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000); /* that was progress */
    stage_expect_state(REPLICA_LOADING);
    stage_pass_seconds(1);
    stage_expect_gone(CLOSE_SILENT);
}

STAGE_TEST(one_whose_rdb_does_not_come_is_kept)
{
    stage_have_snapshot("the RDB");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_attach(ASK_PSYNC, 0);
    stage_pass_seconds(10 * STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_LOADING);
}

STAGE_TEST(a_slow_taker_of_the_rdb_has_its_time_for_loading)
{
    stage_have_snapshot("the RDB");
    fake_snapshot_announce_length(stage.snapshot);
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_attach(ASK_PSYNC, 0);
    stage_pass_seconds(2 * STAGE_TIMEOUT_MS / 1000);
    fake_snapshot_set_state(stage.snapshot, SNAPSHOT_COMPLETE);
    stage_wake();
    stage_expect_state(REPLICA_STREAMING);
    stage_pass_seconds(STAGE_TIMEOUT_MS / 1000);
    stage_expect_state(REPLICA_STREAMING);
}

STAGE_TEST(a_broken_connection_ends_it_in_every_state)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    fake_conn_down(stage.peer, "reset by peer");
    fake_conn_run(stage.peer);
    stage_expect_gone(CLOSE_FAILED);
    stage_tear_down(NULL);
    stage_set_up(NULL);

    stage_wait_for_answer(ASK_PSYNC, 0, bytes_at(NULL, 0));
    fake_conn_down(stage.peer, "reset by peer");
    fake_conn_run(stage.peer);
    stage_expect_gone(CLOSE_FAILED);
    stage_tear_down(NULL);
    stage_set_up(NULL);

    stage_have_snapshot("the RDB");
    fake_snapshot_set_readable(stage.snapshot, 3);
    stage_attach(ASK_PSYNC, 0);
    fake_conn_end(stage.peer);
    fake_conn_run(stage.peer);
    stage_expect_gone(CLOSE_ENDED);
}

STAGE_TEST(closing_twice_is_closing_once)
{
    stage_attach(ASK_CONTINUE, STAGE_X);
    replica_close(stage.replica, CLOSE_RENAMED);
    replica_close(stage.replica, CLOSE_KILLED);
    replica_handle(stage.replica, REPLICA_EVENT_WAKE);
    replica_handle(stage.replica, REPLICA_EVENT_TICK);
    stage_expect_gone(CLOSE_RENAMED);
}
