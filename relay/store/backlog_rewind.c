/* SPDX-License-Identifier: MIT
 *
 * Where the history of a backlog is cut off, and where another id begins.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backlog.h"
#include "backlog_private.h"
#include "files.h"
#include "relay/store/identity.h"

/* ------------------------------------------------------------------ rewind */

/* The newest segment that begins before `offset`; NULL: none. */
static struct segment *last_before(const struct backlog *backlog, uint64_t offset)
{
    struct segment *found = NULL;
    for (struct segment *s = backlog->head; s != NULL && s->first < offset; s = segment_next(s))
        found = s;
    return found;
}

/* The identity as it will be: `kept`, the last that stays, ends at `offset` (NULL: nothing stays). It
 * has its row already where the cut is at its very end. False: out of memory. */
static bool rewind_identity(struct identity *identity, const struct segment *kept, uint64_t offset,
                            struct text *why)
{
    identity_rewind(identity, offset);
    size_t count = identity->segment_count;
    if (kept == NULL || (count > 0 && identity->segments[count - 1].first == kept->first))
        return true;
    struct identity_segment row = {kept->first, offset, 0, offset};
    if (!segment_crc_until(kept, offset, &row.crc, why))
        return false;
    if (identity_add_segment(identity, row))
        return true;
    text_format(why, "out of memory");
    errno = ENOMEM;
    return false;
}

/* The identity is rewound in memory; on failure it and the tail are as they were. The live mark comes first, for a kill
 * before the identity is written: it is passed over as long as that is the old one. */
static bool begin_rewound(struct backlog *backlog, const struct segment *kept, uint64_t offset,
                          struct text *why)
{
    struct identity *identity = backlog->dependencies.identity;
    struct identity before;
    if (!identity_copy(identity, &before)) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return false;
    }
    struct tail_mark mark = {.segment_first = offset, .end = offset, .boundary = offset};
    bool is_marked = tail_set_live(backlog->dependencies.tail, mark);
    int error = errno;
    /* On a full disk it is missed only where no row of the identity tells of the end. */
    bool is_needed = kept == NULL || !files_is_full(error);
    bool goes_on = is_marked || !is_needed;
    if (!goes_on)
        text_format(why, "tail: cannot write: %s", strerror(error));
    if (goes_on && rewind_identity(identity, kept, offset, why)) {
        identity_fini(&before);
        return true;
    }
    if (goes_on)
        error = errno;
    identity_fini(identity);
    *identity = before;
    (void)backlog_set_mark(backlog);
    errno = error;
    return false;
}

/* Tells those who stand in `from`, or behind it, and takes it all off the disk when the cut is written. */
static void backlog_rewind_cut_off(struct backlog *backlog, struct segment *from)
{
    for (struct segment *s = from; s != NULL; s = segment_next(s)) {
        atomic_store_explicit(&s->fate, SEGMENT_REWOUND, memory_order_relaxed);
        segment_unlink_later(s, backlog->dependencies.directory, &backlog->beyond);
        backlog->count--;
    }
}

/* Ends `kept` at `offset`; what was behind it is out of the chain. */
static void backlog_rewind_cut_at(struct backlog *backlog, struct segment *kept, uint64_t offset,
                                  uint64_t crc)
{
    struct segment *old = segment_next(kept);
    backlog_rewind_cut_off(backlog, old);
    /* A change of replication id that was cut off is where the cut is: no older id reaches further. */
    for (const struct segment *s = old; s != NULL; s = segment_next(s))
        segment_set_replid_after(kept,
                                 atomic_load_explicit(&s->replid_after, memory_order_relaxed));
    kept->crc = crc;
    kept->written = offset;
    kept->is_cut = true;
    /* Readers beyond it see that they are; a reader that stands at it goes on in the new next. */
    atomic_store_explicit(&kept->published, offset, memory_order_release);
    atomic_store_explicit(&kept->next, NULL, memory_order_release);
    if (old != NULL)
        segment_keep_cut(kept, old);
    backlog->last = kept;
}

/* Nothing of the chain stays but the place where it began: the oldest segment ends there, empty and without a file,
 * until the next one takes its place, which begins there as well and has its name. */
static void cut_all(struct backlog *backlog, uint64_t offset)
{
    struct segment *head = backlog->head;
    CHECK(head->first == offset);
    segment_unlink_later(head, backlog->dependencies.directory, &backlog->beyond);
    head->points[0] = (struct segment_point){offset, 0};
    head->point_count = 1;
    backlog_rewind_cut_at(backlog, head, offset, 0);
}

