/* SPDX-License-Identifier: MIT */
#include "feed_compressed.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "feed_send.h"
#include "piece_cache.h"
#include "relay/base/check.h"

/* An RDB that is being compressed for one replica. */
struct rdb_frame {
    struct compressor *compressor;
    bool has_begun;
    bool has_ended;
    size_t length; /* of `out`, and how much of it has been sent */
    size_t sent;
    uint8_t plain[COMPRESSOR_PART_MAX];
    uint8_t out[]; /* the largest part and the head fit */
};

static void rdb_frame_free(struct rdb_frame **frame)
{
    if (*frame != NULL)
        compressor_free(&(*frame)->compressor);
    free(*frame);
    *frame = NULL;
}

static struct rdb_frame *rdb_frame_new(struct compression compression)
{
    struct compressor *compressor = compressor_new(compression);
    if (compressor == NULL)
        return NULL;
    size_t bound = compressor_bound(compressor, COMPRESSOR_PART_MAX) + COMPRESSOR_HEAD_MAX;
    struct rdb_frame *frame = calloc(1, sizeof(*frame) + bound);
    if (frame == NULL)
        compressor_free(&compressor);
    else
        frame->compressor = compressor;
    return frame;
}

void feed_compression_fini(struct feed_compression *compression)
{
    piece_release(&compression->piece);
    rdb_frame_free(&compression->rdb);
}

bool feed_compresses_rdb(const struct feed *feed)
{
    return feed->compression.codec.compression.codec != CODEC_NONE &&
           feed->compression.codec.has_envelope && feed->has_mark;
}

bool feed_compresses_stream(const struct feed *feed)
{
    return feed->compression.codec.compression.codec != CODEC_NONE;
}

bool feed_has_unsent_piece(const struct feed *feed)
{
    return feed->compression.piece != NULL;
}

static void take_cost(size_t plain_length, size_t *share)
{
    size_t cost = plain_length * FEED_COMPRESSION_COST;
    *share -= cost < *share ? cost : *share;
}

/* ------------------------------------------------------------------ the RDB */

