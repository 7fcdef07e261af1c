/* SPDX-License-Identifier: MIT */
#include "relay/store/backlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog_writer.h"
#include "files.h"
#include "proven.h"
#include "relay/base/log.h"
#include "segment.h"

enum {
    ERROR_MAX = 256,
    BUFFER_LENGTH = 512 * 1024, /* stays in the processor's cache until it is written */
};

struct backlog {
    struct backlog_ties ties;
    struct segment_space *space;
    struct segment *head; /* the oldest, held */
    struct segment *last; /* the one that is written to, held by the chain */
    size_t count;
    unsigned era; /* how many ids came after the first one */
    uint64_t boundary;
    uint64_t published_boundary; /* that the live mark carries */
    bool news;                   /* something was shown to readers in the middle of a turn */
    uint8_t *buffer;             /* what is received before it is written */
    char error[ERROR_MAX];       /* not a text: it can be told when memory is out, too */
};

static void set_error(struct backlog *backlog, const struct text *why)
{
    snprintf(backlog->error, sizeof(backlog->error), "%s",
             why->length > 0 ? text_string(why) : "memory is out");
}

static struct segment *next_of(const struct segment *segment)
{
    /* Relaxed: thread 0 reads what it has written itself. */
    return atomic_load_explicit(&segment->next, memory_order_relaxed);
}

static uint64_t space_of(const struct backlog *backlog)
{
    return atomic_load_explicit(&backlog->space->bytes, memory_order_relaxed);
}

/* The part of the space that is the chain's to give up. The rest is in the hands of cursors that have
 * been told to let go of it. */
static uint64_t charge_of(const struct backlog *backlog)
{
    uint64_t charge = 0;
    for (const struct segment *s = backlog->head; s != NULL; s = next_of(s))
        charge += s->disk_bytes + s->cut_bytes;
    return charge;
}

static uint64_t held_of(const struct backlog *backlog)
{
    uint64_t charge = charge_of(backlog);
    uint64_t space = space_of(backlog);
    return space > charge ? space - charge : 0;
}

/* ------------------------------------------------------------------ made, loaded, let go of */

static struct backlog *backlog_make(const struct backlog_ties *ties, struct text *why)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));
    struct segment_space *space = calloc(1, sizeof(*space));
    uint8_t *buffer = malloc(BUFFER_LENGTH);
    if (backlog == NULL || space == NULL || buffer == NULL) {
        text_format(why, "memory is out");
        free(buffer);
        free(backlog);
        free(space);
        errno = ENOMEM;
        return NULL;
    }
    backlog->ties = *ties;
    backlog->space = space;
    backlog->buffer = buffer;
    atomic_init(&space->references, 1);
    return backlog;
}

static void chain_append(struct backlog *backlog, struct segment *segment)
{
    if (backlog->last == NULL)
        backlog->head = segment;
    else /* Release: the segment before is complete, and this one whole, before readers see it. */
        atomic_store_explicit(&backlog->last->next, segment, memory_order_release);
    backlog->last = segment;
    backlog->count++;
}

struct backlog *backlog_new(const struct backlog_ties *ties, uint64_t first, struct text *why)
{
    struct backlog *backlog = backlog_make(ties, why);
    if (backlog == NULL)
        return NULL;
    struct segment *segment =
        segment_create(ties->directory, first, ties->segment_bytes, backlog->space, why);
    if (segment == NULL) {
        backlog_free(&backlog);
        return NULL;
    }
    chain_append(backlog, segment);
    backlog->boundary = first;
    tail_set_live(ties->tail, backlog_mark(backlog));
    return backlog;
}

void backlog_free(struct backlog **backlog)
{
    struct backlog *it = *backlog;
    if (it == NULL)
        return;
    /* A lone empty one keeps its space: on a full disk the next start would find none for it. */
    bool is_empty =
        it->last == it->head && it->last != NULL && it->last->written == it->last->first;
    if (it->last != NULL && it->last->has_name && !segment_is_full(it->last) && !is_empty)
        segment_seal(it->last);
    segment_release(it->head);
    segment_space_release(it->space);
    free(it->buffer);
    free(it);
    *backlog = NULL;
}

/* Opens a new segment behind what was proven. Where the disk has no room for it, what is held can be
 * served all the same. */
static void open_behind(struct backlog *backlog, const struct identity_segment *row)
{
    struct text why;
    text_init(&why, ERROR_MAX);
    struct segment *segment = segment_create(backlog->ties.directory, row->end,
                                             backlog->ties.segment_bytes, backlog->space, &why);
    if (segment != NULL) {
        chain_append(backlog, segment);
    } else {
        log_warnx("store: no segment to go on in: %s", text_string(&why));
        set_error(backlog, &why);
    }
    text_fini(&why);
}

