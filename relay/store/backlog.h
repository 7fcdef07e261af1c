/* SPDX-License-Identifier: MIT
 *
 * The window of the replication stream on disk: a chain of segments, each a preallocated and mapped
 * file of raw stream bytes. One writer appends, any number of cursors read what is published.
 *
 *                 window of the history                          end
 *      |<------------------------------------------------->|      |
 *      +----------------+    +----------------+    +--------------v-+
 *      |   segment 0    |--->|   segment 1    |--->|   segment 2 ###|....   preallocated
 *      +----------------+    +----------------+    +--------------^-+
 *         ^        ^                                       published
 *      cursor   cursor       a cursor holds its segment, a segment holds the next
 *
 * Trimming takes a segment out of the chain and off the disk; a cursor that still holds it is told
 * why at its next peek, unless the segment was held for it: segments that a cursor stands
 * in, and all behind, are kept beyond `window_bytes` up to `window_bytes_max`. What cursors make us
 * hold although it is out of the window counts against the cap as well, and when there is no more
 * room the writer is refused (backlog_make_ready), never a byte overwritten.
 *
 * Bytes come in by backlog_append, which writes them into the newest segment, and into as many as they need;
 * what the disk refuses is kept as owed. Readers see them after backlog_publish.
 *
 * Owner: a history, which alone uses it; outside the store one appends to a history and reads through a cursor.
 * Thread: thread 0. Shared with cursors: per segment a reference count, a published end, the next segment, and a mark
 * "given up".
 */
#ifndef RELAY_STORE_BACKLOG_H
#define RELAY_STORE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backlog_dependencies.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/store/backlog_space.h"
#include "tail.h"

struct backlog;
struct cursor;
struct segment;

/* The first and end offset of the window, as thread 0 has it (end: published or not). Thread 0. */
uint64_t backlog_first(const struct backlog *backlog);
uint64_t backlog_end(const struct backlog *backlog);
uint64_t backlog_published(const struct backlog *backlog);

/* Bytes on disk for it, preallocation and pinned segments included; how many segments; how much of
 * it only cursors hold: beyond window_bytes, or given up already. Thread 0. */
uint64_t backlog_disk_bytes(const struct backlog *backlog);
size_t backlog_segment_count(const struct backlog *backlog);
uint64_t backlog_pinned_bytes(const struct backlog *backlog);

/* May more be appended? Writes what is owed before anything else, goes on in a new segment, and trims old ones, where
 * needed. Thread 0. */
MUST_CHECK enum backlog_space backlog_make_ready(struct backlog *backlog);

/* Takes all of `data`, of at most BACKLOG_APPEND_MAX bytes, after backlog_make_ready has said BACKLOG_SPACE. Readers do not see it before backlog_publish.
 * Where the disk refuses to write it, the window is shortened, as for a new segment. Not BACKLOG_SPACE: a part of it is
 * owed, of which the backlog keeps a copy; backlog_error says why; the end does not cover that, and the next
 * backlog_make_ready tries again. Thread 0. */
MUST_CHECK enum backlog_space backlog_append(struct backlog *backlog, struct bytes data);

/* What the newest segment has room for; 0: the next one comes first. Thread 0. */
uint64_t backlog_room(const struct backlog *backlog);

/* How many bytes may come before the segment that has `offset` has to be given up at the cap, if nothing else ends a
 * segment early. Thread 0. */
uint64_t backlog_room_behind(const struct backlog *backlog, uint64_t offset);

/* Is the next segment being made, or the identity written that it waits for? When no longer, BACKLOG_HELD may be
 * over. Thread 0. */
bool backlog_awaits_segment(const struct backlog *backlog);

/* What is owed will come again: nothing is any more. Thread 0. */
void backlog_forget_owed(struct backlog *backlog);

/* What the disk said when it refused last; "" when it has not, or is over it. Thread 0. */
const char *backlog_error(const struct backlog *backlog);

/* Attaches a cursor at `offset`, first <= offset <= published end: it reads on through ids that the
 * history has by now, and not into one that it gets later. False: outside. Thread 0. */
MUST_CHECK bool backlog_attach(struct backlog *backlog, struct cursor *cursor, uint64_t offset);

/* ------------------------------------------------------------------ made, cut, ended: by its history */

/* Empty, beginning at `first`, with a segment that has no file yet: whoever makes that (segment_make_file), and a tail
 * with a mark of it, says so by backlog_set_place, before any byte comes. NULL: errno and `why`. */
MUST_CHECK struct backlog *backlog_new(const struct backlog_dependencies *dependencies,
                                       uint64_t first, struct text *why);
void backlog_set_place(struct backlog *backlog, int directory, struct tail *tail);

/* From disk: the end of what the identity and the tail say, as far as the files prove it, back to the last command
 * boundary. The window begins there; it grows as more is proven, the newest first. Segments that turn out not to
 * be provable are dropped, from the identity as well, each with a line in the log. NULL: nothing of it can
 * be served; `why`. */
MUST_CHECK struct backlog *backlog_load(const struct backlog_dependencies *dependencies,
                                        struct text *why);

/* What is to be proven next: bytes that end where the window begins. */
struct backlog_gap {
    uint64_t first;
    uint64_t end;
    uint64_t crc;    /* of first..end */
    bool is_in_head; /* the beginning of the segment that the window begins in; else a segment */
};

