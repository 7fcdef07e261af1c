/* SPDX-License-Identifier: MIT
 *
 * How long the calls of one command took. redis-server keeps a histogram of nanoseconds with two significant
 * digits (HDR histogram); LATENCY HISTOGRAM shows it in buckets that double, INFO latencystats as percentiles.
 * The bounds of the buckets here are those of redis-server, percentiles are exact below 64 microseconds and
 * within 3 % above.
 *
 * Times are microseconds; what takes longer than a second is counted as a second, as redis-server does.
 * Pure. Owner: its command_stat.
 */
#ifndef RELAY_COMMANDS_LATENCY_HISTOGRAM_H
#define RELAY_COMMANDS_LATENCY_HISTOGRAM_H

#include <stdint.h>

enum {
    LATENCY_BUCKETS = 21,
    LATENCY_LINEAR =
        64, /* counters of one microsecond each; then every doubling has LATENCY_STEPS */
    LATENCY_STEPS = 32,
    LATENCY_DOUBLINGS = 14, /* 64 us to 2^20 us */
    LATENCY_COUNTERS = LATENCY_LINEAR + LATENCY_DOUBLINGS * LATENCY_STEPS,
};

struct latency_histogram {
    uint64_t calls;
    uint64_t bucket[LATENCY_BUCKETS];
    uint64_t counter[LATENCY_COUNTERS];
};

/* A call took `us`, >= 0. */
void latency_histogram_add(struct latency_histogram *histogram, int64_t us);

/* The longest time that is counted in the bucket: 1, 2, 4, 8, 16, 33, 66, ... microseconds. */
uint64_t latency_bucket_limit_us(unsigned bucket);

/* So many percent (0 to 100) of the calls took that many microseconds or less; 0 without calls. */
double latency_histogram_percentile_us(const struct latency_histogram *histogram, double percent);

#endif
