/* SPDX-License-Identifier: MIT */
#include "stream_receiver.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/net/conn.h"

enum {
    PIECE_MAX = 512 * 1024,     /* of one receive */
    OVERLAP_PIECE = 16 * 1024,  /* of what is compared */
    TURN_MAX = 4 * 1024 * 1024, /* of one turn: the replicas' side must get its share of thread 0 */
    TURN_MS_MAX =
        20, /* where the kernel makes each write wait for the disk, since too much of it is dirty */
};

void stream_receiver_begin(struct stream_receiver *stream_receiver, struct history *history,
                           uint8_t *scratch, size_t scratch_length)
{
    stream_receiver_end(stream_receiver);
    memset(stream_receiver, 0, sizeof(*stream_receiver));
    stream_receiver->history = history;
    stream_receiver->scratch = scratch;
    stream_receiver->scratch_length = scratch_length;
    uint64_t boundary = history_boundary(history);
    backlog_forget_owed(history_backlog(history)); /* the primary is asked for it again */
    tokenizer_init(&stream_receiver->tokenizer, boundary);
    struct backlog *backlog = history_backlog(history);
    if (boundary < backlog_end(backlog)) {
        bool attached = cursor_attach(&stream_receiver->overlap, backlog, boundary);
        CHECK(attached);
    }
}

void stream_receiver_end(struct stream_receiver *stream_receiver)
{
    cursor_detach(&stream_receiver->overlap);
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
static enum stream_receiver_result cut_off(struct stream_receiver *stream_receiver,
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
            return cut_off(stream_receiver, "cannot be read", why);
        if (memcmp(piece, input->data, length) != 0) /* other bytes under the same id */
            return cut_off(stream_receiver, "came again and were others", why);
        if (!tokenizer_feed(&stream_receiver->tokenizer, bytes_first(*input, length)))
            return no_stream(stream_receiver, why);
        *input = bytes_skip(*input, length);
        cursor_advance(&stream_receiver->overlap, length);
    }
    if (stream_receiver->overlap.offset == backlog_end(history_backlog(stream_receiver->history)))
        cursor_detach(&stream_receiver->overlap);
    return STREAM_RECEIVER_OK;
}

static enum stream_receiver_result judge_room(const struct stream_receiver *stream_receiver,
                                              enum backlog_space room)
{
    switch (room) {
    case BACKLOG_SPACE:
        CHECK(stream_receiver->tokenizer.offset ==
              backlog_end(history_backlog(stream_receiver->history)));
        history_set_boundary(stream_receiver->history, stream_receiver->tokenizer.boundary);
        return STREAM_RECEIVER_OK;
    case BACKLOG_NO_SPACE:
        return STREAM_RECEIVER_NO_SPACE;
    case BACKLOG_HELD:
        return STREAM_RECEIVER_HELD;
    }
    UNREACHABLE("a room without a case");
}

/* Bytes that stand in their place already: reads them, and makes them the history's. What the disk does not
 * take now it takes before the next ones are received. */
static enum stream_receiver_result take(struct stream_receiver *stream_receiver,
                                        struct bytes placed, struct text *why)
{
    if (!tokenizer_feed(&stream_receiver->tokenizer, placed))
        return no_stream(stream_receiver, why);
    return judge_room(stream_receiver,
                      backlog_append(history_backlog(stream_receiver->history), placed.length));
}

static enum stream_receiver_result reserve(const struct stream_receiver *stream_receiver,
                                           uint8_t **into, size_t *capacity)
{
    return judge_room(stream_receiver,
                      backlog_reserve(history_backlog(stream_receiver->history), into, capacity));
}

enum stream_receiver_result stream_receiver_feed(struct stream_receiver *stream_receiver,
                                                 struct bytes *input, struct text *why)
{
    enum stream_receiver_result result = STREAM_RECEIVER_OK;
    if (stream_receiver->overlap.segment != NULL)
        result = feed_overlap(stream_receiver, input, why);
    while (result == STREAM_RECEIVER_OK && input->length > 0) {
        uint8_t *into;
        size_t capacity;
        result = reserve(stream_receiver, &into, &capacity);
        if (result != STREAM_RECEIVER_OK)
            break;
        size_t length = capacity < input->length ? capacity : input->length;
        memcpy(into, input->data, length);
        result = take(stream_receiver, bytes_at(into, length), why);
        *input = bytes_skip(*input, length);
    }
    return result;
}

static enum stream_receiver_result judge_io(enum conn_io io, const struct conn *conn,
                                            struct text *why)
{
    if (io == CONN_END)
        text_format(why, "the primary closed the connection");
    else
        text_format(why, "%s", conn_error(conn));
    return STREAM_RECEIVER_END;
}

/* Where the next bytes are received to: into their place, or, while they come a second time, into the
 * scratch; no more there than is held, so that nothing new ever waits in it. */
static enum stream_receiver_result place(const struct stream_receiver *stream_receiver,
                                         uint8_t **into, size_t *capacity)
{
    if (stream_receiver->overlap.segment == NULL) {
        enum stream_receiver_result room = reserve(stream_receiver, into, capacity);
        if (room == STREAM_RECEIVER_OK && *capacity > PIECE_MAX)
            *capacity = PIECE_MAX;
        return room;
    }
    uint64_t held =
        backlog_end(history_backlog(stream_receiver->history)) - stream_receiver->overlap.offset;
    CHECK(held > 0);
    *into = stream_receiver->scratch;
    *capacity =
        held < stream_receiver->scratch_length ? (size_t)held : stream_receiver->scratch_length;
    return STREAM_RECEIVER_OK;
}

/* One receive. *is_drained: no more was there than it took. */
static enum stream_receiver_result receive_piece(struct stream_receiver *stream_receiver,
                                                 struct conn *conn, size_t *received,
                                                 bool *is_drained, struct text *why)
{
    uint8_t *into;
    size_t capacity;
    *received = 0;
    enum stream_receiver_result room = place(stream_receiver, &into, &capacity);
    if (room != STREAM_RECEIVER_OK)
        return room;
    enum conn_io io = conn_receive(conn, into, capacity, received);
    *is_drained = *received < capacity;
    if (io == CONN_AGAIN)
        return STREAM_RECEIVER_OK;
    if (io != CONN_OK)
        return judge_io(io, conn, why);
    struct bytes view = bytes_at(into, *received);
    return into == stream_receiver->scratch ? feed_overlap(stream_receiver, &view, why)
                                            : take(stream_receiver, view, why);
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
