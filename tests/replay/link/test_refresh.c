/* SPDX-License-Identifier: MIT
 *
 * Snapshots fetched on a second connection, while the stream flows, breaks, is renamed or begins anew.
 */
#include "../../../relay/upstream/link_private.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "refresh_stage.h"
#include "relay/net/loop.h"
#include "test.h"

static const struct primary_address other = {.host = "other.test", .port = 7000};

static struct history *history(void)
{
    return store_current(stage.temp.store);
}

/* A stream whose window has left the snapshot behind. */
static struct conn *stream_without_snapshot(void)
{
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    say_sets(primary);
    assert_null(history_usable_snapshot(history()));
    fake_conn_forget_sent(primary);
    return primary;
}

static void expect_fetched(struct conn *second, uint64_t offset)
{
    assert_true(fake_conn_is_closed(second));
    struct snapshot *snapshot = history_usable_snapshot(history());
    assert_non_null(snapshot);
    assert_int_equal(snapshot_state(snapshot), SNAPSHOT_COMPLETE);
    assert_int_equal(snapshot_offset(snapshot), offset);
    assert_int_equal(stage_status().refreshes, 1);
}

/* It was given up: nothing is arriving, and nothing is to be had. */
static void expect_given_up(struct conn *second)
{
    assert_true(fake_conn_is_closed(second));
    assert_null(history_arriving_snapshot(history()));
    assert_null(history_usable_snapshot(history()));
    assert_int_equal(stage_status().refreshes, 0);
}

