/* SPDX-License-Identifier: MIT
 *
 * RDBs that a newer one has replaced, and that stay as long as the backlog reaches back to them: for `psync-relay
 * restore` (the setting `snapshot-keep`), and for replicas that run behind (history_aged.c). For a restore they are only
 * files, nothing of them is open. One that replicas that run behind may be served from is held open, with its proof.
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

struct snapshot;

enum {
    OLDER_SNAPSHOTS_SPARED = 2, /* for replicas that run behind, */
    /* beside the six of snapshot-keep, the one that is served, and one that is ahead */
    OLDER_SNAPSHOTS_MAX = 6 + OLDER_SNAPSHOTS_SPARED,
};

struct older_snapshots {
    struct remover remover;
    int directory; /* snapshot/; the history's */
    size_t count;  /* oldest first */
    struct older_snapshot {
        uint64_t offset;
        uint64_t bytes;
        struct snapshot *held;           /* proven; NULL: it is only a file */
    } snapshot[OLDER_SNAPSHOTS_MAX + 1]; /* one more until it is trimmed */
};

/* Takes one in; where there are OLDER_SNAPSHOTS_MAX already, the oldest goes. `held`: NULL, or it is held. */
void older_snapshots_add(struct older_snapshots *older, uint64_t offset, uint64_t bytes,
                         struct snapshot *held);

/* Those that are kept: the newest `keep`, and the `spared` ones. */
struct older_keep {
    size_t keep;
    size_t spared_count;
    uint64_t spared[OLDER_SNAPSHOTS_SPARED];
};

/* Removes those before `first`, those that the disk cannot read, and of the rest those that are not kept. */
void older_snapshots_trim(struct older_snapshots *older, uint64_t first,
                          const struct older_keep *keep);

/* Lets go of those that are held; the files stay. */
void older_snapshots_fini(struct older_snapshots *older);

/* Those beyond `last` are of a lost branch: their files are `gathered`. */
void older_snapshots_cut(struct older_snapshots *older, uint64_t last, struct removals *gathered);

/* Removes the oldest. False: there is none. */
bool older_snapshots_drop_oldest(struct older_snapshots *older);

bool older_snapshots_has(const struct older_snapshots *older, uint64_t offset);
uint64_t older_snapshots_bytes(const struct older_snapshots *older);

#endif