/* Reads `length` bytes of the snapshot. False: the disk. */
static bool read_rdb(const struct feed *feed, uint8_t *into, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(snapshot_file(feed->snapshot), into + done, length - done,
                            (off_t)(feed->snapshot_sent + done));
        if (got == -1 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* FEED_NEXT: the next part is in `out`. */
static enum feed_result compress_part(struct feed *feed, uint64_t readable, size_t *share)
{
    struct rdb_frame *frame = feed->compression.rdb;
    int file = snapshot_file(feed->snapshot);
    uint64_t at = feed->snapshot_sent;
    size_t length =
        readable - at < COMPRESSOR_PART_MAX ? (size_t)(readable - at) : COMPRESSOR_PART_MAX;
    length = feed_rated_length(feed, length);
    if (length == 0)
        return FEED_OVER_RATE;
    length = feed_cached_length(feed, file, at, at, length);
    if (length == 0)
        return FEED_COLD;
    if (!read_rdb(feed, frame->plain, length)) {
        feed_note_unreadable(feed);
        return FEED_UNREADABLE;
    }
    size_t made;
    if (!compressor_add(frame->compressor, bytes_at(frame->plain, length),
                        frame->out + frame->length, &made))
        return FEED_MEMORY;
    frame->length += made;
    feed->snapshot_sent += length;
    feed_note_rated(feed, length);
    feed->compression.plain_bytes += length;
    take_cost(length, share);
    return FEED_NEXT;
}

/* FEED_NEXT: there is something in `out`, or the frame has ended. */
static enum feed_result fill_out(struct feed *feed, enum snapshot_state state, uint64_t readable,
                                 size_t *share)
{
    struct rdb_frame *frame = feed->compression.rdb;
    frame->length = frame->sent = 0;
    if (!frame->has_begun && !compressor_begin(frame->compressor, frame->out, &frame->length))
        return FEED_MEMORY;
    frame->has_begun = true;
    if (feed->snapshot_sent < readable) {
        enum feed_result result = compress_part(feed, readable, share);
        if (result != FEED_NEXT && frame->length == 0)
            return result; /* else the head goes first */
    } else if (state == SNAPSHOT_COMPLETE) {
        if (!compressor_end(frame->compressor, frame->out, &frame->length))
            return FEED_MEMORY;
        frame->has_ended = true;
    } else if (frame->length == 0) {
        return FEED_IDLE;
    }
    feed->compression.wire_bytes += frame->length;
    return FEED_NEXT;
}

enum feed_result feed_send_compressed_rdb(struct feed *feed, struct conn *conn, size_t *share)
{
    if (feed->snapshot == NULL)
        return FEED_NEXT;
    /* The state first: what is readable when it is complete is the whole. */
    enum snapshot_state state = snapshot_state(feed->snapshot);
    if (state == SNAPSHOT_FAILED)
        return FEED_SNAPSHOT;
    uint64_t readable = snapshot_readable(feed->snapshot);
    struct feed_compression *it = &feed->compression;
    if (it->rdb == NULL)
        it->rdb = rdb_frame_new(it->codec.compression);
    if (it->rdb == NULL)
        return FEED_MEMORY;
    for (;;) {
        struct bytes out = bytes_at(it->rdb->out, it->rdb->length);
        enum feed_result result = feed_send_part(feed, conn, out, &it->rdb->sent, share);
        if (result != FEED_NEXT)
            return result;
        if (it->rdb->has_ended)
            break;
        if (*share == 0)
            return FEED_MORE;
        result = fill_out(feed, state, readable, share);
        if (result != FEED_NEXT)
            return result;
    }
    rdb_frame_free(&it->rdb);
    feed_end_rdb(feed);
    return FEED_NEXT;
}

/* ------------------------------------------------------------------ the stream */

/* FEED_NEXT: head and piece have gone. */
static enum feed_result send_begun(struct feed *feed, struct conn *conn, size_t *share)
{
    struct feed_compression *it = &feed->compression;
    if (it->piece == NULL)
        return FEED_NEXT;
    enum feed_result result =
        feed_send_part(feed, conn, bytes_at(it->head, it->head_length), &it->head_sent, share);
    if (result != FEED_NEXT)
        return result;
    result = feed_send_part(feed, conn, piece_bytes(it->piece), &it->piece_sent, share);
    if (result != FEED_NEXT)
        return result;
    piece_release(&it->piece);
    return FEED_NEXT;
}

/* The head goes with the first piece: an idle stream shows nothing. */
static void begin_piece(struct feed *feed, struct piece *piece)
{
    struct feed_compression *it = &feed->compression;
    if (!it->has_begun) {
        it->head_length =
            compressor_head(it->codec.compression.codec, it->codec.has_envelope, it->head);
        it->wire_bytes += it->head_length;
    }
    it->has_begun = true;
    it->piece = piece;
    it->piece_sent = 0;
    it->plain_bytes += piece_plain_length(piece);
    it->wire_bytes += piece_bytes(piece).length;
    cursor_advance(&feed->cursor, piece_plain_length(piece));
}

enum feed_result feed_send_compressed_stream(struct feed *feed, struct conn *conn, size_t *share)
{
    CHECK(feed->has_stream && feed->compression.cache != NULL);
    for (;;) {
        struct bytes view;
        struct piece *piece;
        enum feed_result result = send_begun(feed, conn, share);
        if (result == FEED_NEXT)
            result = feed_look(feed, *share, &view);
        if (result != FEED_NEXT)
            return result;
        uint64_t made = piece_cache_made(feed->compression.cache);
        switch (piece_cache_get(feed->compression.cache, &feed->cursor, view.length,
                                !feed_is_behind(feed), &piece)) {
        case PIECE_READY:
            break;
        case PIECE_GATHERING:
            return FEED_IDLE;
        case PIECE_UNREADABLE:
            feed_note_unreadable(feed);
            return FEED_UNREADABLE;
        case PIECE_NO_MEMORY:
            return FEED_MEMORY;
        }
        if (piece_cache_made(feed->compression.cache) != made)
            take_cost(piece_plain_length(piece), share);
        begin_piece(feed, piece);
    }
}