LINK_TEST(one_refresh_for_any_number_who_ask)
{
    struct conn *primary = stream_without_snapshot();
    link_refresh(stage.link);
    link_refresh(stage.link);
    struct conn *second = greet_refresh();
    link_refresh(stage.link);
    uint64_t x = stage_boundary();
    say_fullresync(second, STAGE_ID, x);
    assert_ptr_equal(history_usable_snapshot(history()), history_arriving_snapshot(history()));
    stage_say(primary, PING_COMMAND);
    link_refresh(stage.link);
    stage_say_rdb(second, STAGE_RDB_BODY);
    expect_fetched(second, x);
    struct link_status status = stage_status();
    assert_int_equal(status.last_refresh_count, 1);
    assert_string_equal(status.last_refreshes[0].cause, "a replica waits for it");
    assert_string_equal(status.last_refreshes[0].outcome, "complete");
    assert_int_equal(status.last_refreshes[0].offset, x);
    assert_string_equal(status.refresh_error, "");
    link_refresh(stage.link);
    stage_seconds(30);
    assert_false(stage_has_new());
    stage_expect_held(STAGE_ID, x, PING_COMMAND);
    assert_int_equal(stage_status().full_syncs, 1);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(with_a_mark_and_cut_into_bytes)
{
    (void)stream_without_snapshot();
    link_refresh(stage.link);
    struct conn *second = greet_refresh();
    struct text wire;
    text_init(&wire, 4096);
    text_format(&wire, "\n+FULLRESYNC " STAGE_ID " %llu\r\n\n$EOF:" STAGE_MARK "\r\n",
                (unsigned long long)stage_boundary());
    temp_store_rdb(&wire, STAGE_RDB_BODY);
    text_append_string(&wire, STAGE_MARK);
    fake_conn_feed_cut(second, text_bytes(&wire), 1);
    fake_conn_run(second);
    expect_fetched(second, stage_boundary());
    text_fini(&wire);
}

/* A server before 6.2 does not know rdb-only, and goes on with the stream. */
LINK_TEST(an_old_server_sends_stream_behind_it)
{
    (void)stream_without_snapshot();
    link_refresh(stage.link);
    struct conn *second = greet_refresh();
    uint64_t end = stage_boundary();
    struct text wire;
    text_init(&wire, 4096);
    text_format(&wire, "+FULLRESYNC " STAGE_ID " %llu\r\n$118\r\n", (unsigned long long)end);
    temp_store_rdb(&wire, STAGE_RDB_BODY);
    text_append_string(&wire, PING_COMMAND);
    stage_say_bytes(second, text_bytes(&wire));
    expect_fetched(second, end);
    assert_int_equal(history_end(history()), end);
    text_fini(&wire);
}

LINK_TEST(a_snapshot_that_the_stream_has_not_reached_yet)
{
    struct conn *primary = stream_without_snapshot();
    link_refresh(stage.link);
    struct conn *second = greet_refresh();
    uint64_t x = stage_boundary() + strlen(PING_COMMAND);
    say_fullresync(second, STAGE_ID, x);
    stage_say_rdb(second, STAGE_RDB_BODY);
    expect_fetched(second, x);
    stage_say(primary, PING_COMMAND PING_COMMAND);
    stage_expect_held(STAGE_ID, x, PING_COMMAND);
}

LINK_TEST(nobody_asks_and_nothing_is_fetched)
{
    (void)stream_without_snapshot();
    stage_seconds(30);
    assert_false(stage_has_new());
}

/* Nor is the wish remembered, once it is granted. */
LINK_TEST(who_can_be_served_needs_no_refresh)
{
    struct conn *primary = stage_stream();
    link_refresh(stage.link);
    stage_seconds(3);
    assert_false(stage_has_new());
    while (history_usable_snapshot(history()) != NULL)
        say_sets(primary);
    stage_seconds(3);
    assert_false(stage_has_new());
    link_refresh(stage.link);
    assert_true(stage_has_new());
}

/* A relay below, whose window begins behind the one that there is. */
LINK_TEST(one_who_needs_a_newer_snapshot_has_it_fetched)
{
    struct conn *primary = stage_stream();
    uint64_t held = snapshot_offset(history_usable_snapshot(history()));
    stage_say(primary, PING_COMMAND);
    link_refresh_from(stage.link, held);
    stage_seconds(3);
    assert_false(stage_has_new());
    link_refresh_from(stage.link, held + 1);
    link_refresh(stage.link); /* who needs any is served by that one, too */
    struct conn *second = greet_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say_rdb(second, STAGE_RDB_BODY);
    expect_fetched(second, stage_boundary());
    link_refresh_from(stage.link, held + 1);
    stage_seconds(30);
    assert_false(stage_has_new());
}

LINK_TEST(a_link_that_loads_brings_its_own)
{
    stage_start();
    link_refresh(stage.link);
    struct conn *primary = stage_greet("PSYNC ? -1");
    link_refresh(stage.link);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    link_refresh(stage.link);
    stage_seconds(2);
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_seconds(2);
    assert_false(stage_has_new());
}

LINK_TEST(wanted_while_the_link_was_down_it_is_fetched_afterwards)
{
    struct conn *primary = stream_without_snapshot();
    fake_conn_end(primary);
    fake_conn_run(primary);
    link_refresh(stage.link);
    char psync[80];
    snprintf(psync, sizeof(psync), "PSYNC " STAGE_ID " %llu",
             (unsigned long long)stage_boundary() + 1);
    primary = stage_greet(psync);
    stage_say(primary, "+CONTINUE\r\n");
    assert_false(stage_has_new());
    stage_second();
    (void)greet_refresh();
}

/* ------------------------------------------------------------------ an operator wants one */

LINK_TEST(an_operator_gets_a_newer_one_whatever_there_is)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K);
    assert_null(link_refresh_now(stage.link));
    struct conn *second = greet_refresh();
    assert_string_equal(link_refresh_now(stage.link), "one is being fetched already");
    uint64_t x = stage_boundary();
    say_fullresync(second, STAGE_ID, x);
    stage_say_rdb(second, STAGE_RDB_BODY);
    expect_fetched(second, x);
    assert_string_equal(stage_status().last_refreshes[0].cause, "RELAY SNAPSHOT");
    assert_null(link_refresh_now(stage.link)); /* and once more, without a pause */
    assert_true(stage_has_new());
}

LINK_TEST(an_operator_is_told_why_there_can_be_none)
{
    stage_start();
    assert_string_equal(link_refresh_now(stage.link), "there is no stream from the primary");
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    assert_string_equal(link_refresh_now(stage.link), "one is being received, with a new history");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    fake_conn_end(primary);
    fake_conn_run(primary);
    assert_string_equal(link_refresh_now(stage.link), "there is no stream from the primary");
}

LINK_TEST(when_it_is_renewed_may_be_changed)
{
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    say_sets(primary);
    stage_seconds(3);
    assert_false(stage_has_new());
    struct link_options options = stage.options;
    options.snapshot_always_ready = true;
    link_change(stage.link, &options);
    stage_second();
    (void)greet_refresh();
}

LINK_TEST(the_patience_with_the_primary_may_be_changed)
{
    struct conn *primary = stage_stream();
    struct link_options options = stage.options;
    options.timeout_ms = 5000;
    options.ack = (struct ack_rule){ACK_REPLICAS, 2};
    link_change(stage.link, &options);
    assert_int_equal(link_ack(stage.link).replicas, 2);
    stage_seconds(5);
    assert_false(fake_conn_is_closed(primary));
    stage_second();
    assert_true(fake_conn_is_closed(primary));
    stage_expect_error("silent: ");
}

