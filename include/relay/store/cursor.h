/* SPDX-License-Identifier: MIT
 *
 * A reader of the stream: a place in a history's backlog. It holds the segment that it stands in, a segment holds the
 * next, so a cursor reads on through all that comes, and outlives the history.
 *
 * What it would read next may be given up, since nothing keeps it for a reader that is too far behind: the next peek
 * says why.
 *
 * Thread: history_attach on thread 0; then any, one at a time.
 */
#ifndef RELAY_STORE_CURSOR_H
#define RELAY_STORE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

struct segment;

struct cursor {
    struct segment *segment; /* NULL: not attached */
    uint64_t offset;         /* the next byte to read */
    unsigned replid_index;   /* of the ids: how many there had been when it was attached */
};

enum cursor_view {
    CURSOR_BYTES,      /* there is something to read */
    CURSOR_AT_END,     /* all that is published has been read */
    CURSOR_LAGGED,     /* what it would read next has been given up at repl-backlog-max-size */
    CURSOR_REWOUND,    /* it stands where the history was cut off */
    CURSOR_RENAMED,    /* what comes next is known under an id that is newer than the cursor */
    CURSOR_DISK_FULL,  /* what it would read next has been given up: the disk was full, */
    CURSOR_UNREADABLE, /* or cannot read it */
};

/* Sets *view to bytes that lie in one piece at the cursor, steps over to the next segment by itself.
 * The bytes stay valid until the cursor moves or is detached. They are mapped, and for the kernel to be sent
 * from, which notices where the disk cannot read them; a process that reads them itself gets SIGBUS then. Owner
 * of the cursor. */
enum cursor_view cursor_peek(struct cursor *cursor, struct bytes *view);

/* The same bytes as a place in a file, for sending without copying: after CURSOR_BYTES. */
int cursor_file(const struct cursor *cursor, uint64_t *position);

/* Which segment that is: no other has had the number since the start. */
uint64_t cursor_segment_number(const struct cursor *cursor);

/* Reads `length` bytes of what was peeked. False: errno. */
MUST_CHECK bool cursor_read(const struct cursor *cursor, uint8_t *into, size_t length);

/* The disk cannot read what was peeked: the segment, and what is before it, is given up within a second. */
void cursor_note_unreadable(const struct cursor *cursor);

/* Moves over `length` bytes of what was peeked. */
void cursor_advance(struct cursor *cursor, size_t length);

/* Another reader at the same place. Owner of `cursor`, which is attached. */
void cursor_copy(const struct cursor *cursor, struct cursor *out);

/* Lets go. Also of a cursor that is not attached. Any thread. */
void cursor_detach(struct cursor *cursor);

#endif
