/* SPDX-License-Identifier: MIT
 *
 * Which replicas cannot load what they are given, each once: of those that are here and take full syncs without
 * acknowledging one, and those that have gone after that and may come back (resync_throttle.h).
 *
 * A replica that comes back before its last connection is seen to have ended is there twice, or three times. So those
 * that cannot be told from one another, by what they say and where they come from, count as one: the most failures of
 * them, and the longest delay. Replicas behind one address that announce the same port are one here, too.
 *
 * Among the first SYNC_FAILURES_APART; any more count each by itself, so that a thousand of them cost no million of
 * comparisons.
 *
 * Plain value, of one round; what it is told of outlives that. Pure. Thread 0.
 */
#ifndef RELAY_DOWNSTREAM_SYNC_FAILURES_H
#define RELAY_DOWNSTREAM_SYNC_FAILURES_H

#include <stddef.h>
#include <stdint.h>

#include "relay/downstream/downstream.h"
#include "relay/downstream/peer_status.h"
#include "resync_throttle.h"

enum { SYNC_FAILURES_APART = 64 };

struct sync_failures {
    /* Set by the owner. */
    sync_failure_fn *fn;
    void *arg;
    int64_t now_ms;
    /* Ours; all zeros at first. */
    size_t count;
    struct sync_failures_row {
        struct resync_identity who;
        struct sync_failure failure;
    } rows[SYNC_FAILURES_APART];
};

/* One that is here; one that has gone. No effect where neither has failed. */
void sync_failures_add_replica(struct sync_failures *failures, const struct replica_stats *stats);
void sync_failures_add_place(struct sync_failures *failures, const struct resync_place *place);

/* Calls `fn` with each. */
void sync_failures_tell(const struct sync_failures *failures);

#endif
