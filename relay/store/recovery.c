/* SPDX-License-Identifier: MIT */
#include "recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clean_mark.h"
#include "files.h"
#include "relay/store/identity.h"
#include "segment.h"

/* One look at a segment. */
enum look { LOOK_PROVEN, LOOK_UNPROVEN, LOOK_REFUSED };

struct search {
    struct proven *proven;
    const struct backlog_dependencies *dependencies;
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

/* One that is what it was when it was proven last is not read. */
static struct files_pace trust_in(const struct search *search, uint64_t first)
{
    const struct clean_mark *clean = search->dependencies->clean;
    return (struct files_pace){
        .trusted = clean == NULL ? NULL : clean_mark_find(clean, CLEAN_SEGMENT, first)};
}

/* Asked before it is opened, since it is made longer then. */
static bool is_trusted(const struct search *search, uint64_t first)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(first, name);
    int file = openat(search->dependencies->directory, name, O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return false;
    const struct files_pace pace = trust_in(search, first);
    bool trusted = files_is_trusted(file, &pace);
    close(file);
    return trusted;
}

/* What is before the point is proven later, unless nothing has touched the file since it was. */
static struct segment *load_behind_point(const struct search *search, const struct tail_mark *mark)
{
    const struct backlog_dependencies *dependencies = search->dependencies;
    struct tail_point point;
    uint64_t limit = mark->boundary < mark->end ? mark->boundary : mark->end;
    if (!tail_find_point(dependencies->tail, mark->segment_first, limit, &point))
        return NULL;
    bool trusted = is_trusted(search, mark->segment_first);
    struct segment *segment =
        segment_load_behind(dependencies->directory, mark, &point, dependencies->segment_bytes,
                            search->space, search->why);
    if (segment != NULL && trusted)
        segment->points[0] = (struct segment_point){mark->segment_first, 0};
    return segment;
}

static enum look look_by_mark(const struct search *search, const struct tail_mark *mark)
{
    const struct backlog_dependencies *dependencies = search->dependencies;
    struct segment **out = &search->proven->newest;
    if (mark->end == mark->segment_first)
        return look_at(segment_load_empty(dependencies->directory, mark->segment_first,
                                          dependencies->segment_bytes, search->space, search->why),
                       out);
    struct segment *segment = load_behind_point(search, mark);
    if (segment == NULL)
        segment =
            segment_load_proven(dependencies->directory, mark->segment_first, mark->end, mark->crc,
                                dependencies->segment_bytes, search->space, NULL, search->why);
    return look_at(segment, out);
}

/* The segment behind the sealed ones, as far as one of the tail's marks is borne out by its bytes; or
 * an `empty` one that a mark tells of. */
static enum look find_newest(const struct search *search, bool empty)
{
    const struct identity *identity = search->dependencies->identity;
    size_t sealed = identity->segment_count;
    struct tail_mark marks[TAIL_MARKS_MAX];
    size_t count = tail_read(search->dependencies->tail, marks);
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
    const struct identity_segment *row = &search->dependencies->identity->segments[position];
    const struct files_pace pace = trust_in(search, row->first);
    return look_at(segment_load_proven(search->dependencies->directory, row->first, row->end,
                                       row->crc, 0, search->space, &pace, search->why),
                   &search->proven->sealed[position]);
}

/* A disk that has no room for an empty one costs nothing: the run ends with the sealed one, and is served. */
static enum look find_empty_behind_sealed(const struct search *search)
{
    enum look look = find_newest(search, true);
    if (look == LOOK_REFUSED && files_is_full(errno)) {
        text_clear(search->why);
        return LOOK_PROVEN;
    }
    return look == LOOK_REFUSED ? LOOK_REFUSED : LOOK_PROVEN;
}

/* Where power was lost, the newest sealed segments may not have reached the disk; the run then ends
 * before them, where the last durable mark may fit. */
static enum look find_end(const struct search *search)
{
    struct identity *identity = search->dependencies->identity;
    enum look look = find_newest(search, false);
    while (look == LOOK_UNPROVEN && identity->segment_count > 0) {
        look = find_sealed(search, identity->segment_count - 1);
        if (look == LOOK_PROVEN)
            return find_empty_behind_sealed(search);
        if (look == LOOK_UNPROVEN) {
            identity_drop_newest(identity);
            look = find_newest(search, false);
        }
    }
    return look == LOOK_UNPROVEN ? find_newest(search, true) : look;
}

/* Upstream goes on behind the boundary. */
static uint64_t boundary_of(const struct search *search)
{
    const struct identity *identity = search->dependencies->identity;
    if (search->proven->newest != NULL)
        return search->proven->mark.boundary;
    return identity->segments[identity->segment_count - 1].boundary;
}

/* Back to the boundary. Further back, a hole makes all before it useless. */
static enum look find_boundary(const struct search *search)
{
    struct identity *identity = search->dependencies->identity;
    struct segment **sealed = search->proven->sealed;
    uint64_t boundary = boundary_of(search);
    size_t first = identity->segment_count;
    enum look look = LOOK_PROVEN;
    while (first > 0 && look == LOOK_PROVEN &&
           (sealed[first - 1] != NULL || identity->segments[first - 1].end > boundary)) {
        if (sealed[first - 1] == NULL)
            look = find_sealed(search, first - 1);
        if (look == LOOK_PROVEN)
            first--;
    }
    if (look == LOOK_REFUSED)
        return look;
    if (look == LOOK_UNPROVEN) {
        identity_drop_oldest(identity, first);
        memmove(sealed, sealed + first, identity->segment_count * sizeof(struct segment *));
        first = 0;
    }
    search->proven->unproven = first;
    return LOOK_PROVEN;
}

static void let_go(struct proven *proven, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (proven->sealed[i] != NULL)
            segment_release(proven->sealed[i]);
    }
    segment_release(proven->newest);
    recovery_fini(proven);
}

bool recovery_load(struct proven *proven, const struct backlog_dependencies *dependencies,
                   struct segment_space *space, struct text *why)
{
    size_t count = dependencies->identity->segment_count;
    *proven = (struct proven){.sealed = calloc(count + 1, sizeof(struct segment *))};
    if (proven->sealed == NULL) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return false;
    }
    const struct search search = {proven, dependencies, space, why};
    enum look look = find_end(&search);
    if (look == LOOK_PROVEN)
        look = find_boundary(&search);
    if (look == LOOK_PROVEN)
        return true;
    int error = errno;
    let_go(proven, count);
    if (look == LOOK_UNPROVEN)
        text_format(why, "no segment of it can be proven");
    errno = look == LOOK_UNPROVEN ? ENODATA : error;
    return false;
}

void recovery_fini(struct proven *proven)
{
    free(proven->sealed);
    proven->sealed = NULL;
}
