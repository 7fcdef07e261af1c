/* SPDX-License-Identifier: MIT
 *
 * A thread with a queue: jobs are done one after the other, in the order in which they were submitted. The
 * store has two, one for all that changes a directory (file_thread.h) and one that fsyncs (syncer.h).
 */
#ifndef RELAY_STORE_JOB_THREAD_H
#define RELAY_STORE_JOB_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

struct thread_job {
    struct thread_job *next;              /* the thread's */
    void (*work)(struct thread_job *job); /* on the thread; may free the job */
};

/* Embedded in its owner. */
struct job_thread {
    pthread_t thread;
    const char *name;
    pthread_mutex_t lock; /* of all below; taken once a job */
    pthread_cond_t changed;
    struct thread_job *first;
    struct thread_job **last;
    bool stopping;
    uint64_t submitted; /* jobs */
    uint64_t done;
    void (*on_done)(void *arg); /* NULL: nobody wants to know */
    void *on_done_arg;
};

/* `name` is constant, and that of the thread. False: errno, and there is nothing to stop. Thread 0. */
MUST_CHECK bool job_thread_start(struct job_thread *thread, const char *name);

/* Waits until all jobs are done. Thread 0. */
void job_thread_stop(struct job_thread *thread);

/* Never waits. The job lives until its work is done. Any thread, also its own. */
void job_thread_submit(struct job_thread *thread, struct thread_job *job);

/* Waits until the jobs that were submitted by now are done. Any thread but its own. */
void job_thread_drain(struct job_thread *thread);

/* Is there a job that is not done? Any thread. */
bool job_thread_is_busy(struct job_thread *thread);

/* From now on calls `fn`, on this thread, after each job, when that counts as done; `fn` is short and submits
 * nothing. NULL: no more; when it returns, none is under way. Thread 0. */
void job_thread_on_done(struct job_thread *thread, void (*fn)(void *arg), void *arg);

#endif
