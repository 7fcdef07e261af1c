/* SPDX-License-Identifier: MIT */
#include "relay/store/backlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "backlog_writer.h"
#include "relay/base/log.h"
#include "segment.h"

struct backlog {
    struct backlog_ties ties;
    struct segment_space *space;
    struct segment *head; /* the oldest, held */
    struct segment *last; /* the one that is written to, held by the chain */
    size_t count;
    uint64_t boundary;
    uint64_t published_boundary; /* that the live mark carries */
    struct text error;
};

enum { ERROR_MAX = 256 };

static void set_error(struct backlog *backlog, const struct text *why)
{
    text_clear(&backlog->error);
    text_append(&backlog->error, text_bytes(why));
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

/* ------------------------------------------------------------------ made, loaded, let go of */

static struct backlog *backlog_make(const struct backlog_ties *ties, struct text *why)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));
    struct segment_space *space = calloc(1, sizeof(*space));
    if (backlog == NULL || space == NULL) {
        text_format(why, "memory is out");
        free(backlog);
        free(space);
        return NULL;
    }
    backlog->ties = *ties;
    backlog->space = space;
    atomic_init(&space->references, 1);
    text_init(&backlog->error, ERROR_MAX);
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
    if (it->last != NULL && it->last->has_name && !segment_is_full(it->last))
        segment_seal(it->last);
    segment_release(it->head);
    segment_space_release(it->space);
    text_fini(&it->error);
    free(it);
    *backlog = NULL;
}

/* The newest segment, as far as one of the tail's marks is borne out by the bytes. NULL: by none. */
static struct segment *load_newest(const struct backlog *backlog, struct tail_mark *mark)
{
    struct tail_mark marks[2];
    tail_read(backlog->ties.tail, &marks[0], &marks[1]);
    const struct identity *identity = backlog->ties.identity;
    for (int i = 0; i < 2; i++) {
        size_t count = identity->segment_count;
        bool follows = count == 0 || identity->segments[count - 1].end == marks[i].segment_first;
        if (marks[i].sequence == 0 || !follows)
            continue;
        struct text why;
        text_init(&why, ERROR_MAX);
        struct segment *segment =
            segment_load(backlog->ties.directory, marks[i].segment_first, marks[i].end,
                         marks[i].crc, backlog->ties.segment_bytes, backlog->space, &why);
        bool proven = segment != NULL && segment_crc_until(segment, marks[i].end) == marks[i].crc;
        if (proven) {
            *mark = marks[i];
            text_fini(&why);
            return segment;
        }
        if (segment != NULL) {
            text_format(&why, "its checksum does not match its bytes");
            segment_release(segment);
        }
        log_warnx("store: segment %" PRIu64 ".seg is not proven up to %" PRIu64 " (%s mark): %s",
                  marks[i].segment_first, marks[i].end, i == 0 ? "live" : "durable",
                  text_string(&why));
        text_fini(&why);
    }
    return NULL;
}

/* Sealed segments from the newest back to the first that cannot be proven; all before that one are of
 * no use. Returns how many are good, and sets loaded[] to them. */
static size_t load_sealed(const struct backlog *backlog, struct segment **loaded)
{
    const struct identity *identity = backlog->ties.identity;
    size_t good = 0;
    while (good < identity->segment_count) {
        const struct identity_segment *row =
            &identity->segments[identity->segment_count - 1 - good];
        struct text why;
        text_init(&why, ERROR_MAX);
        struct segment *segment = segment_load(backlog->ties.directory, row->first, row->end,
                                               row->crc, 0, backlog->space, &why);
        if (segment != NULL && segment_crc_until(segment, row->end) != row->crc) {
            text_format(&why, "its checksum does not match its bytes");
            segment_release(segment);
            segment = NULL;
        }
        if (segment == NULL)
            log_warnx("store: segment %" PRIu64
                      ".seg is not proven: %s; the window begins after it",
                      row->first, text_string(&why));
        text_fini(&why);
        if (segment == NULL)
            break;
        loaded[identity->segment_count - 1 - good] = segment;
        good++;
    }
    return good;
}

