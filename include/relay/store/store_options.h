/* SPDX-License-Identifier: MIT
 *
 * The settings of a store.
 */
#ifndef RELAY_STORE_STORE_OPTIONS_H
#define RELAY_STORE_STORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum store_fsync { STORE_FSYNC_NO, STORE_FSYNC_EVERYSEC, STORE_FSYNC_ALWAYS };

struct store_options {
    const char *data_dir;
    uint64_t window_bytes;     /* repl-backlog-size: kept anyway */
    uint64_t window_bytes_max; /* repl-backlog-max-size: kept for those who are behind */
    uint64_t segment_bytes; /* segment-size; a 2048th of window_bytes, or 1 MB, where it is less */
    enum store_fsync fsync;
    uint64_t snapshot_keep; /* RDBs that a newer one has replaced, kept for a restore */
    bool
        keeps_aged; /* [delayed] has a port: what history_need says is kept, and all until it says */
};

#endif
