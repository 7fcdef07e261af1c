/* SPDX-License-Identifier: MIT */
#include "relay/base/progress_meter.h"

#include "test.h"

enum { START_MS = 5000 };

static struct progress_meter progress;
static struct text out;

static int set_up(void **state)
{
    (void)state;
    progress_meter_begin(&progress, START_MS, 0);
    text_init(&out, 512);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_fini(&out);
    return 0;
}

#define PROGRESS_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void expect_told(int64_t now_ms, const char *expected)
{
    struct progress_view view = progress_meter_view(&progress, now_ms);
    text_clear(&out);
    progress_view_format(&view, ' ', &out);
    assert_string_equal(text_string(&out), expected);
}

PROGRESS_TEST(tells_what_is_left)
{
    progress_meter_expect(&progress, 1000, false);
    progress_meter_note(&progress, START_MS + 1000, 100);
    expect_told(START_MS + 1000, "bytes=100 total=1000 estimated=no percent=10.00 rate=100 left=9");
    progress_meter_note(&progress, START_MS + 2000, 200);
    expect_told(START_MS + 2000, "bytes=200 total=1000 estimated=no percent=20.00 rate=100 left=8");
    progress_meter_note(&progress, START_MS + 9000, 1000);
    struct progress_view view = progress_meter_view(&progress, START_MS + 9000);
    assert_int_equal(view.left_ms, 0);
    assert_int_equal(view.taken_ms, 9000);
}

PROGRESS_TEST(a_part_of_a_line_of_info_has_commas)
{
    struct progress_view view = progress_meter_view(&progress, START_MS);
    progress_view_format(&view, ',', &out);
    assert_string_equal(text_string(&out),
                        "bytes=0,total=-1,estimated=no,percent=-1,rate=0,left=-1");
}

PROGRESS_TEST(nothing_is_told_of_what_is_not_under_way)
{
    progress_meter_end(&progress);
    progress_meter_note(&progress, START_MS + 1000, 100);
    assert_false(progress_meter_view(&progress, START_MS + 1000).is_active);
    assert_false(progress_meter_take_log_turn(&progress, START_MS + 100 * 1000));
}

PROGRESS_TEST(an_estimate_is_called_one)
{
    progress_meter_expect(&progress, 400, true);
    progress_meter_note(&progress, START_MS + 1000, 100);
    expect_told(START_MS + 1000, "bytes=100 total=400 estimated=yes percent=25.00 rate=100 left=3");
    /* It was too small: nothing is known then. */
    progress_meter_note(&progress, START_MS + 4000, 400);
    struct progress_view view = progress_meter_view(&progress, START_MS + 4000);
    assert_int_equal(view.total, 0);
    assert_int_equal(view.left_ms, -1);
    assert_false(view.is_estimate);
    /* The length becomes known, and no estimate replaces it. */
    progress_meter_expect(&progress, 800, false);
    progress_meter_expect(&progress, 5000, true);
    progress_meter_expect(&progress, 0, false);
    view = progress_meter_view(&progress, START_MS + 4000);
    assert_int_equal(view.total, 800);
    assert_false(view.is_estimate);
}

PROGRESS_TEST(the_rate_follows_the_last_seconds)
{
    uint64_t bytes = 0;
    int64_t now_ms = START_MS;
    for (int i = 0; i < 60; i++)
        progress_meter_note(&progress, now_ms += 1000, bytes += 1000);
    assert_in_range(progress_meter_view(&progress, now_ms).rate, 990, 1010);
    for (int i = 0; i < 30; i++)
        progress_meter_note(&progress, now_ms += 1000, bytes += 100);
    assert_in_range(progress_meter_view(&progress, now_ms).rate, 90, 120);
    for (int i = 0; i < 100; i++)
        progress_meter_note(&progress, now_ms += 1000, bytes);
    assert_int_equal(progress_meter_view(&progress, now_ms).rate, 0);
    assert_int_equal(progress_meter_view(&progress, now_ms).left_ms, -1);
}

/* Asked often, it does not tell the rate of a few milliseconds. */
PROGRESS_TEST(short_times_are_no_sample)
{
    progress_meter_note(&progress, START_MS + 1000, 1000);
    for (int64_t ms = 1; ms < PROGRESS_SAMPLE_MS; ms++)
        progress_meter_note(&progress, START_MS + 1000 + ms, 1000 + 100000);
    assert_int_equal(progress_meter_view(&progress, START_MS + 1499).rate, 1000);
    progress_meter_note(&progress, START_MS + 1500, 1000 + 100000);
    assert_true(progress_meter_view(&progress, START_MS + 1500).rate > 1000);
}

PROGRESS_TEST(what_was_done_before_is_no_part_of_the_rate)
{
    progress_meter_begin(&progress, START_MS, 10000);
    progress_meter_expect(&progress, 11000, false);
    progress_meter_note(&progress, START_MS + 100, 10010);
    expect_told(START_MS + 100,
                "bytes=10010 total=11000 estimated=no percent=91.00 rate=100 left=10");
    progress_meter_note(&progress, START_MS + 1000, 10100);
    expect_told(START_MS + 1000,
                "bytes=10100 total=11000 estimated=no percent=91.82 rate=100 left=9");
}

PROGRESS_TEST(what_goes_back_is_passed_over)
{
    progress_meter_note(&progress, START_MS + 1000, 1000);
    progress_meter_note(&progress, START_MS + 2000, 10);
    assert_int_equal(progress_meter_view(&progress, START_MS + 2000).bytes, 1000);
}

PROGRESS_TEST(a_line_in_the_log_is_due_every_ten_seconds)
{
    unsigned lines = 0;
    for (int64_t ms = 0; ms < 60 * 1000; ms += 100)
        lines += progress_meter_take_log_turn(&progress, START_MS + ms);
    assert_int_equal(lines, 5);
}
