/* SPDX-License-Identifier: MIT */
#include "relay/base/clock.h"

#include <time.h>

#include "test.h"

TEST(the_clock_is_not_set_back_and_counts_milliseconds)
{
    int64_t first = clock_ms();
    int64_t last = first;
    while (last < first + 20) {
        int64_t now = clock_ms();
        assert_true(now >= last);
        last = now;
    }
    const struct timespec pause = {.tv_nsec = 30 * 1000 * 1000};
    nanosleep(&pause, NULL);
    assert_in_range(clock_ms() - last, 29, 10000);
}

TEST(both_count_by_one_clock)
{
    int64_t before_us = clock_us();
    int64_t now_ms = clock_ms();
    int64_t after_us = clock_us();
    assert_in_range(now_ms, before_us / 1000, after_us / 1000);
}

TEST(the_wall_clock_is_that_of_time)
{
    time_t before = time(NULL);
    int64_t now_us = clock_wall_us();
    assert_in_range(now_us / 1000000, before - 1, before + 10);
}

TEST(silence_counts_from_the_last_standstill_on)
{
    int64_t long_ago_ms = clock_ms() - 3600 * 1000;
    assert_true(clock_silence_ms(long_ago_ms) >= 3600 * 1000);
    clock_note_standstill();
    assert_in_range(clock_silence_ms(long_ago_ms), 0, 60 * 1000);
    assert_in_range(clock_silence_ms(clock_ms()), 0, 60 * 1000);
}