/* Puts what was proven into the chain. */
static void chain_up(struct backlog *backlog, struct proven *proven)
{
    const struct identity *identity = backlog->ties.identity;
    for (size_t i = 0; i < identity->segment_count; i++)
        chain_append(backlog, proven->sealed[i]);
    if (proven->newest != NULL) {
        chain_append(backlog, proven->newest);
        backlog->boundary = proven->mark.boundary;
    } else {
        const struct identity_segment *row = &identity->segments[identity->segment_count - 1];
        open_behind(backlog, row);
        backlog->boundary = row->boundary;
    }
    if (backlog->boundary < backlog->head->first)
        log_warnx("store: the last command boundary, %" PRIu64 ", is before the window: it can be "
                  "served, but upstream cannot go on behind it",
                  backlog->boundary);
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
}

struct backlog *backlog_load(const struct backlog_ties *ties, struct text *why)
{
    struct backlog *backlog = backlog_make(ties, why);
    if (backlog == NULL)
        return NULL;
    struct proven proven;
    if (proven_load(&proven, ties, backlog->space, why)) {
        chain_up(backlog, &proven);
        proven_fini(&proven);
    } else {
        int error = errno;
        backlog_free(&backlog);
        errno = error;
    }
    return backlog;
}

/* ------------------------------------------------------------------ what thread 0 asks */

uint64_t backlog_first(const struct backlog *backlog)
{
    return backlog->head->first;
}

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
    return space_of(backlog);
}

size_t backlog_segment_count(const struct backlog *backlog)
{
    return backlog->count;
}

uint64_t backlog_pinned_bytes(const struct backlog *backlog)
{
    uint64_t chained = 0;
    for (const struct segment *s = backlog->head; s != NULL; s = next_of(s))
        chained += s->disk_bytes;
    uint64_t all = space_of(backlog);
    return all > chained ? all - chained : 0;
}

uint64_t backlog_boundary(const struct backlog *backlog)
{
    return backlog->boundary;
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
    for (struct segment *s = backlog->head; s != NULL; s = next_of(s)) {
        if (s->written > offset || s == backlog->last)
            fn(s, arg);
    }
}

void backlog_unlink(struct backlog *backlog)
{
    for (struct segment *s = backlog->head; s != NULL; s = next_of(s))
        segment_unlink(s, backlog->ties.directory);
}

/* ------------------------------------------------------------------ append, publish, trim */

static bool publish(struct backlog *backlog)
{
    struct segment *last = backlog->last;
    uint64_t published = atomic_load_explicit(&last->published, memory_order_relaxed);
    if (published == last->written && backlog->published_boundary == backlog->boundary)
        return false;
    /* The mark first: what a reader may have seen is never lost with the process. */
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    backlog->published_boundary = backlog->boundary;
    /* Release: the bytes are there before the end that covers them. */
    atomic_store_explicit(&last->published, last->written, memory_order_release);
    return published != last->written;
}

bool backlog_publish(struct backlog *backlog)
{
    bool news = publish(backlog) || backlog->news;
    backlog->news = false;
    return news;
}

/* Does a cursor stand in it, or in one before it that is out of the chain already? */
static bool is_pinned(const struct segment *segment)
{
    return atomic_load_explicit(&segment->references, memory_order_relaxed) > 1;
}

/* Takes the oldest segment out of the chain. Whoever stands in it, or before, is told; `cause` says
 * why that must be, NULL where nobody does. */
static void drop_head(struct backlog *backlog, const char *cause)
{
    struct segment *head = backlog->head;
    struct segment *next = next_of(head);
    CHECK(next != NULL);
    if (cause != NULL && is_pinned(head))
        log_warnx("store: segment %" PRIu64 ".seg is given up although a replica needs it: %s",
                  head->first, cause);
    atomic_store_explicit(&head->fate, SEGMENT_GIVEN_UP, memory_order_relaxed);
    backlog->news = backlog->news || cause != NULL; /* who stands there is woken, and lets go */
    segment_retain(next);
    backlog->head = next;
    backlog->count--;
    segment_unlink(head, backlog->ties.directory);
    segment_release(head);
    const struct identity *identity = backlog->ties.identity;
    CHECK(identity->segment_count > 0);
    CHECK(identity->segments[0].first < next->first);
    identity_drop_oldest(backlog->ties.identity, 1);
}

