/* SPDX-License-Identifier: MIT
 *
 * Restores the data of a moment from a data directory: an RDB of before it, and the stream from there to it, as files
 * that a server loads. Reads only what it restores from, offline or beside the relay that uses it. The command line is
 * `psync-relay restore`.
 *
 *     plan    which history, which snapshot, up to which offset (relay/restore/plan.h)
 *     write   the snapshot, then the stream through the filter (relay/restore/stream_filter.h), into a folder
 *             TARGET/psync-relay-restore.part; all bytes are proven as they are read
 *     name    after the fsync of all: one rename gives the files their final name
 *
 * With --serve nothing is written: what was proven is served to replicas (relay/restore/serve.h).
 *
 * Thread: the caller's.
 */
#ifndef RELAY_RESTORE_RESTORE_H
#define RELAY_RESTORE_RESTORE_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/error.h"

/* The commands of [archive]; NULL or "": there is none. */
struct restore_commands {
    const char *restore;
    const char *list;
    const char *remove;
};

/* Reads them from an ini; they live as long as the process. False: `error`. */
typedef bool restore_load_fn(const char *ini, struct restore_commands *out, struct error *error);

/* argv[0] is "restore", or "archive". Return the exit status. */
int restore_main(int argc, char **argv, restore_load_fn *load);
int archive_main(int argc, char **argv, restore_load_fn *load);

#endif
