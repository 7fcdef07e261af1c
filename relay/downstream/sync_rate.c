/* SPDX-License-Identifier: MIT */
#include "sync_rate.h"

#include "relay/base/check.h"

enum { US_A_SECOND = 1000 * 1000 };

/* Relaxed, all of it: the two are numbers by themselves, and nothing else is read because of what they say. */
static uint64_t rate_of(const struct sync_rate *rate)
{
    return atomic_load_explicit(&rate->bytes_a_second, memory_order_relaxed);
}

static size_t piece_bytes(uint64_t bytes_a_second)
{
    uint64_t bytes = bytes_a_second / SYNC_RATE_PIECES_A_SECOND;
    if (bytes < SYNC_RATE_PIECE_MIN)
        return SYNC_RATE_PIECE_MIN;
    return bytes > SYNC_RATE_PIECE_MAX ? SYNC_RATE_PIECE_MAX : (size_t)bytes;
}

/* Rounded up, so that the rate is never exceeded by it. */
static int64_t sync_rate_duration_us(size_t bytes, uint64_t bytes_a_second)
{
    return (int64_t)(((uint64_t)bytes * US_A_SECOND + bytes_a_second - 1) / bytes_a_second);
}

void sync_rate_set(struct sync_rate *rate, uint64_t bytes_a_second, int64_t now_us)
{
    atomic_store_explicit(&rate->bytes_a_second, bytes_a_second, memory_order_relaxed);
    atomic_store_explicit(&rate->next_us, now_us, memory_order_relaxed);
}

bool sync_rate_is_limited(const struct sync_rate *rate)
{
    return rate_of(rate) != 0;
}

struct sync_rate_piece sync_rate_reserve(struct sync_rate *rate, int64_t now_us)
{
    uint64_t bytes_a_second = rate_of(rate);
    if (bytes_a_second == 0)
        return (struct sync_rate_piece){.bytes = SYNC_RATE_PIECE_MAX, .due_us = now_us};
    size_t bytes = piece_bytes(bytes_a_second);
    int64_t took_us = sync_rate_duration_us(bytes, bytes_a_second);
    int64_t next_us = atomic_load_explicit(&rate->next_us, memory_order_relaxed);
    int64_t due_us;
    do {
        int64_t earliest_us = now_us - SYNC_RATE_SLACK_US;
        due_us = next_us > earliest_us ? next_us : earliest_us;
    } while (!atomic_compare_exchange_weak_explicit(&rate->next_us, &next_us, due_us + took_us,
                                                    memory_order_relaxed, memory_order_relaxed));
    return (struct sync_rate_piece){.bytes = bytes, .due_us = due_us};
}

void sync_rate_give_back(struct sync_rate *rate, size_t bytes)
{
    uint64_t bytes_a_second = rate_of(rate);
    if (bytes_a_second == 0 || bytes == 0)
        return;
    /* Rounded down: what is given back is never more than was taken. */
    int64_t us = (int64_t)((uint64_t)bytes * US_A_SECOND / bytes_a_second);
    atomic_fetch_sub_explicit(&rate->next_us, us, memory_order_relaxed);
}
