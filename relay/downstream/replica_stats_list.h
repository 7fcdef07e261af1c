/* SPDX-License-Identifier: MIT
 *
 * What the replica stats of all replicas say together: who has acknowledged how much, and who is there. Only
 * replicas that are online and acknowledge count: not those that wait or load, not SYNC, and not those that run behind. For rank 0, the one
 * that has least, all that are known count (known.h): who waits, loads or closes has nothing yet.
 *
 * An acknowledged offset belongs to the history, and to the branch of it (store/branches.h), that the
 * replica was attached to. It counts up to where that branch is still common with the current one, and
 * not at all where another history is current. That is decided here, on thread 0, by what thread 0 itself
 * has made current: from the call on that promotes, rewinds or renames, whatever workers report later:
 *
 *     acknowledged before, read after   the limit of the replica stats's branch is in force already
 *     parsed after, by a worker that    the same: the replica stats's branch is the one it was attached on
 *       has not heard of it yet
 *     closed late (a paused worker)     the same, for as long as the replica stats is there
 *     attached again                    on thread 0, on the current branch, at an offset that the identity
 *                                       has just found to be common
 *     a cursor at or before the cut     goes on into the new branch, where the id stays the same: its worker
 *                                       says so on the replica stats (replica stats.branch) when it has looked. What was
 *                                       acknowledged until then is before the cut, since no acknowledgement
 *                                       beyond what was sent is taken
 *
 * Thread: thread 0; the replica stats' atomics may change meanwhile, and only forward.
 */
#ifndef RELAY_DOWNSTREAM_REPLICA_STATS_LIST_H
#define RELAY_DOWNSTREAM_REPLICA_STATS_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "relay/downstream/options.h"
#include "relay/downstream/peer_status.h"
#include "relay/store/branches.h"
#include "replica_stats.h"

TAILQ_HEAD(replica_stats_list, replica_stats);

/* The history that is current. `branches` NULL: there is none, and nobody counts. */
struct replica_stats_list_scope {
    uint64_t history_number;
    const struct branches *branches;
};

/* What the replica has acknowledged of the current history; 0 where it is attached to another. */
uint64_t replica_stats_list_offset(const struct replica_stats *stats,
                                   const struct replica_stats_list_scope *scope);

/* As downstream_acknowledged, downstream_count_acknowledged and downstream_has_replica. */
MUST_CHECK bool replica_stats_list_acknowledged(const struct replica_stats_list *replica_stats_list,
                                                const struct replica_stats_list_scope *scope,
                                                unsigned rank, uint64_t *offset);
unsigned replica_stats_list_count_acknowledged(const struct replica_stats_list *replica_stats_list,
                                               const struct replica_stats_list_scope *scope,
                                               uint64_t offset);
bool replica_stats_list_have(const struct replica_stats_list *replica_stats_list,
                             const char *address, uint16_t port);

#endif
