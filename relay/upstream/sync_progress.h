/* SPDX-License-Identifier: MIT
 *
 * How far an RDB is that arrives, on the link or for a refresh: noted once a second, with a line in the log every ten
 * seconds. Where the primary does not tell the length (`$EOF:`, docs/protocol.md 2.1), that of the RDB before is
 * the estimate, or the memory that the primary's data set takes; the snapshot is told the estimate, so that replicas
 * that take it as it arrives have the same.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_SYNC_PROGRESS_H
#define RELAY_UPSTREAM_SYNC_PROGRESS_H

#include <stdint.h>

#include "relay/base/progress_meter.h"

struct snapshot;
struct store;

/* Each second. `arriving` NULL: nothing arrives. `what` is "full sync" or "snapshot refresh", for the log.
 * `dataset_bytes` as in primary_info.h. */
void sync_progress_tick(struct progress_meter *progress, struct snapshot *arriving,
                        const struct store *store, uint64_t dataset_bytes, const char *what);

/* As it is now. `arriving` as above. */
struct progress_view sync_progress_view(const struct progress_meter *progress,
                                        const struct snapshot *arriving);

#endif
