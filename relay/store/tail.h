/* SPDX-License-Identifier: MIT
 *
 * How far the newest segment is good. Segments are preallocated and hold no lengths, so a page beside
 * them says it, in two kinds of marks:
 *
 *   live     written with each publish. Survives the death of the process, since the page cache does;
 *            it counts only while the machine has not been booted anew (the page carries the boot id).
 *   durable  written after the bytes it speaks of were fsynced. Counts always.
 *
 * A mark carries the CRC-64 of the segment's bytes up to its end, so it proves them as well. There are
 * two of each kind, written in turn with a growing sequence and a sum of their own: a mark that was
 * torn by a kill is passed over, and the one before it is whole. That one also holds while the
 * identity, a file of its own, does not yet agree with the newest.
 *
 * Beside them is a point in the newest segment with the CRC-64 of what is before it, at most some MB back: with it a
 * mark is proven by the bytes from there on, and a start need not read the whole segment before it goes on. What is
 * before the point has its CRC-64 in it, and is proven later.
 *
 * The page is written with pwrite(2), a mark at a time, and never mapped: a file system that reserves
 * nothing (ZFS, NFS, btrfs with compression) refuses a write with an error, and a store through a mapping
 * with SIGBUS.
 *
 * Thread: live marks thread 0, durable marks the syncer; tail_read before either runs.
 */
#ifndef RELAY_STORE_TAIL_H
#define RELAY_STORE_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct tail_mark {
    uint64_t sequence;      /* set by the functions below; 0: no mark */
    uint64_t segment_first; /* the segment it speaks of */
    uint64_t end;           /* its bytes are good up to here */
    uint64_t boundary;      /* of the stream, at that end */
    uint64_t crc;           /* of the segment's bytes from first to end */
    uint64_t sum;           /* CRC-64 of the fields before */
};

struct tail_point {
    uint64_t segment_first; /* of the segment it speaks of */
    uint64_t offset;
    uint64_t crc; /* of the segment's bytes from first to offset */
    uint64_t sum; /* CRC-64 of the fields before */
};

struct tail;

/* Opens the file `tail`, or makes it. One that is there is taken although the disk has no room: it is
 * written with the next mark. NULL: `why`. */
MUST_CHECK struct tail *tail_open(int directory, struct text *why);

/* As tail_open for one who only looks: the file must be there, and is not changed. */
MUST_CHECK struct tail *tail_look(int directory, struct text *why);

/* Was it written since the machine was booted? Then all that was written to files is there. */
bool tail_is_of_this_boot(const struct tail *tail);

void tail_close(struct tail **tail);

enum { TAIL_MARKS_MAX = 4 };

/* All marks that are whole and count, the one that reaches farthest first. Returns how many. */
size_t tail_read(const struct tail *tail, struct tail_mark marks[TAIL_MARKS_MAX]);

/* The end of the durable mark that reaches farthest; 0: there is none. Before the syncer runs. */
uint64_t tail_durable_end(const struct tail *tail);

/* The farthest point in that segment that is not behind `limit`. False: there is none. */
MUST_CHECK bool tail_find_point(const struct tail *tail, uint64_t segment_first, uint64_t limit,
                                struct tail_point *out);

/* In the place of the one before the last. False: errno. Thread 0. */
MUST_CHECK bool tail_set_point(struct tail *tail, struct tail_point point);

/* False: errno; the mark before it stays the newest live one. */
MUST_CHECK bool tail_set_live(struct tail *tail, struct tail_mark mark);

/* Writes the mark and fsyncs the page. False: errno; the mark before it stays the newest durable. */
MUST_CHECK bool tail_set_durable(struct tail *tail, struct tail_mark mark);

/* Forget every mark of their kind that speaks of bytes from `offset` on: they are no longer of this history.
 * The durable ones are forgotten for good when it returns. False: errno; they are forgotten unless the process
 * (of durable ones: unless the power) fails now. Threads: as those that set them. */
MUST_CHECK bool tail_forget_live(struct tail *tail, uint64_t offset);
MUST_CHECK bool tail_forget_durable(struct tail *tail, uint64_t offset);

#endif