static uint64_t cap_of(const struct backlog *backlog)
{
    /* One segment to read and one to write are the least there can be. */
    uint64_t least = backlog->ties.segment_bytes * 2;
    uint64_t cap = backlog->ties.window_bytes_max;
    return cap < least ? least : cap;
}

/* Segments that were cut off in a rewind go as soon as nobody can be stepping into them. */
static void drop_cuts(struct backlog *backlog)
{
    for (struct segment *s = backlog->head; s != NULL; s = next_of(s)) {
        if (s->cut != NULL)
            segment_drop_cut(s, 1);
    }
}

void backlog_set_window(struct backlog *backlog, uint64_t window_bytes, uint64_t window_bytes_max)
{
    backlog->ties.window_bytes = window_bytes;
    backlog->ties.window_bytes_max = window_bytes_max;
}

bool backlog_trim(struct backlog *backlog)
{
    size_t before = backlog->count;
    drop_cuts(backlog);
    while (backlog->head != backlog->last && !is_pinned(backlog->head) &&
           backlog->last->written - next_of(backlog->head)->first >= backlog->ties.window_bytes)
        drop_head(backlog, NULL);
    return backlog->count != before;
}

bool backlog_shorten(struct backlog *backlog, uint64_t keep_from)
{
    struct segment *head = backlog->head;
    if (head == backlog->last || is_pinned(head) || next_of(head)->first > keep_from)
        return false;
    log_warnx("store: the disk is full: the window is shortened by segment %" PRIu64
              ".seg, for a snapshot",
              head->first);
    drop_head(backlog, NULL);
    return true;
}

/* Makes room for one more segment under the cap. No more is given up than is needed once those who
 * hold what was given up have let go. False: they have not. */
static bool make_room(struct backlog *backlog)
{
    uint64_t wanted = backlog->ties.segment_bytes;
    (void)backlog_trim(backlog);
    while (charge_of(backlog) + wanted > cap_of(backlog) && backlog->head != backlog->last)
        drop_head(backlog, "repl-backlog-max-size is reached");
    if (backlog->head == backlog->last && held_of(backlog) == 0)
        return true; /* there is no less, whatever the sizes were when it was made */
    return space_of(backlog) + wanted <= cap_of(backlog);
}

/* The disk refused. BACKLOG_ROOM: the window was shortened, try again. `beside`: what a segment takes
 * that is not in the chain yet. */
static enum backlog_room shorten(struct backlog *backlog, int error, uint64_t beside)
{
    if (!files_is_full(error))
        return BACKLOG_NO_SPACE;
    if (held_of(backlog) > beside) /* its space comes back soon: no need to give up more */
        return BACKLOG_HELD;
    if (backlog->head == backlog->last)
        return BACKLOG_NO_SPACE;
    log_warnx("store: the disk is full: the window is shortened by segment %" PRIu64 ".seg",
              backlog->head->first);
    drop_head(backlog, "the disk is full");
    return BACKLOG_ROOM;
}

static enum backlog_room create_next(struct backlog *backlog, struct segment **next,
                                     struct text *why)
{
    enum backlog_room room = BACKLOG_ROOM;
    while (room == BACKLOG_ROOM) {
        text_clear(why);
        *next = segment_create(backlog->ties.directory, backlog->last->written,
                               backlog->ties.segment_bytes, backlog->space, why);
        if (*next != NULL)
            return BACKLOG_ROOM;
        room = shorten(backlog, errno, 0);
    }
    return room;
}

/* Names the newest segment in the identity, unless it is there: where a rewind or a full disk left no
 * segment behind it. `next` is made, but not in the chain. */
static enum backlog_room seal_last(struct backlog *backlog, const struct segment *next,
                                   struct text *why)
{
    struct identity *identity = backlog->ties.identity;
    struct segment *last = backlog->last;
    size_t count = identity->segment_count;
    if (count > 0 && identity->segments[count - 1].first == last->first)
        return BACKLOG_ROOM;
    struct identity_segment row = {last->first, last->written, last->crc, backlog->boundary};
    if (!identity_add_segment(identity, row)) {
        text_format(why, "memory is out");
        return BACKLOG_NO_SPACE;
    }
    enum backlog_room room = BACKLOG_ROOM;
    while (room == BACKLOG_ROOM) {
        text_clear(why);
        if (backlog->ties.save(backlog->ties.arg, false, why))
            return BACKLOG_ROOM;
        room = shorten(backlog, errno, next->capacity);
    }
    identity_drop_newest(identity);
    return room;
}

