/* SPDX-License-Identifier: MIT */
#include "latency_histogram.h"

#include <assert.h>

#include "relay/base/check.h"

enum { LATENCY_US_MAX = 1000 * 1000, LINEAR_BITS = 6, STEP_BITS = 5 };

static_assert(1 << LINEAR_BITS == LATENCY_LINEAR, "the linear part ends at a power of two");
static_assert(1 << STEP_BITS == LATENCY_STEPS, "a doubling has a power of two of counters");
static_assert(LATENCY_US_MAX < 1 << (LINEAR_BITS + LATENCY_DOUBLINGS),
              "the longest time has a counter");

static unsigned highest_bit(uint64_t value)
{
    CHECK(value > 0);
    return 63u - (unsigned)__builtin_clzll(value);
}

/* HDR histogram with two significant digits: 128 values of nanoseconds for each doubling are told apart. */
static uint64_t highest_equivalent_ns(uint64_t ns)
{
    if (ns < 256)
        return ns > 0 ? ns : 1;
    return ns | ((1ull << (highest_bit(ns) - 7)) - 1);
}

uint64_t latency_bucket_limit_us(unsigned bucket)
{
    CHECK(bucket < LATENCY_BUCKETS);
    return highest_equivalent_ns(1024ull << bucket) / 1000;
}

static unsigned counter_of(unsigned us)
{
    if (us < LATENCY_LINEAR)
        return us;
    unsigned bit = highest_bit(us);
    unsigned step = (us >> (bit - STEP_BITS)) - LATENCY_STEPS;
    return LATENCY_LINEAR + (bit - LINEAR_BITS) * LATENCY_STEPS + step;
}

/* The longest time that a counter behind the linear part counts. */
static uint64_t counter_limit_us(unsigned counter)
{
    CHECK(counter >= LATENCY_LINEAR);
    unsigned beyond = counter - LATENCY_LINEAR;
    unsigned shift = beyond / LATENCY_STEPS + LINEAR_BITS - STEP_BITS;
    return ((uint64_t)(beyond % LATENCY_STEPS + LATENCY_STEPS + 1) << shift) - 1;
}

void latency_histogram_add(struct latency_histogram *histogram, int64_t us)
{
    CHECK(us >= 0);
    unsigned time_us = us < LATENCY_US_MAX ? (unsigned)us : LATENCY_US_MAX;
    unsigned bucket = 0;
    while (latency_bucket_limit_us(bucket) < time_us)
        bucket++;
    histogram->calls++;
    histogram->bucket[bucket]++;
    histogram->counter[counter_of(time_us)]++;
}

double latency_histogram_percentile_us(const struct latency_histogram *histogram, double percent)
{
    if (histogram->calls == 0)
        return 0;
    uint64_t wanted = (uint64_t)(percent / 100 * (double)histogram->calls + 0.5);
    uint64_t seen = histogram->counter[0];
    unsigned counter = 0;
    while (seen < wanted && counter + 1 < LATENCY_COUNTERS)
        seen += histogram->counter[++counter];
    if (counter < LATENCY_LINEAR)
        return (double)highest_equivalent_ns(counter * 1000ull) / 1000;
    uint64_t limit_us = counter_limit_us(counter);
    return (double)(limit_us < LATENCY_US_MAX ? limit_us : LATENCY_US_MAX);
}