/* The next segment, if it can be had at once; else backlog_make_ready waits for it. */
static void go_on_behind_cut(struct backlog *backlog)
{
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    if (backlog_roll(backlog, &why) == BACKLOG_NO_SPACE)
        backlog_set_error(backlog, &why);
    text_fini(&why);
}

/* The order is that of history_rewind.c: a kill in the middle finds the history as it was before, or as it is
 * afterwards. */
bool backlog_begin_cut(struct backlog *backlog, uint64_t offset, struct text *why)
{
    CHECK(!backlog->is_cutting);
    CHECK(offset >= backlog_first(backlog));
    CHECK(offset <= backlog_end(backlog));
    backlog_forget_owed(backlog);
    struct segment *kept = last_before(backlog, offset);
    while (!begin_rewound(backlog, kept, offset, why)) {
        if (!files_is_full(errno) || !backlog_shorten(backlog, offset))
            return false;
        text_clear(why);
        kept = last_before(backlog, offset);
    }
    const struct identity *identity = backlog->dependencies.identity;
    if (kept != NULL)
        backlog_rewind_cut_at(backlog, kept, offset,
                              identity->segments[identity->segment_count - 1].crc);
    else
        cut_all(backlog, offset);
    backlog->boundary = offset;
    backlog->published_boundary = offset;
    backlog->is_unmarked = false;
    backlog->is_cutting = true;
    backlog->news = true;
    backlog_recount(backlog);
    return true;
}

void backlog_end_cut(struct backlog *backlog)
{
    CHECK(backlog->is_cutting);
    backlog->is_cutting = false;
    backlog->error[0] = '\0';
    removals_submit(&backlog->beyond);
    /* If it fails: the next live mark writes it, and until then it does not fit the identity. */
    (void)!tail_forget_live(backlog->dependencies.tail, backlog->last->written);
    go_on_behind_cut(backlog);
    (void)backlog_set_mark(backlog);
}

void backlog_note_awaited_cut(struct backlog *backlog, const char *why)
{
    CHECK(backlog->is_cutting);
    snprintf(backlog->error, sizeof(backlog->error),
             "there is no room to write that the end was cut off: %s", why);
}

void backlog_lose_cut(struct backlog *backlog)
{
    backlog->is_lost = true;
    backlog->last->has_name = false; /* so that nobody cuts its file when it is let go */
    removals_forget(&backlog->beyond);
    snprintf(backlog->error, sizeof(backlog->error),
             "the end that was cut off is still on the disk");
}

/* ------------------------------------------------------------------ another id */

/* Nothing was appended yet to the newest segment, in which readers may stand: they stay in it, and what
 * comes goes into its twin. */
static bool renew_empty(struct backlog *backlog, unsigned replid_after, struct text *why)
{
    struct segment *empty = backlog->last;
    struct segment *twin = segment_twin(empty, why);
    if (twin == NULL)
        return false;
    segment_set_replid_after(empty, replid_after);
    backlog->count--;
    if (empty == backlog->head) {
        segment_release(empty);
        backlog->head = NULL;
        backlog->last = NULL;
        backlog_chain(backlog, twin);
        return true;
    }
    struct segment *before = last_before(backlog, empty->first);
    CHECK(before != NULL);
    segment_set_replid_after(before, replid_after);
    segment_keep_cut(before, empty); /* a reader may just be stepping into it */
    backlog->last = before;
    backlog_chain(backlog, twin);
    return true;
}

/* The newest segment ends here, full or not. What comes goes into the next, which may still have to be made: the
 * end of this one alone is where readers stop. */
static void end_at_replid(struct backlog *backlog, unsigned replid_after)
{
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    if (backlog_set_mark(backlog)) /* readers go to the end before they are told */
        (void)backlog_show(backlog);
    segment_set_replid_after(backlog->last, replid_after);
    backlog->last->is_ended = true;
    if (backlog_go_on(backlog, &why) == BACKLOG_NO_SPACE)
        backlog_set_error(backlog, &why);
    text_fini(&why);
}

void backlog_end_replid(struct backlog *backlog)
{
    backlog->known_index = backlog->replid_index;
}

bool backlog_begin_replid(struct backlog *backlog, struct text *why)
{
    unsigned replid_index = backlog->replid_index + 1;
    const struct segment *last = backlog->last;
    bool good = true;
    if (last->written == last->first && !last->is_cut)
        good = renew_empty(backlog, replid_index, why);
    else
        end_at_replid(backlog, replid_index);
    if (good)
        backlog->replid_index = replid_index;
    backlog_recount(backlog);
    backlog->news = backlog->news || good;
    return good;
}
