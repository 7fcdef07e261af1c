/* SPDX-License-Identifier: MIT
 *
 * When a newer snapshot is fetched: when a replica waits and there is none that it could be served, or,
 * with `snapshot = always-ready`, before the window leaves the one there is behind. One fetch at a time,
 * whatever the number waiting, not sooner than refresh_pace.h allows, and not where the disk has no room for it. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_RENEWAL_H
#define RELAY_UPSTREAM_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fetch.h"
#include "relay/upstream/origin.h"

struct renewal {
    struct store *store;
    struct fetch *fetch;
    bool always_ready;
    int64_t pause_ms; /* between two that nobody waits for */
    bool has_wish;    /* somebody waits, or did when they said so last: */
    int64_t wish_ms;
    bool has_other_wish; /* or cannot read the one that there is */
    int64_t other_wish_ms;
};

/* Somebody waits, and says so every few seconds. That is believed for RENEWAL_WISH_MS, or until a fetch begins for
 * it, or there is one that can be served. */
enum { RENEWAL_WISH_MS = 8 * 1000 };
void renewal_wish(struct renewal *renewal);

/* Somebody waits who cannot read the one that there is, and could one of another version of the format. */
void renewal_wish_other(struct renewal *renewal);

/* See link_status.refresh_next_ms. */
int64_t renewal_next_ms(const struct renewal *renewal);

/* False: memory is out; renewal_fini is due all the same. */
MUST_CHECK bool renewal_init(struct renewal *renewal, struct loop *loop, struct store *store,
                             struct announced_version *announced, bool always_ready,
                             int64_t pause_ms);
void renewal_fini(struct renewal *renewal);

/* The link streams from `origin`: begin a fetch if one is due. */
void renewal_consider(struct renewal *renewal, const struct origin_address *origin,
                      const struct greeting_terms *terms);

/* The same, but now, due or not, room or none: an operator wants it. False: one is being fetched already. */
MUST_CHECK bool renewal_demand(struct renewal *renewal, const struct origin_address *origin,
                               const struct greeting_terms *terms);

#endif
