/* SPDX-License-Identifier: MIT
 *
 * The store's thread for calls that change a directory or the length of a file. A file system may keep such
 * a call waiting for seconds (a journal that is full, a disk that is busy with an fsync), so thread 0 makes
 * none of them, but at a start and at the end:
 *
 *     a new history        its directories, tail and first segment are made       (history_making.c)
 *     an RDB that arrives  its file is made; it gets its name when it is whole    (history_making.c, history_snapshots.c)
 *     an RDB that breaks   its file gets a second name, and what was kept before goes (partial_rdb.h)
 *     the identity         written beside the old one and renamed over it         (history_identity.c)
 *     the next segment     created, preallocated and mapped before it is needed   (backlog_prepare.c)
 *     one that ends early  its preallocated rest is cut off                       (segment_seal)
 *     a file that goes     it moves to the trash; the reclaimer frees it          (removal.h)
 *     a note               replaced                                               (notes.h)
 *     the free space       asked once a second                                    (disk_space.h)
 *     a history that goes  its identity is removed                                (history_remove)
 *
 * What thread 0 still does itself goes to files that are open: bytes of the stream and of the RDB, rows, marks
 * (pwrite), which the page cache takes.
 *
 * Jobs are done in the order in which they were submitted. Order is part of the design: a file may be created
 * under a name whose removal was submitted before.
 *
 * A NULL thread does its work at once: for tools and tests.
 */
#ifndef RELAY_STORE_FILE_THREAD_H
#define RELAY_STORE_FILE_THREAD_H

#include "job_thread.h"
#include "relay/base/check.h"

struct file_thread;

/* NULL: no thread or out of memory. Thread 0. */
MUST_CHECK struct file_thread *file_thread_start(void);

/* As those of job_thread.h. */
void file_thread_stop(struct file_thread **thread);
void file_thread_submit(struct file_thread *thread, struct thread_job *job);
void file_thread_drain(struct file_thread *thread);

/* As job_thread_on_done; `fn` calls nothing of the store. Not with a NULL thread. */
void file_thread_on_done(struct file_thread *thread, void (*fn)(void *arg), void *arg);

#endif
