/* SPDX-License-Identifier: MIT
 *
 * RDBs that a newer one has replaced, and that stay for `psync-relay restore` (the setting `snapshot-keep`), as long as
 * the backlog reaches back to them. No full sync is served from them, so they are only files: nothing of them is open.
 * Where an RDB needs the room they go first.
 *
 * What the identity does not name proves itself: by its own checksum, and by the id and the offset in its fields
 * (history_view.h).
 *
 * Owner: a history. Thread: thread 0.
 */
#ifndef RELAY_STORE_OLDER_SNAPSHOTS_H
#define RELAY_STORE_OLDER_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "removal.h"

enum { OLDER_SNAPSHOTS_MAX = 6 }; /* beside the one that is served, and one that is ahead */

struct older_snapshots {
    struct remover remover;
    int directory; /* snapshot/; the history's */
    size_t count;  /* oldest first */
    struct older_snapshot {
        uint64_t offset;
        uint64_t bytes;
    } snapshot[OLDER_SNAPSHOTS_MAX];
};

/* Takes one in; where there are `keep` already, which is at most OLDER_SNAPSHOTS_MAX, the oldest goes. */
void older_snapshots_add(struct older_snapshots *older, uint64_t offset, uint64_t bytes,
                         size_t keep);

/* Removes those before `first`, and of the rest the oldest, so that `keep` are left. */
void older_snapshots_trim(struct older_snapshots *older, uint64_t first, size_t keep);

/* Those beyond `last` are of a lost branch: their files are `gathered`. */
void older_snapshots_cut(struct older_snapshots *older, uint64_t last, struct removals *gathered);

/* Removes the oldest. False: there is none. */
bool older_snapshots_drop_oldest(struct older_snapshots *older);

bool older_snapshots_has(const struct older_snapshots *older, uint64_t offset);
uint64_t older_snapshots_bytes(const struct older_snapshots *older);

#endif
