/* SPDX-License-Identifier: MIT
 *
 * Replicas that have asked and not been answered: asked again at the end of each turn in which the
 * store has changed, when a full sync has ended, and once a second, kept alive with '\n' meanwhile. Never refused
 * (docs/protocol.md 3.7, 4.3). They are asked in the order in which they came, so where full syncs are bounded
 * (full_sync_limits.h) the first one that can have its full sync has the next place.
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_WAITING_H
#define RELAY_DOWNSTREAM_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replica.h"
#include "resync_throttle.h"

struct delay;
struct full_sync_limits;
struct holds;
struct store;

/* The replica has been fed and can begin to send: it belongs to the callee. */
typedef void waiting_attached_fn(struct replica *replica, const char *cause, void *arg);

struct waiting {
    struct store *store;
    const struct downstream_callbacks *callbacks; /* for snapshots, and how upstream is */
    waiting_attached_fn *on_attached;
    void *on_attached_arg;
    int64_t timeout_ms;      /* for how long one that is ahead of us is held */
    bool serves_old_history; /* no full sync waits for a new history that is on its way */
    bool awaits_new_history; /* looked at before those who wait are asked */
    int64_t new_until_ms;    /* a new history was arriving, and may again until then; 0: none was */
    struct replicas replicas;
    size_t count;
    struct full_sync_limits *limits; /* the owner's */
    const struct delay *delay;       /* the owner's, as the next; NULL: nobody runs behind */
    struct holds *holds;
    struct resync_throttle throttle;
    int64_t streaming_since_ms; /* upstream has been since then; 0: it is not */
    int64_t wanted_ms;          /* when a snapshot was asked for last; 0: never */
    uint64_t wanted_from;       /* and from which offset on one is of use */
    uint64_t sync_full;
    uint64_t sync_partial_ok;
    uint64_t sync_partial_err;
    uint64_t sync_full_resumed;        /* of them, of relays that had the beginning of the RDB */
    uint64_t sync_full_unacknowledged; /* full syncs whose replica has left without a word */
};

void waiting_init(struct waiting *waiting, struct store *store,
                  const struct downstream_callbacks *callbacks, int64_t timeout_ms,
                  struct full_sync_limits *limits, waiting_attached_fn *on_attached, void *arg);

/* Another repl-timeout from now on, also for those who wait. */
void waiting_set_timeout(struct waiting *waiting, int64_t timeout_ms);

void waiting_add(struct waiting *waiting, struct replica *replica);

/* It has closed: forgets it. */
void waiting_remove(struct waiting *waiting, struct replica *replica);

/* Decides for each. Not from inside a callback of one of their connections. */
void waiting_ask(struct waiting *waiting);

void waiting_tick(struct waiting *waiting);

/* How many could have their full sync, and wait for a place among those that are under way. */
unsigned waiting_count_held(const struct waiting *waiting);

/* Closes one, by id. False: there is none. */
bool waiting_close(struct waiting *waiting, uint64_t id, enum close_reason reason);
void waiting_close_all(struct waiting *waiting, enum close_reason reason);

/* A replica has gone, attached or not: where its full sync came to nothing, its next one may have to
 * wait. */
void waiting_note_gone(struct waiting *waiting, const struct replica_stats *stats);

#endif