/* ------------------------------------------------------------------ before it is needed */

LINK_TEST(always_ready_renews_when_a_quarter_of_the_window_is_left)
{
    stage.options.snapshot_always_ready = true;
    stage.options.refresh_pause_ms = 10000;
    struct conn *primary = stage_stream();
    while (stage_boundary() - STAGE_X <= TEMP_WINDOW_BYTES / 4 * 3) {
        stage_second();
        assert_false(stage_has_new());
        say_sets(primary);
    }
    stage_second();
    struct conn *second = greet_refresh();
    uint64_t x = stage_boundary();
    say_fullresync(second, STAGE_ID, x);
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), STAGE_X);
    stage_say_rdb(second, STAGE_RDB_BODY);
    expect_fetched(second, x);
    /* And again, but not before the pause is over. */
    for (int i = 0; i < 9; i++) {
        say_sets(primary);
        say_sets(primary);
        stage_second();
        assert_false(stage_has_new());
    }
    stage_second();
    assert_true(stage_has_new());
}

/* ------------------------------------------------------------------ what fails */

static void expect_retry(void)
{
    link_refresh(stage.link);
    assert_false(stage_has_new());
    stage_second();
    struct conn *second = greet_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say_rdb(second, STAGE_RDB_BODY);
    expect_fetched(second, stage_boundary());
    /* It is forgiven: when that one is behind the window, the next is fetched at once. */
    say_sets(fake_conn_nth(0));
    link_refresh(stage.link);
    assert_true(stage_has_new());
}

/* Each way to fail, after the handshake, on a link that goes on. */
static struct conn *begin_refresh(void)
{
    (void)stream_without_snapshot();
    link_refresh(stage.link);
    return greet_refresh();
}

LINK_TEST(a_primary_with_another_history_by_now)
{
    struct conn *second = begin_refresh();
    say_fullresync(second, STAGE_OTHER_ID, stage_boundary());
    expect_given_up(second);
    stage_expect_state(LINK_STREAMING);
    expect_retry();
}

LINK_TEST(a_primary_that_refuses)
{
    struct conn *second = begin_refresh();
    stage_say(second, "-LOADING Redis is loading the dataset in memory\r\n");
    expect_given_up(second);
    assert_string_equal(stage_status().last_refreshes[0].outcome, "failed");
    assert_non_null(strstr(stage_status().refresh_error, "-LOADING"));
    expect_retry();
}

/* A disk without room hides the failure before it, and does not make it good. */
LINK_TEST(a_failure_is_told_until_an_rdb_has_come)
{
    struct conn *second = begin_refresh();
    struct refresh *refresh = stage.link->refresh_schedule.refresh;
    stage_say(second, "-LOADING Redis is loading the dataset in memory\r\n");
    expect_given_up(second);
    refresh_note_no_space(refresh, "the disk is full");
    assert_string_equal(stage_status().refresh_error, "the disk is full");
    assert_true(stage_status().refresh_lacks_space);
    refresh_note_no_space(refresh, NULL);
    assert_non_null(strstr(stage_status().refresh_error, "-LOADING"));
    assert_false(stage_status().refresh_lacks_space);
    expect_retry();
}

LINK_TEST(an_end_half_way)
{
    struct conn *second = begin_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say(second, "$118\r\nREDIS0011");
    struct snapshot *arriving = history_arriving_snapshot(history());
    snapshot_retain(arriving); /* a replica that is served it already */
    fake_conn_end(second);
    fake_conn_run(second);
    expect_given_up(second);
    assert_int_equal(snapshot_state(arriving), SNAPSHOT_FAILED);
    snapshot_release(&arriving);
    expect_retry();
}

LINK_TEST(an_rdb_that_is_none)
{
    struct conn *second = begin_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say(second, "$18\r\nREDIS0011xxxxxxxxx");
    expect_given_up(second);
    expect_retry();
}

LINK_TEST(a_disk_that_refuses)
{
    struct conn *second = begin_refresh();
    temp_store_refuse(true);
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say_rdb(second, STAGE_RDB_BODY);
    temp_store_refuse(false);
    expect_given_up(second);
    stage_expect_state(LINK_STREAMING);
    expect_retry();
}

LINK_TEST(no_connection_and_no_memory_for_one)
{
    (void)stream_without_snapshot();
    link_refresh(stage.link);
    struct conn *second = stage_await();
    fake_conn_down(second, "Connection refused");
    fake_conn_run(second);
    expect_given_up(second);
    fake_conn_refuse_next();
    link_refresh(stage.link);
    stage_seconds(2);
    assert_false(stage_has_new());
    link_refresh(stage.link);
    stage_seconds(2);
    assert_true(stage_has_new());
}

