/* SPDX-License-Identifier: MIT
 *
 * Which files of an archive no restore needs any more.
 *
 * Needed is what a restore of any moment since a time needs: the newest RDB before that time, or the oldest there is, and all of the
 * stream behind it, also of the timelines before. A timeline that ended before the time is not needed, unless it is
 * the newest of its relay, which can always be restored, or one that goes on needs it. A file without a manifest is being
 * shipped, or was not: it is not needed when something behind it in its timeline is.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_RESTORE_ARCHIVE_PRUNE_H
#define RELAY_RESTORE_ARCHIVE_PRUNE_H

#include <stdint.h>

#include "relay/archive/catalog.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

/* Calls `fn` with the name of each such file: first the manifest, then the file that it tells of, so that what a stop leaves
 * is a file without a manifest. False: `fn` said so, or out of memory; `error`. */
typedef bool archive_prune_fn(const char *name, void *arg);
MUST_CHECK bool archive_prune(const struct catalog *catalog, int64_t since_us, archive_prune_fn *fn,
                              void *arg, struct error *error);

#endif
