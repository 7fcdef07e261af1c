/* SPDX-License-Identifier: MIT */
#include "intake.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/net/conn.h"

enum {
    PIECE_MAX = 512 * 1024,     /* of one receive */
    OVERLAP_PIECE = 16 * 1024,  /* of what is compared */
    TURN_MAX = 4 * 1024 * 1024, /* of one turn: the replicas' side must get its share of thread 0 */
};

void intake_begin(struct intake *intake, struct history *history, uint8_t *scratch,
                  size_t scratch_length)
{
    intake_end(intake);
    memset(intake, 0, sizeof(*intake));
    intake->history = history;
    intake->scratch = scratch;
    intake->scratch_length = scratch_length;
    uint64_t boundary = history_boundary(history);
    backlog_forget_owed(history_backlog(history)); /* the origin is asked for it again */
    tokenizer_init(&intake->tokenizer, boundary);
    struct backlog *backlog = history_backlog(history);
    if (boundary < backlog_end(backlog)) {
        bool attached = cursor_attach(&intake->overlap, backlog, boundary);
        CHECK(attached);
    }
}

void intake_end(struct intake *intake)
{
    cursor_detach(&intake->overlap);
}

static enum intake_result no_stream(const struct intake *intake, struct text *why)
{
    text_format(why, "what the origin sent at offset %" PRIu64 " is no replication stream: %s",
                intake->tokenizer.offset, intake->tokenizer.error);
    return INTAKE_BROKEN;
}

/* What is held between the last complete command and our end is of no use: nobody can have applied it,
 * since it ends before its command does. `cause` says why. */
static enum intake_result cut_off(struct intake *intake, const char *cause, struct text *why)
{
    uint64_t boundary = history_boundary(intake->history);
    cursor_detach(&intake->overlap);
    if (!history_rewind(intake->history, boundary, why))
        return INTAKE_LOST;
    text_format(why, "the bytes after the boundary %" PRIu64 " %s: cut off there", boundary, cause);
    return INTAKE_REWOUND;
}

/* Compares what comes again. What is new stays in the input. */
static enum intake_result feed_overlap(struct intake *intake, struct bytes *input, struct text *why)
{
    while (input->length > 0) {
        struct bytes held;
        uint8_t piece[OVERLAP_PIECE];
        if (cursor_peek(&intake->overlap, &held) != CURSOR_BYTES)
            break;
        size_t length = held.length < input->length ? held.length : input->length;
        if (length > sizeof(piece))
            length = sizeof(piece);
        if (!cursor_read(&intake->overlap, piece, length))
            return cut_off(intake, "cannot be read", why);
        if (memcmp(piece, input->data, length) != 0) /* other bytes under the same id */
            return cut_off(intake, "came again and were others", why);
        if (!tokenizer_feed(&intake->tokenizer, bytes_first(*input, length)))
            return no_stream(intake, why);
        *input = bytes_skip(*input, length);
        cursor_advance(&intake->overlap, length);
    }
    if (intake->overlap.offset == backlog_end(history_backlog(intake->history)))
        cursor_detach(&intake->overlap);
    return INTAKE_OK;
}

static enum intake_result judge_room(const struct intake *intake, enum backlog_room room)
{
    switch (room) {
    case BACKLOG_ROOM:
        CHECK(intake->tokenizer.offset == backlog_end(history_backlog(intake->history)));
        history_set_boundary(intake->history, intake->tokenizer.boundary);
        return INTAKE_OK;
    case BACKLOG_NO_SPACE:
        return INTAKE_NO_SPACE;
    case BACKLOG_HELD:
        return INTAKE_HELD;
    }
    UNREACHABLE("a room without a case");
}

/* Bytes that stand in their place already: reads them, and makes them the history's. What the disk does not
 * take now it takes before the next ones are received. */
static enum intake_result take(struct intake *intake, struct bytes placed, struct text *why)
{
    if (!tokenizer_feed(&intake->tokenizer, placed))
        return no_stream(intake, why);
    return judge_room(intake, backlog_append(history_backlog(intake->history), placed.length));
}

static enum intake_result reserve(const struct intake *intake, uint8_t **into, size_t *capacity)
{
    return judge_room(intake, backlog_reserve(history_backlog(intake->history), into, capacity));
}

enum intake_result intake_feed(struct intake *intake, struct bytes *input, struct text *why)
{
    enum intake_result result = INTAKE_OK;
    if (intake->overlap.segment != NULL)
        result = feed_overlap(intake, input, why);
    while (result == INTAKE_OK && input->length > 0) {
        uint8_t *into;
        size_t capacity;
        result = reserve(intake, &into, &capacity);
        if (result != INTAKE_OK)
            break;
        size_t length = capacity < input->length ? capacity : input->length;
        memcpy(into, input->data, length);
        result = take(intake, bytes_at(into, length), why);
        *input = bytes_skip(*input, length);
    }
    return result;
}

static enum intake_result judge_io(enum conn_io io, const struct conn *conn, struct text *why)
{
    if (io == CONN_END)
        text_format(why, "the origin closed the connection");
    else
        text_format(why, "%s", conn_error(conn));
    return INTAKE_END;
}

/* Where the next bytes are received to: into their place, or, while they come a second time, into the
 * scratch; no more there than is held, so that nothing new ever waits in it. */
static enum intake_result place(const struct intake *intake, uint8_t **into, size_t *capacity)
{
    if (intake->overlap.segment == NULL) {
        enum intake_result room = reserve(intake, into, capacity);
        if (room == INTAKE_OK && *capacity > PIECE_MAX)
            *capacity = PIECE_MAX;
        return room;
    }
    uint64_t held = backlog_end(history_backlog(intake->history)) - intake->overlap.offset;
    CHECK(held > 0);
    *into = intake->scratch;
    *capacity = held < intake->scratch_length ? (size_t)held : intake->scratch_length;
    return INTAKE_OK;
}

/* One receive. *is_drained: no more was there than it took. */
static enum intake_result receive_piece(struct intake *intake, struct conn *conn, size_t *received,
                                        bool *is_drained, struct text *why)
{
    uint8_t *into;
    size_t capacity;
    *received = 0;
    enum intake_result room = place(intake, &into, &capacity);
    if (room != INTAKE_OK)
        return room;
    enum conn_io io = conn_receive(conn, into, capacity, received);
    *is_drained = *received < capacity;
    if (io == CONN_AGAIN)
        return INTAKE_OK;
    if (io != CONN_OK)
        return judge_io(io, conn, why);
    struct bytes view = bytes_at(into, *received);
    return into == intake->scratch ? feed_overlap(intake, &view, why) : take(intake, view, why);
}

enum intake_result intake_receive(struct intake *intake, struct conn *conn, struct text *why)
{
    bool is_drained = false; /* asking once more would only make those wait who are to have it */
    for (size_t total = 0; total < TURN_MAX && !is_drained;) {
        size_t received;
        enum intake_result result = receive_piece(intake, conn, &received, &is_drained, why);
        if (result != INTAKE_OK)
            return result;
        total += received;
    }
    return INTAKE_OK;
}

bool intake_take_getack(struct intake *intake)
{
    bool seen = intake->answered != intake->tokenizer.getacks;
    intake->answered = intake->tokenizer.getacks;
    return seen;
}

bool intake_take_ping(struct intake *intake)
{
    bool seen = intake->noticed != intake->tokenizer.pings;
    intake->noticed = intake->tokenizer.pings;
    return seen;
}
