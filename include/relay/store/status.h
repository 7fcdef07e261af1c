/* SPDX-License-Identifier: MIT
 *
 * How the store is, as plain numbers: for INFO, for the status page and for monitors. A copy of one
 * moment. Thread: thread 0.
 */
#ifndef RELAY_STORE_STATUS_H
#define RELAY_STORE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/progress_meter.h"
#include "relay/base/replid.h"
#include "relay/base/report.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/snapshot_use.h"

struct store;

enum {
    STORE_SNAPSHOTS_MAX = 3
}; /* the one that is served, one ahead of the stream, one arriving */

struct snapshot_status {
    uint64_t offset;         /* X */
    uint64_t bytes;          /* of the RDB, as far as it has come */
    uint64_t bytes_expected; /* 0: not known */
    int64_t age_ms;          /* since it became complete; 0 before */
    bool is_complete;
    bool is_verified; /* by its CRC-64; else, when complete, by its length and end mark */
    bool is_durable;  /* it would survive a power failure */
    enum snapshot_use use;
};

struct store_status {
    bool exists;    /* there is a history, and what follows is about it; else zeros */
    bool is_served; /* it is the current one; else it arrives, and nothing is served yet */
    uint64_t number;
    struct replid replid;
    uint64_t first; /* of the window */
    uint64_t published;
    uint64_t boundary;
    uint64_t durable;
    bool is_proving;         /* what the start has found is still being proven */
    uint64_t unproven_first; /* what may still be proven begins here; else `first` */
    uint64_t proof_bytes;    /* that were to be proven when it was started, and that are left */
    uint64_t proof_bytes_left;
    struct progress_view proof_progress;
    size_t segments;
    uint64_t segment_disk_bytes;
    uint64_t pinned_bytes; /* kept beyond window_bytes, for readers */
    bool has_served;       /* snapshots[0] is the one that full syncs are served from, or will be */
    enum snapshot_use served_use;
    size_t snapshot_count;
    struct snapshot_status snapshots[STORE_SNAPSHOTS_MAX];

    bool is_restorable; /* to a moment between these two; seconds since 1970 UTC */
    int64_t restore_oldest_s;
    int64_t restore_newest_s;

    bool has_next; /* another history arrives, and will replace the one above */
    uint64_t next_number;
    struct snapshot_status next;

    uint64_t window_bytes;     /* repl-backlog-size */
    uint64_t window_bytes_max; /* repl-backlog-max-size */
    bool has_disk;             /* the system could be asked for the two below */
    uint64_t disk_free_bytes;
    uint64_t disk_bytes;
    bool is_freeing;        /* removed files are being freed */
    uint64_t freeing_bytes; /* about what that gives back */
    const char *fsync;      /* "no", "everysec", "always" */
    bool is_syncing;        /* one is under way, or waits for its turn */
    uint64_t fsync_failures;
    struct parts_status parts; /* RDBs that go on where they broke */
    const char
        *error; /* the newest trouble that is not over, or ""; valid until the store is used */
};

/* "usable", "behind_window", ... */
const char *snapshot_use_name(enum snapshot_use use);

void store_status(const struct store *store, struct store_status *out);

/* INFO's section "Store". */
void store_report(const struct store *store, struct report *report);

#endif
