/* SPDX-License-Identifier: MIT
 *
 * The next segment of a backlog, made on the file thread before it is needed:
 *
 *      thread 0        a quarter is written     |        the newest is full
 *                      ask ------------------+  |        take: one pointer, no call to the file system
 *      file thread                           +-- create, preallocate, map --> done
 *
 * It is made under its final name, the offset at which the newest will be full. What a kill leaves of one that
 * was not taken is a file that neither identity nor tail tells of: the next start removes it as a stray. Where
 * the newest ends elsewhere (a rewind, another id, a disk that fails) it is given up, and another one is made:
 * thread 0 does not wait for that either, the writer is told BACKLOG_HELD until it is there.
 *
 * Ahead of need a segment is made only where that gives nothing up: there is space below the cap, and the disk has
 * not just refused. Without a file thread (tools, tests) none is made ahead, and one that is needed at once.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backlog.h"
#include "backlog_private.h"
#include "relay/base/clock.h"

enum {
    PREPARE_PART = 4,             /* of the newest, that is written before the next is asked for */
    PREPARE_PAUSE_MS = 10 * 1000, /* after the disk has refused one, or had to have it back */
};

static void prepare_in_turn(struct thread_job *job)
{
    struct prepared_segment *next = (struct prepared_segment *)(void *)job;
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    bool good = segment_make_file(next->segment, next->directory, &why);
    next->failure = good ? 0 : errno;
    snprintf(next->why, sizeof(next->why), "%s", text_string(&why));
    text_fini(&why);
    atomic_store_explicit(&next->is_done, true, memory_order_release);
}

/* False: out of memory. */
static bool prepared_ask(struct backlog *backlog, uint64_t first, bool is_ahead)
{
    struct prepared_segment *next = &backlog->prepared;
    next->segment = segment_reserve(first, backlog->dependencies.segment_bytes, backlog->space);
    if (next->segment == NULL)
        return false;
    next->job.work = prepare_in_turn;
    next->directory = backlog->dependencies.directory;
    next->is_ahead = is_ahead;
    atomic_store_explicit(&next->is_done, false, memory_order_relaxed);
    file_thread_submit(backlog->dependencies.files, &next->job);
    return true;
}

static bool prepared_is_done(const struct prepared_segment *next)
{
    /* Acquire: what the file thread has written of the segment. */
    return atomic_load_explicit(&next->is_done, memory_order_acquire);
}

/* It is done: gives it up, made or not. */
static void prepared_give_up(struct backlog *backlog)
{
    struct prepared_segment *next = &backlog->prepared;
    struct segment *segment = next->segment;
    next->segment = NULL;
    if (next->failure != 0) {
        segment_unreserve(segment);
        return;
    }
    segment_unlink(segment, backlog->dependencies.directory);
    segment_release(segment);
}

uint64_t backlog_prepared_bytes(const struct backlog *backlog)
{
    return backlog->prepared.segment != NULL ? backlog->prepared.segment->capacity : 0;
}

bool backlog_is_next_asked(const struct backlog *backlog)
{
    const struct segment *next = backlog->prepared.segment;
    return next != NULL && next->first == backlog->last->written;
}

bool backlog_awaits_segment(const struct backlog *backlog)
{
    const struct backlog_dependencies *dependencies = &backlog->dependencies;
    if ((backlog->awaits_name || backlog->is_cutting) && dependencies->is_saving != NULL &&
        dependencies->is_saving(dependencies->arg))
        return true;
    return backlog->prepared.segment != NULL && !prepared_is_done(&backlog->prepared);
}

void backlog_prepare(struct backlog *backlog)
{
    struct prepared_segment *next = &backlog->prepared;
    const struct segment *last = backlog->last;
    if (backlog->dependencies.files == NULL || backlog->is_cutting)
        return;
    if (next->segment != NULL) {
        if (next->is_ahead && prepared_is_done(next) && next->failure != 0) {
            next->not_before_ms = clock_ms() + PREPARE_PAUSE_MS;
            prepared_give_up(backlog);
        }
        return;
    }
    if (!segment_is_full(last) && last->written - last->first < last->capacity / PREPARE_PART)
        return;
    if (!backlog_has_space_ahead(backlog) || clock_ms() < next->not_before_ms)
        return;
    uint64_t first = segment_is_full(last) ? last->written : last->first + last->capacity;
    (void)prepared_ask(backlog, first, true); /* else when it is needed */
}

/* It is done. True: *out begins where the newest ends. False: it is given up; *failure: the disk has refused
 * just that one, now. */
static bool prepared_take(struct backlog *backlog, struct segment **out, int *failure)
{
    struct prepared_segment *next = &backlog->prepared;
    bool fits = backlog_is_next_asked(backlog);
    *failure = fits && !next->is_ahead ? next->failure : 0;
    if (!fits || next->failure != 0) {
        prepared_give_up(backlog);
        return false;
    }
    *out = next->segment;
    next->segment = NULL;
    return true;
}

enum backlog_space backlog_take_next(struct backlog *backlog, struct segment **out,
                                     struct text *why)
{
    struct prepared_segment *next = &backlog->prepared;
    enum backlog_space space = BACKLOG_SPACE;
    while (space == BACKLOG_SPACE) {
        text_clear(why);
        if (next->segment == NULL && !prepared_ask(backlog, backlog->last->written, false)) {
            text_format(why, "out of memory");
            return BACKLOG_NO_SPACE;
        }
        int failure;
        if (!prepared_is_done(next))
            return BACKLOG_HELD;
        if (prepared_take(backlog, out, &failure))
            return BACKLOG_SPACE;
        if (failure == 0)
            continue;
        text_format(why, "%s", next->why);
        errno = failure;
        space = backlog_give_way(backlog, failure, 0);
    }
    return space;
}

void backlog_put_back(struct backlog *backlog, struct segment *segment)
{
    CHECK(backlog->prepared.segment == NULL);
    backlog->prepared.segment = segment;
    backlog->prepared.failure = 0;
}

bool backlog_drop_prepared(struct backlog *backlog)
{
    struct prepared_segment *next = &backlog->prepared;
    if (next->segment == NULL || !prepared_is_done(next))
        return false;
    bool had_file = next->failure == 0;
    prepared_give_up(backlog);
    next->not_before_ms = clock_ms() + PREPARE_PAUSE_MS;
    return had_file;
}

void backlog_end_prepared(struct backlog *backlog)
{
    if (backlog->prepared.segment == NULL)
        return;
    file_thread_drain(backlog->dependencies.files);
    prepared_give_up(backlog);
}