/* Relaxed: the release of `next`, which is set afterwards, covers it (cursor.c). */
static void set_border(struct segment *segment, unsigned era)
{
    if (era > atomic_load_explicit(&segment->border, memory_order_relaxed))
        atomic_store_explicit(&segment->border, era, memory_order_relaxed);
}

/* Seals the newest segment into the identity and goes on in a new one. The order makes a kill at any
 * point harmless: a segment is named in the identity before the tail speaks of its successor. */
static enum backlog_room roll(struct backlog *backlog, unsigned border, struct text *why)
{
    struct segment *next = NULL;
    enum backlog_room room = create_next(backlog, &next, why);
    if (room != BACKLOG_ROOM)
        return room;
    room = seal_last(backlog, next, why);
    if (room != BACKLOG_ROOM) {
        segment_unlink(next, backlog->ties.directory);
        segment_release(next);
        return room;
    }
    backlog->news = publish(backlog) || backlog->news;
    set_border(backlog->last, border);
    chain_append(backlog, next);
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    return BACKLOG_ROOM;
}

enum backlog_room backlog_reserve(struct backlog *backlog, uint8_t **into, size_t *capacity)
{
    struct segment *last = backlog->last;
    if (segment_is_full(last)) {
        if (!make_room(backlog))
            return BACKLOG_HELD;
        struct text why;
        text_init(&why, ERROR_MAX);
        enum backlog_room room = roll(backlog, 0, &why);
        if (room == BACKLOG_NO_SPACE)
            set_error(backlog, &why);
        text_fini(&why);
        if (room != BACKLOG_ROOM)
            return room;
        backlog->error[0] = '\0';
        last = backlog->last;
    }
    uint64_t left = last->capacity - (last->written - last->first);
    *into = backlog->buffer;
    *capacity = left < BUFFER_LENGTH ? (size_t)left : BUFFER_LENGTH;
    return BACKLOG_ROOM;
}

bool backlog_append(struct backlog *backlog, size_t length)
{
    struct text why;
    text_init(&why, ERROR_MAX);
    bool good = segment_append(backlog->last, bytes_at(backlog->buffer, length), &why);
    if (!good)
        set_error(backlog, &why);
    else
        backlog->error[0] = '\0';
    text_fini(&why);
    return good;
}

/* ------------------------------------------------------------------ rewind */

/* The newest segment that begins before `offset`; NULL: none. */
static struct segment *last_before(const struct backlog *backlog, uint64_t offset)
{
    struct segment *found = NULL;
    for (struct segment *s = backlog->head; s != NULL && s->first < offset; s = next_of(s))
        found = s;
    return found;
}

/* The identity as it will be: `kept`, the last that stays, ends at `offset` (NULL: nothing stays). It
 * has its row already where the cut is at its very end. False: memory is out. */
static bool rewind_identity(struct identity *identity, const struct segment *kept, uint64_t offset)
{
    identity_rewind(identity, offset);
    size_t count = identity->segment_count;
    if (kept == NULL || (count > 0 && identity->segments[count - 1].first == kept->first))
        return true;
    struct identity_segment row = {kept->first, offset, segment_crc_until(kept, offset), offset};
    return identity_add_segment(identity, row);
}

/* Writes the rewound identity; on failure it and the tail are as they were. The live mark comes first,
 * for a kill before it is obeyed: it is passed over as long as the identity is the old one. */
static bool save_rewound(struct backlog *backlog, const struct segment *kept, uint64_t offset,
                         struct text *why)
{
    struct identity *identity = backlog->ties.identity;
    struct identity before;
    if (!identity_copy(identity, &before)) {
        text_format(why, "memory is out");
        return false;
    }
    struct tail_mark mark = {.segment_first = offset, .end = offset, .boundary = offset};
    tail_set_live(backlog->ties.tail, mark);
    bool good = rewind_identity(identity, kept, offset);
    if (!good)
        text_format(why, "memory is out");
    good = good && backlog->ties.save(backlog->ties.arg, true, why);
    if (good) {
        identity_fini(&before);
        return true;
    }
    identity_fini(identity);
    *identity = before;
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    return false;
}

/* Takes `from` and all behind it off the disk, and tells those who stand there. */
static void cut_off(struct backlog *backlog, struct segment *from)
{
    for (struct segment *s = from; s != NULL; s = next_of(s)) {
        atomic_store_explicit(&s->fate, SEGMENT_REWOUND, memory_order_relaxed);
        segment_unlink(s, backlog->ties.directory);
        backlog->count--;
    }
}

