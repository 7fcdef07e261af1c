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
 * room the writer is refused (backlog_reserve), never a byte overwritten.
 *
 * Thread: thread 0 writes (backlog_*); any thread may use a cursor it owns (cursor_*). Shared between
 * them: per segment a reference count, a published end, the next segment, and a mark "given up".
 */
#ifndef RELAY_STORE_BACKLOG_H
#define RELAY_STORE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

struct backlog;
struct segment;

struct cursor {
    struct segment *segment; /* NULL: not attached */
    uint64_t offset;         /* the next byte to read */
    unsigned replid_index;   /* of the ids: how many there had been when it was attached */
};

enum cursor_view {
    CURSOR_BYTES,      /* there is something to read */
    CURSOR_AT_END,     /* all that is published has been read */
    CURSOR_LAGGED,     /* what it would read next has been given up: the cap was reached */
    CURSOR_REWOUND,    /* it stands where the history was cut off */
    CURSOR_RENAMED,    /* what comes next is known under an id that is newer than the cursor */
    CURSOR_NO_SPACE,   /* what it would read next has been given up: the disk was full, */
    CURSOR_UNREADABLE, /* or cannot read it */
};

/* The first and end offset of the window, as thread 0 has it (end: published or not). Thread 0. */
uint64_t backlog_first(const struct backlog *backlog);
uint64_t backlog_end(const struct backlog *backlog);
uint64_t backlog_published(const struct backlog *backlog);

/* Bytes on disk for it, preallocation and pinned segments included; how many segments; how much of
 * it only cursors hold: beyond window_bytes, or given up already. Thread 0. */
uint64_t backlog_disk_bytes(const struct backlog *backlog);
size_t backlog_segment_count(const struct backlog *backlog);
uint64_t backlog_pinned_bytes(const struct backlog *backlog);

enum backlog_space {
    BACKLOG_SPACE,    /* *into and *capacity are set, capacity > 0 */
    BACKLOG_NO_SPACE, /* the disk is full even without all that may be given up, or it fails: later */
    BACKLOG_HELD,     /* the cap is reached and cursors still hold what was given up: very soon */
};

/* A place to receive the next stream bytes into; backlog_append then writes what came. Writes what is owed
 * before anything else, opens a new segment, and trims old ones, where needed. Thread 0. */
enum backlog_space backlog_reserve(struct backlog *backlog, uint8_t **into, size_t *capacity);

/* `length` <= the capacity reserved last. Readers do not see it before backlog_publish. Where the disk
 * refuses to write it, the window is shortened, as for a new segment. Not BACKLOG_SPACE: the disk owes some of
 * it still, and backlog_error says why; the end does not cover that, and the next backlog_reserve tries
 * again. Thread 0. */
MUST_CHECK enum backlog_space backlog_append(struct backlog *backlog, size_t length);

/* Is the next segment being made? When it no longer is, BACKLOG_HELD may be over. Thread 0. */
bool backlog_awaits_segment(const struct backlog *backlog);

/* What is owed will come again: nothing is any more. Thread 0. */
void backlog_forget_owed(struct backlog *backlog);

/* What the disk said when it refused last; "" when it has not, or is over it. Thread 0. */
const char *backlog_error(const struct backlog *backlog);

/* Attaches a cursor at `offset`, first <= offset <= published end: it reads on through ids that the
 * history has by now, and not into one that it gets later. False: outside. Thread 0. */
MUST_CHECK bool cursor_attach(struct cursor *cursor, struct backlog *backlog, uint64_t offset);

/* Sets *view to bytes that lie in one piece at the cursor, steps over to the next segment by itself.
 * The bytes stay valid until the cursor moves or is detached. They are mapped, and for the kernel to be sent
 * from, which notices where the disk cannot read them; a process that reads them itself gets SIGBUS then. Owner
 * of the cursor. */
enum cursor_view cursor_peek(struct cursor *cursor, struct bytes *view);

/* The same bytes as a place in a file, for sending without copying: after CURSOR_BYTES. */
int cursor_file(const struct cursor *cursor, uint64_t *position);

/* Reads `length` bytes of what was peeked. False: errno. */
MUST_CHECK bool cursor_read(const struct cursor *cursor, uint8_t *into, size_t length);

/* The disk cannot read what was peeked: the segment, and what is before it, is given up within a second. */
void cursor_note_unreadable(const struct cursor *cursor);

/* Moves over `length` bytes of what was peeked. */
void cursor_advance(struct cursor *cursor, size_t length);

/* Lets go. Also of a cursor that is not attached. Any thread. */
void cursor_detach(struct cursor *cursor);

#endif
