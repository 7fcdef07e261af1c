/* SPDX-License-Identifier: MIT */
#include "kept_snapshots.h"

#include "relay/store/snapshot.h"

static void kept_snapshot_free(struct kept_snapshot *it)
{
    cursor_detach(&it->cursor);
    snapshot_release(&it->snapshot);
}

/* The one that has it already, a free one, or that whose time is over first. */
static struct kept_snapshot *place_for(struct kept_snapshots *kept, const struct snapshot *snapshot)
{
    struct kept_snapshot *place = &kept->at[0];
    for (size_t i = 0; i < KEPT_SNAPSHOTS_MAX; i++) {
        struct kept_snapshot *it = &kept->at[i];
        if (it->snapshot == snapshot)
            return it;
        bool is_better =
            it->snapshot == NULL || (place->snapshot != NULL && it->until_ms < place->until_ms);
        if (is_better && place->snapshot != NULL)
            place = it;
    }
    return place;
}

void kept_snapshots_add(struct kept_snapshots *kept, uint64_t number, struct snapshot **snapshot,
                        struct cursor *cursor, int64_t until_ms)
{
    struct kept_snapshot *place = place_for(kept, *snapshot);
    struct kept_snapshot before = *place;
    *place = (struct kept_snapshot){
        .snapshot = *snapshot,
        .cursor = *cursor,
        .number = number,
        .until_ms = until_ms,
    };
    *snapshot = NULL;
    cursor->segment = NULL;
    /* Of two who were being sent the same, one may not have asked for the stream. */
    if (before.snapshot == place->snapshot && place->cursor.segment == NULL) {
        place->cursor = before.cursor;
        before.cursor.segment = NULL;
    }
    kept_snapshot_free(&before);
}

void kept_snapshots_tick(struct kept_snapshots *kept, int64_t now_ms)
{
    for (size_t i = 0; i < KEPT_SNAPSHOTS_MAX; i++) {
        struct kept_snapshot *it = &kept->at[i];
        struct bytes view;
        if (it->snapshot == NULL)
            continue;
        if (it->until_ms <= now_ms || snapshot_state(it->snapshot) == SNAPSHOT_FAILED ||
            snapshot_is_unreadable(it->snapshot)) {
            kept_snapshot_free(it);
            continue;
        }
        if (it->cursor.segment == NULL)
            continue;
        switch (cursor_peek(&it->cursor, &view)) {
        case CURSOR_BYTES:
        case CURSOR_AT_END:
        case CURSOR_RENAMED: /* RDB and stream up to there are as good as before */
            break;
        case CURSOR_LAGGED:
        case CURSOR_DISK_FULL:
        case CURSOR_UNREADABLE:
        case CURSOR_REWOUND:
            cursor_detach(&it->cursor);
            break;
        }
    }
}

bool kept_snapshots_drop(struct kept_snapshots *kept)
{
    bool went = false;
    for (size_t i = 0; i < KEPT_SNAPSHOTS_MAX; i++) {
        went = went || kept->at[i].snapshot != NULL;
        kept_snapshot_free(&kept->at[i]);
    }
    return went;
}
