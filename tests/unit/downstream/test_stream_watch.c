/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/stream_watch.h"

#include "test.h"

enum { WINDOW_MS = 60 * 1000, MIB = 1024 * 1024 };

static struct stream_watch watch;
static int64_t now_ms;
static uint64_t published;
static uint64_t acknowledged;
static unsigned changes;

static int set_up(void **state)
{
    (void)state;
    stream_watch_reset(&watch);
    now_ms = 1000;
    published = acknowledged = 100;
    changes = 0;
    return 0;
}

#define WATCH_TEST(name) TEST_SETUP(name, set_up, NULL)

/* So many bytes are published a second, and of what there is so many acknowledged. */
static void pass(unsigned seconds, uint64_t in, uint64_t out)
{
    for (unsigned i = 0; i < seconds; i++) {
        now_ms += 1000;
        published += in;
        acknowledged += published - acknowledged < out ? published - acknowledged : out;
        changes += stream_watch_note(&watch, now_ms, WINDOW_MS, published, acknowledged);
    }
}

WATCH_TEST(a_stream_that_fits_is_never_short)
{
    pass(600, 20 * MIB, 21 * MIB);
    assert_false(watch.is_short);
    assert_int_equal(stream_watch_missing(&watch), 0);
    assert_int_equal(changes, 0);
}

WATCH_TEST(tells_by_how_much_the_link_is_too_small)
{
    pass(60, 20 * MIB, 12 * MIB);
    assert_false(watch.is_short);
    pass(20, 20 * MIB, 12 * MIB);
    assert_true(watch.is_short);
    assert_int_equal(stream_watch_missing(&watch), 8 * MIB);
    assert_int_equal(watch.published_rate, 20 * MIB);
    assert_int_equal(watch.acknowledged_rate, 12 * MIB);
    assert_int_equal(changes, 1);
}

/* While it catches up nothing is missing. */
WATCH_TEST(a_link_that_is_short_by_little_is_found_as_well)
{
    pass(90, 20 * MIB, 19 * MIB);
    assert_true(watch.is_short);
    assert_int_equal(stream_watch_missing(&watch), MIB);
}

WATCH_TEST(it_is_over_after_as_long_a_time)
{
    pass(120, 20 * MIB, 12 * MIB);
    assert_true(watch.is_short);
    pass(40, 5 * MIB, 12 * MIB);
    assert_true(watch.is_short);
    pass(40, 5 * MIB, 12 * MIB);
    assert_false(watch.is_short);
    assert_int_equal(changes, 2);
}

WATCH_TEST(a_burst_changes_nothing)
{
    for (unsigned i = 0; i < 60; i++) {
        pass(20, 20 * MIB, 12 * MIB);
        pass(60 + i, 2 * MIB, 12 * MIB);
    }
    assert_int_equal(changes, 0);
}

/* As much as the link can just do: now a bit more, now a bit less. */
WATCH_TEST(it_does_not_flicker)
{
    for (int i = 0; i < 100; i++) {
        pass(7, 12 * MIB + 200 * 1024, 12 * MIB);
        pass(6, 12 * MIB - 200 * 1024, 12 * MIB);
    }
    assert_true(changes <= 1);
}

/* It acknowledges once a second, and what it has then may be a second old. */
WATCH_TEST(acknowledgements_that_come_late_are_no_lag_that_grows)
{
    for (unsigned i = 0; i < 600; i++) {
        now_ms += 1000;
        published += 20 * MIB;
        if (i % 2 == 0)
            acknowledged = published;
        changes += stream_watch_note(&watch, now_ms, WINDOW_MS, published, acknowledged);
    }
    assert_int_equal(changes, 0);
}

WATCH_TEST(one_that_is_stopped_is_not_short)
{
    pass(600, 20 * MIB, 0);
    assert_int_equal(changes, 0);
}

WATCH_TEST(a_trickle_is_not_short)
{
    pass(600, 1000, 500);
    assert_int_equal(changes, 0);
}

WATCH_TEST(another_stream_begins_anew)
{
    pass(50, 20 * MIB, 12 * MIB);
    published = acknowledged = 5;
    pass(60, 20 * MIB, 12 * MIB);
    assert_false(watch.is_short);
    pass(20, 20 * MIB, 12 * MIB);
    assert_true(watch.is_short);
    stream_watch_reset(&watch);
    assert_int_equal(stream_watch_missing(&watch), 0);
}
