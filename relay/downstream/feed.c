/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include "feed_compressed.h"
#include "relay/base/check.h"
#include "relay/base/clock.h"
#include "relay/net/conn.h"

/* Sends some of its part, at most *share bytes, which it takes off *share. */
typedef enum feed_result step_fn(struct feed *feed, struct conn *conn, size_t *share);

static step_fn send_head;
static step_fn send_rdb;
static step_fn send_mark;
static step_fn wait_for_first_ack;
static step_fn send_stream;

static step_fn *const steps[FEED_STEPS] = {
    [FEED_HEAD] = send_head,     [FEED_RDB] = send_rdb,
    [FEED_MARK] = send_mark,     [FEED_FIRST_ACK] = wait_for_first_ack,
    [FEED_STREAM] = send_stream,
};

void feed_init(struct feed *feed, struct text *head)
{
    *feed = (struct feed){.head = *head, .behind_since_ms = INT64_MIN / 2};
    text_init(head, head->limit);
}

void feed_fini(struct feed *feed)
{
    text_fini(&feed->head);
    snapshot_release(&feed->snapshot);
    cursor_detach(&feed->cursor);
    feed_compression_fini(&feed->compression);
}

static size_t least(size_t a, uint64_t b)
{
    return b < a ? (size_t)b : a;
}

static enum feed_result send_head(struct feed *feed, struct conn *conn, size_t *share)
{
    enum feed_result result =
        feed_send_part(feed, conn, text_bytes(&feed->head), &feed->head_sent, share);
    if (result == FEED_NEXT) {
        text_fini(&feed->head);
        feed->head_sent = 0;
    }
    return result;
}

void feed_grant(struct feed *feed, size_t bytes)
{
    feed->granted += bytes;
}

static enum feed_result send_rdb(struct feed *feed, struct conn *conn, size_t *share)
{
    if (feed->snapshot == NULL)
        return FEED_NEXT;
    if (feed_compresses_rdb(feed))
        return feed_send_compressed_rdb(feed, conn, share);
    /* The state first: what is readable when it is complete is the whole. */
    enum snapshot_state state = snapshot_state(feed->snapshot);
    if (state == SNAPSHOT_FAILED)
        return FEED_SNAPSHOT;
    uint64_t readable = snapshot_readable(feed->snapshot);
    while (feed->snapshot_sent < readable) {
        if (*share == 0)
            return FEED_MORE;
        size_t allowed = feed_rated_length(feed, *share);
        if (allowed == 0)
            return FEED_OVER_RATE;
        int file = snapshot_file(feed->snapshot);
        uint64_t at = feed->snapshot_sent;
        size_t cached =
            feed_cached_length(feed, file, at, at, least(FEED_AHEAD_BYTES, readable - at));
        if (cached == 0)
            return FEED_COLD;
        size_t sent = 0;
        enum conn_io io = conn_send_file(conn, file, at, least(allowed, cached), &sent);
        enum feed_result result = feed_book(feed, io, sent, share);
        if (result != FEED_NEXT)
            return result;
        feed->snapshot_sent += sent;
        feed_note_rated(feed, sent);
    }
    if (state != SNAPSHOT_COMPLETE)
        return FEED_IDLE;
    feed_end_rdb(feed);
    return FEED_NEXT;
}

static enum feed_result send_mark(struct feed *feed, struct conn *conn, size_t *share)
{
    if (!feed->has_mark)
        return FEED_NEXT;
    return feed_send_part(feed, conn, bytes_at(feed->mark, PAYLOAD_MARK_LENGTH), &feed->mark_sent,
                          share);
}

/* feed_acknowledge goes on from here. */
static enum feed_result wait_for_first_ack(struct feed *feed, struct conn *conn, size_t *share)
{
    (void)conn;
    (void)share;
    /* What follows the mark at once is swallowed, or taken for a part of the RDB (docs/protocol.md 2.2). Behind a
     * length it is not. */
    if (!feed->has_stream)
        return FEED_SERVED;
    return feed->has_mark ? FEED_IDLE : FEED_NEXT;
}

static enum conn_io send_piece(struct feed *feed, struct conn *conn, struct bytes piece,
                               size_t *sent)
{
    /* Of few bytes a copy is cheaper than a sendfile. But the kernel has to make it: where we would read the mapping
     * ourselves (TLS in user space), a disk that fails would be a SIGBUS, and conn_send_file reads instead. */
    if (piece.length < FEED_FILE_BYTES && conn_moves_files(conn))
        return conn_send(conn, piece, false, sent);
    uint64_t position;
    int file = cursor_file(&feed->cursor, &position);
    return conn_send_file(conn, file, position, piece.length, sent);
}

