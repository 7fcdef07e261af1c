/* SPDX-License-Identifier: MIT */
#include "shelf.h"

#include <stddef.h>

void shelf_fini(struct shelf *shelf)
{
    snapshot_release(&shelf->complete);
    snapshot_release(&shelf->ahead);
    snapshot_release(&shelf->arriving);
    for (size_t i = 0; i < SHELF_REPLACED_MAX; i++)
        snapshot_release(&shelf->replaced[i]);
}

struct snapshot *shelf_usable(const struct shelf *shelf, uint64_t first)
{
    struct snapshot *const in_order[] = {shelf->complete, shelf->ahead, shelf->arriving};
    for (size_t i = 0; i < LENGTH_OF(in_order); i++) {
        if (in_order[i] != NULL && snapshot_offset(in_order[i]) >= first)
            return in_order[i];
    }
    return NULL;
}

struct snapshot *shelf_newest(const struct shelf *shelf)
{
    return shelf->ahead != NULL ? shelf->ahead : shelf->complete;
}

static bool have_one_name(const struct snapshot *a, const struct snapshot *b)
{
    return a != NULL && b != NULL && snapshot_offset(a) == snapshot_offset(b);
}

/* Takes the file off the disk; not if it has the same X as `heir`, and so the name. */
static void drop(struct snapshot **place, const struct snapshot *heir, int directory)
{
    if (*place != NULL && !have_one_name(*place, heir))
        snapshot_unlink(*place, directory);
    snapshot_release(place);
}

static void complete(struct shelf *shelf, struct snapshot *fresh, int directory)
{
    struct snapshot *before = shelf->complete;
    shelf->complete = fresh;
    if (have_one_name(before, fresh) || before == NULL) {
        snapshot_release(&before);
        return;
    }
    size_t i = 0;
    while (i < SHELF_REPLACED_MAX - 1 && shelf->replaced[i] != NULL)
        i++;
    drop(&shelf->replaced[i], NULL, directory);
    shelf->replaced[i] = before;
}

/* The file of `fresh` has taken the name of one that was replaced: that has none any more. */
static void forget_namesakes(struct shelf *shelf, const struct snapshot *fresh)
{
    for (size_t i = 0; i < SHELF_REPLACED_MAX; i++) {
        if (have_one_name(shelf->replaced[i], fresh))
            snapshot_release(&shelf->replaced[i]);
    }
}

static bool is_between(const struct snapshot *snapshot, uint64_t first, uint64_t last)
{
    return snapshot != NULL && snapshot_offset(snapshot) >= first &&
           snapshot_offset(snapshot) <= last;
}

void shelf_put(struct shelf *shelf, int directory, uint64_t first, uint64_t published)
{
    struct snapshot *fresh = shelf->arriving;
    shelf->arriving = NULL;
    bool has_to_wait =
        is_between(shelf->complete, first, published) && !is_between(fresh, 0, published);
    /* In either place its file may stand under the name that an older one ahead had. */
    forget_namesakes(shelf, fresh);
    drop(&shelf->ahead, fresh, directory);
    if (has_to_wait)
        shelf->ahead = fresh;
    else
        complete(shelf, fresh, directory);
}

bool shelf_advance(struct shelf *shelf, int directory, uint64_t published)
{
    if (!is_between(shelf->ahead, 0, published))
        return false;
    struct snapshot *fresh = shelf->ahead;
    shelf->ahead = NULL;
    complete(shelf, fresh, directory);
    return true;
}

static void cut(struct snapshot **place, int directory, uint64_t offset)
{
    if (*place != NULL && snapshot_offset(*place) > offset)
        drop(place, NULL, directory);
}

static void fall_back(struct shelf *shelf)
{
    for (size_t i = SHELF_REPLACED_MAX; i > 0 && shelf->complete == NULL; i--) {
        shelf->complete = shelf->replaced[i - 1];
        shelf->replaced[i - 1] = NULL;
    }
}

void shelf_cut(struct shelf *shelf, int directory, uint64_t offset)
{
    cut(&shelf->complete, directory, offset);
    cut(&shelf->ahead, directory, offset);
    for (size_t i = 0; i < SHELF_REPLACED_MAX; i++)
        cut(&shelf->replaced[i], directory, offset);
    fall_back(shelf);
}

void shelf_drop_complete(struct shelf *shelf, int directory)
{
    drop(&shelf->complete, NULL, directory);
    fall_back(shelf);
}

bool shelf_has_replaced(const struct shelf *shelf)
{
    return shelf->replaced[0] != NULL || shelf->replaced[1] != NULL;
}

bool shelf_settle(struct shelf *shelf, int directory, bool is_safe)
{
    bool went = false;
    for (size_t i = is_safe ? 0 : 1; i < SHELF_REPLACED_MAX; i++) {
        went = went || shelf->replaced[i] != NULL;
        drop(&shelf->replaced[i], NULL, directory);
    }
    return went;
}