/* Puts what was proven into the chain; opens a new segment where the newest one could not be. */
static bool chain_up(struct backlog *backlog, struct segment **sealed, struct segment *newest,
                     const struct tail_mark *mark, struct text *why)
{
    const struct identity *identity = backlog->ties.identity;
    for (size_t i = 0; i < identity->segment_count; i++)
        chain_append(backlog, sealed[i]);
    if (newest != NULL) {
        chain_append(backlog, newest);
        backlog->boundary = mark->boundary;
    } else if (identity->segment_count > 0) {
        const struct identity_segment *row = &identity->segments[identity->segment_count - 1];
        newest = segment_create(backlog->ties.directory, row->end, backlog->ties.segment_bytes,
                                backlog->space, why);
        if (newest == NULL)
            return false;
        chain_append(backlog, newest);
        backlog->boundary = row->boundary;
    } else {
        text_format(why, "no segment of it can be proven");
        return false;
    }
    if (backlog->boundary < backlog->head->first) {
        text_format(why, "the last command boundary, %" PRIu64 ", is before the window",
                    backlog->boundary);
        return false;
    }
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    return true;
}

struct backlog *backlog_load(const struct backlog_ties *ties, struct text *why)
{
    struct backlog *backlog = backlog_make(ties, why);
    if (backlog == NULL)
        return NULL;
    struct identity *identity = ties->identity;
    struct segment **sealed = calloc(identity->segment_count + 1, sizeof(struct segment *));
    if (sealed == NULL) {
        text_format(why, "memory is out");
        backlog_free(&backlog);
        return NULL;
    }
    size_t count = identity->segment_count;
    size_t good = load_sealed(backlog, sealed);
    identity_drop_oldest(identity, count - good);
    struct tail_mark mark = {0};
    struct segment *newest = load_newest(backlog, &mark);
    if (!chain_up(backlog, sealed + (count - good), newest, &mark, why))
        backlog_free(&backlog);
    free(sealed);
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
        chained += s->capacity;
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
    segment_sum(backlog->last);
    return (struct tail_mark){
        .segment_first = backlog->last->first,
        .end = backlog->last->written,
        .boundary = backlog->boundary,
        .crc = backlog->last->crc,
    };
}

