/* SPDX-License-Identifier: MIT
 *
 * What the files of a history share: history.c makes it and writes its identity, history_load.c finds it at a start,
 * history_close.c ends it, history_stream.c has its stream, history_rewind.c cuts it and gives it other ids,
 * history_sync.c gives it to the syncer, history_snapshots.c has its snapshots, history_found.c and history_proof.c what
 * is proven late. Thread: thread 0.
 */
#ifndef RELAY_STORE_HISTORY_STATE_PRIVATE_H
#define RELAY_STORE_HISTORY_STATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "backlog.h"
#include "clean_mark.h"
#include "file_thread.h"
#include "history_private.h"
#include "older_snapshots.h"
#include "reclaimer.h"
#include "relay/base/check.h"
#include "relay/base/log_repeat.h"
#include "relay/base/progress_meter.h"
#include "relay/base/text.h"
#include "relay/store/branches.h"
#include "removal.h"
#include "segment_log.h"
#include "snapshot_set.h"
#include "syncer.h"
#include "tail.h"
#include "time_log.h"
#include "verifier.h"

enum { HISTORY_WHY_MAX = 512 };

struct history {
    struct history_dependencies dependencies; /* what it stands in: the store's */
    uint64_t number;
    int directory;
    int backlog_dir;
    int snapshot_dir;
    struct identity identity;
    struct segment_log log;
    struct tail *tail;
    struct time_log *times;
    struct backlog *backlog;
    struct snapshot_set snapshot_set;
    struct older_snapshots older; /* beside them, for a restore */
    uint64_t submitted;           /* the end that was given to the syncer last */
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
    struct thread_job forget_job;   /* of its end: the first part */
    struct reclaim_job job;         /* and the second */
    struct snapshot_search *search; /* of those that were found at the start; NULL: it is over */
    struct clean_mark clean;        /* what need not be read */
    bool is_proving;                /* not all that was found at the start is proven yet */
    bool has_proof;                 /* the verifier is at something */
    bool proves_snapshot;           /* namely a snapshot */
    int64_t prove_not_before_ms;    /* the system has refused; 0: it has not */
    unsigned proof_refusals;        /* in a row */
    int64_t proof_began_ms;
    uint64_t proof_total;
    struct progress_meter proof_progress;
};

/* One with its directories open and nothing in it yet; its end, also of one that is half built, which waits for the
 * syncer and the file thread; what its backlog is given. NULL: errno and `why`. */
MUST_CHECK struct history *history_make(const struct history_dependencies *dependencies,
                                        uint64_t number, struct text *why);
void history_free(struct history **history);

/* Who removes its files. */
struct remover history_remover(const struct history *history);
struct backlog_dependencies history_backlog_dependencies(struct history *history);

/* As history_save. `is_cut`: what an identity before this one says of rows to come is not true. */
MUST_CHECK bool history_write(struct history *history, bool is_cut, struct text *why);

/* The identity could not be written, which is made up for the next time: told when it begins, then summed up. */
void history_tell_unsaved(struct history *history, const char *why);

/* Reads `identity`, or the copy of it. Not HISTORY_PROVEN: `why` (added to what is there), and *out is not
 * initialised; HISTORY_BEGUN: there is none. */
MUST_CHECK enum history_proof history_read_identity(const struct history *history, const char *name,
                                                    struct identity *out, struct text *why);

/* history_found.c. Looks what is in snapshot/, once the window is known; nothing is read yet. HISTORY_REFUSED:
 * errno and `why`. */
MUST_CHECK enum history_proof history_find_snapshots(struct history *history, struct text *why);

/* Removes what is in snapshot/ and is none of those that were found. */
MUST_CHECK bool history_tidy_snapshots(struct history *history, struct text *why);

/* Is there one that may still be proven? Which is the next, if any; how long, as far as it is known; may it be
 * one that full syncs wait for? */
bool history_search_goes_on(const struct history *history);
MUST_CHECK bool history_search_next(const struct history *history, uint64_t *offset);
uint64_t history_search_bytes(const struct history *history);
bool history_search_is_awaited(const struct history *history);

/* The proof of the next; NULL: memory or descriptors are out. Takes it back when it is done, and frees it. False:
 * the system refused, errno and `why`: it is the next once more. */
MUST_CHECK struct proof *history_search_proof(const struct history *history);
MUST_CHECK bool history_search_take(struct history *history, struct proof *proof, struct text *why);

/* Those beyond `offset` are of a branch that was left. */
void history_search_limit(struct history *history, uint64_t offset);

/* Removes what was found and is of no use, if the search is over; gives it up. */
void history_search_settle(struct history *history);
void history_search_end(struct history *history);

/* history_proof.c. Does the system let us open what is to be proven (some of it, if it is much)? False: errno and `why`. */
MUST_CHECK bool history_may_prove(const struct history *history, struct text *why);

/* All that was found is proven from now on, behind the back of who is served. */
void history_begin_proof(struct history *history);

/* What has been proven is served, and the next is submitted. */
void history_take_proof(struct history *history);

/* The complete one is another: it is named; the identity is written. */
void history_name_snapshot(struct history *history);
void history_save_name(struct history *history);

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
