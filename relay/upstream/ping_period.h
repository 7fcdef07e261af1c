/* SPDX-License-Identifier: MIT
 *
 * How often a primary sends PING when it has nothing else to send (its repl-ping-replica-period), learned
 * from those in its stream: one who has heard nothing for two of these hears nobody. Pure.
 */
#ifndef RELAY_UPSTREAM_PING_PERIOD_H
#define RELAY_UPSTREAM_PING_PERIOD_H

#include <stdint.h>

enum {
    PING_PERIOD_DEFAULT_MS = 10 * 1000, /* while it is not known, and servers' default */
    PING_PERIOD_SAMPLES = 4,
};

struct ping_period {
    int64_t last_ms; /* clock_ms of the last PING of this connection; 0: none yet */
    unsigned count;  /* intervals so far, over all connections */
    int64_t interval_ms[PING_PERIOD_SAMPLES]; /* a ring of the last ones */
};

/* Another connection: no interval spans two. */
void ping_period_restart(struct ping_period *period);

/* A PING, or several at once, came now. */
void ping_period_note(struct ping_period *period, int64_t now_ms);

/* The longest of the last intervals, for as long as there are too few not below the default. */
int64_t ping_period_ms(const struct ping_period *period);

#endif
