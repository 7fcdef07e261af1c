/* SPDX-License-Identifier: MIT
 *
 * The stream of a history: what others append to and read from is its backlog, which they do not see.
 */
#include "history_state_private.h"
#include "relay/store/history.h"

uint64_t history_first(const struct history *history)
{
    return backlog_first(history->backlog);
}

uint64_t history_end(const struct history *history)
{
    return backlog_end(history->backlog);
}

uint64_t history_published(const struct history *history)
{
    return backlog_published(history->backlog);
}

enum backlog_space history_make_ready(struct history *history)
{
    /* Of a new one the file thread makes the directories and the first segment first. */
    return history->is_made ? backlog_make_ready(history->backlog) : BACKLOG_HELD;
}

enum backlog_space history_append(struct history *history, struct bytes data)
{
    return backlog_append(history->backlog, data);
}

uint64_t history_room(const struct history *history)
{
    return backlog_room(history->backlog);
}

void history_forget_owed(struct history *history)
{
    backlog_forget_owed(history->backlog);
}

bool history_awaits_segment(const struct history *history)
{
    return !history->is_made || backlog_awaits_segment(history->backlog);
}

bool history_is_at_its_end(const struct history *history)
{
    return backlog_is_at_its_end(history->backlog);
}

const char *history_stream_error(const struct history *history)
{
    return backlog_error(history->backlog);
}

bool history_attach(struct history *history, struct cursor *cursor, uint64_t offset)
{
    return backlog_attach(history->backlog, cursor, offset);
}

uint64_t history_boundary(const struct history *history)
{
    return backlog_boundary(history->backlog);
}

uint64_t history_published_boundary(const struct history *history)
{
    return backlog_published_boundary(history->backlog);
}

void history_set_boundary(struct history *history, uint64_t boundary)
{
    backlog_set_boundary(history->backlog, boundary);
}
