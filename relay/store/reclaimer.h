/* SPDX-License-Identifier: MIT
 *
 * The store's thread that gives disk space back. To remove or close a file of many GB takes a file system
 * seconds, and the last who has it may be any thread; so neither thread 0 nor a worker does it:
 *
 *     reclaimer_unlink     the name goes at once (the file moves to data-dir/trash under a number of its
 *                          own, so that the name can be used again), the file in its turn
 *     reclaimer_take       a job that its owner embeds: munmap, close, a whole history
 *
 * Jobs are done in order. Their number is bounded by the files that there are: each is made for one, and is
 * part of what it frees where that is possible. What is still being freed takes room on the disk, and who
 * finds it full waits for that before anything is given up (reclaimer_is_busy). A kill leaves files in the
 * trash; the next start frees them.
 *
 * Every function takes a NULL reclaimer, and then does its work at once: for tools and tests.
 */
#ifndef RELAY_STORE_RECLAIMER_H
#define RELAY_STORE_RECLAIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

struct reclaimer;

/* Where files wait for their end; also the name of the directory. */
#define RECLAIMER_TRASH "trash"

struct reclaim_job {
    struct reclaim_job *next;              /* the reclaimer's */
    uint64_t bytes;                        /* about what it gives back to the disk */
    void (*work)(struct reclaim_job *job); /* on the reclaimer's thread; frees the job */
};

/* With a descriptor of its own for the data directory; begins with what is in the trash. NULL: no thread,
 * no memory or no descriptor. Thread 0. */
MUST_CHECK struct reclaimer *reclaimer_start(int data_dir);

/* Waits until all is done, but no longer than `limit_ms`: then the thread is left to itself, for the end of
 * the process, and what it has not come to is freed by the next start. False: so it was left. Thread 0. */
bool reclaimer_stop(struct reclaimer **reclaimer, int64_t limit_ms);

/* The data directory, as long as any job runs. Any thread. */
int reclaimer_directory(const struct reclaimer *reclaimer);

/* Any thread, also its own; never waits. `job` lives until its work is done. */
void reclaimer_take(struct reclaimer *reclaimer, struct reclaim_job *job);

/* A file of about `bytes` will come to it soon: it counts as one that is being freed until
 * reclaimer_announced_done. Any thread. */
void reclaimer_announce(struct reclaimer *reclaimer, uint64_t bytes);
void reclaimer_announced_done(struct reclaimer *reclaimer, uint64_t bytes);

/* Takes a file off its directory, and frees it in its turn. False: errno, as of unlinkat. Any thread. */
bool reclaimer_unlink(struct reclaimer *reclaimer, int directory, const char *name);

/* Is there a job that is not done? Any thread. */
bool reclaimer_is_busy(struct reclaimer *reclaimer);

/* The disk is full: is something being freed, or was it since the last call with `seen` (at first 0)? Then
 * it is worth another try. Any thread. */
bool reclaimer_gives(struct reclaimer *reclaimer, uint64_t *seen);

/* What its jobs will give back to the disk. Any thread. */
uint64_t reclaimer_bytes(struct reclaimer *reclaimer);

#endif
