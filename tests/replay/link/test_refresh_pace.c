/* SPDX-License-Identifier: MIT
 *
 * How often the primary is asked for a newer snapshot when none can be had in time.
 */
#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "refresh_stage.h"
#include "relay/net/loop.h"
#include "test.h"

enum { INTERVAL_S = 100 };

/* A second in which more is written than the window holds: no snapshot is ever usable. */
static void busy_second(struct conn *primary)
{
    say_sets(primary);
    stage_second();
}

/* always-ready, and it is due already. */
static struct conn *stream_of_a_busy_primary(void)
{
    stage.options.snapshot_always_ready = true;
    stage.options.refresh_pause_ms = INTERVAL_S * 1000;
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    busy_second(primary);
    return primary;
}

static void expect_none_for(struct conn *primary, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        busy_second(primary);
        if (stage_has_new())
            fail_msg("one is fetched in second %u", i);
    }
}

/* What it brings is behind the window when it is whole. */
static void refresh_in_vain(struct conn *primary, struct conn *second)
{
    say_fullresync(second, STAGE_ID, stage_boundary());
    for (int i = 0; i < 5; i++)
        busy_second(primary);
    stage_say_rdb(second, STAGE_RDB_BODY);
    assert_string_equal(stage_status().last_refreshes[0].outcome, "behind_window");
}

/* Nobody waits, and none can be had in time: that costs the primary one fork in the interval. */
LINK_TEST(one_that_is_outrun_is_not_repeated_before_the_interval_is_over)
{
    struct conn *primary = stream_of_a_busy_primary();
    for (int round = 0; round < 3; round++) {
        struct conn *second = greet_refresh();
        uint64_t x = stage_boundary();
        refresh_in_vain(primary, second);
        struct link_status status = stage_status();
        assert_int_equal(status.refresh_outrun.bytes, stage_boundary() - x);
        assert_int_equal(status.refresh_outrun.duration_ms, 5000);
        expect_none_for(primary, INTERVAL_S - 1);
        busy_second(primary);
        assert_true(stage_has_new());
    }
    struct conn *second = greet_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say_rdb(second, STAGE_RDB_BODY);
    assert_int_equal(stage_status().refresh_outrun.bytes, 0);
}

/* For who waits it is tried, but with pauses that grow, counted from the end. */
LINK_TEST(one_that_is_outrun_is_repeated_ever_more_slowly_while_somebody_waits)
{
    struct conn *primary = stream_of_a_busy_primary();
    unsigned count = 0;
    unsigned longest = 0;
    unsigned quiet = 0;
    refresh_in_vain(primary, greet_refresh());
    for (int second = 0; second < 1200; second++) {
        link_refresh(stage.link);
        busy_second(primary);
        quiet++;
        if (!stage_has_new())
            continue;
        count++;
        longest = quiet > longest ? quiet : longest;
        assert_true(quiet >= 5); /* as long as the one before took */
        refresh_in_vain(primary, greet_refresh());
        quiet = 0;
    }
    assert_in_range(count, 7, 16);
    assert_in_range(longest, 100, 301);
}

LINK_TEST(a_wish_of_one_who_has_left_is_forgotten)
{
    struct conn *primary = stream_of_a_busy_primary();
    refresh_in_vain(primary, greet_refresh());
    link_refresh(stage.link);
    expect_none_for(primary, 4); /* not so soon after the one before */
    expect_none_for(primary, 0);
    stage_seconds(1);
    if (stage_has_new()) /* it was granted: and that was it */
        refresh_in_vain(primary, greet_refresh());
    expect_none_for(primary, INTERVAL_S - 10);
}

LINK_TEST(whatever_became_of_it_the_interval_holds)
{
    struct conn *primary = stream_of_a_busy_primary();
    struct conn *second = greet_refresh();
    say_fullresync(second, STAGE_ID, stage_boundary());
    stage_say(second, "$118\r\nREDIS0011");
    fake_conn_end(second); /* in the middle */
    fake_conn_run(second);
    assert_string_equal(stage_status().last_refreshes[0].outcome, "failed");
    expect_none_for(primary, INTERVAL_S - 1);
    busy_second(primary);
    second = greet_refresh();
    fake_conn_end(second); /* asked, and not answered: it may have forked */
    fake_conn_run(second);
    expect_none_for(primary, INTERVAL_S - 1);
    busy_second(primary);
    second = greet_refresh();
    say_fullresync(second, STAGE_OTHER_ID, 5000); /* of no use */
    expect_none_for(primary, INTERVAL_S - 1);
}

LINK_TEST(one_that_cost_nothing_is_tried_again_soon)
{
    struct conn *primary = stream_of_a_busy_primary();
    struct conn *second = stage_await();
    fake_conn_down(second, "Connection refused");
    fake_conn_run(second);
    busy_second(primary);
    second = greet_refresh();
    stage_say(second, "-LOADING Redis is loading the dataset in memory\r\n");
    busy_second(primary);
    busy_second(primary);
    refresh_in_vain(primary, greet_refresh());
    expect_none_for(primary, INTERVAL_S - 1);
}

/* As a kill leaves it in the middle of one, or a stop after it. */
static void restart_after(int64_t ms, bool in_the_middle)
{
    struct conn *primary = stream_of_a_busy_primary();
    struct conn *second = greet_refresh();
    if (!in_the_middle)
        refresh_in_vain(primary, second);
    link_close(&stage.link);
    fake_loop_turn(stage.loop);
    fake_conn_reset();
    stage.connections = 0;
    fake_clock_advance(ms);
    temp_store_reopen(&stage.temp);
    char psync[80];
    stage_start();
    snprintf(psync, sizeof(psync), "PSYNC " STAGE_ID " %llu",
             (unsigned long long)stage_boundary() + 1);
    primary = stage_greet(psync);
    stage_say(primary, "+CONTINUE\r\n");
    stage_expect_state(LINK_STREAMING);
    expect_none_for(primary, INTERVAL_S - 1 - (unsigned)(ms / 1000));
    busy_second(primary);
    busy_second(primary);
    (void)greet_refresh();
}

LINK_TEST(a_restart_does_not_begin_the_interval_anew)
{
    restart_after(30000, false);
}

LINK_TEST(a_restart_in_the_middle_of_one_is_an_end_of_it)
{
    restart_after(0, true);
}

LINK_TEST(a_note_that_cannot_be_read_counts_as_just_now)
{
    struct text why;
    text_init(&why, 200);
    assert_true(store_keep_note(stage.temp.store, STORE_NOTE_REFRESH, bytes_of("psync-re"), &why));
    text_fini(&why);
    struct conn *primary = stream_of_a_busy_primary();
    expect_none_for(primary, INTERVAL_S - 3);
    busy_second(primary);
    busy_second(primary);
    (void)greet_refresh();
}
