/* SPDX-License-Identifier: MIT
 *
 * The decision what a replica gets: go on where it stands, wait until we are there, or an RDB and the
 * stream behind it (docs/protocol.md 1.4, 2.5, 4, 4.1, 4.2, 4.3). Reads the store and changes nothing;
 * attach_perform then does what was decided.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_ATTACH_H
#define RELAY_DOWNSTREAM_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "feed.h"
#include "relay/base/check.h"
#include "relay/downstream/client.h"
#include "relay/resp/psync.h"
#include "relay/store/store.h"
#include "replica_codec.h"

/* What a replica asks for. */
struct attach_wish {
    const struct psync_request *request; /* NULL: SYNC */
    const struct replica_terms *terms;
    struct replica_codec codec; /* by which it is sent what it gets */
    bool
        stream_wait_is_over; /* it has been ahead of us for too long: no more waiting for the stream */
    bool
        awaits_new_history; /* no full sync from the current one, since another is about to replace it */
    bool runs_behind;       /* it is given nothing of the stream beyond `limit`: see delay.h */
    bool has_limit;         /* false: nothing is old enough */
    uint64_t limit;
};

enum attach_verdict {
    /* Not yet. It is asked again when the store has changed. */
    ATTACH_WAIT_FOR_STORE,  /* what it needs arrives, or is being proven */
    ATTACH_WAIT_FOR_STREAM, /* it is ahead of us: the stream has to come that far */
    ATTACH_FETCH_SNAPSHOT,  /* it needs a snapshot, and none is on its way: one is to be fetched */
    ATTACH_COMPARE_RDB,     /* it has the beginning of an RDB, which is to be compared with ours */
    ATTACH_WAIT_FOR_DELAY, /* it runs behind, and what comes next for it is not old enough, or held */
    /* Now. */
    ATTACH_CONTINUE, /* the stream, from `offset` on */
    ATTACH_FULL,     /* `snapshot`, then the stream from `offset` on */
    ATTACH_EMPTY,    /* an empty RDB, then the stream from `offset` on */
};

struct attach_plan {
    enum attach_verdict verdict;
    struct history *
        history; /* where there is something to attach to, as the rest; ATTACH_WAIT_FOR_DELAY: what it
                                  could go on with, at `offset`; NULL: it waits for a snapshot */
    struct snapshot *snapshot; /* ATTACH_FULL */
    bool has_length;           /* its length is known; else `$EOF:` */
    uint64_t length;
    uint64_t offset;
    uint64_t
        wanted_from; /* ATTACH_FETCH_SNAPSHOT: one of an earlier offset is of no use; 0: any is */
    uint64_t rdb_begin; /* it has so many bytes of the RDB, and they are ours: the rest is sent */
};

struct attach_plan attach_decide(const struct store *store, const struct attach_wish *wish);

/* Fills the feed of one that waits with what was decided: cursor, snapshot, reply. False: the store
 * would not have it, nothing was done, ask again. */
MUST_CHECK bool attach_perform(const struct attach_plan *plan, const struct attach_wish *wish,
                               struct feed *feed);

/* For the log. */
const char *attach_cause(const struct attach_plan *plan);

#endif
