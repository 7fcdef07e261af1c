/* SPDX-License-Identifier: MIT */
#include "snapshot_set.h"
#include "relay/store/snapshot.h"

#include <stddef.h>

void snapshot_set_fini(struct snapshot_set *snapshot_set)
{
    snapshot_release(&snapshot_set->complete);
    snapshot_release(&snapshot_set->ahead);
    snapshot_release(&snapshot_set->arriving);
    for (size_t i = 0; i < SNAPSHOT_SET_REPLACED_MAX; i++)
        snapshot_release(&snapshot_set->replaced[i]);
}

struct snapshot *snapshot_set_usable(const struct snapshot_set *snapshot_set, uint64_t first)
{
    struct snapshot *const in_order[] = {snapshot_set->complete, snapshot_set->ahead,
                                         snapshot_set->arriving};
    for (size_t i = 0; i < LENGTH_OF(in_order); i++) {
        if (in_order[i] != NULL && snapshot_offset(in_order[i]) >= first)
            return in_order[i];
    }
    return NULL;
}

struct snapshot *snapshot_set_newest(const struct snapshot_set *snapshot_set)
{
    return snapshot_set->ahead != NULL ? snapshot_set->ahead : snapshot_set->complete;
}

static bool have_one_name(const struct snapshot *a, const struct snapshot *b)
{
    return a != NULL && b != NULL && snapshot_offset(a) == snapshot_offset(b);
}

bool snapshot_set_has_namesake(const struct snapshot_set *snapshot_set,
                               const struct snapshot *snapshot)
{
    bool found = have_one_name(snapshot_set->complete, snapshot) ||
                 have_one_name(snapshot_set->ahead, snapshot);
    for (size_t i = 0; i < SNAPSHOT_SET_REPLACED_MAX; i++)
        found = found || have_one_name(snapshot_set->replaced[i], snapshot);
    return found;
}

/* Takes the file off the disk; not if it has the same X as `heir`, and so the name. */
static void drop(struct snapshot **place, const struct snapshot *heir, int directory)
{
    if (*place != NULL && !have_one_name(*place, heir))
        snapshot_unlink(*place, directory, NULL);
    snapshot_release(place);
}

static void complete(struct snapshot_set *snapshot_set, struct snapshot *fresh, int directory)
{
    struct snapshot *before = snapshot_set->complete;
    snapshot_set->complete = fresh;
    if (have_one_name(before, fresh) || before == NULL) {
        snapshot_release(&before);
        return;
    }
    size_t i = 0;
    while (i < SNAPSHOT_SET_REPLACED_MAX - 1 && snapshot_set->replaced[i] != NULL)
        i++;
    drop(&snapshot_set->replaced[i], NULL, directory);
    snapshot_set->replaced[i] = before;
}

/* The file of `fresh` has taken the name of one that was replaced: that has none any more. */
static void forget_namesakes(struct snapshot_set *snapshot_set, const struct snapshot *fresh)
{
    for (size_t i = 0; i < SNAPSHOT_SET_REPLACED_MAX; i++) {
        if (have_one_name(snapshot_set->replaced[i], fresh))
            snapshot_release(&snapshot_set->replaced[i]);
    }
}

static bool is_between(const struct snapshot *snapshot, uint64_t first, uint64_t last)
{
    return snapshot != NULL && snapshot_offset(snapshot) >= first &&
           snapshot_offset(snapshot) <= last;
}

void snapshot_set_put(struct snapshot_set *snapshot_set, int directory, uint64_t first,
                      uint64_t published)
{
    struct snapshot *fresh = snapshot_set->arriving;
    snapshot_set->arriving = NULL;
    bool has_to_wait =
        is_between(snapshot_set->complete, first, published) && !is_between(fresh, 0, published);
    /* In either place its file may stand under the name that an older one ahead had. */
    forget_namesakes(snapshot_set, fresh);
    drop(&snapshot_set->ahead, fresh, directory);
    if (has_to_wait)
        snapshot_set->ahead = fresh;
    else
        complete(snapshot_set, fresh, directory);
}

bool snapshot_set_advance(struct snapshot_set *snapshot_set, int directory, uint64_t published)
{
    if (!is_between(snapshot_set->ahead, 0, published))
        return false;
    struct snapshot *fresh = snapshot_set->ahead;
    snapshot_set->ahead = NULL;
    complete(snapshot_set, fresh, directory);
    return true;
}

static void cut(struct snapshot **place, int directory, uint64_t offset, struct removals *gathered)
{
    if (*place == NULL || snapshot_offset(*place) <= offset)
        return;
    snapshot_unlink(*place, directory, gathered);
    snapshot_release(place);
}

static void fall_back(struct snapshot_set *snapshot_set)
{
    for (size_t i = SNAPSHOT_SET_REPLACED_MAX; i > 0 && snapshot_set->complete == NULL; i--) {
        snapshot_set->complete = snapshot_set->replaced[i - 1];
        snapshot_set->replaced[i - 1] = NULL;
    }
}

void snapshot_set_cut(struct snapshot_set *snapshot_set, int directory, uint64_t offset,
                      struct removals *gathered)
{
    cut(&snapshot_set->complete, directory, offset, gathered);
    cut(&snapshot_set->ahead, directory, offset, gathered);
    for (size_t i = 0; i < SNAPSHOT_SET_REPLACED_MAX; i++)
        cut(&snapshot_set->replaced[i], directory, offset, gathered);
    fall_back(snapshot_set);
}

void snapshot_set_drop_complete(struct snapshot_set *snapshot_set, int directory)
{
    drop(&snapshot_set->complete, NULL, directory);
    fall_back(snapshot_set);
}

struct snapshot *snapshot_set_take_replaced(struct snapshot_set *snapshot_set, uint64_t first)
{
    for (size_t i = 0; i < SNAPSHOT_SET_REPLACED_MAX; i++) {
        struct snapshot *replaced = snapshot_set->replaced[i];
        if (replaced == NULL || snapshot_offset(replaced) < first)
            continue;
        snapshot_set->replaced[i] = NULL;
        return replaced;
    }
    return NULL;
}

bool snapshot_set_has_replaced(const struct snapshot_set *snapshot_set)
{
    return snapshot_set->replaced[0] != NULL || snapshot_set->replaced[1] != NULL;
}

bool snapshot_set_settle(struct snapshot_set *snapshot_set, int directory, bool is_safe)
{
    bool went = false;
    for (size_t i = is_safe ? 0 : 1; i < SNAPSHOT_SET_REPLACED_MAX; i++) {
        went = went || snapshot_set->replaced[i] != NULL;
        drop(&snapshot_set->replaced[i], NULL, directory);
    }
    return went;
}
