/* SPDX-License-Identifier: MIT
 *
 * The making, loading and ending of histories, for store.c. Thread: thread 0.
 */
#ifndef RELAY_STORE_HISTORY_PRIVATE_H
#define RELAY_STORE_HISTORY_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"
#include "relay/store/disk_step.h"
#include "relay/store/history_need.h"
#include "snapshot_private.h"

struct verifier;
struct backlog;
struct file_thread;
struct history;
struct job_thread;
struct reclaimer;
struct snapshot;
struct store_options;
struct syncer;

enum { HISTORY_NAME_MAX = 40 };
void history_name(uint64_t number, char name[HISTORY_NAME_MAX]);

/* The number that a directory name like "history-7" tells. False: not such a name. */
MUST_CHECK bool history_parse_name(const char *name, uint64_t *number);

/* What a history stands in. All of it outlives the history. */
struct history_dependencies {
    int data_dir;
    const struct store_options *options;
    struct syncer *syncer;
    struct reclaimer *reclaimer;
    struct file_thread *files;
    struct verifier *verifier;
    struct job_thread *times; /* writes when the stream came; NULL: at once (time_log.h) */
    /* A snapshot of `history`, or a file that names what it holds, finds the disk full: makes some space. */
    enum snapshot_space (*make_space)(const struct history *history, void *arg);
    void *arg;
};

/* A new one, with a snapshot that is about to arrive and an empty backlog. The file thread makes its directory
 * (history_making.c). NULL: out of memory, `why`. */
MUST_CHECK struct history *history_new(const struct history_dependencies *dependencies,
                                       uint64_t number, const struct replid *replid,
                                       uint64_t offset, struct text *why);

enum history_proof {
    HISTORY_PROVEN,   /* *out is what its files prove */
    HISTORY_UNPROVEN, /* nothing of it can be served, nor ever: it may be removed */
    HISTORY_BEGUN,    /* it has no identity: it was not whole when we ended; it may be removed */
    HISTORY_STRANGE,  /* it is not as a history is: left alone */
    HISTORY_REFUSED,  /* the system did not let us look, as errno says; nothing was touched */
};

/* What a directory proves. Not PROVEN: `why`. */
MUST_CHECK enum history_proof history_load(const struct history_dependencies *dependencies,
                                           uint64_t number, struct history **out, struct text *why);

/* Makes all of it durable and lets go; the files stay. */
void history_close(struct history **history);

/* Lets go. No start finds it any more; the reclaimer takes its files off the disk. */
void history_remove(struct history **history);

/* Has the files of a history that is not open taken off the disk; what is not ours stays. */
void history_remove_files(struct reclaimer *reclaimer, uint64_t number);

/* For the two above: the identity and its copies; then all that is left. The first waits for no disk that
 * is busy with large files; the second does. Any thread. */
void history_forget(int directory);
void history_erase(int data_dir, uint64_t number);

/* For the store's status. Lives as long as the history. */
struct backlog *history_backlog(struct history *history);

/* Is the identity on the disk that names the complete snapshot? FAILED: not yet, the disk has refused; `why`. A full
 * disk is PENDING for as long as room can be made. To be asked again. */
MUST_CHECK enum disk_step history_await_name(struct history *history, struct text *why);

/* Is its snapshot being named, or its identity being written? */
bool history_awaits_disk(const struct history *history);

/* Shows readers what has come. True if anything is new to them. */
bool history_publish(struct history *history);

/* It is the current one from now on: what its window need not hold may go. */
void history_begin_service(struct history *history);

/* The sizes of the window in the options have changed. */
void history_take_options(struct history *history);

/* Gives up what the window need not hold. */
void history_trim(struct history *history);

/* From where on the stream is kept for replicas that run behind; UINT64_MAX: there are none. Removes the older
 * snapshots that nobody needs. */
uint64_t history_needed_from(const struct history *history);
void history_trim_older(struct history *history);

/* Gives up the oldest segment, if nobody needs it and it ends at or before `keep_from`. */
bool history_shorten(struct history *history, uint64_t keep_from);

/* Removes the snapshots that the complete one has replaced, although it may not be safe yet. False: there are
 * none, or the identity does not name that one. */
bool history_drop_replaced(struct history *history);

/* About what history_shorten and history_drop_replaced could give back in all. */
uint64_t history_spare_bytes(const struct history *history);

/* The complete one that full syncs are served from, or will be: history_snapshot, unless that one is
 * still ahead of the stream. NULL: none. */
struct snapshot *history_served_snapshot(const struct history *history);

/* All that it has: arriving, whole, or replaced and still here. Returns how many. */
enum { HISTORY_SNAPSHOTS_MAX = 5 };
size_t history_snapshots(const struct history *history,
                         struct snapshot *out[HISTORY_SNAPSHOTS_MAX]);

/* The arriving one, which has just begun, goes on behind what is here of it (snapshot_take_beginning). */
void history_take_beginning(struct history *history, const struct snapshot_beginning *beginning);

/* Would its complete snapshot survive a power failure? */
bool history_is_snapshot_durable(const struct history *history);

/* What is not proven yet will not be: it has been replaced, or it ends. */
void history_end_proof(struct history *history);

/* Each second: notes how far the proof is, with a line in the log every ten seconds. */
void history_note_proof_progress(struct history *history);

/* What the disk said when it refused last, for the window or for a snapshot; "" */
const char *history_error(const struct history *history);

/* Notes how far the stream is complete now. Once a second. */
void history_note_time(struct history *history);

/* Asks the syncer to make durable what is there, if something is and it is not at it already. */
void history_sync(struct history *history);

#endif
