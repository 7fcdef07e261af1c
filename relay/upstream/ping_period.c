/* SPDX-License-Identifier: MIT */
#include "ping_period.h"

enum {
    LEAST_MS = 900,           /* servers send one a second at the most: less is what had piled up */
    MOST_MS = 60 * 60 * 1000, /* more is no period that anybody could be judged by */
};

void ping_period_restart(struct ping_period *period)
{
    period->last_ms = 0;
}

void ping_period_note(struct ping_period *period, int64_t now_ms)
{
    int64_t interval_ms = now_ms - period->last_ms;
    if (period->last_ms != 0 && interval_ms >= LEAST_MS && interval_ms <= MOST_MS)
        period->interval_ms[period->count++ % PING_PERIOD_SAMPLES] = interval_ms;
    period->last_ms = now_ms;
}

/* The longest of those that were seen, since a primary may say something sooner
 * (docs/protocol.md 3.2). While few are known, at least the servers' default. */
int64_t ping_period_ms(const struct ping_period *period)
{
    unsigned known = period->count < PING_PERIOD_SAMPLES ? period->count : PING_PERIOD_SAMPLES;
    int64_t longest_ms = known < PING_PERIOD_SAMPLES ? PING_PERIOD_DEFAULT_MS : 0;
    for (unsigned i = 0; i < known; i++) {
        if (period->interval_ms[i] > longest_ms)
            longest_ms = period->interval_ms[i];
    }
    return longest_ms;
}
