/* SPDX-License-Identifier: MIT
 *
 * Whom a refresh asks for its RDB, with snapshot-source = replicas or a list. A replica of this relay has the id and
 * the offsets of our history, and answers a replica of its own as the primary would. It forks in place of the
 * primary.
 *
 *   - They are asked in turn: the one that was asked longest ago is next; among those, the one with the least lag.
 *   - One that was of no use has its next turn after all others.
 *   - What it says is trusted no more than what the primary says: its role, its link, its id and its offset are looked
 *     at before PSYNC (snapshot_sources_judge), id and offset again in the answer, and the RDB has to be proven.
 *   - A replica that receives a full sync from us has no link that is up, and is not asked; so there is no loop.
 *   - The primary is asked only when a replica waits for a snapshot and there is nobody else, or two in a row were
 *     of no use. Each time is logged and counted.
 *
 * Owner: the refresh schedule. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_SNAPSHOT_SOURCES_H
#define RELAY_UPSTREAM_SNAPSHOT_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "primary_info.h"
#include "relay/upstream/snapshot_source.h"
#include "route.h"

struct store;

enum {
    SNAPSHOT_SOURCE_TRIES = 2, /* in a row, before the primary is asked for one who waits */
    SNAPSHOT_SOURCES_KNOWN = SNAPSHOT_REPLICAS_MAX,
};

/* Fills in at most `max` replicas that may be asked. */
typedef size_t snapshot_replicas_fn(struct snapshot_replica *out, size_t max, void *arg);

struct snapshot_sources {
    struct store *store;
    struct snapshot_source setting;
    const char *user; /* whom we log in as there; the caller's, as in handshake_terms */
    const char *password;
    struct route route;
    snapshot_replicas_fn *replicas;
    void *arg;
    uint64_t turn; /* counts those that were asked */
    struct {
        struct primary_address address;
        uint64_t turn; /* when it was asked last; 0: the place is free */
    } asked[SNAPSHOT_SOURCES_KNOWN];
    unsigned failures;  /* of them, since one was good or the primary was asked */
    uint64_t fallbacks; /* how often the primary was asked in their place */
};

enum snapshot_sources_pick {
    SNAPSHOT_SOURCES_PRIMARY,
    SNAPSHOT_SOURCES_OTHER,  /* `out` */
    SNAPSHOT_SOURCES_NOBODY, /* nobody may be asked now */
};

/* Whose turn it is. `somebody_waits`: then the primary is asked where nobody else can be. Does not count as asked
 * before snapshot_sources_note_asked. */
enum snapshot_sources_pick snapshot_sources_pick(const struct snapshot_sources *sources,
                                                 bool somebody_waits, struct primary_address *out);

/* It is being asked. NULL: the primary is, though the setting names others. */
void snapshot_sources_note_asked(struct snapshot_sources *sources,
                                 const struct primary_address *address);

/* What was fetched from one of them has come to an end. */
void snapshot_sources_note_end(struct snapshot_sources *sources, bool was_good);

/* As the veto of handshake_terms; `arg` is the sources. NULL: it may be asked; else why not. Constant. */
const char *snapshot_sources_judge(const struct primary_info *info, void *arg);

#endif
