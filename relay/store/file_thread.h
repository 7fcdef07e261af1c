/* SPDX-License-Identifier: MIT
 *
 * The store's thread for calls that change a directory or the length of a file. A file system may keep such
 * a call waiting for seconds (a journal that is full, a disk that is busy with an fsync), so thread 0 makes
 * none of them for segments:
 *
 *     the next segment     created, preallocated and mapped before it is needed  (backlog_prepare.c)
 *     a segment that goes  its file moves to the trash; the reclaimer frees it    (segment_unlink)
 *     one that ends early  its preallocated rest is cut off                       (segment_seal)
 *     the free space       asked once a second                                    (disk_space.h)
 *     a history that goes  its identity is removed                                (history_remove)
 *
 * Jobs are done in the order in which they were submitted. Order is part of the design: a file may be created
 * under a name whose removal was submitted before.
 *
 * Every function takes a NULL thread, and then does its work at once: for tools and tests.
 */
#ifndef RELAY_STORE_FILE_THREAD_H
#define RELAY_STORE_FILE_THREAD_H

#include <stdbool.h>

#include "relay/base/check.h"

struct file_thread;

struct file_job {
    struct file_job *next;              /* the thread's */
    void (*work)(struct file_job *job); /* on the thread; may free the job */
};

/* NULL: no thread or out of memory. Thread 0. */
MUST_CHECK struct file_thread *file_thread_start(void);

/* Waits until all jobs are done. Thread 0. */
void file_thread_stop(struct file_thread **thread);

/* Never waits. The job lives until its work is done. Any thread, also its own. */
void file_thread_submit(struct file_thread *thread, struct file_job *job);

/* Waits until the jobs that were submitted by now are done. Any thread but its own. */
void file_thread_drain(struct file_thread *thread);

/* Is there a job that is not done? Any thread. */
bool file_thread_is_busy(struct file_thread *thread);

/* From now on calls `fn`, on this thread, after each job; `fn` is short and calls nothing of the store. NULL:
 * no more; when it returns, none is under way. Thread 0. */
void file_thread_on_done(struct file_thread *thread, void (*fn)(void *arg), void *arg);

#endif
