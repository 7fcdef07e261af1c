/* SPDX-License-Identifier: MIT
 *
 * How far each full sync of a replica is. The worker writes on the replica stats how much of the RDB it has sent;
 * thread 0 notes it once a second, and has a line in the log every ten seconds: one for each of the
 * FULL_SYNC_LINES_MAX that have come first, and one for all the others together.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_FULL_SYNC_PROGRESS_H
#define RELAY_DOWNSTREAM_FULL_SYNC_PROGRESS_H

#include "relay/base/progress_meter.h"
#include "replica_stats_list.h"

enum { FULL_SYNC_LINES_MAX = 4 };

/* It is about to be attached, and is sent an RDB of `length`, or (is_estimate) of about so much; 0: not known.
 * Its stats say how much of that it has already (rdb_begin). */
void full_sync_progress_begin(struct replica_stats *stats, uint64_t length, bool is_estimate);

/* Each second. `logged_ms` is the caller's: when it was told last. */
void full_sync_progress_tick(struct replica_stats_list *list, int64_t *logged_ms);

/* As it is now; not active once the RDB is through. */
struct progress_view full_sync_progress_view(const struct replica_stats *stats);

#endif
