/* SPDX-License-Identifier: MIT
 *
 * How long to wait before the next attempt: twice as long with each failure, up to a limit, and jittered,
 * so that many relays that lost one primary do not come back to it in step. Any thread.
 */
#ifndef RELAY_UPSTREAM_BACKOFF_H
#define RELAY_UPSTREAM_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t ms_min; /* after the first failure */
    int64_t ms_max;
};

/* 0 without failures; else between a half and the whole of ms_min * 2^(failures - 1), at most ms_max. */
int64_t backoff_ms(struct backoff backoff, unsigned failures);

#endif