/* False: all is proven. */
MUST_CHECK bool backlog_next_unproven(const struct backlog *backlog, struct backlog_gap *out);

/* The gap is proven: the window begins with it. `segment`: it, held, unless the gap is in the newest; NULL then.
 * False: that is not what is to be proven next by now; nothing was done, and the segment is the caller's. */
MUST_CHECK bool backlog_admit(struct backlog *backlog, const struct backlog_gap *gap,
                              struct segment *segment);

/* The gap cannot be proven: all that is before the window goes off the disk. The identity has changed. */
void backlog_give_up_unproven(struct backlog *backlog);

/* What is not proven yet begins here (at backlog_first: there is nothing); and has so many bytes. */
uint64_t backlog_unproven_first(const struct backlog *backlog);
uint64_t backlog_unproven_bytes(const struct backlog *backlog);

struct segment_space;
/* For one who loads a segment to be admitted: to be let go of by segment_space_release. */
struct segment_space *backlog_hold_space(const struct backlog *backlog);

/* Seals what is open (so that files hold just the stream) and lets go; cursors live on. */
void backlog_free(struct backlog **backlog);

uint64_t backlog_boundary(const struct backlog *backlog);
/* As it was when the stream was published last: it goes with backlog_published. */
uint64_t backlog_published_boundary(const struct backlog *backlog);
void backlog_set_boundary(struct backlog *backlog, uint64_t boundary);

/* Writes the live mark, then shows readers everything. True if there was anything new. */
bool backlog_publish(struct backlog *backlog);

/* Other sizes from now on. A segment keeps the size that it was made with: the newest one goes on until it is
 * full, and the window is whole segments, of whatever size they are. */
void backlog_set_sizes(struct backlog *backlog, uint64_t window_bytes, uint64_t window_bytes_max,
                       uint64_t segment_bytes);

/* What readers that are not here need begins at `offset` (backlog_dependencies.h). UINT64_MAX: there are none. */
void backlog_set_needed(struct backlog *backlog, uint64_t offset);

/* While an RDB arrives, all of the stream behind its X is needed: nothing is given up, and where there is no more room
 * the writer is refused (BACKLOG_HELD at window_bytes_max, BACKLOG_NO_SPACE where the disk is full). Of a new one. */
void backlog_keep_all(struct backlog *backlog, bool keeps_all);

/* Is the writer refused for that alone? */
bool backlog_is_at_its_end(const struct backlog *backlog);

/* Bytes from `offset` on are needed: where there is no room for them and more, no byte is taken. UINT64_MAX: none
 * are. */
void backlog_keep_from(struct backlog *backlog, uint64_t offset);

/* Gives up what the window need not hold. True if anything was: the identity has changed. */
bool backlog_trim(struct backlog *backlog);

/* Readers have told of segments that the disk cannot read: gives them up, and all before them. True if
 * anything was: the identity has changed. */
bool backlog_drop_unreadable(struct backlog *backlog);

/* Could the oldest not be given up since the last call, because a power failure would find nothing newer? Then the
 * syncer is to be asked at once. */
bool backlog_take_sync_wish(struct backlog *backlog);

/* Somebody else needs the disk: gives up the oldest segment, if nobody stands in it, it is not the
 * newest, and it ends at or before `keep_from`. False: there is none. */
bool backlog_shorten(struct backlog *backlog, uint64_t keep_from);

/* What it could give up in all: the bytes on disk of all segments but the newest, up to the first one that somebody
 * stands in. */
uint64_t backlog_spare_bytes(const struct backlog *backlog);

/* Forgets every byte from `offset` on, in memory and in the identity; the boundary becomes `offset`. Then the caller
 * has the identity written, and until one of the two below no byte can be appended. False: errno and `why`; nothing
 * has changed. */
MUST_CHECK bool backlog_begin_cut(struct backlog *backlog, uint64_t offset, struct text *why);

/* The identity was written, so that a kill finds the cut: what is beyond it goes off the disk, and bytes may come. For
 * a power failure the durable marks of the tail have to be forgotten, too (syncer_cut). */
void backlog_end_cut(struct backlog *backlog);

/* The disk has no room for it, and it is tried again: backlog_error tells until it is written. */
void backlog_note_awaited_cut(struct backlog *backlog, const char *why);

/* It could not be written: the files stay as they are, and no byte can be appended any more. */
void backlog_lose_cut(struct backlog *backlog);

/* What is appended from now on is known under another id: cursors that are attached already are told
 * CURSOR_RENAMED at the end, and read no byte behind it. False: no segment could be made; `why`. */
MUST_CHECK bool backlog_begin_replid(struct backlog *backlog, struct text *why);

/* The other id was written, or could not be: who attaches from now on reads on behind the end. Until then it is as
 * those who were attached before. */
void backlog_end_replid(struct backlog *backlog);

/* The segment that is written to, and what could be claimed of it now: for an fsync. */
struct segment *backlog_newest(const struct backlog *backlog);
struct tail_mark backlog_mark(const struct backlog *backlog);

/* Calls `fn` for each segment of the chain that holds bytes from `offset` on, and for the newest. */
typedef void backlog_segment_fn(struct segment *segment, void *arg);
void backlog_each_from(const struct backlog *backlog, uint64_t offset, backlog_segment_fn *fn,
                       void *arg);

#endif
