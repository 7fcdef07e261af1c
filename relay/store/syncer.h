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

struct segment;
struct syncer;

struct syncer_job {
    struct segment *segment; /* to fsync; the syncer holds it while it needs it */
    int directory;     /* of the history: `identity` and the names are fsynced, too; -1: not */
    struct tail *tail; /* gets the durable mark; lives until syncer_drain has returned */
    struct tail_mark mark;
    _Atomic uint64_t *durable; /* set to mark.end afterwards; lives as long as the tail */
};

/* NULL: no thread or no memory. */
MUST_CHECK struct syncer *syncer_start(void);
void syncer_stop(struct syncer **syncer);

/* False: memory is out, nothing was submitted. Thread 0. */
MUST_CHECK bool syncer_submit(struct syncer *syncer, const struct syncer_job *job);

/* Is there a job that is not done? Thread 0. */
bool syncer_is_busy(struct syncer *syncer);

/* Waits until all jobs are done: before what they point to goes away. Thread 0. */
void syncer_drain(struct syncer *syncer);

/* fsyncs that failed so far. Any thread. */
uint64_t syncer_failures(const struct syncer *syncer);

#endif
