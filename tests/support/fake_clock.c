/* SPDX-License-Identifier: MIT */
#include "fake_clock.h"

#include <stdatomic.h>

#include "relay/base/check.h"
#include "relay/base/clock.h"

/* Not 0: a deadline of 0 must not look like "now". Atomic: the store's threads, which are real ones, ask as well. */
static _Atomic int64_t now_ms = 1000000;

static const int64_t START_WALL_US = 1767225600000000; /* 2026-01-01 */

void fake_clock_set(int64_t to_ms)
{
    CHECK(to_ms >= now_ms);
    now_ms = to_ms;
}

void fake_clock_advance(int64_t by_ms)
{
    CHECK(by_ms >= 0);
    now_ms += by_ms;
}

int64_t clock_ms(void)
{
    return now_ms;
}

int64_t clock_us(void)
{
    return now_ms * 1000;
}

static _Atomic int64_t stepped_ms; /* the wall clock alone */

void fake_clock_step(int64_t by_ms)
{
    stepped_ms += by_ms;
}

static _Atomic int64_t went_on_ms; /* 0: it has not stood still */

void clock_note_standstill(void)
{
    went_on_ms = now_ms;
}

int64_t clock_silence_ms(int64_t since_ms)
{
    return now_ms - (since_ms > went_on_ms ? since_ms : went_on_ms);
}

int64_t clock_wall_us(void)
{
    return START_WALL_US + (now_ms + stepped_ms) * 1000;
}
