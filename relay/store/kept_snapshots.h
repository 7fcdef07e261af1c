/* SPDX-License-Identifier: MIT
 *
 * Snapshots that a relay was being sent when the connection broke: kept for a while, so that it finds the rest when it
 * comes back, also if another snapshot has replaced them meanwhile. A cursor at X keeps the stream behind each, as a
 * replica that loads it would: within repl-backlog-max-size, and not where the disk is full.
 *
 * Bounded in number and in time. Owner: the store. Thread: thread 0.
 */
#ifndef RELAY_STORE_KEPT_SNAPSHOTS_H
#define RELAY_STORE_KEPT_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/store/cursor.h"

struct snapshot;

enum { KEPT_SNAPSHOTS_MAX = 4 };

struct kept_snapshot {
    struct snapshot *snapshot; /* NULL: the place is free */
    struct cursor cursor;      /* at X; without a segment: nobody needs the stream, or it is gone */
    uint64_t number;           /* of its history */
    int64_t until_ms;
};

/* All zeros: none. */
struct kept_snapshots {
    struct kept_snapshot at[KEPT_SNAPSHOTS_MAX];
};

/* Takes both over, and clears them. One that is kept already is kept for longer; of too many, that goes whose time is
 * over first. */
void kept_snapshots_add(struct kept_snapshots *kept, uint64_t number, struct snapshot **snapshot,
                        struct cursor *cursor, int64_t until_ms);

/* Lets go of those whose time is over, and of the stream that cannot be kept any more. */
void kept_snapshots_tick(struct kept_snapshots *kept, int64_t now_ms);

/* Lets go of all. True: there were any. */
bool kept_snapshots_drop(struct kept_snapshots *kept);

#endif
