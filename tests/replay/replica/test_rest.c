/* SPDX-License-Identifier: MIT
 *
 * A relay whose connection breaks in an RDB: what it was being sent is handed on, for it to come back; and it is
 * sent the rest.
 */
#include "fake_conn.h"
#include "fake_store.h"
#include "replica_stage.h"

#define RDB                                                                                        \
    "REDIS0011 this is no RDB, but nobody looks at it here, and it is long enough for a part\xff"

enum { PART = 70 };

static void come_as_relay(void)
{
    stage.terms = (struct replica_terms){.capa_eof = true, .capa_psync2 = true, .is_relay = true};
    stage_have_whole_snapshot(RDB);
    stage_append("stream");
}

/* What it left is held by its stats alone; the test lets go of it. */
static void expect_left(uint64_t offset)
{
    assert_ptr_equal(stage.stats.left_snapshot, stage.snapshot);
    assert_int_equal(fake_snapshot_references(stage.snapshot), 2);
    assert_int_equal(stage.stats.left_cursor.offset, offset);
    snapshot_release(&stage.stats.left_snapshot);
    cursor_detach(&stage.stats.left_cursor);
}

static void expect_nothing_left(void)
{
    assert_null(stage.stats.left_snapshot);
    assert_int_equal(fake_snapshot_references(stage.snapshot), 1);
    assert_int_equal(fake_history_cursor_count(stage.history), 0);
}

/* `room` bytes of what it is sent leave, then the connection is gone. */
static void break_after(size_t room)
{
    stage_come(ASK_PSYNC, 0, bytes_at(NULL, 0), room);
    stage_answer(ASK_PSYNC);
    fake_conn_run(stage.peer);
    fake_conn_fail(stage.peer, "Connection reset by peer");
    fake_conn_run(stage.peer);
    assert_true(stage.gone);
}

STAGE_TEST(a_relay_leaves_what_it_was_being_sent)
{
    come_as_relay();
    break_after(120);
    expect_left(STAGE_X);
}

/* The kernel had all of it, and may have lost it. */
STAGE_TEST(a_relay_that_has_not_said_that_it_has_all_leaves_it_too)
{
    come_as_relay();
    break_after(SIZE_MAX);
    expect_left(STAGE_X + strlen("stream"));
}

STAGE_TEST(a_relay_that_has_all_leaves_nothing)
{
    come_as_relay();
    stage_attach(ASK_PSYNC, 0);
    stage_hear("REPLCONF ACK 106\r\n");
    assert_int_equal(fake_snapshot_references(stage.snapshot), 1);
    fake_conn_fail(stage.peer, "Connection reset by peer");
    fake_conn_run(stage.peer);
    assert_true(stage.gone);
    expect_nothing_left();
}

STAGE_TEST(a_server_leaves_nothing)
{
    come_as_relay();
    stage.terms.is_relay = false;
    break_after(120);
    expect_nothing_left();
}

/* Nobody waits for one that was sent away. */
STAGE_TEST(a_relay_that_is_closed_by_us_leaves_nothing)
{
    come_as_relay();
    stage_come(ASK_PSYNC, 0, bytes_at(NULL, 0), 120);
    stage_answer(ASK_PSYNC);
    fake_conn_run(stage.peer);
    replica_close(stage.replica, CLOSE_KILLED);
    expect_nothing_left();
}

STAGE_TEST(the_rest_is_what_was_missing)
{
    come_as_relay();
    stage.terms.has_part = true;
    stage.terms.part = (struct rdb_part){.offset = STAGE_X, .length = strlen(RDB), .bytes = PART};
    assert_true(replid_parse(bytes_of(STAGE_ID), &stage.terms.part.replid));
    fake_store.part = stage.terms.part;
    fake_store.part_match = PART_MATCHES;
    fake_store.part_history = stage.history;
    fake_store.part_snapshot = stage.snapshot;
    stage_attach(ASK_PSYNC, 0);
    char expected[400];
    snprintf(expected, sizeof(expected),
             "+OK\r\n+FULLRESYNC " STAGE_ID " %d resume %d\r\n$%zu\r\n%sstream", STAGE_X, PART,
             strlen(RDB), &RDB[PART]);
    stage_expect_sent(expected);
    stage_expect_state(REPLICA_STREAMING);
}
