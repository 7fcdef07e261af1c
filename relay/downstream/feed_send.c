/* SPDX-License-Identifier: MIT */
#include "feed_send.h"

#include "relay/base/check.h"
#include "relay/base/clock.h"
#include "relay/store/page_cache.h"
#include "sync_rate.h"

static size_t feed_send_least(size_t a, uint64_t b)
{
    return b < a ? (size_t)b : a;
}

void feed_note_unreadable(struct feed *feed)
{
    if (feed->step == FEED_RDB && feed->snapshot != NULL)
        snapshot_note_unreadable(feed->snapshot);
    else if (feed->step == FEED_STREAM && feed->cursor.segment != NULL)
        cursor_note_unreadable(&feed->cursor);
}

bool feed_is_behind(struct feed *feed)
{
    if (feed->step != FEED_STREAM || feed->limit != NULL)
        return true; /* what is sent late was written long ago */
    return !feed->is_at_end && clock_ms() - feed->behind_since_ms > FEED_NEW_MS;
}

size_t feed_cached_length(struct feed *feed, int file, uint64_t position, uint64_t at,
                          size_t length)
{
    /* Asking costs system calls (page_cache.h), so it is asked for a whole piece and believed for a moment. Where
     * the kernel drops pages in that moment, a send waits for the disk once. */
    int64_t now_ms = clock_ms();
    if (feed->cached_until <= at || now_ms - feed->cached_ms > FEED_AHEAD_MS) {
        size_t piece = length < FEED_AHEAD_BYTES ? length : FEED_AHEAD_BYTES;
        feed->cached_until = at;
        if (!page_cache_has(file, position, piece)) {
            feed->is_cold = true;
            return 0;
        }
        feed->cached_until = at + piece;
        feed->cached_ms = now_ms;
    }
    return feed_send_least(length, feed->cached_until - at);
}

enum feed_result feed_book(struct feed *feed, enum conn_io io, size_t sent, size_t *share)
{
    switch (io) {
    case CONN_OK:
        CHECK(sent <= *share);
        *share -= sent;
        feed->sent_bytes += sent;
        return FEED_NEXT;
    case CONN_AGAIN:
        return FEED_BLOCKED;
    case CONN_END:
    case CONN_FAILED:
        return FEED_FAILED;
    /* The connection is whole, the disk is not. Who comes next would meet the same bytes: the store gives them up. */
    case CONN_UNREADABLE:
        feed_note_unreadable(feed);
        return FEED_UNREADABLE;
    }
    UNREACHABLE("no such result");
}

enum feed_result feed_send_part(struct feed *feed, struct conn *conn, struct bytes part,
                                size_t *position, size_t *share)
{
    while (*position < part.length) {
        if (*share == 0)
            return FEED_MORE;
        struct bytes rest = bytes_skip(part, *position);
        size_t sent = 0;
        enum conn_io io =
            conn_send(conn, bytes_first(rest, feed_send_least(*share, rest.length)), false, &sent);
        enum feed_result result = feed_book(feed, io, sent, share);
        if (result != FEED_NEXT)
            return result;
        *position += sent;
    }
    return FEED_NEXT;
}

size_t feed_rated_length(const struct feed *feed, size_t length)
{
    if (feed->rate == NULL || !sync_rate_is_limited(feed->rate))
        return length;
    return feed_send_least(feed->granted, length);
}

void feed_note_rated(struct feed *feed, size_t sent)
{
    feed->granted -= feed_send_least(sent, feed->granted);
}

enum feed_result feed_cannot_read(enum cursor_view view)
{
    switch (view) {
    case CURSOR_BYTES:
    case CURSOR_AT_END:
        return FEED_IDLE;
    case CURSOR_LAGGED:
        return FEED_LAGGED;
    case CURSOR_DISK_FULL:
        return FEED_DISK_FULL;
    case CURSOR_UNREADABLE:
        return FEED_UNREADABLE;
    case CURSOR_REWOUND:
        return FEED_REWOUND;
    case CURSOR_RENAMED:
        return FEED_RENAMED;
    }
    UNREACHABLE("no such view");
}

/* What is published wakes us, so one that was at the end has before it what is new by now. */
static void feed_note_end(struct feed *feed, bool is_at_end)
{
    /* Behind begins at the moment in which something new lies before it, and not at the last send: else a stream
     * that has paused for long would make everybody "behind" with its first byte. */
    if (feed->is_at_end && !is_at_end)
        feed->behind_since_ms = clock_ms();
    feed->is_at_end = is_at_end;
}

static uint64_t feed_limit(const struct feed *feed)
{
    return feed->limit == NULL ? UINT64_MAX
                               : atomic_load_explicit(feed->limit, memory_order_relaxed);
}

bool feed_is_at_limit(const struct feed *feed)
{
    return feed->step == FEED_STREAM && feed->cursor.offset >= feed_limit(feed);
}

/* Behind the peek, which is an acquire: who sees bytes of a new branch sees the limit that was set before they came
 * (delay.h). */
static void apply_limit(const struct feed *feed, enum cursor_view *found, struct bytes *view)
{
    uint64_t limit = feed_limit(feed);
    if (*found != CURSOR_BYTES)
        return;
    if (feed->cursor.offset >= limit)
        *found = CURSOR_AT_END;
    else
        view->length = feed_send_least(view->length, limit - feed->cursor.offset);
}

enum feed_result feed_look(struct feed *feed, size_t share, struct bytes *view)
{
    enum cursor_view found = cursor_peek(&feed->cursor, view);
    apply_limit(feed, &found, view);
    if (found == CURSOR_BYTES || found == CURSOR_AT_END)
        feed_note_end(feed, found == CURSOR_AT_END);
    if (found != CURSOR_BYTES)
        return feed_cannot_read(found);
    /* Looked at before the share: who is told FEED_MORE comes back, who is at the end is woken. */
    if (share == 0)
        return FEED_MORE;
    if (!feed_is_behind(feed))
        return FEED_NEXT;
    uint64_t position;
    int file = cursor_file(&feed->cursor, &position);
    view->length = feed_cached_length(feed, file, position, feed->cursor.offset, view->length);
    return view->length == 0 ? FEED_COLD : FEED_NEXT;
}

void feed_end_rdb(struct feed *feed)
{
    /* At once, not at the end of the replica: a snapshot that was replaced meanwhile has only readers to hold its
     * file on the disk. But a relay may have lost what the kernel has, and want it again. */
    if (!feed->holds_snapshot)
        snapshot_release(&feed->snapshot);
    feed->cached_until = 0; /* of the stream nothing is known yet */
    feed->is_cold = false;
}
