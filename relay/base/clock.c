/* SPDX-License-Identifier: MIT */
#include "relay/base/clock.h"

#include <time.h>

#include "relay/base/check.h"

static struct timespec now(clockid_t id)
{
    struct timespec time;
    CHECK(clock_gettime(id, &time) == 0);
    return time;
}

int64_t clock_ms(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t clock_us(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static _Thread_local int64_t went_on_ms = INT64_MIN; /* by clock_ms */

void clock_note_standstill(void)
{
    went_on_ms = clock_ms();
}

int64_t clock_silence_ms(int64_t since_ms)
{
    return clock_ms() - (since_ms > went_on_ms ? since_ms : went_on_ms);
}

int64_t clock_wall_us(void)
{
    struct timespec time = now(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}
