/* SPDX-License-Identifier: MIT */
#include "stream_receiver.h"

#include <inttypes.h>
#include <string.h>

#include "handshake.h"
#include "relay/base/clock.h"
#include "relay/net/conn.h"

enum {
    OVERLAP_PIECE = 16 * 1024,  /* of what is compared */
    TURN_MAX = 4 * 1024 * 1024, /* of one turn: the replicas' side must get its share of thread 0 */
    TURN_MS_MAX =
        20, /* where the kernel makes each write wait for the disk, since too much of it is dirty */
};

void stream_receiver_begin(struct stream_receiver *stream_receiver, struct history *history,
                           uint8_t *buffer, size_t buffer_length)
{
    CHECK(buffer_length <= BACKLOG_APPEND_MAX);
    stream_receiver_end(stream_receiver);
    memset(stream_receiver, 0, sizeof(*stream_receiver));
    stream_receiver->history = history;
    stream_receiver->buffer = buffer;
    stream_receiver->buffer_length = buffer_length;
    uint64_t boundary = history_boundary(history);
    /* The primary goes on at our boundary. What is held beyond it, the beginning of a command or
     * an open MULTI, comes a second time (docs/protocol.md 3.3, 4.1): it is compared, and not
     * stored again. */
    history_forget_owed(history); /* the primary is asked for it again */
    tokenizer_init(&stream_receiver->tokenizer, boundary);
    if (boundary < history_end(history)) {
        bool attached = history_attach(history, &stream_receiver->overlap, boundary);
        CHECK(attached);
    }
}

void stream_receiver_end(struct stream_receiver *stream_receiver)
{
    cursor_detach(&stream_receiver->overlap);
    stream_source_end(&stream_receiver->source);
}

void stream_receiver_decompress(struct stream_receiver *stream_receiver,
                                const struct handshake *handshake, struct compression_use *use,
                                struct bytes *pending)
{
    if (handshake->asked.codec == CODEC_NONE)
        return;
    const struct decompressor_options options = handshake_decompression(handshake, ENVELOPE_STREAM);
    stream_source_begin(&stream_receiver->source, &options, use, *pending);
    *pending = bytes_skip(*pending, pending->length);
}

static enum stream_receiver_result no_stream(const struct stream_receiver *stream_receiver,
                                             struct text *why)
{
    text_format(why, "what the primary sent at offset %" PRIu64 " is no replication stream: %s",
                stream_receiver->tokenizer.offset, stream_receiver->tokenizer.error);
    return STREAM_RECEIVER_BROKEN;
}

/* What is held between the last complete command and our end is of no use: nobody can have applied it,
 * since it ends before its command does. `cause` says why. */
static enum stream_receiver_result stream_receiver_cut_off(struct stream_receiver *stream_receiver,
                                                           const char *cause, struct text *why)
{
    uint64_t boundary = history_boundary(stream_receiver->history);
    cursor_detach(&stream_receiver->overlap);
    if (!history_rewind(stream_receiver->history, boundary, why))
        return STREAM_RECEIVER_LOST;
    text_format(why, "the bytes after the boundary %" PRIu64 " %s: cut off there", boundary, cause);
    return STREAM_RECEIVER_REWOUND;
}

/* Compares what comes again. What is new stays in the input. */
static enum stream_receiver_result feed_overlap(struct stream_receiver *stream_receiver,
                                                struct bytes *input, struct text *why)
{
    while (input->length > 0) {
        struct bytes held;
        uint8_t piece[OVERLAP_PIECE];
        if (cursor_peek(&stream_receiver->overlap, &held) != CURSOR_BYTES)
            break;
        size_t length = held.length < input->length ? held.length : input->length;
        if (length > sizeof(piece))
            length = sizeof(piece);
        if (!cursor_read(&stream_receiver->overlap, piece, length))
            return stream_receiver_cut_off(stream_receiver, "cannot be read", why);
        if (memcmp(piece, input->data, length) != 0) /* other bytes under the same id */
            return stream_receiver_cut_off(stream_receiver, "came again and were others", why);
        if (!tokenizer_feed(&stream_receiver->tokenizer, bytes_first(*input, length)))
            return no_stream(stream_receiver, why);
        *input = bytes_skip(*input, length);
        cursor_advance(&stream_receiver->overlap, length);
    }
    if (stream_receiver->overlap.offset == history_end(stream_receiver->history))
        cursor_detach(&stream_receiver->overlap);
    return STREAM_RECEIVER_OK;
}

static enum stream_receiver_result judge_space(const struct stream_receiver *stream_receiver,
                                               enum backlog_space space)
{
    switch (space) {
    case BACKLOG_SPACE:
        /* Had the two run apart, every byte that follows would be stored, served and
         * acknowledged under a wrong offset. */
        CHECK(stream_receiver->tokenizer.offset == history_end(stream_receiver->history));
        history_set_boundary(stream_receiver->history, stream_receiver->tokenizer.boundary);
        return STREAM_RECEIVER_OK;
    case BACKLOG_NO_SPACE:
        return STREAM_RECEIVER_NO_SPACE;
    case BACKLOG_HELD:
        return STREAM_RECEIVER_HELD;
    }
    UNREACHABLE("a space without a case");
}

/* Reads new bytes, and makes them the history's: tokenized first, so that what is no stream is
 * not stored. What the disk does not take now it takes before the next ones are received. The
 * boundary moves last: an offset that somebody may ask for is behind bytes that are here. */
