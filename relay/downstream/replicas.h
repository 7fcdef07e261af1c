/* SPDX-License-Identifier: MIT
 *
 * The replicas as they come and go: a client that has asked to replicate waits on thread 0, is attached to a worker, and
 * its stats come back as a message when it has gone.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_REPLICAS_H
#define RELAY_DOWNSTREAM_REPLICAS_H

#include <stdbool.h>
#include <stdint.h>

#include "client_list.h"
#include "relay/downstream/reasons.h"
#include "relay/net/mailbox.h"
#include "replica.h"
#include "waiting.h"

struct downstream;

/* `arg` is the struct downstream, as in the next two. */
newcomer_fn downstream_on_newcomer;

/* What a waiting replica needs is there: gives it to the worker that has the fewest. */
void downstream_on_attached(struct replica *replica, const char *cause, void *arg);

/* The message is the stats of a replica that has gone. */
mailbox_fn downstream_on_gone;

/* NULL: there is none of that id. */
const struct replica_stats *replicas_find(const struct downstream *downstream, uint64_t id);

/* False: there is no replica of that id. */
bool replicas_close(struct downstream *downstream, uint64_t id, enum close_reason reason);

#endif
