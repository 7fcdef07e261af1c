/* SPDX-License-Identifier: MIT */
#include "shelf.h"

#include <stddef.h>

void shelf_fini(struct shelf *shelf)
{
    snapshot_release(&shelf->complete);
    snapshot_release(&shelf->ahead);
    snapshot_release(&shelf->arriving);
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

/* `snapshot` takes the place of *place, whose file goes; not if it has the same X, and so the name. */
static void replace(struct snapshot **place, struct snapshot *snapshot, int directory)
{
    struct snapshot *before = *place;
    *place = snapshot;
    if (before != NULL &&
        (snapshot == NULL || snapshot_offset(before) != snapshot_offset(snapshot)))
        snapshot_unlink(before, directory);
    snapshot_release(&before);
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
    replace(&shelf->ahead, fresh, directory);
    if (has_to_wait)
        return;
    shelf->ahead = NULL;
    replace(&shelf->complete, fresh, directory);
}

bool shelf_advance(struct shelf *shelf, int directory, uint64_t published)
{
    if (!is_between(shelf->ahead, 0, published))
        return false;
    struct snapshot *fresh = shelf->ahead;
    shelf->ahead = NULL;
    replace(&shelf->complete, fresh, directory);
    return true;
}

void shelf_cut(struct shelf *shelf, int directory, uint64_t offset)
{
    if (shelf->complete != NULL && snapshot_offset(shelf->complete) > offset)
        replace(&shelf->complete, NULL, directory);
    if (shelf->ahead != NULL && snapshot_offset(shelf->ahead) > offset)
        replace(&shelf->ahead, NULL, directory);
}

void shelf_drop_ahead(struct shelf *shelf, int directory)
{
    replace(&shelf->ahead, NULL, directory);
}
