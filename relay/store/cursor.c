/* SPDX-License-Identifier: MIT
 *
 * The readers' side of the backlog. Nothing in here is thread 0's: it touches only what is shared.
 */
#include "relay/store/cursor.h"

#include <errno.h>
#include <unistd.h>

#include "segment.h"

/* What a reader that still stands in it is told. */
static const enum cursor_view views[] = {
    [SEGMENT_TRIMMED] = CURSOR_LAGGED,      [SEGMENT_LAGGED] = CURSOR_LAGGED,
    [SEGMENT_DISK_FULL] = CURSOR_DISK_FULL, [SEGMENT_UNREADABLE] = CURSOR_UNREADABLE,
    [SEGMENT_REWOUND] = CURSOR_REWOUND,
};

enum cursor_view cursor_peek(struct cursor *cursor, struct bytes *view)
{
    for (;;) {
        struct segment *segment = cursor->segment;
        CHECK(segment != NULL);
        enum segment_fate fate = atomic_load_explicit(&segment->fate, memory_order_relaxed);
        if (fate != SEGMENT_LIVES)
            return views[fate];
        /* The order matters: `next` is set after the final `published`, so who sees the one and then
         * loads the other has all of this segment. Acquire on both: the bytes, and the next segment's
         * fields, are there. */
        struct segment *next = atomic_load_explicit(&segment->next, memory_order_acquire);
        uint64_t published = atomic_load_explicit(&segment->published, memory_order_acquire);
        if (cursor->offset > published)
            return CURSOR_REWOUND;
        if (cursor->offset < published) {
            *view = bytes_at(segment->map + (cursor->offset - segment->first),
                             (size_t)(published - cursor->offset));
            return CURSOR_BYTES;
        }
        /* Relaxed is enough: `replid_after` was set before `next` was, so who has seen the one, with its
         * acquire, sees the other. Without a `next` there is nothing to step over to yet. */
        if (atomic_load_explicit(&segment->replid_after, memory_order_relaxed) >
            cursor->replid_index)
            return CURSOR_RENAMED;
        if (next == NULL)
            return CURSOR_AT_END;
        /* A rewind between the two loads: this `next` was cut off. It is still held by the segment
         * (segment.cut), so looking at it was safe. Who rewinds publishes, and wakes us, later. */
        if (next->first != cursor->offset)
            return CURSOR_AT_END;
        segment_retain(next);
        segment_release(segment);
        cursor->segment = next;
    }
}

int cursor_file(const struct cursor *cursor, uint64_t *position)
{
    *position = cursor->offset - cursor->segment->first;
    return cursor->segment->file;
}

uint64_t cursor_segment_number(const struct cursor *cursor)
{
    return cursor->segment->number;
}

bool cursor_read(const struct cursor *cursor, uint8_t *into, size_t length)
{
    uint64_t position;
    int file = cursor_file(cursor, &position);
    while (length > 0) {
        ssize_t got = pread(file, into, length, (off_t)position);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == 0)
            errno = ENODATA;
        if (got <= 0)
            return false;
        into += got;
        position += (uint64_t)got;
        length -= (size_t)got;
    }
    return true;
}

void cursor_note_unreadable(const struct cursor *cursor)
{
    struct segment *segment = cursor->segment;
    atomic_store_explicit(&segment->is_unreadable, true, memory_order_relaxed);
    /* Release: who finds the one set finds the other. */
    atomic_store_explicit(&segment->space->has_unreadable, true, memory_order_release);
}

void cursor_advance(struct cursor *cursor, size_t length)
{
    cursor->offset += length;
}

void cursor_copy(const struct cursor *cursor, struct cursor *out)
{
    segment_retain(cursor->segment);
    *out = *cursor;
}

void cursor_detach(struct cursor *cursor)
{
    if (cursor->segment != NULL)
        segment_release(cursor->segment);
    cursor->segment = NULL;
}
