/* SPDX-License-Identifier: MIT
 *
 * How bytes get into a backlog: into its newest segment, from one segment to the next, and what is owed.
 */
#include <errno.h>
#include <string.h>

#include "backlog.h"
#include "backlog_private.h"
#include "files.h"
#include "relay/base/log.h"
#include "relay/store/identity.h"

/* The row is added to the identity and written behind it. False: errno and `why`; it is in neither. */
static bool backlog_add_row(struct backlog *backlog, struct text *why)
{
    const struct segment *last = backlog->last;
    struct identity *identity = backlog->dependencies.identity;
    const struct identity_segment row = {last->first, last->written, last->crc, backlog->boundary};
    if (!identity_add_segment(identity, row)) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return false;
    }
    if (backlog->dependencies.name(backlog->dependencies.arg, &row, why))
        return true;
    int error = errno;
    identity_drop_newest(identity);
    errno = error;
    return false;
}

/* Not before a row can be written at once: bytes may come into the segment as long as it waits, so no identity may
 * tell of its end before. BACKLOG_NO_SPACE: errno and `why`. */
static enum backlog_space name_last(struct backlog *backlog, struct text *why)
{
    const struct backlog_dependencies *dependencies = &backlog->dependencies;
    enum backlog_space space = BACKLOG_SPACE;
    if (dependencies->may_name != NULL)
        space = dependencies->may_name(dependencies->arg, why);
    backlog->awaits_name = space == BACKLOG_HELD;
    if (space == BACKLOG_SPACE && !backlog_add_row(backlog, why))
        space = BACKLOG_NO_SPACE;
    return space;
}

/* Names the newest segment in the identity, unless it is there: where a rewind or a full disk left no
 * segment behind it. `next` is made, but not in the chain. */
static enum backlog_space seal_last(struct backlog *backlog, const struct segment *next,
                                    struct text *why)
{
    const struct identity *identity = backlog->dependencies.identity;
    const struct segment *last = backlog->last;
    size_t count = identity->segment_count;
    if (last->written == last->first) /* a cut has left nothing of it */
        return BACKLOG_SPACE;
    if (count > 0 && identity->segments[count - 1].first == last->first)
        return BACKLOG_SPACE;
    /* What has been freed until now may be the `next` of an earlier try, which gave nothing. What has been freed
     * since a try began, which is still under way or has just failed, may be what it lacked. */
    if (!backlog->awaits_name)
        (void)reclaimer_gives(backlog->dependencies.reclaimer, &backlog->given_beside);
    enum backlog_space room = BACKLOG_SPACE;
    while (room == BACKLOG_SPACE) {
        text_clear(why);
        room = name_last(backlog, why);
        if (room == BACKLOG_SPACE)
            return BACKLOG_SPACE;
        if (room == BACKLOG_NO_SPACE)
            room = backlog_give_way(backlog, errno, next->capacity);
    }
    return room;
}

/* Relaxed: the release of `next`, which is set afterwards, covers it (cursor.c). */
void segment_set_replid_after(struct segment *segment, unsigned replid_index)
{
    if (replid_index > atomic_load_explicit(&segment->replid_after, memory_order_relaxed))
        atomic_store_explicit(&segment->replid_after, replid_index, memory_order_relaxed);
}

/* Of the newest, the only one, a cut has left nothing: `next` begins where it does, and takes its place. Who stands
 * in it steps over. */
static void replace_empty(struct backlog *backlog, struct segment *next)
{
    struct segment *empty = backlog->last;
    CHECK(empty == backlog->head);
    segment_retain(next);
    /* Release: `next` is whole before readers see it. */
    atomic_store_explicit(&empty->next, next, memory_order_release);
    backlog->head = NULL;
    backlog->last = NULL;
    backlog->count = 0;
    backlog_chain(backlog, next);
    segment_release(empty);
    backlog_recount(backlog);
}

/* Seals the newest segment into the identity and goes on in a new one. The order makes a kill at any
 * point harmless: a segment is named in the identity before the tail speaks of its successor. */
enum backlog_space backlog_roll(struct backlog *backlog, struct text *why)
{
    struct segment *next = NULL;
    struct segment *last = backlog->last;
    enum backlog_space room = backlog_take_next(backlog, &next, why);
    if (room != BACKLOG_SPACE)
        return room;
    room = seal_last(backlog, next, why);
    if (room == BACKLOG_HELD) {
        backlog_put_back(backlog, next);
        return room;
    }
    if (room != BACKLOG_SPACE) {
        segment_unlink(next, backlog->dependencies.directory);
        segment_release(next);
        return room;
    }
    if (last->written == last->first) {
        replace_empty(backlog, next);
        (void)backlog_set_mark(backlog);
        return BACKLOG_SPACE;
    }
    backlog->news = backlog_show(backlog) || backlog->news;
    backlog_chain(backlog, next);
    if (!last->is_cut && last->written - last->first < last->capacity)
        backlog_seal(backlog, last);
    /* Until it can be written, the sealed ones are what a kill leaves. */
    (void)backlog_set_mark(backlog);
    return BACKLOG_SPACE;
}