static enum feed_result send_stream(struct feed *feed, struct conn *conn, size_t *share)
{
    CHECK(feed->has_stream);
    if (feed_compresses_stream(feed))
        return feed_send_compressed_stream(feed, conn, share);
    for (;;) {
        struct bytes view;
        enum feed_result result = feed_look(feed, *share, &view);
        if (result != FEED_NEXT)
            return result;
        size_t sent = 0;
        enum conn_io io =
            send_piece(feed, conn, bytes_first(view, least(*share, view.length)), &sent);
        result = feed_book(feed, io, sent, share);
        if (result != FEED_NEXT)
            return result;
        cursor_advance(&feed->cursor, sent);
    }
}

enum feed_result feed_pump(struct feed *feed, struct conn *conn)
{
    /* First: nothing more is sent of a history that the replica must leave, however much of it is here. */
    enum feed_result standing = feed_check(feed);
    if (standing != FEED_IDLE)
        return standing;
    size_t share = FEED_TURN_BYTES;
    for (;;) {
        enum feed_result result = steps[feed->step](feed, conn, &share);
        if (result != FEED_NEXT)
            return result;
        CHECK(feed->step < FEED_STREAM);
        feed->step++;
    }
}

enum feed_result feed_flush(struct feed *feed, struct conn *conn)
{
    CHECK(feed->step == FEED_HEAD);
    size_t share = FEED_TURN_BYTES;
    enum feed_result result = send_head(feed, conn, &share);
    return result == FEED_NEXT ? FEED_IDLE : result;
}

enum feed_result feed_check(struct feed *feed)
{
    if (feed->snapshot != NULL && snapshot_state(feed->snapshot) == SNAPSHOT_FAILED)
        return FEED_SNAPSHOT;
    if (!feed->has_stream)
        return FEED_IDLE;
    struct bytes view;
    enum feed_result standing = feed_cannot_read(cursor_peek(&feed->cursor, &view));
    /* The RDB before it, and the stream up to the new id, a piece that is on its way included, are as good under the
     * id that it was told; it learns the new one when it comes back with an offset that is in the backlog. */
    bool has_to_send = feed->step < FEED_STREAM || feed_has_unsent_piece(feed);
    return standing == FEED_RENAMED && has_to_send ? FEED_IDLE : standing;
}

/* Where the next byte is, and how many there are from it on in one file. False: none. */
static bool find_next(struct feed *feed, struct feed_piece *piece, uint64_t *at, uint64_t *length)
{
    struct bytes view;
    piece->step = feed->step;
    switch (feed->step) {
    case FEED_RDB:
        if (feed->snapshot == NULL || snapshot_readable(feed->snapshot) <= feed->snapshot_sent)
            return false;
        piece->file = snapshot_file(feed->snapshot);
        piece->position = *at = feed->snapshot_sent;
        *length = snapshot_readable(feed->snapshot) - *at;
        return true;
    case FEED_STREAM:
        if (cursor_peek(&feed->cursor, &view) != CURSOR_BYTES)
            return false;
        piece->file = cursor_file(&feed->cursor, &piece->position);
        *at = feed->cursor.offset;
        *length = view.length;
        return true;
    case FEED_HEAD:
    case FEED_MARK:
    case FEED_FIRST_ACK:
    case FEED_STEPS:
        return false;
    }
    UNREACHABLE("no such step");
}

bool feed_wants(struct feed *feed, struct feed_piece *piece)
{
    uint64_t at;
    uint64_t length;
    if (!feed->is_cold || !find_next(feed, piece, &at, &length))
        return false;
    /* One piece further than what is being sent: while that goes out, the disk is at work already. */
    uint64_t held = feed->cached_until > at ? feed->cached_until - at : 0;
    if (held >= FEED_AHEAD_BYTES || held >= length)
        return false;
    piece->position += held;
    piece->length = least(FEED_AHEAD_BYTES, length - held);
    piece->until = at + held + piece->length;
    return true;
}

void feed_note_read(struct feed *feed, const struct feed_piece *piece, bool was_cached)
{
    /* It was of the RDB, and the RDB is through: what is behind it is another file. */
    if (piece->step != feed->step)
        return;
    uint64_t at = feed->step == FEED_RDB ? feed->snapshot_sent : feed->cursor.offset;
    uint64_t held_until = feed->cached_until > at ? feed->cached_until : at;
    /* What is before it may have been dropped meanwhile, and is looked for again. */
    if (piece->until - piece->length > held_until)
        return;
    if (feed->cached_until < piece->until)
        feed->cached_until = piece->until;
    feed->cached_ms = clock_ms();
    feed->is_cold = !was_cached;
}

void feed_release_snapshot(struct feed *feed)
{
    CHECK(feed->step > FEED_RDB);
    snapshot_release(&feed->snapshot);
}

bool feed_acknowledge(struct feed *feed)
{
    if (feed->step != FEED_FIRST_ACK)
        return false;
    feed->step = FEED_STREAM;
    return true;
}
