/* SPDX-License-Identifier: MIT
 *
 * What the files of a history share: history.c (made), _load (found at a start), _close (ended), _stream, _rewind (cut,
 * other ids), _identity (written), _making (of its files), _sync (given to the syncer), _snapshots, _found and _proof. Thread 0.
 */
#ifndef RELAY_STORE_HISTORY_STATE_PRIVATE_H
#define RELAY_STORE_HISTORY_STATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "backlog.h"
#include "clean_mark.h"
#include "file_job.h"
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

/* What waits for the identity that is written next. */
enum identity_change { CHANGE_NONE, CHANGE_CUT, CHANGE_RENAME };

/* The identity that is being written (history_identity.c). */
struct identity_saving {
    struct file_job job; /* first: the job is the saving */
    int directory;
    struct text content;
    struct segment_log_file log_file;
    int old_log_file; /* nothing is written to it meanwhile; the file thread closes it */
    bool drops_old_rows;
    enum identity_change change;
    uint64_t snapshot_serial; /* that it tells of */
    bool is_over;             /* it could not be begun */
};

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
    struct older_snapshots older; /* beside them, for a restore, and for replicas that run behind */
    struct history_need need;     /* of replicas that run behind */
    uint64_t submitted;           /* the end that was given to the syncer last */
    bool has_unclaimed;           /* it was before the RDB was durable: only its mark is written */
    uint64_t snapshot_serial; /* of the complete snapshot: counted up with each that becomes it */
    uint64_t snapshot_asked;  /* the serial that was given to the syncer last */
    uint64_t named_serial;    /* the serial that the identity on the disk tells of */
    bool has_jobs;            /* the syncer was given something that points here */
    uint64_t seen_readable;   /* of the arriving snapshot, at the last publish */
    bool changed;             /* a snapshot changed its state since then */
    bool has_name;            /* it may be found at the next start: its identity may be written */
    struct file_job making;   /* of its directories, and the file of the arriving snapshot */
    struct snapshot *made_snapshot; /* held, while it is under way */
    bool links_part;                /* it gives a file that is here the name */
    struct segment *first_segment;  /* made with the directories; NULL: they were found */
    bool is_made;                   /* they are there */
    bool wants_making;
    int64_t making_not_before_ms;
    bool checks_place; /* the RDB that it begins with must not say that it was taken elsewhere */
    struct file_job naming;          /* of the arriving snapshot */
    struct snapshot *named_snapshot; /* held, while it is under way */
    struct identity_saving saving;
    bool wants_saving;
    int64_t save_not_before_ms;
    struct error save_error; /* of the last one; ERROR_NONE */
    bool awaits_log;         /* a segment is to be sealed, and no identity has been written */
    bool is_found;           /* its identity has not been written since it was found */
    enum identity_change change;
    struct removals beyond; /* snapshots beyond a cut or an end, which go when that is written */
    struct syncer_place *cut_place;
    uint64_t cut_offset;
    struct replid next_replid;
    uint64_t rename_end;
    struct error rename_error;
    bool awaits_room;          /* a cut cannot be written until there is room on the disk */
    bool is_lost;              /* nor can it ever be */
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

/* history_making.c. Opens its directories and the tail, and makes what is missing; goes on where an earlier try has
 * ended. False: errno and `why`. Any thread that alone has them. */
MUST_CHECK bool history_open_directories(struct history *history, struct text *why);

/* They are there, and thread 0's from now on. */
void history_note_place(struct history *history);

/* The file of the arriving snapshot is to be made; takes what has been made. */
void history_ask_making(struct history *history);
void history_take_made(struct history *history);

/* history_identity.c. What it says has changed: it is to be written; takes what has been written. Is it being
 * written? Writes it while the caller waits: at a start. False: `why`. */
void history_ask_saving(struct history *history);
void history_take_saved(struct history *history);
bool history_is_saving(const struct history *history);
MUST_CHECK bool history_save_now(struct history *history, struct text *why);

/* The row of a segment goes behind the identity: of a backlog (backlog_dependencies.h). */
MUST_CHECK enum backlog_space history_may_name_segment(void *arg, struct text *why);
MUST_CHECK bool history_name_segment(void *arg, const struct identity_segment *row,
                                     struct text *why);

/* history_rewind.c. The identity of a cut or another id was written, or not; makes it that of the other id. */
void history_end_change(struct history *history, bool is_good);

/* A cut that is under way will not be written: on the disk the history stays what it was. */
void history_lose_cut(struct history *history);

void history_rename_identity(const struct history *history, struct identity *identity);

/* Reads `identity`, or the copy of it. Not HISTORY_PROVEN: `why` (added to what is there), and *out is not
 * initialised; HISTORY_BEGUN: there is none. */
MUST_CHECK enum history_proof history_read_identity(const struct history *history, const char *name,
                                                    struct identity *out, struct text *why);

/* history_found.c. Looks what is in snapshot/, and reads nothing yet. HISTORY_REFUSED: errno and `why`. */
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
 * the system refused, `error`: it is the next once more. */
MUST_CHECK struct proof *history_search_proof(const struct history *history);
MUST_CHECK bool history_search_take(struct history *history, struct proof *proof,
                                    struct error *error);

/* Those beyond `offset` are of a branch that was left. */
void history_search_limit(struct history *history, uint64_t offset);

/* Removes what was found and is of no use, if the search is over; gives it up. */
void history_search_settle(struct history *history);
void history_search_end(struct history *history);

/* history_proof.c. Does the system let us open what is to be proven (some of it, if it is much)? False: `error`. */
MUST_CHECK bool history_may_prove(const struct history *history, struct error *error);

/* All that was found is proven from now on, behind the back of who is served. */
void history_begin_proof(struct history *history);

/* What has been proven is served, and the next is submitted. */
void history_take_proof(struct history *history);

/* The complete one is another: it is named. Does the identity on the disk not tell of it yet? */
void history_name_snapshot(struct history *history);
bool history_is_unnamed(const struct history *history);

/* Takes the name of one that was given up while it was named. */
void history_take_named(struct history *history);

/* Lets go of those before the complete one as soon as they are not needed. */
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
