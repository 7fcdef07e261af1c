/* SPDX-License-Identifier: MIT */
#include "rdb_space.h"

void rdb_space_note_refused(struct rdb_space *room, uint64_t bytes, bool is_whole, int64_t now_ms)
{
    /* Of one whose length is not known more would have come: that the room is larger by a bit is no reason to
     * ask for it again. */
    room->refused_bytes = is_whole ? bytes : bytes + bytes / 4 + 1;
    room->refused_ms = now_ms;
    room->waits_since_ms = 0;
}

uint64_t rdb_space_refused(const struct rdb_space *room, int64_t last_ms)
{
    return last_ms != 0 && last_ms >= room->refused_ms ? 0 : room->refused_bytes;
}

bool rdb_space_allows(struct rdb_space *room, uint64_t expected, uint64_t available, int64_t now_ms)
{
    if (available >= expected) {
        room->waits_since_ms = 0;
        return true;
    }
    if (room->waits_since_ms == 0)
        room->waits_since_ms = now_ms;
    if (now_ms - room->waits_since_ms < RDB_SPACE_PATIENCE_MS)
        return false;
    room->waits_since_ms = now_ms;
    return true;
}
