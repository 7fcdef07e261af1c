/* SPDX-License-Identifier: MIT
 *
 * What the files of a history share: history.c makes, loads and ends it and has its stream, and
 * history_snapshots.c has its snapshots. Thread: thread 0.
 */
#ifndef RELAY_STORE_HISTORY_PRIVATE_H
#define RELAY_STORE_HISTORY_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "backlog_writer.h"
#include "history_keeper.h"
#include "reclaimer.h"
#include "relay/base/check.h"
#include "relay/base/log_repeat.h"
#include "relay/base/text.h"
#include "relay/store/branches.h"
#include "relay/store/history.h"
#include "segment_log.h"
#include "shelf.h"
#include "syncer.h"
#include "tail.h"

enum { HISTORY_WHY_MAX = 512 };

struct history {
    struct history_ties ties; /* what it stands in: the store's */
    uint64_t number;
    int directory;
    int backlog_dir;
    int snapshot_dir;
    struct identity identity;
    struct segment_log log;
    struct tail *tail;
    struct backlog *backlog;
    struct shelf shelf;
    uint64_t submitted;       /* the end that was given to the syncer last */
    uint64_t snapshot_serial; /* of the complete snapshot: counted up with each that becomes it */
    uint64_t snapshot_asked;  /* the serial that was given to the syncer last */
    bool is_unnamed; /* the identity on the disk does not tell of the complete snapshot yet */
    bool has_jobs;   /* the syncer was given something that points here */
    uint64_t seen_readable;    /* of the arriving snapshot, at the last publish */
    bool changed;              /* a snapshot changed its state since then */
    bool has_name;             /* it may be found at the next start: its identity may be written */
    struct log_repeat unsaved; /* its identity cannot be written */
    struct text error;         /* what the disk said to the last snapshot that failed for it */
    struct syncer_claim claim;
    unsigned cuts; /* that were submitted to the syncer */
    struct branches branches;
    struct reclaim_job job; /* of its end */
};

/* The identity could not be written, which is made up for the next time: told when it begins, then summed up. */
void history_tell_unsaved(struct history *history, const char *why);

/* Reads `identity`, or the copy of it. Not HISTORY_PROVEN: `why` (added to what is there), and *out is not
 * initialised; HISTORY_BEGUN: there is none. */
MUST_CHECK enum history_proof history_read_identity(const struct history *history, const char *name,
                                                    struct identity *out, struct text *why);

/* Finds the snapshots that full syncs can be served from, once the window is known: the newest that is
 * proven and lies in it, and one ahead of it. HISTORY_REFUSED: errno and `why`. */
MUST_CHECK enum history_proof history_load_snapshots(struct history *history, struct text *why);

/* Removes what is in snapshot/ and is none of those. */
MUST_CHECK bool history_tidy_snapshots(struct history *history, struct text *why);

/* Names the complete snapshot in the identity, if that could not be done when it became it; and lets go of
 * those before it as soon as they are not needed. */
void history_settle_snapshots(struct history *history);

/* The stream has come further: one that was ahead of it may be the complete one now. */
void history_advance_snapshots(struct history *history);

/* Snapshots that were taken beyond `offset` are of another branch from now on. */
void history_drop_beyond(struct history *history, uint64_t offset);

/* Readers have told that the disk cannot read the complete one: it goes. */
void history_drop_unreadable(struct history *history);

/* Gives the complete one to the syncer, unless it has it. False: it could not be submitted. */
bool history_sync_snapshot(struct history *history);

#endif
