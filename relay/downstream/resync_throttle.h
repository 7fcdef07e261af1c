/* SPDX-License-Identifier: MIT
 *
 * Replicas that take one full sync after another and acknowledge none: most often since they cannot read
 * the RDB (docs/protocol.md 8). Each failure in a row makes the next full sync wait longer.
 *
 * Which replica is it? One that asks for a full sync has no id that is its own. Many can share an address
 * and an announced port (NAT, published container ports), so these tell nothing by themselves. Instead the
 * failures are handed on, from one connection to the next that cannot be told from it:
 *
 *     a full sync was given and never acknowledged   the count is kept under what the replica said of itself
 *     one that says the same asks for a full sync    takes the count: as far as can be told it is the one
 *                                                    that comes back. A second one that comes finds no
 *                                                    count, and does not wait.
 *     one without a count fails meanwhile            it was that one: it gets the count, and the one that
 *                                                    waits does so no longer
 *     it acknowledges                                its count is gone
 *
 * So in the worst case a healthy replica waits in the place of a failing one, until that one is back. As
 * the failing one may never come back, the wait is short while there is little to go by (RESYNC_IN_DOUBT
 * failures), and only then grows. Where the replica has announced a version that cannot read this RDB, it
 * does not matter which of them it is: all of that version wait, from the first time on.
 *
 * A count belongs to one history and one RDB version, and is gone where the next full sync is of another.
 * A few dozen are remembered, the oldest is forgotten. Pure.
 */
#ifndef RELAY_DOWNSTREAM_RESYNC_THROTTLE_H
#define RELAY_DOWNSTREAM_RESYNC_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/resp/rdb_version.h"
#include "replica_stats.h"

enum {
    RESYNC_PLACES = 64,
    RESYNC_FREE = 1, /* once may be chance: a restart, a tool that had seen enough */
    RESYNC_IN_DOUBT = 8,
    RESYNC_DOUBT_MS_MAX = 1500, /* and a second until that is looked at */
    RESYNC_MS_MAX = 5 * 60 * 1000,
    RESYNC_UNREADABLE_FIRST_MS =
        5 * 1000, /* in which a refresh may bring an RDB that it can read */
    RESYNC_UNREADABLE_MS = 30 * 1000,
    RESYNC_UNREADABLE_MS_MAX = 10 * 60 * 1000,
    RESYNC_RETURN_MS = 60 * 1000, /* it comes back within this, after its wait: else it is gone */
    RESYNC_TORN_MS = 5 * 1000, /* one that leaves so early in an RDB has seen what it cannot read */
};

struct resync_throttle {
    struct resync_place {
        unsigned failures; /* 0: the place is free */
        int64_t last_ms;
        struct resync_source source;
        enum rdb_reading reading;
        char address[REPLICA_STATS_ADDRESS_MAX];
        char user[CLIENT_NAME_MAX];
        struct replica_terms terms;
    } place[RESYNC_PLACES];
};

/* What a replica says of itself, and where it comes from. Points into what it is of. */
struct resync_identity {
    const char *address;
    const char *user;
    const struct replica_terms *terms;
};

struct resync_identity resync_identity_of(const struct replica_stats *stats);
struct resync_identity resync_place_identity(const struct resync_place *place);

/* Can they not be told from one another? */
bool resync_identity_equal(const struct resync_identity *a, const struct resync_identity *b);

bool resync_source_equal(const struct resync_source *a, const struct resync_source *b);

/* A replica asks for a full sync, which would be made of `source`: how many failures it takes with it. */
unsigned resync_throttle_take(struct resync_throttle *throttle, const struct replica_stats *stats,
                              const struct resync_source *source, int64_t now_ms);

/* One with so many failures, the last of them with replica stats->source, has gone; it may come back. */
void resync_throttle_keep(struct resync_throttle *throttle, const struct replica_stats *stats,
                          unsigned failures, int64_t now_ms);

/* Is it free, or too old to count? */
bool resync_place_is_over(const struct resync_place *place, int64_t now_ms);

/* How long the full sync of one with so many failures waits; 0: not at all. */
int64_t resync_wait_ms(unsigned failures, enum rdb_reading reading);

#endif
