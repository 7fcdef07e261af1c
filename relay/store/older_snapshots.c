/* SPDX-License-Identifier: MIT */
#include "older_snapshots.h"

#include <string.h>

#include "relay/base/check.h"
#include "relay/store/snapshot.h"
#include "snapshot_private.h"

static void remove_older(struct older_snapshots *older, size_t place, struct removals *gathered)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(older->snapshot[place].offset, name);
    removal_ask(&older->remover, older->directory, name, older->snapshot[place].bytes, gathered);
    snapshot_release(&older->snapshot[place].held);
    older->count--;
    memmove(older->snapshot + place, older->snapshot + place + 1,
            (older->count - place) * sizeof(older->snapshot[0]));
}

void older_snapshots_add(struct older_snapshots *older, uint64_t offset, uint64_t bytes,
                         struct snapshot *held)
{
    if (older_snapshots_has(older, offset))
        return;
    if (older->count > OLDER_SNAPSHOTS_MAX)
        remove_older(older, 0, NULL);
    size_t at = older->count++;
    for (; at > 0 && older->snapshot[at - 1].offset > offset; at--)
        older->snapshot[at] = older->snapshot[at - 1];
    if (held != NULL)
        snapshot_retain(held);
    older->snapshot[at] = (struct older_snapshot){.offset = offset, .bytes = bytes, .held = held};
}

static bool is_spared(const struct older_keep *keep, uint64_t offset)
{
    for (size_t i = 0; i < keep->spared_count; i++) {
        if (keep->spared[i] == offset)
            return true;
    }
    return false;
}

void older_snapshots_trim(struct older_snapshots *older, uint64_t first,
                          const struct older_keep *keep)
{
    for (size_t i = older->count; i > 0; i--) {
        const struct older_snapshot *it = &older->snapshot[i - 1];
        bool is_among_newest = older->count - (i - 1) <= keep->keep;
        bool is_unreadable = it->held != NULL && snapshot_is_unreadable(it->held);
        if (it->offset < first || is_unreadable ||
            (!is_among_newest && !is_spared(keep, it->offset)))
            remove_older(older, i - 1, NULL);
    }
}

void older_snapshots_fini(struct older_snapshots *older)
{
    for (size_t i = 0; i < older->count; i++)
        snapshot_release(&older->snapshot[i].held);
    older->count = 0;
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
