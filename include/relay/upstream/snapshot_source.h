/* SPDX-License-Identifier: MIT
 *
 * Where a newer snapshot of the history is fetched: at the upstream, which forks for it, or at a replica, which has
 * the same history. Plain values. Any thread.
 */
#ifndef RELAY_UPSTREAM_SNAPSHOT_SOURCE_H
#define RELAY_UPSTREAM_SNAPSHOT_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "relay/upstream/primary_address.h"

enum snapshot_source_kind {
    SNAPSHOT_SOURCE_UPSTREAM,
    SNAPSHOT_SOURCE_REPLICAS, /* those that are attached to this relay */
    SNAPSHOT_SOURCE_LISTED,   /* servers that are named */
};

struct snapshot_source {
    enum snapshot_source_kind kind;
    struct primary_candidates listed;
};

enum { SNAPSHOT_REPLICAS_MAX = 64 };

/* A replica of this relay that may be asked: a server, not a relay, that has loaded its data and is not run behind on
 * purpose. */
struct snapshot_replica {
    struct primary_address address; /* where it listens */
    uint64_t acknowledged;          /* offset */
};

#endif
