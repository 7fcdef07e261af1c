/* SPDX-License-Identifier: MIT
 *
 * A job of the file thread whose end thread 0 wants to know: what comes next waits for it there, in memory, while
 * everything else goes on.
 *
 *     thread 0       file_job_begin ......................... file_job_take: it is over, or not yet
 *     file thread                    `work`, then it is done
 *
 * Whoever was given to store_on_durable is told when a job is done, so that thread 0 makes a turn and takes it
 * (store_publish). With a NULL file thread it is done when file_job_begin returns.
 *
 * Embedded in its owner, which lives until the file thread has been drained. Thread: thread 0, but `work`.
 */
#ifndef RELAY_STORE_FILE_JOB_H
#define RELAY_STORE_FILE_JOB_H

#include <stdatomic.h>
#include <stdbool.h>

#include "file_thread.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

struct file_job {
    struct thread_job queued; /* first: the job is its queued part */
    /* On the file thread, which alone has it meanwhile. False: `error`. */
    bool (*work)(struct file_job *job, struct error *error);
    bool is_under_way;    /* begun, and not taken yet */
    _Atomic bool is_done; /* released by the file thread after all that `work` has written */
    bool is_good;         /* when it is done, as the one below */
    struct error error;   /* of one that is not good */
};

/* None is under way. */
void file_job_begin(struct file_job *job, struct file_thread *files);

/* Is it under way, and not done? */
bool file_job_is_busy(const struct file_job *job);

/* True, once for each that was begun: it is over, and `is_good` or `error` says how. */
bool file_job_take(struct file_job *job);

#endif
