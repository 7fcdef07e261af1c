/* SPDX-License-Identifier: MIT */
#include "backlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backlog_private.h"
#include "recovery.h"
#include "relay/store/cursor.h"
#include "segment.h"

void backlog_set_error(struct backlog *backlog, const struct text *why)
{
    snprintf(backlog->error, sizeof(backlog->error), "%s",
             why->length > 0 ? text_string(why) : "out of memory");
}

/* ------------------------------------------------------------------ made, let go of */

struct backlog *backlog_make(const struct backlog_dependencies *dependencies, struct text *why)
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
    backlog->keep_from = UINT64_MAX;
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
    struct segment *segment = segment_reserve(first, dependencies->segment_bytes, backlog->space);
    if (segment == NULL) {
        text_format(why, "out of memory");
        backlog_free(&backlog);
        errno = ENOMEM;
        return NULL;
    }
    segment->has_name = false; /* until it has a file */
    backlog_chain(backlog, segment);
    backlog->boundary = first;
    backlog->published_boundary = backlog->boundary;
    return backlog;
}

void backlog_set_place(struct backlog *backlog, int directory, struct tail *tail)
{
    backlog->dependencies.directory = directory;
    backlog->dependencies.tail = tail;
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
    removals_forget(&it->beyond);
    free(it->owed_copy);
    free(it);
    *backlog = NULL;
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
    const struct segment *second = segment_next(backlog->head);
    bool is_needed = second != NULL && backlog_needs(backlog, second->first);
    uint64_t held = is_needed || backlog_is_pinned(backlog->head) ? beyond : 0;
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
    cursor->replid_index = backlog->known_index;
    return true;
}
