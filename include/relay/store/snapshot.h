/* SPDX-License-Identifier: MIT
 *
 * One RDB on disk, exactly as the primary sent it, taken at offset X. It is written by one and read by
 * many, also while it arrives:
 *
 *       arriving --- snapshot_complete ---> complete (proven, renamed to <X>.rdb)
 *           |                                  |
 *           +------- snapshot_fail ---> failed |   replaced: unlinked, read to its end by who has it
 *
 * It is proven by its CRC-64, which is computed as the bytes come; where the primary has switched the
 * checksum off (a footer of zeros) by its length or mark, its magic and its end opcode. The last bytes
 * are not shown to readers before that, so that nobody can take a broken RDB for a whole one.
 *
 * Thread: thread 0 writes; readers on any thread hold a reference and see what is published.
 */
#ifndef RELAY_STORE_SNAPSHOT_H
#define RELAY_STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

struct snapshot;

enum snapshot_state { SNAPSHOT_ARRIVING, SNAPSHOT_COMPLETE, SNAPSHOT_FAILED };

enum {
    SNAPSHOT_HELD_BACK = 8,    /* bytes of the footer, shown only when the whole is proven */
    SNAPSHOT_MAGIC_LENGTH = 9, /* the first bytes of an RDB: "REDIS0011" */
};

/* Any thread that holds a reference. */
void snapshot_retain(struct snapshot *snapshot);
void snapshot_release(struct snapshot **snapshot);

uint64_t snapshot_offset(const struct snapshot *snapshot); /* X */
uint64_t snapshot_number(
    const struct snapshot *snapshot); /* tells it from every other of this process; not 0 */
enum snapshot_state snapshot_state(const struct snapshot *snapshot);

/* The length of the whole RDB. False while it is not known: the primary sends it with an end mark, and
 * it has not ended. */
bool snapshot_length(const struct snapshot *snapshot, uint64_t *length);

/* Where the length is not known: about how long it will be; 0: nothing is known. Any thread; set by thread 0. */
void snapshot_set_estimate(struct snapshot *snapshot, uint64_t length);
uint64_t snapshot_estimate(const struct snapshot *snapshot);

/* How many bytes readers may have, and the file to read them from. Load the state *before* this: what
 * is readable when the state is COMPLETE is the whole. */
uint64_t snapshot_readable(const struct snapshot *snapshot);
int snapshot_file(const struct snapshot *snapshot);

/* The disk cannot read it: a history gives it up within a second, and is without one. Any thread that holds a
 * reference. */
void snapshot_note_unreadable(struct snapshot *snapshot);
bool snapshot_is_unreadable(const struct snapshot *snapshot);

/* Told when the primary announces it ("$<length>"), before the first byte that it sends. At least what is here
 * already. Thread 0. */
void snapshot_expect(struct snapshot *snapshot, uint64_t length);

/* Appends RDB bytes. Where its file is still being made, or the disk is full and files are being freed, it keeps a copy
 * of what it could not write and owes it: the caller reads no more until that is written. False: the disk refused; `why` says so. Thread 0. */
MUST_CHECK bool snapshot_write(struct snapshot *snapshot, struct bytes view, struct text *why);

/* The same for the last eight: the CRC-64 of all that was written, where what the primary sent has none since
 * something else has proven it. Thread 0. */
MUST_CHECK bool snapshot_write_footer(struct snapshot *snapshot, struct text *why);

/* Does it owe bytes? Writes them, as far as there is space by now; false: as above. Thread 0. */
bool snapshot_owes(const struct snapshot *snapshot);
MUST_CHECK bool snapshot_write_owed(struct snapshot *snapshot, struct text *why);

/* How many bytes were written, and when it became complete (clock_ms). Thread 0. */
uint64_t snapshot_received(const struct snapshot *snapshot);
int64_t snapshot_completed_ms(const struct snapshot *snapshot);
bool snapshot_is_verified(const struct snapshot *snapshot);

/* Its first bytes, which say which version of the format it is; empty before they are there. Valid as long as
 * the snapshot. Thread 0. */
struct bytes snapshot_magic(const struct snapshot *snapshot);

#endif
