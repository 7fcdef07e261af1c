/* SPDX-License-Identifier: MIT
 *
 * One unbroken history: its identity, its backlog and its snapshots, in one directory. store.h opens,
 * makes and replaces histories; this is what can be asked of one and done to one.
 *
 * Owner: the store. Thread: thread 0 for everything here. Workers never see a history: they hold
 * cursors and snapshots, which live on by themselves.
 */
#ifndef RELAY_STORE_HISTORY_H
#define RELAY_STORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/progress_meter.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"
#include "relay/store/backlog_space.h"
#include "relay/store/branches.h"
#include "relay/store/disk_step.h"
#include "relay/store/history_need.h"
#include "relay/store/identity.h"
#include "relay/store/snapshot.h"
#include "relay/store/snapshot_use.h"
#include "relay/store/time_index.h"

struct cursor;
struct history;

/* Counted up with each new history of the data directory: tells two of them apart. */
uint64_t history_number(const struct history *history);

const struct identity *history_identity(const struct history *history);

/* What readers that were attached on an earlier branch still have in common with it. A rewind and a
 * rename begin a new branch, at once, also when they fail half-way. */
const struct branches *history_branches(const struct history *history);

/* ------------------------------------------------------------------ the stream, in its backlog */

/* The first offset that readers may begin at, and the end; of bytes that readers see already. */
uint64_t history_first(const struct history *history);
uint64_t history_end(const struct history *history);
uint64_t history_published(const struct history *history);

/* May more be appended? First writes what is owed, and goes on in another segment where it is needed. One whose RDB
 * arrives takes bytes as soon as its files are made, and gives none of them up: readers get them behind the RDB, when
 * that is proven, and where the window has its greatest size nothing more is taken before (history_is_at_its_end). */
MUST_CHECK enum backlog_space history_make_ready(struct history *history);

/* Takes all of `data`, of at most BACKLOG_APPEND_MAX bytes, after history_make_ready has said BACKLOG_SPACE. Readers see
 * it after the next store_publish. Not BACKLOG_SPACE: a part of it is owed (a copy is kept), which the end does not
 * cover; the next history_make_ready tries again. */
MUST_CHECK enum backlog_space history_append(struct history *history, struct bytes data);

/* How many bytes the newest segment has room for, after history_make_ready has said BACKLOG_SPACE. Who appends no more
 * than that and then sets the boundary has each segment sealed with the last boundary in it: after a power failure that
 * may be all there is to go on from. */
uint64_t history_room(const struct history *history);

/* What is owed will come again: nothing is any more. */
void history_forget_owed(struct history *history);

/* Is the next segment being made? When it no longer is, BACKLOG_HELD may be over. */
bool history_awaits_segment(const struct history *history);

/* Its RDB still arrives, and the window has the greatest size that it may have: BACKLOG_HELD until it is current. */
bool history_is_at_its_end(const struct history *history);

/* What the disk said when it refused the stream last; "" when it has not, or is over it. */
const char *history_stream_error(const struct history *history);

/* Attaches a cursor at `offset`, first <= offset <= published end: it reads on through ids that the history has by
 * now, and not into one that it gets later. False: outside. */
MUST_CHECK bool history_attach(struct history *history, struct cursor *cursor, uint64_t offset);

/* The offset after the last complete command outside MULTI. Set after each append. */
uint64_t history_boundary(const struct history *history);
void history_set_boundary(struct history *history, uint64_t boundary);

/* The same as of the last publishing: never beyond history_published, with which it goes together. */
uint64_t history_published_boundary(const struct history *history);

/* The offset up to which everything would survive a power failure. */
uint64_t history_durable(const struct history *history);

/* Which offset at this time: the last command boundary that is known to have been received by then, to a second
 * (time_index.h). False: all that is known came later. */
MUST_CHECK bool history_offset_at(const struct history *history, int64_t wall_us,
                                  struct time_answer *out);

/* All entries of that. */
const struct time_index *history_times(const struct history *history);

/* Bytes from `offset` on are not given up, neither at repl-backlog-max-size nor where the disk is full: more bytes are
 * refused instead (BACKLOG_HELD, BACKLOG_NO_SPACE). UINT64_MAX: all may be given up. */
void history_keep_from(struct history *history, uint64_t offset);

/* The oldest and the newest moment that can be restored: from a snapshot that is complete, along the stream behind
 * it. False: there is none yet. */
MUST_CHECK bool history_restorable(const struct history *history, struct time_entry *oldest,
                                   struct time_entry *newest);

/* Where a replica that has `offset` bytes of `replid` stands to the published window. */
enum continuity history_may_continue(const struct history *history, const struct replid *replid,
                                     uint64_t offset);

