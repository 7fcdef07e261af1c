/* SPDX-License-Identifier: MIT
 *
 * The store's own thread: it fsyncs, so that a slow disk delays neither the stream nor the replicas.
 * Thread 0 submits; jobs are done in order; what is durable is told through an atomic.
 *
 * The lock in here is taken once a job (a second, or a segment), never per byte.
 */
#ifndef RELAY_STORE_SYNCER_H
#define RELAY_STORE_SYNCER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "tail.h"

struct file_thread;
struct segment;
struct syncer;

/* A copy of the identity that is surely on the disk: the file itself is replaced without an fsync. */
#define SYNCER_IDENTITY_KEPT "identity.kept"

/* What can be said of one history. What is durable before what is claimed, in this order:
 *
 *     1  the RDB that the history begins with, and its name in snapshot/
 *     2  identity.kept, which names it; the names in history-<n>/; that of history-<n> in the data directory;
 *        that of the data directory, which may be one that we made
 *     3  `snapshot` is claimed
 *     4  segments and their names in backlog/ (and 2, where that is not done yet), the mark in the tail
 *     5  `durable` is claimed: without an RDB of its history that survives, no offset of it would
 */
struct syncer_claim {
    _Atomic uint64_t durable; /* all bytes before it that are held would survive a power failure */
    /* What a power failure would find ends here, claimed or not: the window may not leave it behind
     * (backlog_dependencies.h). UINT64_MAX: there is nothing to be kept, or the disk has failed to keep it. */
    _Atomic uint64_t marked;
    uint64_t broken_until; /* the syncer's: an fsync of bytes before this offset has failed */
    bool
        has_place; /* the syncer's: the names of the history's directory and of those above are durable */
    _Atomic uint64_t snapshot; /* the serial of the last snapshot that would; 0: none */
    unsigned branch; /* the syncer's lock: counted up by each cut; jobs of before claim nothing */
    _Atomic unsigned cuts; /* that are on the disk for good */
    _Atomic bool has_failed_cut;
};

struct syncer_job {
    /* To fsync. Only looked at in syncer_submit: the syncer has a descriptor of its own, so that what
     * it works on is not taken for what a reader needs. */
    const struct segment *segment;
    int directory;         /* of the history: `identity` and the names are fsynced, too; -1: not */
    struct tail *tail;     /* gets the mark; lives until syncer_drain has returned; NULL: none */
    struct tail_mark mark; /* claimed as durable with it */
    bool after_snapshot;   /* claimed only once a snapshot of the history is (claim.snapshot) */
    uint64_t held_from;    /* the first offset of the window: what is before it need not survive */
    struct syncer_claim *claim; /* lives as long as the tail */
};

struct syncer_snapshot {
    int file; /* as above: only looked at in syncer_submit_snapshot */
    uint64_t offset;
    uint64_t serial; /* not 0: tells it from another of that offset */
    int directory;   /* of the history: its names and its identity are fsynced, and its own name */
    struct syncer_claim *claim;
};

/* Makes the copy, and fsyncs it; its name is the caller's to fsync. False: errno. Any thread, one at a time. */
MUST_CHECK bool syncer_keep_identity(int directory);

/* The end of a history was cut off. Jobs of before it speak of bytes that are no more, so:
 *
 *     1  syncer_cut_claim: from now on they claim nothing
 *     2  thread 0 has written the identity of the rest (which a kill then finds), removed what is beyond it
 *     3  syncer_submit_cut, behind those jobs: the names in backlog/ and snapshot/, identity.kept, and then
 *        the marks in the tail that speak of bytes beyond are forgotten
 *     4  `cuts` is counted up: only now may bytes come under another id. Before, a power failure might find
 *        the new id and a mark of the old branch, and prove by it bytes that were never known under that id
 */
struct syncer_cut {
    int directory; /* of the history */
    struct tail *tail;
    uint64_t offset;           /* the history ends here now */
    struct file_thread *files; /* takes the files beyond it off their directory: is waited for */
    struct syncer_claim *claim;
};

/* A place in the queue, so that a cut that has begun cannot fail for want of memory. NULL: that is out.
 * syncer_submit_cut takes it. */
struct syncer_place;
MUST_CHECK struct syncer_place *syncer_reserve(void);
void syncer_unreserve(struct syncer_place *place);

/* NULL: no thread or no memory. */
MUST_CHECK struct syncer *syncer_start(void);
void syncer_stop(struct syncer **syncer);

/* False: memory or descriptors are out, nothing was submitted. Thread 0. */
MUST_CHECK bool syncer_submit(struct syncer *syncer, const struct syncer_job *job);

MUST_CHECK bool syncer_submit_snapshot(struct syncer *syncer, const struct syncer_snapshot *job);

/* Jobs that were submitted before claim nothing for it; `durable` is at most `offset`. Returns what it was.
 * Thread 0. */
uint64_t syncer_cut_claim(struct syncer *syncer, struct syncer_claim *claim, uint64_t offset);
void syncer_submit_cut(struct syncer *syncer, struct syncer_place *place,
                       const struct syncer_cut *job);

/* The identity of a history was replaced, and is to be durable soon. False: out of memory. Thread 0. */
MUST_CHECK bool syncer_submit_names(struct syncer *syncer, int directory,
                                    struct syncer_claim *claim);

/* `name` in the directory was replaced, and is to be durable soon. False: memory or descriptors are out. Any thread. */
MUST_CHECK bool syncer_submit_file(struct syncer *syncer, int directory, const char *name);

/* Is there a job that is not done? Thread 0. */
bool syncer_is_busy(struct syncer *syncer);

/* Waits until all jobs that were submitted by now are done: before what they point to goes away. Any thread but
 * its own. */
void syncer_drain(struct syncer *syncer);

/* From now on calls `fn`, on its own thread, whenever something more is durable and the syncer is ready
 * for the next job; `fn` is short and calls nothing of the store. NULL: no more; when it returns, none is
 * under way. Thread 0. */
void syncer_on_durable(struct syncer *syncer, void (*fn)(void *arg), void *arg);

/* fsyncs that failed so far. Any thread. */
uint64_t syncer_failures(const struct syncer *syncer);

#endif