/* Ends `kept` at `offset`; what was behind it is out of the chain. */
static void cut_at(struct backlog *backlog, struct segment *kept, uint64_t offset)
{
    struct segment *old = next_of(kept);
    cut_off(backlog, old);
    /* A border that was cut off is where the cut is: no older id reaches further. */
    for (const struct segment *s = old; s != NULL; s = next_of(s))
        set_border(kept, atomic_load_explicit(&s->border, memory_order_relaxed));
    kept->crc = segment_crc_until(kept, offset);
    kept->written = offset;
    kept->is_cut = true;
    /* Readers beyond it see that they are; a reader that stands at it goes on in the new next. */
    atomic_store_explicit(&kept->published, offset, memory_order_release);
    atomic_store_explicit(&kept->next, NULL, memory_order_release);
    if (old != NULL)
        segment_keep_cut(kept, old);
    backlog->last = kept;
}

/* Lets go of the whole chain: `next`, a new one, is all there is. */
static void start_over(struct backlog *backlog, struct segment *next)
{
    segment_release(backlog->head);
    backlog->head = NULL;
    backlog->last = NULL;
    chain_append(backlog, next);
}

/* In this order: a kill in the middle finds the history as it was before, or as it is afterwards. */
bool backlog_rewind(struct backlog *backlog, uint64_t offset, struct text *why)
{
    CHECK(offset >= backlog_first(backlog));
    CHECK(offset <= backlog_end(backlog));
    struct segment *kept = last_before(backlog, offset);
    if (!save_rewound(backlog, kept, offset, why))
        return false;
    bool forgotten = tail_forget(backlog->ties.tail, offset);
    if (!forgotten)
        text_format(why, "tail: cannot write: %s", strerror(errno));
    if (kept != NULL)
        cut_at(backlog, kept, offset);
    else
        cut_off(backlog, backlog->head);
    struct segment *fresh = segment_create(backlog->ties.directory, offset,
                                           backlog->ties.segment_bytes, backlog->space, why);
    if (fresh == NULL && kept == NULL) {
        segment_retain(backlog->last); /* of no more use than to be there until the history goes */
        start_over(backlog, backlog->last);
        return false;
    }
    if (kept == NULL)
        start_over(backlog, fresh);
    else if (fresh != NULL)
        chain_append(backlog, fresh);
    else /* backlog_reserve tries again */
        set_error(backlog, why);
    backlog->boundary = offset;
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    return forgotten;
}

/* ------------------------------------------------------------------ another id */

/* Nothing was appended yet to the newest segment, in which readers may stand: they stay in it, and what
 * comes goes into its twin. */
static bool renew_empty(struct backlog *backlog, unsigned border, struct text *why)
{
    struct segment *empty = backlog->last;
    struct segment *twin = segment_twin(empty, why);
    if (twin == NULL)
        return false;
    set_border(empty, border);
    backlog->count--;
    if (empty == backlog->head) {
        start_over(backlog, twin);
        return true;
    }
    struct segment *before = last_before(backlog, empty->first);
    CHECK(before != NULL);
    set_border(before, border);
    segment_keep_cut(before, empty); /* a reader may just be stepping into it */
    backlog->last = before;
    chain_append(backlog, twin);
    return true;
}

/* The newest segment ends here, full or not. */
static bool end_segment(struct backlog *backlog, unsigned border, struct text *why)
{
    struct segment *last = backlog->last;
    if (!make_room(backlog) || roll(backlog, border, why) != BACKLOG_ROOM) {
        if (why->length == 0)
            text_format(why, "there is no room for a segment until readers have let go of others");
        return false;
    }
    if (!last->is_cut && last != backlog->last)
        segment_seal(last);
    return true;
}

bool backlog_begin_era(struct backlog *backlog, struct text *why)
{
    unsigned era = backlog->era + 1;
    const struct segment *last = backlog->last;
    bool good = last->written == last->first ? renew_empty(backlog, era, why)
                                             : end_segment(backlog, era, why);
    if (good)
        backlog->era = era;
    backlog->news = backlog->news || good;
    return good;
}

/* ------------------------------------------------------------------ readers begin */

bool cursor_attach(struct cursor *cursor, struct backlog *backlog, uint64_t offset)
{
    if (offset < backlog_first(backlog) || offset > backlog_published(backlog))
        return false;
    struct segment *segment = backlog->head;
    struct segment *next;
    while ((next = next_of(segment)) != NULL && next->first <= offset)
        segment = next;
    segment_retain(segment);
    cursor->segment = segment;
    cursor->offset = offset;
    cursor->era = backlog->era;
    return true;
}
