/* SPDX-License-Identifier: MIT */
#include "backlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog_private.h"
#include "files.h"
#include "recovery.h"
#include "relay/base/log.h"
#include "relay/store/cursor.h"
#include "relay/store/identity.h"
#include "segment.h"

void backlog_set_error(struct backlog *backlog, const struct text *why)
{
    snprintf(backlog->error, sizeof(backlog->error), "%s",
             why->length > 0 ? text_string(why) : "out of memory");
}

/* ------------------------------------------------------------------ made, loaded, let go of */

static struct backlog *backlog_make(const struct backlog_dependencies *dependencies,
                                    struct text *why)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));
    struct segment_space *space = calloc(1, sizeof(*space));
    uint8_t *owed_copy = malloc(BACKLOG_APPEND_MAX);
    if (backlog == NULL || space == NULL || owed_copy == NULL) {
        text_format(why, "out of memory");
        free(owed_copy);
        free(backlog);
        free(space);
        errno = ENOMEM;
        return NULL;
    }
    backlog->dependencies = *dependencies;
    backlog->space = space;
    backlog->owed_copy = owed_copy;
    space->reclaimer = dependencies->reclaimer;
    space->files = dependencies->files;
    atomic_init(&space->references, 1);
    return backlog;
}

void backlog_chain(struct backlog *backlog, struct segment *segment)
{
    if (backlog->last == NULL)
        backlog->head = segment;
    else /* Release: the segment before is complete, and this one whole, before readers see it. */
        atomic_store_explicit(&backlog->last->next, segment, memory_order_release);
    backlog->last = segment;
    backlog->count++;
    backlog->charge += segment->disk_bytes + segment->cut_bytes;
}

struct backlog *backlog_new(const struct backlog_dependencies *dependencies, uint64_t first,
                            struct text *why)
{
    struct backlog *backlog = backlog_make(dependencies, why);
    if (backlog == NULL)
        return NULL;
    struct segment *segment = segment_create(dependencies->directory, first,
                                             dependencies->segment_bytes, backlog->space, why);
    if (segment == NULL) {
        backlog_free(&backlog);
        return NULL;
    }
    backlog_chain(backlog, segment);
    backlog->boundary = first;
    backlog->published_boundary = backlog->boundary;
    if (!backlog_set_mark(backlog)) {
        int error = errno;
        text_format(why, "%s", backlog->error);
        segment_unlink(segment, dependencies->directory);
        backlog_free(&backlog);
        errno = error;
    }
    return backlog;
}

void backlog_free(struct backlog **backlog)
{
    struct backlog *it = *backlog;
    if (it == NULL)
        return;
    backlog_end_prepared(it);
    /* A lone empty one keeps its space: on a full disk the next start would find none for it. */
    bool is_empty =
        it->last == it->head && it->last != NULL && it->last->written == it->last->first;
    if (it->last != NULL && it->last->has_name && !it->last->is_cut && !is_empty &&
        it->last->written - it->last->first < it->last->capacity)
        segment_seal(it->last);
    segment_release(it->head);
    segment_space_release(it->space);
    free(it->owed_copy);
    free(it);
    *backlog = NULL;
}

/* Opens a new segment behind what was proven. Where the disk has no room for it, what is held can be
 * served all the same. */
static void open_behind(struct backlog *backlog, const struct identity_segment *row)
{
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    struct segment *segment =
        segment_create(backlog->dependencies.directory, row->end,
                       backlog->dependencies.segment_bytes, backlog->space, &why);
    if (segment != NULL) {
        backlog_chain(backlog, segment);
    } else {
        log_warnx("store: no segment to go on in: %s", text_string(&why));
        backlog_set_error(backlog, &why);
    }
    text_fini(&why);
}