static struct conn *primary_of_link(void)
{
    return fake_conn_nth(0);
}

/* The stream goes on, so that only the refresh is silent. */
static void expect_patience_with(struct conn *second)
{
    for (int i = 0; i <= 60; i++) {
        assert_false(fake_conn_is_closed(second));
        stage_second();
        stage_say(primary_of_link(), PING_COMMAND);
    }
    expect_given_up(second);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(silence_while_connecting)
{
    (void)stream_without_snapshot();
    link_refresh(stage.link);
    expect_patience_with(stage_await());
}

LINK_TEST(silence_instead_of_the_rdb)
{
    struct conn *second = begin_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    expect_patience_with(second);
}

/* ------------------------------------------------------------------ what happens to the link meanwhile */

static struct conn *begin_loading(void)
{
    struct conn *second = begin_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say(second, "$118\r\nREDIS");
    return second;
}

static void end_loading(struct conn *second)
{
    struct text rdb;
    text_init(&rdb, 4096);
    temp_store_rdb(&rdb, STAGE_RDB_BODY);
    stage_say_bytes(second, bytes_skip(text_bytes(&rdb), 5));
    text_fini(&rdb);
}

static void hang_up(struct conn *primary)
{
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
}

static struct conn *greet_again(void)
{
    char psync[80];
    snprintf(psync, sizeof(psync), "PSYNC " STAGE_ID " %llu",
             (unsigned long long)stage_boundary() + 1);
    return stage_greet(psync);
}

LINK_TEST(the_link_falls_and_the_refresh_goes_on)
{
    struct conn *second = begin_loading();
    uint64_t x = stage_boundary();
    hang_up(primary_of_link());
    assert_false(fake_conn_is_closed(second));
    struct conn *primary = greet_again();
    stage_say(primary, "+CONTINUE " STAGE_ID "\r\n");
    end_loading(second);
    expect_fetched(second, x);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(a_full_sync_on_the_link_ends_the_refresh)
{
    struct conn *second = begin_loading();
    hang_up(primary_of_link());
    struct conn *primary = greet_again();
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n");
    stage_expect_state(LINK_LOADING);
    expect_given_up(second);
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), 9000);
}

LINK_TEST(a_new_id_ends_the_refresh)
{
    struct conn *second = begin_loading();
    hang_up(primary_of_link());
    struct conn *primary = greet_again();
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n");
    expect_given_up(second);
    stage_expect_state(LINK_STREAMING);
    assert_string_equal(stage_status().last_refreshes[0].outcome, "cancelled");
    assert_string_equal(stage_status().refresh_error, ""); /* nothing has failed */
}

/* The snapshot that is arriving was taken where the new primary never was. */
LINK_TEST(a_cut_behind_which_the_arriving_snapshot_stands)
{
    struct conn *second = begin_refresh();
    struct conn *primary = primary_of_link();
    stage_say(primary, "*3\r\n$3\r\nSE");
    say_fullresync(second, STAGE_ID, stage_boundary() + strlen(SET_K));
    stage_say(second, "$118\r\nREDIS");
    hang_up(primary);
    primary = greet_again();
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n");
    expect_given_up(second);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(other_bytes_end_the_refresh)
{
    struct conn *second = begin_refresh();
    struct conn *primary = primary_of_link();
    stage_say(primary, "*3\r\n$3\r\nSE");
    say_fullresync(second, STAGE_ID, stage_boundary() + strlen(SET_K));
    stage_say(second, "$118\r\nREDIS");
    hang_up(primary);
    primary = greet_again();
    stage_say(primary, "+CONTINUE\r\n" PING_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_REWOUND], 1);
    expect_given_up(second);
}

LINK_TEST(another_primary_ends_the_refresh)
{
    struct conn *second = begin_loading();
    link_follow(stage.link, &other);
    expect_given_up(second);
    assert_string_equal(stage_status().last_refreshes[0].outcome, "cancelled");
    assert_string_equal(fake_conn_host(stage_await()), "other.test");
}

LINK_TEST(closed_in_every_step)
{
    for (int step = 0; step < 3; step++) {
        (void)stream_without_snapshot();
        link_refresh(stage.link);
        struct conn *second = step == 0 ? stage_await() : greet_refresh();
        if (step == 2)
            say_fullresync(second, STAGE_ID, stage_boundary());
        link_close(&stage.link);
        assert_true(fake_conn_is_closed(second));
        assert_null(history_arriving_snapshot(history()));
        stage_close(NULL);
        stage_open(NULL);
    }
}
