/* SPDX-License-Identifier: MIT
 *
 * What the relay holds, under one data directory that belongs to one process:
 *
 *     data-dir/
 *       lock                          flock: who has it
 *       primary                        a note of the composition: whom we were told to follow
 *       trash/                        removed files that are not freed yet  (store/reclaimer.h)
 *       history-<n>/                  one unbroken history
 *         identity                    who it is, what is proven           (identity.h)
 *         segments.<n>                segments sealed since it was written  (store/segment_log.h)
 *         identity.kept               one that is surely on the disk  (store/syncer.h)
 *         clean                       what a clean stop has left proven    (store/clean_mark.h)
 *         tail                        how far the newest segment is good  (store/tail.h)
 *         times/<n>.times             when the stream came                 (store/time_log.h)
 *         backlog/<first offset>.seg  raw stream bytes                    (backlog.h)
 *         snapshot/<X>.rdb            the RDB as received; .part while it arrives (snapshot.h)
 *
 * There is at most one *current* history, which is served, and one *arriving*, whose snapshot is being
 * received; it becomes current when its snapshot is complete. Until then the current one goes on being
 * served. At opening, the newest history whose end can be proven is taken; whatever cannot is set aside
 * with a line in the log, files that are not ours are left alone and named. The rest of it is proven while it is
 * served, by a thread of the store's own, and is served when it is.
 *
 * Thread: thread 0. Threads of the store's own do what may wait for the disk: one makes, writes, names, cuts and
 * removes files (store/file_thread.h), one fsyncs (store/syncer.h), one frees the space of removed files
 * (store/reclaimer.h), one reads what a start has found (store/verifier.h), one writes when the stream came
 * (store/time_log.h). Thread 0 goes on meanwhile, and what rests on a job waits for it in memory: store_publish takes
 * what is done, and a disk_step tells how far it is. Only store_open and store_close wait themselves: nobody is served
 * before the one and after the other.
 */
#ifndef RELAY_STORE_STORE_H
#define RELAY_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/store/disk_step.h"
#include "relay/store/history.h"
#include "relay/store/store_notes.h"
#include "relay/store/store_options.h"

struct store;

/* Makes the directory (0700) where it is missing, locks it, finds what can be served. NULL: `why` says
 * what is wrong and what to do. */
MUST_CHECK struct store *store_open(const struct store_options *options, struct text *why);

/* What store_open would refuse, without making or changing anything: a line each in `why`, and false. That another
 * psync-relay uses the directory is said in `taken` (a line, or nothing): it may be one that is about to be
 * started anew. A directory that is not there is none of that. */
MUST_CHECK bool store_probe(const struct store_options *options, struct text *taken,
                            struct text *why);

/* Of the options, takes what may change while it is open: the sizes of the window, and when it fsyncs.
 * A smaller window is trimmed with the next second; what must still be held for readers goes when there is
 * need for room. */
void store_change(struct store *store, const struct store_options *options);

/* From now on calls `fn`, on the store's own threads, each time when history_durable has moved, or a job is done that
 * thread 0 may wait for: `fn` wakes thread 0 and does nothing else. NULL: no more; when it returns, none is under way. */
void store_on_durable(struct store *store, void (*fn)(void *arg), void *arg);

/* Publishes, makes everything durable, cuts the newest segment to its length, lets go of the lock. */
void store_close(struct store **store);

struct history *store_current(const struct store *store);  /* NULL: nothing to serve yet */
struct history *store_arriving(const struct store *store); /* NULL: none */

/* Begins a new history whose snapshot, taken at `offset`, is about to arrive, and begins that
 * snapshot. One that was arriving is abandoned. Its directory is made by the file thread; until it is there the
 * snapshot owes what comes of it (snapshot_owes), and where it cannot be made, writing to the snapshot fails.
 * NULL: out of memory, `why`. */
MUST_CHECK struct history *store_begin_history(struct store *store, const struct replid *replid,
                                               uint64_t offset, struct text *why);

/* The arriving history's snapshot has come to its end: proves it, has it named and the identity written, and then makes
 * the history current; the one before it leaves the disk (who reads it reads on). To be asked until it is not
 * PENDING. FAILED: it was abandoned; `why`. */
MUST_CHECK enum disk_step store_promote(struct store *store, struct text *why);

/* Is the arriving history waiting for a job that is not done? When no longer, store_promote may go on. */
bool store_awaits_disk(const struct store *store);

/* Gives the arriving history up. None arriving: no effect. */
void store_abandon(struct store *store);

/* Is there no snapshot to serve a full sync from, or will the window leave it behind soon? False
 * while there is no current history: that one brings its own. */
bool store_snapshot_is_due(const struct store *store);

/* Would an RDB find room on the disk, with what would be given up for it? Asked before the primary is, which forks
 * for each. `is_refresh`: of the current history, where the last one tells how long it will be; else only one that
 * found no room does. False: not now, `why` says how much is missing; who asks again and again is told true once
 * in a while all the same (rdb_space.h). */
MUST_CHECK bool store_expects_space(struct store *store, bool is_refresh, struct text *why);

/* The end of a turn: shows readers what was appended, and asks for an fsync where it is time. True if
 * there is something new to read (stream or snapshot bytes, a state). */
bool store_publish(struct store *store);

/* Every second: trims, looks after fsync and disk space. */
void store_tick(struct store *store);

/* A small text of somebody else's, kept beside the histories under a name of those that belong there. It is read from
 * now on; the file thread replaces the file, and a kill before that finds the note before (store_note_is_pending).
 * It survives a power failure as soon as the disk has got round to it. False: out of memory, `why`; what the disk
 * says is told in the log. */
MUST_CHECK bool store_keep_note(struct store *store, const char *name, struct bytes content,
                                struct text *why);

/* The same without an fsync; after a power failure the one before it may be there, or one that is cut off. */
MUST_CHECK bool store_jot_note(struct store *store, const char *name, struct bytes content,
                               struct text *why);

/* Has the newest content of that note not been written yet? Who must not go on before a kill would find it asks at
 * the end of each turn. */
bool store_note_is_pending(const struct store *store, const char *name);

/* Appends it to `out`; nothing where there is none. False: it is there, but cannot be read, or is longer
 * than out->limit; `why`. */
MUST_CHECK bool store_read_note(const struct store *store, const char *name, struct text *out,
                                struct text *why);
void store_drop_note(struct store *store, const char *name);

#endif
