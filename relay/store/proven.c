/* SPDX-License-Identifier: MIT */
#include "proven.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "segment.h"

/* One look at a segment. */
enum look { LOOK_PROVEN, LOOK_UNPROVEN, LOOK_REFUSED };

struct search {
    struct proven *proven;
    const struct backlog_ties *ties;
    struct segment_space *space;
    struct text *why; /* of what was refused */
};

static enum look look_at(struct segment *found, struct segment **out)
{
    *out = found;
    if (found != NULL)
        return LOOK_PROVEN;
    return files_is_refusal(errno) ? LOOK_REFUSED : LOOK_UNPROVEN;
}

static enum look look_by_mark(const struct search *search, const struct tail_mark *mark)
{
    const struct backlog_ties *ties = search->ties;
    bool empty = mark->end == mark->segment_first;
    return look_at(empty ? segment_load_empty(ties->directory, mark->segment_first,
                                              ties->segment_bytes, search->space, search->why)
                         : segment_load_proven(ties->directory, mark->segment_first, mark->end,
                                               mark->crc, ties->segment_bytes, search->space,
                                               search->why),
                   &search->proven->newest);
}

/* The segment behind the sealed ones, as far as one of the tail's marks is borne out by its bytes; or
 * an `empty` one that a mark tells of. */
static enum look find_newest(const struct search *search, bool empty)
{
    const struct identity *identity = search->ties->identity;
    size_t sealed = identity->segment_count;
    struct tail_mark marks[TAIL_MARKS_MAX];
    size_t count = tail_read(search->ties->tail, marks);
    for (size_t i = 0; i < count; i++) {
        if (sealed > 0 && identity->segments[sealed - 1].end != marks[i].segment_first)
            continue;
        if ((marks[i].end == marks[i].segment_first) != empty)
            continue;
        search->proven->mark = marks[i];
        enum look look = look_by_mark(search, &marks[i]);
        if (look != LOOK_UNPROVEN)
            return look;
    }
    return LOOK_UNPROVEN;
}

static enum look find_sealed(const struct search *search, size_t position)
{
    const struct identity_segment *row = &search->ties->identity->segments[position];
    return look_at(segment_load_proven(search->ties->directory, row->first, row->end, row->crc, 0,
                                       search->space, search->why),
                   &search->proven->sealed[position]);
}

/* Where power was lost, the newest sealed segments may not have reached the disk; the run then ends
 * before them, where the last durable mark may fit. */
static enum look find_end(const struct search *search)
{
    struct identity *identity = search->ties->identity;
    enum look look = find_newest(search, false);
    while (look == LOOK_UNPROVEN && identity->segment_count > 0) {
        look = find_sealed(search, identity->segment_count - 1);
        if (look == LOOK_PROVEN)
            return find_newest(search, true) == LOOK_REFUSED ? LOOK_REFUSED : LOOK_PROVEN;
        if (look == LOOK_UNPROVEN) {
            identity_drop_newest(identity);
            look = find_newest(search, false);
        }
    }
    return look == LOOK_UNPROVEN ? find_newest(search, true) : look;
}

/* Further back, a hole makes all before it useless. */
static enum look find_beginning(const struct search *search)
{
    struct identity *identity = search->ties->identity;
    struct segment **sealed = search->proven->sealed;
    size_t first = identity->segment_count;
    enum look look = LOOK_PROVEN;
    while (first > 0 && look == LOOK_PROVEN) {
        if (sealed[first - 1] == NULL)
            look = find_sealed(search, first - 1);
        if (look == LOOK_PROVEN)
            first--;
    }
    if (look == LOOK_REFUSED)
        return look;
    identity_drop_oldest(identity, first);
    memmove(sealed, sealed + first, identity->segment_count * sizeof(struct segment *));
    return LOOK_PROVEN;
}

static void let_go(struct proven *proven, size_t count)
{
    for (size_t i = 0; i < count; i++)
        segment_release(proven->sealed[i]);
    segment_release(proven->newest);
    proven_fini(proven);
}

bool proven_load(struct proven *proven, const struct backlog_ties *ties,
                 struct segment_space *space, struct text *why)
{
    size_t count = ties->identity->segment_count;
    *proven = (struct proven){.sealed = calloc(count + 1, sizeof(struct segment *))};
    if (proven->sealed == NULL) {
        text_format(why, "memory is out");
        errno = ENOMEM;
        return false;
    }
    const struct search search = {proven, ties, space, why};
    enum look look = find_end(&search);
    if (look == LOOK_PROVEN)
        look = find_beginning(&search);
    if (look == LOOK_PROVEN)
        return true;
    int error = errno;
    let_go(proven, count);
    if (look == LOOK_UNPROVEN)
        text_format(why, "no segment of it can be proven");
    errno = look == LOOK_UNPROVEN ? ENODATA : error;
    return false;
}

void proven_fini(struct proven *proven)
{
    free(proven->sealed);
    proven->sealed = NULL;
}
