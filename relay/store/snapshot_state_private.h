/* SPDX-License-Identifier: MIT
 *
 * A snapshot from inside: snapshot.c has its life and writes it, snapshot_found.c proves what a process before us has
 * received.
 */
#ifndef RELAY_STORE_SNAPSHOT_STATE_PRIVATE_H
#define RELAY_STORE_SNAPSHOT_STATE_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rdb_edges.h"
#include "reclaimer.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/store/snapshot.h"
#include "removal.h"
#include "snapshot_private.h"

#define SNAPSHOT_LENGTH_UNKNOWN UINT64_MAX

struct snapshot {
    /* shared */
    _Atomic unsigned references;
    _Atomic enum snapshot_state state; /* released after `readable`, loaded before it */
    _Atomic uint64_t readable;
    _Atomic uint64_t length;   /* SNAPSHOT_LENGTH_UNKNOWN while it is */
    _Atomic uint64_t estimate; /* of the length, while that is unknown */
    _Atomic bool is_unreadable;
    uint64_t number; /* constant, as the one below */
    uint64_t offset; /* X */
    int file;        /* constant from snapshot_note_made on */
    int part_file;   /* takes its place then; -1: none */
    struct remover remover;
    struct reclaim_job job; /* of its end */
    bool is_removed;        /* its file has no name any more: closing frees it */
    bool is_kept;           /* but for one of partial_rdb.c's */
    /* thread 0 */
    uint64_t received;
    uint64_t crc;
    struct rdb_edges edges; /* of what was received, and of what is owed */
    bool verified;
    int64_t completed_ms;
    snapshot_space_fn *make_space; /* of one that arrives */
    void *arg;
    bool is_made;       /* its file is there */
    struct error error; /* of the file that could not be made, written or named; ERROR_NONE */
    uint8_t *owed;      /* of `owed_length` bytes that the disk has not taken yet; NULL: none */
    size_t owed_length;
};

/* One that arrives, with `file` or -1. NULL: out of memory. Any thread. */
MUST_CHECK struct snapshot *snapshot_new(uint64_t offset, int file);

/* All that it has is proven: readers see it whole. */
void snapshot_enter_complete(struct snapshot *snapshot);

#endif
