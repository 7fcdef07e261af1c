/* SPDX-License-Identifier: MIT
 *
 * RDBs that break on their way between two relays, and go on where they broke (docs/protocol.md 2.7).
 *
 * Who receives: what has come of an RDB is kept when the transfer breaks, is here after a kill and a restart, and
 * the rest can be asked for:
 *
 *     store_begin_history, or history_begin_snapshot; then
 *         store_resume_part    the rest comes              } and from then on it is kept
 *         store_track_part     it comes from its beginning }
 *     the transfer breaks:
 *         store_keep_part, before the snapshot is failed
 *     the next handshake:
 *         store_part           what is here of it
 *
 * Who sends: a snapshot that a relay was being sent when the connection broke is kept for a while, also when another
 * has replaced it, and with the stream behind it. What a relay says that it has is compared with our file, by a
 * thread of the store's, before the rest is sent.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_STORE_RDB_PARTS_H
#define RELAY_STORE_RDB_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"

struct cursor;
struct history;
struct snapshot;
struct store;

/* ------------------------------------------------------------------ received */

enum store_part {
    STORE_PART_NONE,
    STORE_PART_UNPROVEN, /* a start has found it, and its bytes are being read */
    STORE_PART_READY,    /* the rest may be asked for */
};

/* What is here of an RDB whose transfer broke. */
enum store_part store_part(const struct store *store, struct rdb_part *out);

/* The snapshot of `history` arrives from its first byte on, from a relay: what comes of it is kept. What was here of
 * another goes. */
void store_track_part(struct store *store, const struct history *history);

/* The snapshot of `history` has just been begun, and the rest of what was `asked` for is to come: it goes on behind
 * what is here. False: `why`; the snapshot must be given up. */
MUST_CHECK bool store_resume_part(struct store *store, struct history *history,
                                  const struct rdb_part *asked, struct text *why);

/* The transfer broke: what has come stays, and the snapshot may be failed. True: the rest may be asked for, and more
 * is here than when it began. Nothing tracked: false. */
bool store_keep_part(struct store *store);

/* What is here is of no use: gives it up. None: no effect. */
void store_drop_part(struct store *store);

/* ------------------------------------------------------------------ sent */

enum part_match {
    PART_OTHER,   /* none of ours begins so: the RDB is sent anew */
    PART_WAITS,   /* ours has not come so far yet */
    PART_UNREAD,  /* it must be compared: store_compare_part */
    PART_MATCHES, /* ours begins so */
};

/* Is there a snapshot that begins as `part` says? *history and *snapshot are those of PART_MATCHES. `needs_stream`: one
 * that the stream behind it must be there for. */
enum part_match store_match_part(const struct store *store, const struct rdb_part *part,
                                 bool needs_stream, struct history **history,
                                 struct snapshot **snapshot);

/* Begins to compare, if nothing else is compared: the end of it is news of the store. */
void store_compare_part(struct store *store, const struct rdb_part *part);

/* A relay that was being sent a snapshot of history `number` has gone; both are taken over (the cursor may be that of
 * nobody), and kept for `keep_ms`. */
void store_keep_fetched(struct store *store, uint64_t number, struct snapshot **snapshot,
                        struct cursor *cursor, int64_t keep_ms);

/* ------------------------------------------------------------------ told */

struct parts_status {
    enum store_part standing;
    struct rdb_part part;   /* STORE_PART_READY, STORE_PART_UNPROVEN */
    uint64_t resumed;       /* RDBs that went on where they broke, since the start */
    uint64_t resumed_bytes; /* that did not come twice by that */
    size_t kept;            /* snapshots for relays that may come back for the rest */
    uint64_t kept_bytes;    /* what those take that nobody else has any more */
};

void store_parts_status(const struct store *store, struct parts_status *out);

#endif
