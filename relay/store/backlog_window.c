/* SPDX-License-Identifier: MIT
 *
 * The window of a backlog: how much is kept, and what is given up for the next segment.
 */
#include <inttypes.h>

#include "backlog.h"
#include "backlog_private.h"
#include "files.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/identity.h"

/* How much may be on its way off the disk beside the cap: a part of it, and these bytes. */
enum { FREEING_PART = 4, FREEING_LEAST = 64 * 1024 * 1024 };

uint64_t backlog_space(const struct backlog *backlog)
{
    return atomic_load_explicit(&backlog->space->bytes, memory_order_relaxed) +
           backlog->unproven_bytes;
}

/* The part of the space that is the chain's to give up. The rest is in the hands of cursors that have
 * been told to let go of it. */
uint64_t backlog_charge(const struct backlog *backlog)
{
    return backlog->charge + backlog->unproven_bytes + backlog_prepared_bytes(backlog);
}

void backlog_recount(struct backlog *backlog)
{
    backlog->charge = 0;
    backlog->has_cuts = false;
    for (const struct segment *s = backlog->head; s != NULL; s = segment_next(s)) {
        backlog->charge += s->disk_bytes + s->cut_bytes;
        backlog->has_cuts = backlog->has_cuts || s->cut != NULL;
    }
}

uint64_t backlog_held(const struct backlog *backlog)
{
    uint64_t charge = backlog_charge(backlog);
    uint64_t space = backlog_space(backlog);
    return space > charge ? space - charge : 0;
}

/* Why a segment is given up although somebody needs it. */
static const char *const causes[] = {
    [SEGMENT_LAGGED] = "repl-backlog-max-size is reached",
    [SEGMENT_DISK_FULL] = "the disk is full",
    [SEGMENT_UNREADABLE] = "the disk cannot read it, or one behind it",
};

/* Takes the oldest segment out of the chain. Whoever stands in it, or before, is told why; where nobody does it is
 * SEGMENT_TRIMMED. */
static void drop_head(struct backlog *backlog, enum segment_fate fate)
{
    const char *cause = fate == SEGMENT_TRIMMED ? NULL : causes[fate];
    struct segment *head = backlog->head;
    struct segment *next = segment_next(head);
    CHECK(next != NULL);
    char sum[LOG_REPEAT_SUM_MAX];
    bool is_needed = backlog_is_pinned(head) || backlog_needs(backlog, next->first);
    if (cause != NULL && is_needed && log_repeat_note(&backlog->given_up, cause, clock_ms(), sum))
        log_warnx("store: segment %" PRIu64 ".seg is given up although a replica needs it%s: %s",
                  head->first, sum, cause);
    atomic_store_explicit(&head->fate, fate, memory_order_relaxed);
    backlog->news = backlog->news || cause != NULL; /* who stands there is woken, and lets go */
    segment_retain(next);
    backlog->head = next;
    backlog->count--;
    backlog->charge -= head->disk_bytes + head->cut_bytes;
    segment_unlink(head, backlog->dependencies.directory);
    segment_release(head);
    const struct identity *identity = backlog->dependencies.identity;
    CHECK(identity->segment_count > 0);
    CHECK(identity->segments[0].first < next->first);
    identity_drop_oldest(backlog->dependencies.identity, 1);
    backlog->is_head_broken = false;
}

/* Is there one that may go? What is not proven yet is the oldest there is, and in nobody's hands. */
static bool has_oldest(const struct backlog *backlog)
{
    return !backlog->keeps_all && (backlog->unproven > 0 || backlog->head != backlog->last);
}

static uint64_t end_of_oldest(const struct backlog *backlog)
{
    return backlog->unproven > 0 ? backlog->dependencies.identity->segments[0].end
                                 : segment_next(backlog->head)->first;
}

static bool is_oldest_pinned(const struct backlog *backlog)
{
    return backlog_needs(backlog, end_of_oldest(backlog)) ||
           (backlog->unproven == 0 && backlog_is_pinned(backlog->head));
}

void backlog_set_needed(struct backlog *backlog, uint64_t offset)
{
    backlog->dependencies.has_needed = offset != UINT64_MAX;
    backlog->dependencies.needed_from = offset;
}

/* Where a power failure would find nothing newer than the oldest, that stays until the syncer has got round to it, and is
 * asked for. True: it stays. */
