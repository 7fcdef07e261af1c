/* SPDX-License-Identifier: MIT
 *
 * What readers see of a backlog, and what a kill leaves of it: the mark in the tail first, then the published end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backlog.h"
#include "backlog_private.h"
#include "segment.h"

bool backlog_show(struct backlog *backlog)
{
    struct segment *last = backlog->last;
    bool news = atomic_load_explicit(&last->published, memory_order_relaxed) != last->written;
    /* Release: the bytes are there before the end that covers them. */
    atomic_store_explicit(&last->published, last->written, memory_order_release);
    return news;
}

/* Once for some MB. Without it the next start reads the whole segment. */
static void set_point(struct backlog *backlog)
{
    const struct segment *last = backlog->last;
    const struct segment_point *point = segment_point_until(last, backlog->boundary);
    if (point == NULL || point->offset == last->first || point->offset == backlog->told_point)
        return;
    const struct tail_point told = {
        .segment_first = last->first, .offset = point->offset, .crc = point->crc};
    if (tail_set_point(backlog->dependencies.tail, told))
        backlog->told_point = point->offset;
}

bool backlog_set_mark(struct backlog *backlog)
{
    backlog->is_unmarked = !tail_set_live(backlog->dependencies.tail, backlog_mark(backlog));
    set_point(backlog);
    if (!backlog->is_unmarked) {
        backlog->published_boundary = backlog->boundary;
        return true;
    }
    int error = errno;
    snprintf(backlog->error, sizeof(backlog->error), "tail: cannot write: %s", strerror(error));
    errno = error;
    return false;
}

/* The mark comes first: what a reader may have seen is never lost with the process. */
static bool publish(struct backlog *backlog)
{
    const struct segment *last = backlog->last;
    uint64_t published = atomic_load_explicit(&last->published, memory_order_relaxed);
    if (published == last->written && backlog->published_boundary == backlog->boundary &&
        !backlog->is_unmarked)
        return false;
    bool was_unmarked = backlog->is_unmarked;
    if (!backlog_set_mark(backlog) &&
        (backlog_give_way(backlog, errno, 0) != BACKLOG_SPACE || !backlog_set_mark(backlog)))
        return false;
    if (was_unmarked && backlog->owed.length == 0)
        backlog->error[0] = '\0';
    return backlog_show(backlog);
}

bool backlog_publish(struct backlog *backlog)
{
    bool news = publish(backlog) || backlog->news;
    backlog->news = false;
    backlog_prepare(backlog);
    return news;
}
