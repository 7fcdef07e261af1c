/* SPDX-License-Identifier: MIT
 *
 * How far the archive is: the file `archive/state` in the data directory. It is written after a file and its manifest are
 * in the archive, so a kill between the two ships them once more, with the same name and the same bytes.
 *
 *     psync-relay archive-state 1
 *     system 20261128T152233Z-5f3a9c01
 *     timeline 3
 *     history 2                  that the timeline is of
 *     replid 8e7f...             the id under which the bytes before `archived` are known
 *     begin 4711                 of the timeline, as in a manifest
 *     parent 2
 *     archived 65536             all bytes of the timeline before this offset are in the archive
 *     snapshot 4711 1795879353000000     the last RDB of the timeline that is, and when it was shipped
 *     sum 02b7cf4e2d8a9c11
 *
 * Pure. Any thread.
 */
#ifndef RELAY_ARCHIVE_STATE_H
#define RELAY_ARCHIVE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/archive/manifest.h"

struct archive_state {
    struct archive_system system;
    uint64_t timeline; /* 0: none yet; the rest but `system` means nothing then */
    uint64_t history;
    struct replid replid;
    struct timeline_root root;
    uint64_t archived;
    bool has_snapshot;
    uint64_t snapshot_offset;
    int64_t snapshot_us;
};

void archive_state_format(const struct archive_state *state, struct text *out);
MUST_CHECK bool archive_state_parse(struct bytes file, struct archive_state *out,
                                    struct error *error);

#endif