/* Goes on in the next segment, although the newest is not full. BACKLOG_HELD: the next is being made. */
enum backlog_space backlog_leave_last(struct backlog *backlog)
{
    if (!backlog_make_space(backlog))
        return BACKLOG_HELD;
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    enum backlog_space space = backlog_roll(backlog, &why);
    if (space == BACKLOG_NO_SPACE)
        backlog_set_error(backlog, &why);
    text_fini(&why);
    return space;
}

/* A segment that can be written to is the newest. */
enum backlog_space backlog_go_on(struct backlog *backlog, struct text *why)
{
    if (!segment_is_full(backlog->last))
        return BACKLOG_SPACE;
    if (!backlog_make_space(backlog))
        return BACKLOG_HELD;
    return backlog_roll(backlog, why);
}

/* The disk fails where the newest segment is written, as `why` says: another one may lie where it does
 * not. */
static enum backlog_space leave_segment(struct backlog *backlog, const struct text *why)
{
    if (backlog->last->written == backlog->last->first)
        return BACKLOG_NO_SPACE;
    enum backlog_space space = backlog_leave_last(backlog);
    if (space == BACKLOG_SPACE)
        log_warnx("store: %s: the stream goes on in another segment", text_string(why));
    return space;
}

/* A file system that reserves nothing refuses here what others refuse when a segment is made. One segment
 * is given up at a time: some give the space of a file back only after a while. */
static enum backlog_space write_owed(struct backlog *backlog, struct text *why)
{
    bool gave_way = false;
    enum backlog_space room = BACKLOG_SPACE;
    while (backlog->owed.length > 0 && room == BACKLOG_SPACE) {
        text_clear(why);
        room = backlog_go_on(backlog, why);
        if (room != BACKLOG_SPACE)
            break;
        struct segment *last = backlog->last;
        uint64_t left = last->capacity - (last->written - last->first);
        struct bytes piece = bytes_first(
            backlog->owed, left < backlog->owed.length ? (size_t)left : backlog->owed.length);
        if (segment_append(last, piece, why)) {
            backlog->owed = bytes_skip(backlog->owed, piece.length);
            gave_way = false;
        } else if (files_is_full(errno)) {
            room = gave_way && !reclaimer_is_busy(backlog->dependencies.reclaimer)
                       ? BACKLOG_NO_SPACE
                       : backlog_give_way(backlog, ENOSPC, 0);
            gave_way = true;
        } else {
            room = leave_segment(backlog, why);
        }
    }
    return room;
}

static enum backlog_space backlog_append_settle(struct backlog *backlog, bool for_more)
{
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    enum backlog_space room = write_owed(backlog, &why);
    if (room == BACKLOG_SPACE && for_more)
        room = backlog_go_on(backlog, &why);
    if (room == BACKLOG_NO_SPACE)
        backlog_set_error(backlog, &why);
    else if (room == BACKLOG_SPACE && !backlog->is_unmarked)
        backlog->error[0] = '\0';
    text_fini(&why);
    return room;
}

enum backlog_space backlog_make_ready(struct backlog *backlog)
{
    if (backlog->is_cutting && backlog->dependencies.take_saved != NULL)
        backlog->dependencies.take_saved(backlog->dependencies.arg);
    if (backlog->is_lost)
        return BACKLOG_NO_SPACE;
    if (backlog->is_cutting)
        return BACKLOG_HELD;
    enum backlog_space room = backlog_append_settle(backlog, true);
    /* Nobody is shown what the mark does not tell of: more of it only makes the gap larger. */
    if (room == BACKLOG_SPACE && backlog->is_unmarked && !backlog_set_mark(backlog))
        room = backlog_give_way(backlog, errno, 0);
    return room;
}

uint64_t backlog_room(const struct backlog *backlog)
{
    const struct segment *last = backlog->last;
    return segment_is_full(last) ? 0 : last->capacity - (last->written - last->first);
}

/* The caller's bytes are its own again when this returns. */
static void keep_owed(struct backlog *backlog)
{
    memcpy(backlog->owed_copy, backlog->owed.data, backlog->owed.length);
    backlog->owed.data = backlog->owed_copy;
}

enum backlog_space backlog_append(struct backlog *backlog, struct bytes data)
{
    CHECK(!backlog->is_cutting);
    CHECK(backlog->owed.length == 0);
    CHECK(data.length <= BACKLOG_APPEND_MAX);
    backlog->owed = data;
    enum backlog_space room = backlog_append_settle(backlog, false);
    if (backlog->owed.length > 0)
        keep_owed(backlog);
    return room;
}

void backlog_forget_owed(struct backlog *backlog)
{
    backlog->owed = (struct bytes){0};
}
