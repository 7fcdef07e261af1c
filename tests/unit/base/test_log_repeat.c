/* SPDX-License-Identifier: MIT */
#include "relay/base/log_repeat.h"

#include <stdio.h>

#include "test.h"

enum { START_MS = 1000000, SECOND = 1000, MINUTE = 60 * SECOND };

static struct log_repeat repeat;
static struct log_repeats repeats;
static char sum[LOG_REPEAT_SUM_MAX];
static char key[LOG_REPEAT_KEY_MAX];

static int begin(void **state)
{
    (void)state;
    memset(&repeat, 0, sizeof(repeat));
    memset(&repeats, 0, sizeof(repeats));
    snprintf(sum, sizeof(sum), "old");
    return 0;
}

#define SERIES_TEST(name) TEST_SETUP(name, begin, NULL)

static bool note(const char *reason, int64_t now_ms)
{
    return log_repeat_note(&repeat, reason, now_ms, sum);
}

SERIES_TEST(the_first_is_told_and_the_next_are_summed_up)
{
    assert_false(log_repeat_goes_on(&repeat));
    assert_true(note("refused", START_MS));
    assert_string_equal(sum, "");
    assert_true(log_repeat_goes_on(&repeat));
    unsigned told = 0;
    for (int i = 1; i <= 10 * 60; i++) {
        if (!note("refused", START_MS + i * SECOND))
            continue;
        told++;
        if (told == 1)
            assert_string_equal(sum, " count=61 for=60s");
        if (told == 2)
            assert_string_equal(sum, " count=181 for=3m");
    }
    assert_int_equal(told, 3); /* after 1, 3 and 7 minutes */
}

/* A night of it is some lines, not thousands. */
SERIES_TEST(a_failure_for_days_is_told_once_an_hour)
{
    unsigned told = 0;
    for (int64_t i = 0; i < 48 * 60 * 30; i++)
        told += note("refused", START_MS + i * 2 * SECOND);
    assert_in_range(told, 48, 55);
}

SERIES_TEST(a_new_reason_is_told_at_once_and_one_that_was_told_is_not)
{
    assert_true(note("refused", START_MS));
    assert_true(note("timed out", START_MS + 1));
    assert_string_equal(sum, " count=2 for=0s");
    for (int i = 0; i < 10; i++) {
        assert_false(note("refused", START_MS + 2));
        assert_false(note("timed out", START_MS + 2));
    }
}

SERIES_TEST(ever_new_reasons_are_summed_up)
{
    unsigned told = 0;
    for (int i = 0; i < 1000; i++) {
        char reason[32];
        snprintf(reason, sizeof(reason), "port %d", i);
        told += note(reason, START_MS + i);
    }
    assert_int_equal(told, LOG_REPEAT_REASONS);
}

SERIES_TEST(its_end_is_told_once)
{
    assert_false(log_repeat_end(&repeat, START_MS, sum));
    assert_true(note("refused", START_MS));
    assert_false(note("refused", START_MS + 30 * SECOND));
    assert_true(log_repeat_end(&repeat, START_MS + 40 * SECOND, sum));
    assert_string_equal(sum, " count=2 for=40s");
    assert_false(log_repeat_goes_on(&repeat));
    assert_false(log_repeat_end(&repeat, START_MS + 40 * SECOND, sum));
}

SERIES_TEST(a_new_failure_after_a_while_is_told_anew)
{
    assert_true(note("refused", START_MS));
    assert_true(log_repeat_end(&repeat, START_MS, sum));
    assert_true(note("refused", START_MS + LOG_REPEAT_QUIET_MS + 1));
    assert_string_equal(sum, "");
}

/* Of some failures there is no end to be seen. */
SERIES_TEST(what_has_not_failed_for_long_is_over)
{
    assert_true(note("full", START_MS));
    assert_false(note("full", START_MS + 1));
    assert_true(note("full", START_MS + 2 + LOG_REPEAT_OVER_MS));
    assert_string_equal(sum, "");
}

SERIES_TEST(what_flaps_is_summed_up)
{
    unsigned told = 0;
    for (int i = 0; i < 60; i++) {
        told += note("broken", START_MS + i * SECOND);
        told += log_repeat_end(&repeat, START_MS + i * SECOND, sum);
    }
    assert_int_equal(told, 2);
    assert_true(note("broken", START_MS + 60 * SECOND));
    assert_string_equal(sum, " count=61 for=60s");
    assert_true(log_repeat_end(&repeat, START_MS + 61 * SECOND, sum));
}

SERIES_TEST(each_key_is_told_by_itself)
{
    assert_true(log_repeats_note(&repeats, "10.0.0.1", "noauth", START_MS, sum));
    assert_true(log_repeats_note(&repeats, "10.0.0.2", "noauth", START_MS, sum));
    assert_false(log_repeats_note(&repeats, "10.0.0.1", "noauth", START_MS, sum));
    assert_true(log_repeats_note(&repeats, "10.0.0.1", "noauth", START_MS + MINUTE, sum));
    assert_string_equal(sum, " count=3 for=60s");
}

SERIES_TEST(a_crowd_is_told_as_one)
{
    unsigned told = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "10.0.%d.%d", i / 256, i % 256);
        told += log_repeats_note(&repeats, key, "noauth", START_MS, sum);
    }
    assert_int_equal(told, LOG_REPEATS_PLACES + 1);
    assert_true(log_repeats_note(&repeats, "10.9.9.9", "noauth", START_MS + MINUTE, sum));
    assert_string_equal(sum, " count=969 for=60s others=yes");
}

SERIES_TEST(one_that_is_over_is_told_and_makes_room)
{
    assert_true(log_repeats_note(&repeats, "10.0.0.1", "noauth", START_MS, sum));
    assert_true(log_repeats_note(&repeats, "10.0.0.2", "noauth", START_MS, sum));
    assert_false(log_repeats_note(&repeats, "10.0.0.2", "noauth", START_MS + SECOND, sum));
    int64_t now_ms = START_MS + SECOND + LOG_REPEAT_OVER_MS;
    assert_false(log_repeats_take_over(&repeats, now_ms, key, sum)); /* one is none to sum up */
    assert_true(log_repeats_take_over(&repeats, now_ms + 1, key, sum));
    assert_string_equal(key, "10.0.0.2");
    assert_string_equal(sum, " count=2 for=1s");
    assert_false(log_repeats_take_over(&repeats, now_ms + 1, key, sum));
    assert_true(log_repeats_note(&repeats, "10.0.0.2", "noauth", now_ms + 2, sum));
    assert_string_equal(sum, "");
}
