/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/latency_histogram.h"
#include "test.h"

/* What redis-server 7 shows, for which one bucket ends at 1024 ns and each next one at twice that. */
TEST(buckets_end_where_those_of_redis_server_do)
{
    static const uint64_t limits[LATENCY_BUCKETS] = {
        1,    2,    4,    8,     16,    33,    66,     132,    264,    528,     1056,
        2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065, 1082130,
    };
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        assert_int_equal(latency_bucket_limit_us(i), limits[i]);
}

TEST(a_call_is_counted_in_the_first_bucket_that_is_long_enough)
{
    struct latency_histogram histogram = {0};
    static const int64_t times_us[] = {0, 1, 2, 3, 16, 17, 33, 34, 1000, 999999, 1000000, 5000000};
    for (size_t i = 0; i < LENGTH_OF(times_us); i++)
        latency_histogram_add(&histogram, times_us[i]);
    assert_int_equal(histogram.calls, LENGTH_OF(times_us));
    assert_int_equal(histogram.bucket[0], 2);
    assert_int_equal(histogram.bucket[1], 1);
    assert_int_equal(histogram.bucket[2], 1);
    assert_int_equal(histogram.bucket[4], 1);
    assert_int_equal(histogram.bucket[5], 2);
    assert_int_equal(histogram.bucket[6], 1);
    assert_int_equal(histogram.bucket[10], 1);
    assert_int_equal(histogram.bucket[LATENCY_BUCKETS - 1], 3);
}

static double percentile(const struct latency_histogram *histogram, double percent)
{
    return latency_histogram_percentile_us(histogram, percent);
}

/* As redis-server has it: 0 us is 0.001, 1 us 1.003, 8 us 8.031. */
TEST(short_times_are_told_exactly)
{
    struct latency_histogram histogram = {0};
    assert_true(percentile(&histogram, 50) == 0);
    latency_histogram_add(&histogram, 0);
    assert_true(percentile(&histogram, 99.9) == 0.001);
    latency_histogram_add(&histogram, 3);
    assert_true(percentile(&histogram, 50) == 0.001);
    assert_true(percentile(&histogram, 99) == 3.007);
    histogram = (struct latency_histogram){0};
    latency_histogram_add(&histogram, 8);
    assert_true(percentile(&histogram, 50) == 8.031);
}

TEST(long_times_are_told_within_three_percent)
{
    for (int64_t us = 1; us <= 1000000; us += us / 7 + 1) {
        struct latency_histogram histogram = {0};
        latency_histogram_add(&histogram, us);
        double told_us = percentile(&histogram, 50);
        assert_true(told_us >= (double)us && told_us <= (double)us * 1.032 + 0.01);
    }
}

TEST(percentiles_are_in_order)
{
    struct latency_histogram histogram = {0};
    for (int us = 0; us < 10000; us++)
        latency_histogram_add(&histogram, us);
    double p50 = percentile(&histogram, 50);
    double p99 = percentile(&histogram, 99);
    double p999 = percentile(&histogram, 99.9);
    assert_true(p50 >= 4990 && p50 <= 5200);
    assert_true(p99 >= 9890 && p99 <= 10300);
    assert_true(p50 < p99 && p99 <= p999);
}