static bool hold_oldest(struct backlog *backlog)
{
    const struct backlog_dependencies *dependencies = &backlog->dependencies;
    bool is_awaited = dependencies->marked != NULL &&
                      end_of_oldest(backlog) >= dependencies->marked(dependencies->arg);
    backlog->wants_sync = backlog->wants_sync || is_awaited;
    return is_awaited;
}

bool backlog_take_sync_wish(struct backlog *backlog)
{
    bool wants_sync = backlog->wants_sync;
    backlog->wants_sync = false;
    return wants_sync;
}

static void drop_oldest(struct backlog *backlog, enum segment_fate fate)
{
    if (backlog->unproven > 0)
        backlog_drop_unproven(backlog);
    else
        drop_head(backlog, fate);
}

/* The oldest one may have been made when segments were larger: it counts as one of today, or a replica that
 * is not far behind would be cut because of the size of the file that it stands in. */
static uint64_t cap_of(const struct backlog *backlog)
{
    /* One segment to read and one to write are the least there can be. */
    uint64_t least = backlog->dependencies.segment_bytes * 2;
    uint64_t cap = backlog->dependencies.window_bytes_max;
    uint64_t oldest = backlog->head->disk_bytes;
    uint64_t extra = oldest > backlog->dependencies.segment_bytes
                         ? oldest - backlog->dependencies.segment_bytes
                         : 0;
    return (cap < least ? least : cap) + extra;
}

void backlog_keep_all(struct backlog *backlog, bool keeps_all)
{
    backlog->keeps_all = keeps_all;
}

bool backlog_is_at_its_end(const struct backlog *backlog)
{
    return backlog->keeps_all && segment_is_full(backlog->last) &&
           !backlog_is_next_asked(backlog) && !backlog_has_space_ahead(backlog);
}

/* Segments that were cut off in a rewind go as soon as nobody can be stepping into them. */
static void drop_cuts(struct backlog *backlog)
{
    if (!backlog->has_cuts)
        return;
    for (struct segment *s = backlog->head; s != NULL; s = segment_next(s)) {
        if (s->cut != NULL)
            segment_drop_cut(s, 1);
    }
    backlog_recount(backlog);
}

/* The preallocated rest goes. */
void backlog_seal(struct backlog *backlog, struct segment *segment)
{
    uint64_t before = segment->disk_bytes;
    segment_seal(segment);
    backlog->charge -= before - segment->disk_bytes;
}

uint64_t backlog_room_behind(const struct backlog *backlog, uint64_t offset)
{
    uint64_t kept = 0; /* by what is from there on */
    for (const struct segment *s = backlog->head; s != NULL; s = segment_next(s)) {
        if (s == backlog->last || segment_next(s)->first > offset)
            kept += s->disk_bytes + s->cut_bytes;
    }
    uint64_t cap = cap_of(backlog);
    uint64_t segment_bytes = backlog->dependencies.segment_bytes;
    uint64_t whole = cap > kept ? (cap - kept) / segment_bytes : 0;
    return backlog_room(backlog) + whole * segment_bytes;
}

void backlog_set_sizes(struct backlog *backlog, uint64_t window_bytes, uint64_t window_bytes_max,
                       uint64_t segment_bytes)
{
    backlog->dependencies.segment_bytes = segment_bytes;
    backlog->dependencies.window_bytes = window_bytes;
    backlog->dependencies.window_bytes_max = window_bytes_max;
}

/* For what: "", or ", for a snapshot". One segment after the other goes while the disk is full. */
static void tell_full(struct backlog *backlog, const char *what)
{
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_note(&backlog->full, what, clock_ms(), sum))
        log_warnx("store: the disk is full: the window is shortened by segment %" PRIu64 ".seg%s%s",
                  backlog_unproven_first(backlog), what, sum);
}

/* The window has its whole size again. */
static void tell_whole(struct backlog *backlog)
{
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_goes_on(&backlog->full) && log_repeat_end(&backlog->full, clock_ms(), sum))
        log_info("store: the disk has room for the whole window again%s", sum);
}

void backlog_keep_from(struct backlog *backlog, uint64_t offset)
{
    backlog->keep_from = offset;
}

/* May the oldest segment go although somebody stands in it? */
static bool may_give_up_oldest(const struct backlog *backlog)
{
    return has_oldest(backlog) && end_of_oldest(backlog) <= backlog->keep_from;
}

bool backlog_trim(struct backlog *backlog)
{
    bool trimmed = false;
    drop_cuts(backlog);
    while (has_oldest(backlog) && !is_oldest_pinned(backlog) &&
           backlog->last->written - end_of_oldest(backlog) >= backlog->dependencies.window_bytes &&
           !hold_oldest(backlog)) {
        drop_oldest(backlog, SEGMENT_TRIMMED);
        tell_whole(backlog);
        trimmed = true;
    }
    return trimmed;
}

