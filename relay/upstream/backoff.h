/* SPDX-License-Identifier: MIT
 *
 * How long to wait before the next attempt: twice as long with each failure, up to a limit, and jittered,
 * so that many relays that lost one primary do not come back to it in step. Here is every such wait of upstream/.
 * Any thread.
 */
#ifndef RELAY_UPSTREAM_BACKOFF_H
#define RELAY_UPSTREAM_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t ms_min; /* after the first failure */
    int64_t ms_max;
};

/* The link, between two rounds of all candidates. */
extern const struct backoff backoff_link;

/* One candidate, after a full sync with it that failed: each costs a server a fork, and all of its data once
 * over the network; a relay serves from its disk. */
extern const struct backoff backoff_full_sync;
extern const struct backoff backoff_full_sync_of_relay;

/* A refresh that the primary refused, so that it cost no fork; one that failed after the fork. */
extern const struct backoff backoff_refresh_refused;
extern const struct backoff backoff_refresh;

/* The Sentinels, between two rounds of all. */
extern const struct backoff backoff_sentinels;

/* 0 without failures; else between a half and the whole of ms_min * 2^(failures - 1), at most ms_max. */
int64_t backoff_ms(struct backoff backoff, unsigned failures);

#endif
