/* SPDX-License-Identifier: MIT
 *
 * Known replicas from inside (relay/downstream/known.h says what they are):
 *
 *     a connection asks PSYNC     takes over the entry of one that is away, or is just being closed, and says the
 *                                 same of itself; there is none: a new entry
 *     it acknowledges             from then on it is missed when it leaves
 *     it leaves                   its entry is away, for repl-timeout; one that never acknowledged, or that
 *                                 was told to be forgotten, is forgotten
 *     its time is over            forgotten
 *
 * Nothing that a replica says is its own alone: behind NAT many share an address and an announced port. So an
 * entry is no identity but a place: of two alike that are away, the first one back takes one place, and the
 * other is still missed. It takes the place whose time is over first, so that what is missed is so for longest.
 *
 * A place also holds the backlog where its replica will go on when it was us who closed it (a new id): else
 * what it needs might be trimmed while it comes back.
 *
 * Bounded: of those that are away KNOWN_AWAY_MAX are kept; where there are more, not all are here until
 * repl-timeout has passed. Not kept over a restart: for repl-timeout after one nobody knows who was there.
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_KNOWN_PRIVATE_H
#define RELAY_DOWNSTREAM_KNOWN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "relay/base/check.h"
#include "relay/downstream/known.h"
#include "relay/store/cursor.h"
#include "replica_stats_list.h"

enum { KNOWN_AWAY_MAX = 1024 };

#define KNOWN_SURE (INT64_MIN / 2)

struct history;

struct known_replica {
    TAILQ_ENTRY(known_replica) entry; /* while it is away, the one that left first before others */
    uint64_t id;                      /* of the connection that it has, or had last */
    char peer[REPLICA_STATS_ADDRESS_MAX];
    char address[REPLICA_STATS_ADDRESS_MAX];
    char user[CLIENT_NAME_MAX];
    struct replica_terms terms;
    uint64_t acknowledged; /* when it left */
    int64_t heard_ms;      /* clock_ms; its time counts from then on */
    bool was_in_sync;      /* it, or one before it in this place, has acknowledged */
    bool is_retired;       /* it is forgotten when it leaves */
    struct cursor pin;     /* not attached where nothing is held for it */
};

TAILQ_HEAD(known_replicas, known_replica);

struct known {
    const struct replica_stats_list
        *replica_stats_list; /* of those that are attached, and others */
    int64_t timeout_ms;      /* repl-timeout */
    struct known_replicas away;
    size_t away_count;
    int64_t unsure_since_ms; /* clock_ms; for repl-timeout from then on there may be others, of whom
                                  nothing is known; KNOWN_SURE: not */
};

/* `was_running`: there may be replicas of the process before this one. */
void known_init(struct known *known, const struct replica_stats_list *replica_stats_list,
                int64_t timeout_ms, bool was_running, int64_t now_ms);
void known_fini(struct known *known);

/* Is it one of those, or does it want an RDB alone, say SYNC, or run behind? */
bool known_is_about(const struct replica_stats *stats);

/* One of them has come: sets replica stats->known. False: out of memory. */
MUST_CHECK bool known_arrive(struct known *known, struct replica_stats *stats);

/* It has gone; replica stats->known is NULL from now on. */
void known_leave(struct known *known, struct replica_stats *stats, int64_t now_ms);

/* Forgets whose time is over. */
void known_tick(struct known *known, int64_t now_ms);

/* Is nobody missed? */
bool known_is_complete(const struct known *known, int64_t now_ms);

/* The history goes on under another id: what those that are attached to it will ask for when they come back
 * is held for them, from what they have acknowledged on. */
void known_pin(struct known *known, struct history *history);

/* One that came back is attached, or one that left has told how far it is: holds no more than that. */
void known_unpin_one(struct known_replica *replica);

/* Another history: nothing is held any more for anybody. */
void known_unpin(struct known *known);

#endif
