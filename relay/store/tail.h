/* SPDX-License-Identifier: MIT
 *
 * How far the newest segment is good. Segments are preallocated and hold no lengths, so a page beside
 * them, mapped and shared, says it, in two kinds of marks:
 *
 *   live     written with each publish. Survives the death of the process, since the page cache does;
 *            it counts only while the machine has not been booted anew (the page carries the boot id).
 *   durable  written after the bytes it speaks of were fsynced. Counts always.
 *
 * A mark carries the CRC-64 of the segment's bytes up to its end, so it proves them as well. There are
 * two of each kind, written in turn with a growing sequence and a sum of their own: a mark that was
 * torn by a kill is passed over, and the one before it is whole.
 *
 * Thread: live marks thread 0, durable marks the syncer; tail_read before either runs.
 */
#ifndef RELAY_STORE_TAIL_H
#define RELAY_STORE_TAIL_H

#include <stdbool.h>
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

struct tail;

/* Opens (or makes) and maps the file `tail`. NULL: `why`. */
MUST_CHECK struct tail *tail_open(int directory, struct text *why);
void tail_close(struct tail **tail);

/* The newest whole mark of each kind; sequence 0 where there is none that counts. */
void tail_read(const struct tail *tail, struct tail_mark *live, struct tail_mark *durable);

void tail_set_live(struct tail *tail, struct tail_mark mark);

/* Writes the mark and fsyncs the page. False: errno; the mark before it stays the newest durable. */
MUST_CHECK bool tail_set_durable(struct tail *tail, struct tail_mark mark);

/* Forgets all marks: before anything that they say becomes untrue (a rewind). */
void tail_clear(struct tail *tail);

#endif