/* Puts what was proven into the chain. */
static void chain_up(struct backlog *backlog, struct proven *proven)
{
    const struct identity *identity = backlog->dependencies.identity;
    backlog->unproven = proven->unproven;
    for (size_t i = 0; i < identity->segment_count; i++) {
        const struct identity_segment *row = &identity->segments[i];
        if (i < proven->unproven)
            backlog->unproven_bytes += row->end - row->first;
        else
            backlog_chain(backlog, proven->sealed[i]);
    }
    if (proven->newest != NULL) {
        backlog_chain(backlog, proven->newest);
        backlog->boundary = proven->mark.boundary;
    } else {
        const struct identity_segment *row = &identity->segments[identity->segment_count - 1];
        open_behind(backlog, row);
        backlog->boundary = row->boundary;
    }
    if (backlog->boundary < backlog_first(backlog))
        log_warnx("store: the last command boundary, %" PRIu64 ", is before the window: it can be "
                  "served, but upstream cannot go on behind it",
                  backlog->boundary);
    backlog->published_boundary = backlog->boundary;
    if (!backlog_set_mark(backlog)) /* the next publish does */
        log_warnx("store: %s", backlog->error);
}

struct backlog *backlog_load(const struct backlog_dependencies *dependencies, struct text *why)
{
    struct backlog *backlog = backlog_make(dependencies, why);
    if (backlog == NULL)
        return NULL;
    struct proven proven;
    if (recovery_load(&proven, dependencies, backlog->space, why)) {
        chain_up(backlog, &proven);
        recovery_fini(&proven);
    } else {
        int error = errno;
        backlog_free(&backlog);
        errno = error;
    }
    return backlog;
}

/* ------------------------------------------------------------------ what thread 0 asks */

uint64_t backlog_end(const struct backlog *backlog)
{
    return backlog->last->written;
}

uint64_t backlog_published(const struct backlog *backlog)
{
    return atomic_load_explicit(&backlog->last->published, memory_order_relaxed);
}

uint64_t backlog_disk_bytes(const struct backlog *backlog)
{
    return backlog_space(backlog);
}

size_t backlog_segment_count(const struct backlog *backlog)
{
    return backlog->count;
}

uint64_t backlog_pinned_bytes(const struct backlog *backlog)
{
    uint64_t chained = backlog->unproven_bytes + backlog_prepared_bytes(backlog);
    uint64_t beyond = 0;
    for (const struct segment *s = backlog->head; s != NULL; s = segment_next(s)) {
        chained += s->disk_bytes;
        if (backlog_is_beyond(backlog, s))
            beyond += s->disk_bytes;
    }
    uint64_t all = backlog_space(backlog);
    /* What nobody stands in goes within the second. */
    uint64_t held = backlog_is_pinned(backlog->head) ? beyond : 0;
    return held + (all > chained ? all - chained : 0);
}

uint64_t backlog_boundary(const struct backlog *backlog)
{
    return backlog->boundary;
}

uint64_t backlog_published_boundary(const struct backlog *backlog)
{
    return backlog->published_boundary;
}

void backlog_set_boundary(struct backlog *backlog, uint64_t boundary)
{
    CHECK(boundary >= backlog->boundary);
    CHECK(boundary <= backlog->last->written);
    backlog->boundary = boundary;
}

struct segment *backlog_newest(const struct backlog *backlog)
{
    return backlog->last;
}

struct tail_mark backlog_mark(const struct backlog *backlog)
{
    return (struct tail_mark){
        .segment_first = backlog->last->first,
        .end = backlog->last->written,
        .boundary = backlog->boundary,
        .crc = backlog->last->crc,
    };
}

const char *backlog_error(const struct backlog *backlog)
{
    return backlog->error;
}

void backlog_each_from(const struct backlog *backlog, uint64_t offset, backlog_segment_fn *fn,
                       void *arg)
{
    for (struct segment *s = backlog->head; s != NULL; s = segment_next(s)) {
        if (s->written > offset || s == backlog->last)
            fn(s, arg);
    }
}

void backlog_unlink(struct backlog *backlog)
{
    for (struct segment *s = backlog->head; s != NULL; s = segment_next(s))
        segment_unlink(s, backlog->dependencies.directory);
}

/* ------------------------------------------------------------------ publish */

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

/* ------------------------------------------------------------------ readers begin */

bool backlog_attach(struct backlog *backlog, struct cursor *cursor, uint64_t offset)
{
    if (offset < backlog_first(backlog) || offset > backlog_published(backlog))
        return false;
    struct segment *segment = backlog->head;
    struct segment *next;
    while ((next = segment_next(segment)) != NULL && next->first <= offset)
        segment = next;
    segment_retain(segment);
    cursor->segment = segment;
    cursor->offset = offset;
    cursor->replid_index = backlog->replid_index;
    return true;
}