const char *backlog_error(const struct backlog *backlog)
{
    return text_string(&backlog->error);
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

bool backlog_publish(struct backlog *backlog)
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

/* Takes the oldest segment out of the chain. `forced`: whoever stands in it is told. */
static void drop_head(struct backlog *backlog, bool forced)
{
    struct segment *head = backlog->head;
    struct segment *next = next_of(head);
    CHECK(next != NULL);
    if (forced && atomic_load_explicit(&head->references, memory_order_relaxed) > 1)
        log_warnx("store: repl-backlog-max-size reached: segment %" PRIu64
                  ".seg is given up although replicas still read it",
                  head->first);
    atomic_store_explicit(&head->fate, SEGMENT_GIVEN_UP, memory_order_relaxed);
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

static bool head_is_pinned(const struct backlog *backlog)
{
    return atomic_load_explicit(&backlog->head->references, memory_order_relaxed) > 1;
}

static uint64_t cap_of(const struct backlog *backlog)
{
    /* One segment to read and one to write are the least there can be. */
    uint64_t least = backlog->ties.segment_bytes * 2;
    uint64_t cap = backlog->ties.window_bytes_max;
    return cap < least ? least : cap;
}

/* Gives up what the window need not hold. */
static void trim(struct backlog *backlog)
{
    while (backlog->head != backlog->last && !head_is_pinned(backlog) &&
           backlog->last->written - next_of(backlog->head)->first >= backlog->ties.window_bytes)
        drop_head(backlog, false);
}

/* Makes room for one more segment under the cap. False: cursors still hold what was given up. */
static bool make_room(struct backlog *backlog)
{
    uint64_t wanted = backlog->ties.segment_bytes;
    trim(backlog);
    while (space_of(backlog) + wanted > cap_of(backlog) && backlog->head != backlog->last)
        drop_head(backlog, true);
    return space_of(backlog) + wanted <= cap_of(backlog);
}

/* A new segment, for which the window is shortened where the disk has no room. */
static struct segment *create_next(struct backlog *backlog, struct text *why)
{
    for (;;) {
        text_clear(why);
        struct segment *segment = segment_create(backlog->ties.directory, backlog->last->written,
                                                 backlog->ties.segment_bytes, backlog->space, why);
        if (segment != NULL || errno != ENOSPC || backlog->head == backlog->last)
            return segment;
        log_warnx("store: the disk is full: the window is shortened by segment %" PRIu64 ".seg",
                  backlog->head->first);
        drop_head(backlog, true);
    }
}

/* Seals the newest segment into the identity and goes on in a new one. The order makes a kill at any
 * point harmless: a segment is named in the identity before the tail speaks of its successor. */
static bool roll(struct backlog *backlog, struct text *why)
{
    struct segment *last = backlog->last;
    struct segment *next = create_next(backlog, why);
    if (next == NULL)
        return false;
    segment_sum(last);
    struct identity_segment row = {last->first, last->written, last->crc, backlog->boundary};
    bool added = identity_add_segment(backlog->ties.identity, row);
    if (!added || !backlog->ties.save(backlog->ties.arg, why)) {
        if (added)
            identity_rewind(backlog->ties.identity, last->first);
        segment_unlink(next, backlog->ties.directory);
        segment_release(next);
        return false;
    }
    (void)backlog_publish(backlog);
    chain_append(backlog, next);
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    return true;
}

enum backlog_room backlog_reserve(struct backlog *backlog, uint8_t **into, size_t *capacity)
{
    struct segment *last = backlog->last;
    if (segment_is_full(last)) {
        if (!make_room(backlog))
            return BACKLOG_HELD;
        struct text why;
        text_init(&why, ERROR_MAX);
        bool good = roll(backlog, &why);
        if (!good)
            set_error(backlog, &why);
        text_fini(&why);
        if (!good)
            return BACKLOG_NO_SPACE;
        text_clear(&backlog->error);
        last = backlog->last;
    }
    uint64_t used = last->written - last->first;
    *into = last->map + used;
    *capacity = (size_t)(last->capacity - used);
    return BACKLOG_ROOM;
}

void backlog_append(struct backlog *backlog, size_t length)
{
    struct segment *last = backlog->last;
    CHECK(length <= last->capacity - (last->written - last->first));
    last->written += length;
}

/* ------------------------------------------------------------------ rewind */

static void mark_rewound(struct backlog *backlog, struct segment *from)
{
    for (struct segment *s = from; s != NULL; s = next_of(s)) {
        atomic_store_explicit(&s->fate, SEGMENT_REWOUND, memory_order_relaxed);
        segment_unlink(s, backlog->ties.directory);
        backlog->count--;
    }
}

/* The last segment of what stays, sealed at `offset`; NULL: nothing stays. The rest is cut off. */
static struct segment *cut_at(struct backlog *backlog, uint64_t offset)
{
    struct segment *kept = NULL;
    struct segment *s = backlog->head;
    while (s != NULL && s->first < offset) {
        kept = s;
        s = next_of(s);
    }
    mark_rewound(backlog, s);
    if (kept == NULL)
        return NULL;
    kept->written = offset;
    if (kept->summed > offset) {
        kept->crc = segment_crc_until(kept, offset);
        kept->summed = offset;
    }
    segment_sum(kept);
    atomic_store_explicit(&kept->published, offset, memory_order_release);
    segment_seal(kept);
    return kept;
}

/* The row of the segment that now ends in the rewind; it has one where the cut is at its very end. */
static bool add_cut_row(struct identity *identity, const struct segment *kept)
{
    size_t count = identity->segment_count;
    if (count > 0 && identity->segments[count - 1].end == kept->written)
        return true;
    struct identity_segment row = {kept->first, kept->written, kept->crc, kept->written};
    return identity_add_segment(identity, row);
}

bool backlog_rewind(struct backlog *backlog, uint64_t offset, struct text *why)
{
    CHECK(offset >= backlog_first(backlog));
    CHECK(offset <= backlog_end(backlog));
    tail_clear(backlog->ties.tail);
    identity_rewind(backlog->ties.identity, offset);
    struct segment *kept = cut_at(backlog, offset);
    struct segment *fresh = segment_create(backlog->ties.directory, offset,
                                           backlog->ties.segment_bytes, backlog->space, why);
    if (fresh == NULL)
        return false;
    if (kept == NULL) {
        segment_release(backlog->head);
        backlog->head = NULL;
        backlog->last = NULL;
        backlog->count = 0;
    } else {
        /* A reader may be stepping to the old next just now, so that one is held until `kept` goes. */
        struct segment *old = next_of(kept);
        CHECK(kept->cut == NULL || old == NULL);
        if (old != NULL)
            kept->cut = old;
        if (!add_cut_row(backlog->ties.identity, kept)) {
            text_format(why, "memory is out");
            segment_unlink(fresh, backlog->ties.directory);
            segment_release(fresh);
            return false;
        }
        backlog->last = kept;
    }
    chain_append(backlog, fresh);
    backlog->boundary = offset;
    if (!backlog->ties.save(backlog->ties.arg, why))
        return false;
    tail_set_live(backlog->ties.tail, backlog_mark(backlog));
    return true;
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
    return true;
}
