/* SPDX-License-Identifier: MIT */
#include "older_snapshots.h"

#include <string.h>

#include "relay/base/check.h"
#include "snapshot_private.h"

static void remove_older(struct older_snapshots *older, size_t place, struct removals *gathered)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(older->snapshot[place].offset, name);
    removal_ask(&older->remover, older->directory, name, older->snapshot[place].bytes, gathered);
    older->count--;
    memmove(older->snapshot + place, older->snapshot + place + 1,
            (older->count - place) * sizeof(older->snapshot[0]));
}

void older_snapshots_add(struct older_snapshots *older, uint64_t offset, uint64_t bytes,
                         size_t keep)
{
    CHECK(keep > 0 && keep <= OLDER_SNAPSHOTS_MAX);
    if (older_snapshots_has(older, offset))
        return;
    while (older->count >= keep)
        remove_older(older, 0, NULL);
    size_t at = older->count++;
    for (; at > 0 && older->snapshot[at - 1].offset > offset; at--)
        older->snapshot[at] = older->snapshot[at - 1];
    older->snapshot[at] = (struct older_snapshot){.offset = offset, .bytes = bytes};
}

void older_snapshots_trim(struct older_snapshots *older, uint64_t first, size_t keep)
{
    while (older->count > 0 && (older->count > keep || older->snapshot[0].offset < first))
        remove_older(older, 0, NULL);
}

void older_snapshots_cut(struct older_snapshots *older, uint64_t last, struct removals *gathered)
{
    while (older->count > 0 && older->snapshot[older->count - 1].offset > last)
        remove_older(older, older->count - 1, gathered);
}

bool older_snapshots_drop_oldest(struct older_snapshots *older)
{
    if (older->count == 0)
        return false;
    remove_older(older, 0, NULL);
    return true;
}

bool older_snapshots_has(const struct older_snapshots *older, uint64_t offset)
{
    for (size_t i = 0; i < older->count; i++) {
        if (older->snapshot[i].offset == offset)
            return true;
    }
    return false;
}

uint64_t older_snapshots_bytes(const struct older_snapshots *older)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < older->count; i++)
        bytes += older->snapshot[i].bytes;
    return bytes;
}
