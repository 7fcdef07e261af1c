/* SPDX-License-Identifier: MIT
 *
 * A stream whose every byte is known from its offset and the branch it was written on, so that what
 * is read anywhere can be compared with what must be there.
 */
#ifndef TESTS_UNIT_STORE_STREAM_H
#define TESTS_UNIT_STORE_STREAM_H

#include <unistd.h>

#include "../../../relay/store/backlog.h"
#include "../../../relay/store/segment.h"
#include "relay/store/cursor.h"
#include "test.h"

static inline uint8_t stream_byte(uint64_t offset, unsigned branch)
{
    uint64_t mixed = (offset + 1) * UINT64_C(0x9e3779b97f4a7c15) + branch * UINT64_C(0x51ed2701);
    return (uint8_t)(mixed >> 56 ^ mixed >> 29);
}

static inline void stream_fill(uint8_t *into, uint64_t offset, size_t length, unsigned branch)
{
    for (size_t i = 0; i < length; i++)
        into[i] = stream_byte(offset + i, branch);
}

/* The position of the first byte that is not the stream's; view.length: all are. */
static inline size_t stream_compare(struct bytes view, uint64_t offset, unsigned branch)
{
    size_t i = 0;
    while (i < view.length && view.data[i] == stream_byte(offset + i, branch))
        i++;
    return i;
}

static inline void assert_stream(struct bytes view, uint64_t offset, unsigned branch)
{
    size_t same = stream_compare(view, offset, branch);
    if (same < view.length)
        fail_msg("at offset %llu of branch %u: got %02x, expected %02x",
                 (unsigned long long)(offset + same), branch, view.data[same],
                 stream_byte(offset + same, branch));
}

/* Waits until the next segment is made, or cannot be. True: it was being made. */
static inline bool stream_await_segment(const struct backlog *backlog)
{
    bool waits = backlog_awaits_segment(backlog);
    for (int i = 0; i < 200000 && backlog_awaits_segment(backlog); i++)
        usleep(50);
    return waits;
}

/* As upstream does it: a segment that is being made is waited for. */
static inline enum backlog_space stream_make_ready(struct backlog *backlog)
{
    enum backlog_space space = backlog_make_ready(backlog);
    /* It may be made between the answer and the question about it: so the second answer counts. */
    for (int tries = 0; space == BACKLOG_HELD && (stream_await_segment(backlog) || tries == 0);
         tries++)
        space = backlog_make_ready(backlog);
    return space;
}

/* What the newest segment has room for. */
static inline size_t stream_capacity(const struct backlog *backlog)
{
    const struct segment *last = backlog_newest(backlog);
    return (size_t)(last->capacity - (last->written - last->first));
}

/* Appends the stream's next bytes. */
static inline enum backlog_space stream_put(struct backlog *backlog, size_t length, unsigned branch)
{
    static uint8_t data[BACKLOG_APPEND_MAX];
    assert_true(length <= sizeof(data));
    stream_fill(data, backlog_end(backlog), length, branch);
    return backlog_append(backlog, bytes_at(data, length));
}

/* Appends `length` bytes as they come from a socket. Returns what the backlog said to the last of them. */
static inline enum backlog_space stream_append(struct backlog *backlog, size_t length,
                                               unsigned branch)
{
    enum { PIECE = 1500 };
    while (length > 0) {
        enum backlog_space space = stream_make_ready(backlog);
        if (space != BACKLOG_SPACE)
            return space;
        size_t count = length < PIECE ? length : PIECE;
        space = stream_put(backlog, count, branch);
        if (space == BACKLOG_HELD)
            space = stream_make_ready(backlog); /* the rest of it, which was owed */
        if (space != BACKLOG_SPACE)
            return space;
        length -= count;
    }
    return BACKLOG_SPACE;
}

/* Reads until something else than bytes comes; all must be of the branch. Returns what came. */
static inline enum cursor_view stream_read(struct cursor *cursor, unsigned branch)
{
    struct bytes view;
    enum cursor_view found;
    while ((found = cursor_peek(cursor, &view)) == CURSOR_BYTES) {
        assert_true(view.length > 0);
        assert_stream(view, cursor->offset, branch);
        cursor_advance(cursor, view.length);
    }
    return found;
}

#endif