static enum stream_receiver_result append(struct stream_receiver *stream_receiver,
                                          struct bytes data, struct text *why)
{
    if (!tokenizer_feed(&stream_receiver->tokenizer, data))
        return no_stream(stream_receiver, why);
    return judge_space(stream_receiver, history_append(stream_receiver->history, data));
}

/* No piece is longer than the newest segment has room for: a segment is sealed with the boundary of what it holds, which
 * moves behind each piece. Were it to end in the middle of one, it would have that of some hundred KB before, and a relay
 * that finds it as its newest after a power failure, or has given up the one before it, could not go on from its end. */
static size_t piece_length(const struct stream_receiver *stream_receiver, size_t most)
{
    uint64_t room = history_room(stream_receiver->history);
    return room < most ? (size_t)room : most;
}

static enum stream_receiver_result make_ready(const struct stream_receiver *stream_receiver)
{
    return judge_space(stream_receiver, history_make_ready(stream_receiver->history));
}

enum stream_receiver_result stream_receiver_feed(struct stream_receiver *stream_receiver,
                                                 struct bytes *input, struct text *why)
{
    enum stream_receiver_result result = STREAM_RECEIVER_OK;
    if (stream_receiver->overlap.segment != NULL)
        result = feed_overlap(stream_receiver, input, why);
    while (result == STREAM_RECEIVER_OK && input->length > 0) {
        result = make_ready(stream_receiver);
        if (result != STREAM_RECEIVER_OK)
            break;
        size_t most = input->length < BACKLOG_APPEND_MAX ? input->length : BACKLOG_APPEND_MAX;
        struct bytes piece = bytes_first(*input, piece_length(stream_receiver, most));
        result = append(stream_receiver, piece, why);
        *input = bytes_skip(*input, piece.length);
    }
    return result;
}

static enum stream_receiver_result judge_io(const struct stream_receiver *stream_receiver,
                                            enum conn_io io, struct text *why)
{
    if (stream_receiver->source.is_garbled)
        return STREAM_RECEIVER_GARBLED;
    if (io == CONN_END)
        text_format(why, "the primary closed the connection");
    return STREAM_RECEIVER_END;
}

/* How much may be received next. Of what comes a second time no more than is held, so that nothing new ever waits in
 * the buffer. */
static enum stream_receiver_result find_capacity(const struct stream_receiver *stream_receiver,
                                                 size_t *capacity)
{
    *capacity = stream_receiver->buffer_length;
    if (stream_receiver->overlap.segment == NULL) {
        enum stream_receiver_result result = make_ready(stream_receiver);
        if (result == STREAM_RECEIVER_OK)
            *capacity = piece_length(stream_receiver, *capacity);
        return result;
    }
    uint64_t held = history_end(stream_receiver->history) - stream_receiver->overlap.offset;
    CHECK(held > 0);
    if (held < *capacity)
        *capacity = (size_t)held;
    return STREAM_RECEIVER_OK;
}

/* One receive. *is_drained: no more was there than it took. */
static enum stream_receiver_result receive_piece(struct stream_receiver *stream_receiver,
                                                 struct conn *conn, size_t *received,
                                                 bool *is_drained, struct text *why)
{
    size_t capacity;
    *received = 0;
    enum stream_receiver_result result = find_capacity(stream_receiver, &capacity);
    if (result != STREAM_RECEIVER_OK)
        return result;
    enum conn_io io = stream_source_receive(&stream_receiver->source, conn, stream_receiver->buffer,
                                            capacity, received, why);
    *is_drained = *received < capacity && !stream_source_has_more(&stream_receiver->source);
    if (io == CONN_AGAIN)
        return STREAM_RECEIVER_OK;
    if (io != CONN_OK)
        return judge_io(stream_receiver, io, why);
    struct bytes view = bytes_at(stream_receiver->buffer, *received);
    return stream_receiver->overlap.segment != NULL ? feed_overlap(stream_receiver, &view, why)
                                                    : append(stream_receiver, view, why);
}

enum stream_receiver_result stream_receiver_receive(struct stream_receiver *stream_receiver,
                                                    struct conn *conn, struct text *why)
{
    int64_t until_ms = clock_ms() + TURN_MS_MAX;
    bool is_drained = false; /* asking once more would only make those wait who are to have it */
    for (size_t total = 0; total < TURN_MAX && !is_drained;) {
        size_t received;
        enum stream_receiver_result result =
            receive_piece(stream_receiver, conn, &received, &is_drained, why);
        if (result != STREAM_RECEIVER_OK)
            return result;
        total += received;
        if (clock_ms() >= until_ms)
            break;
    }
    return STREAM_RECEIVER_OK;
}

bool stream_receiver_has_more(const struct stream_receiver *stream_receiver)
{
    return stream_source_has_more(&stream_receiver->source);
}

bool stream_receiver_take_getack(struct stream_receiver *stream_receiver)
{
    bool seen = stream_receiver->answered != stream_receiver->tokenizer.getacks;
    stream_receiver->answered = stream_receiver->tokenizer.getacks;
    return seen;
}

bool stream_receiver_take_ping(struct stream_receiver *stream_receiver)
{
    bool seen = stream_receiver->noticed != stream_receiver->tokenizer.pings;
    stream_receiver->noticed = stream_receiver->tokenizer.pings;
    return seen;
}