/* Is what a start has found still being proven? Then it will be told, as news of the store, that more of the window is
 * there. Is it a snapshot, and may it become one that a full sync is served from? */
bool history_is_proving(const struct history *history);
bool history_is_proving_snapshot(const struct history *history);

/* The first offset of the window, with what of it is still being proven. */
uint64_t history_window_first(const struct history *history);

/* How much there was to be proven at the start, and how much of it is left. */
void history_proof_status(const struct history *history, uint64_t *total, uint64_t *left);

/* The same, with its rate and what is left. */
struct progress_view history_proof_progress(const struct history *history);

/* The snapshot that a full sync can be served from now, complete or still arriving; NULL when there
 * is none. A complete one is preferred. Usable is: the stream has been received up to its X, and the window
 * holds every byte from there on. */
struct snapshot *history_usable_snapshot(const struct history *history);

/* Why it can, or cannot, be what a full sync is served from now. */
enum snapshot_use history_snapshot_use(const struct history *history,
                                       const struct snapshot *snapshot);

/* Until it has been told, all is kept. With store_options.keeps_aged only; else has no effect. */
void history_set_need(struct history *history, const struct history_need *need);

/* The newest complete snapshot at or before `offset` that is proven and usable; NULL: none. */
struct snapshot *history_aged_snapshot(const struct history *history, uint64_t offset);

/* The newest complete one, usable or not, and the one that is arriving; NULL: none. */
struct snapshot *history_snapshot(const struct history *history);
struct snapshot *history_arriving_snapshot(const struct history *history);

/* Begins to receive a snapshot taken at `offset`; one that is arriving already is failed first. Its file is made by
 * the file thread: until then it owes what comes (snapshot_owes); where it cannot be made, writing to it fails. NULL:
 * out of memory, `why`. */
MUST_CHECK struct snapshot *history_begin_snapshot(struct history *history, uint64_t offset,
                                                   struct text *why);

/* Could its file, or the directory of a new history, not be made? Then `why` says why. */
bool history_is_refused(const struct history *history, struct text *why);

/* An arriving history's stream comes before its RDB is proven (history_make_ready): if the RDB says itself that it was
 * taken at another offset or under another id, it is refused when it is whole. */
void history_check_place(struct history *history);

/* All bytes of the arriving snapshot are there: proves it, has it named, and then replaces the one before it; that one
 * is served until the published end has reached the new X. To be asked until it is not PENDING. FAILED: it is not
 * whole, or the disk refused; `why` says why. */
MUST_CHECK enum disk_step history_complete_snapshot(struct history *history, struct text *why);

/* Gives the arriving snapshot up; its readers see SNAPSHOT_FAILED. Nothing arriving: no effect. */
void history_fail_snapshot(struct history *history);

/* Forgets every byte from `offset` on (first <= offset <= end). The bytes before it, and who reads
 * them, are not touched; cursors beyond are told CURSOR_REWOUND; snapshots with X > offset go. A kill finds it
 * so when history_is_settling is over, and before that no byte may come; a power failure when the disk has got round
 * to it (history_cut): until then bytes may come under the same id alone. False: nothing was cut, and the history
 * cannot go on (the caller asks for a new one); `why`. */
MUST_CHECK bool history_rewind(struct history *history, uint64_t offset, struct text *why);

/* Is the identity of a rewind or a rename on its way to the disk? Meanwhile the history takes no bytes, and no other
 * rewind or rename may begin. */
bool history_is_settling(const struct history *history);

/* Of a rewind: does the disk have no room for it, and nothing is left to give up? It is tried again several times a second, and what is
 * held is served meanwhile. */
bool history_awaits_room(const struct history *history);

/* The disk refused to write that the end was cut off. It is served, but takes no bytes any more: only another history
 * helps. */
bool history_is_lost(const struct history *history);

/* Are rewinds on the disk for good? The caller of store_on_durable is told when one is. */
enum history_cut {
    HISTORY_CUT_DONE, /* all of them are, or there was none */
    HISTORY_CUT_PENDING,
    HISTORY_CUT_FAILED, /* nor ever will be: the history cannot go on under another id */
};
enum history_cut history_cut(const struct history *history);

/* Goes on under a new id from its end on, when that is on the disk: until then it is known by the one it has. Must stand
 * at a boundary, and no cut be pending or failed. Snapshots with X > end go, as in a rewind, also when it fails: they
 * are of the branch that ends here. To be asked until it is not PENDING; DONE as well where it has that id already.
 * FAILED: `why`. */
MUST_CHECK enum disk_step history_rename(struct history *history, const struct replid *replid,
                                         struct text *why);

#endif