/* The newest that readers could not read; NULL: none. */
static struct segment *find_unreadable(const struct backlog *backlog)
{
    struct segment *found = NULL;
    for (struct segment *s = backlog->head; s != NULL; s = segment_next(s)) {
        if (atomic_load_explicit(&s->is_unreadable, memory_order_relaxed))
            found = s;
    }
    return found;
}

bool backlog_drop_unreadable(struct backlog *backlog)
{
    /* Acquire: as in cursor_note_unreadable. */
    if (!atomic_exchange_explicit(&backlog->space->has_unreadable, false, memory_order_acquire))
        return false;
    const struct segment *bad = find_unreadable(backlog);
    if (bad == NULL)
        return false;
    uint64_t end = bad->written;
    log_warnx("store: the disk cannot read segment %" PRIu64 ".seg: the window begins behind it",
              bad->first);
    if (bad == backlog->last && backlog_leave_last(backlog) != BACKLOG_SPACE) {
        atomic_store_explicit(&backlog->space->has_unreadable, true, memory_order_relaxed);
        return false; /* the next second */
    }
    while (backlog->unproven > 0 || (backlog->head != backlog->last && backlog->head->first < end))
        drop_oldest(backlog, SEGMENT_UNREADABLE);
    return true;
}

bool backlog_shorten(struct backlog *backlog, uint64_t keep_from)
{
    if (backlog_drop_prepared(backlog))
        return true;
    if (!has_oldest(backlog) || is_oldest_pinned(backlog) || end_of_oldest(backlog) > keep_from ||
        hold_oldest(backlog))
        return false;
    tell_full(backlog, ", for a snapshot");
    drop_oldest(backlog, SEGMENT_TRIMMED);
    return true;
}

uint64_t backlog_spare_bytes(const struct backlog *backlog)
{
    uint64_t bytes = backlog_prepared_bytes(backlog);
    for (const struct segment *s = backlog->head; s != backlog->last && !backlog_is_pinned(s) &&
                                                  !backlog_needs(backlog, segment_next(s)->first);
         s = segment_next(s))
        bytes += s->disk_bytes;
    return bytes;
}

/* Makes room for one more segment under the cap. No more is given up than is needed once those who
 * hold what was given up have let go. False: they have not. */
bool backlog_make_space(struct backlog *backlog)
{
    uint64_t wanted = backlog_is_next_asked(backlog) ? 0 : backlog->dependencies.segment_bytes;
    (void)backlog_trim(backlog);
    while (backlog_charge(backlog) + wanted > cap_of(backlog) && may_give_up_oldest(backlog) &&
           !hold_oldest(backlog))
        drop_oldest(backlog, SEGMENT_LAGGED);
    if (!backlog->keeps_all && !has_oldest(backlog) && backlog_held(backlog) == 0)
        return true; /* there is no less, whatever the sizes were when it was made */
    /* What nobody holds is gone as soon as the disk has got round to it: it may go over the cap by a part
     * of it, so that a disk that is slow at that does not slow the stream down. */
    uint64_t slack = cap_of(backlog) / FREEING_PART + FREEING_LEAST;
    uint64_t freeing = atomic_load_explicit(&backlog->space->freeing, memory_order_relaxed);
    return backlog_space(backlog) + wanted <= cap_of(backlog) && freeing <= slack;
}

bool backlog_has_space_ahead(const struct backlog *backlog)
{
    return backlog_space(backlog) + backlog->dependencies.segment_bytes <= cap_of(backlog);
}

enum backlog_space backlog_give_way(struct backlog *backlog, int error, uint64_t beside)
{
    if (!files_is_full(error))
        return BACKLOG_NO_SPACE;
    uint64_t *given = beside == 0 ? &backlog->given : &backlog->given_beside;
    bool gives = reclaimer_gives(backlog->dependencies.reclaimer, given);
    if (backlog_held(backlog) > beside || gives) /* room comes soon: no need to give up more */
        return BACKLOG_HELD;
    if (!may_give_up_oldest(backlog))
        return BACKLOG_NO_SPACE;
    if (hold_oldest(backlog))
        return BACKLOG_HELD;
    tell_full(backlog, "");
    drop_oldest(backlog, SEGMENT_DISK_FULL);
    return BACKLOG_SPACE;
}
