/* SPDX-License-Identifier: MIT
 *
 * When a newer snapshot is fetched: when a replica waits and there is none that it could be served; with
 * `snapshot = always-ready` also before the backlog moves past the one that is held. There is one refresh at a time,
 * whatever the number of replicas that wait, not sooner than refresh_pace.h allows, and none while the disk has no
 * room for it.
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_REFRESH_SCHEDULE_H
#define RELAY_UPSTREAM_REFRESH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "refresh.h"
#include "relay/upstream/primary_address.h"
#include "snapshot_sources.h"

struct refresh_schedule {
    struct store *store;
    struct refresh *refresh;
    bool always_ready;
    int64_t pause_ms; /* between two that nobody waits for */
    bool has_wish;    /* somebody waits, or did when they said so last: */
    int64_t wish_ms;
    uint64_t wish_from;  /* one of an earlier offset is of no use to it */
    bool has_other_wish; /* or cannot read the one that there is */
    int64_t other_wish_ms;
    struct snapshot_sources sources;
    bool lacks_source; /* one is due, nobody waits for it, and there is none to ask for it */
    bool
        is_at_relay; /* the primary is one, and may have the rest of an RDB whose beginning is here */
};

/* Somebody waits, and says so every few seconds. That is believed for REFRESH_SCHEDULE_WISH_MS, or until a refresh begins for
 * it, or there is one that can be served. */
enum { REFRESH_SCHEDULE_WISH_MS = 8 * 1000 };
void refresh_schedule_wish(struct refresh_schedule *refresh_schedule, uint64_t from);

/* Somebody waits who cannot read the one that there is, and could one of another version of the format. */
void refresh_schedule_wish_other(struct refresh_schedule *refresh_schedule);

/* See link_status.refresh_next_ms. */
int64_t refresh_schedule_next_ms(const struct refresh_schedule *refresh_schedule);

/* False: out of memory; refresh_schedule_fini is due all the same. */
MUST_CHECK bool refresh_schedule_init(struct refresh_schedule *refresh_schedule, struct loop *loop,
                                      struct store *store, const struct route *route,
                                      struct announced_version *announced,
                                      struct compression_use *compression, bool always_ready,
                                      int64_t pause_ms);
void refresh_schedule_fini(struct refresh_schedule *refresh_schedule);

/* The link streams from `primary`: begin a refresh if one is due, or the rest of one is to come. */
void refresh_schedule_consider(struct refresh_schedule *refresh_schedule,
                               const struct primary_address *primary,
                               const struct handshake_terms *terms);

/* The same, but now, due or not, room or none: an operator wants it. False: one is being fetched already. */
MUST_CHECK bool refresh_schedule_demand(struct refresh_schedule *refresh_schedule,
                                        const struct primary_address *primary,
                                        const struct handshake_terms *terms);

#endif
