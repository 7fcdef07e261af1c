/* SPDX-License-Identifier: MIT
 *
 * One thread with its loop and its replicas. Thread 0 reaches it by messages, and by a wake-up when the
 * store has something new; what it has to say comes back as a replica stats whose replica has gone.
 *
 * Owner: downstream.c. Thread: thread 0 for everything in this file.
 */
#ifndef RELAY_DOWNSTREAM_WORKER_H
#define RELAY_DOWNSTREAM_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/codec/codec.h"
#include "relay/downstream/reasons.h"
#include "relay/net/mailbox.h"

struct error;
struct notifier;
struct replica;
struct worker;

/* Starts the thread. Replica stats of replicas that have gone are posted to `home`; `acknowledged` is rung as
 * worker_watch says. NULL: memory, descriptors or threads are out (`error`). */
MUST_CHECK struct worker *worker_start(struct mailbox *home, struct notifier *acknowledged,
                                       struct error *error);

/* Closes all its replicas with CLOSE_SHUTDOWN, ends and joins the thread, frees. */
void worker_stop(struct worker **worker);

/* Gives it a replica that has been fed, and whose connection is detached. */
void worker_take(struct worker *worker, struct replica *replica, const char *cause);

/* Closes the replica of that id, where it still is. */
void worker_close(struct worker *worker, uint64_t id, enum close_reason reason);

/* Closes all but those of history `number_spared`. */
void worker_close_all(struct worker *worker, enum close_reason reason, uint64_t number_spared);

/* replica_rename for each that was not attached on `branch`, which begins at `offset`. */
void worker_rename(struct worker *worker, uint64_t branch, uint64_t offset);

/* Its replicas of that history which can go on after a rewind to `offset` are on `branch` from now on: it says
 * so on their replica stats. The others close. */
void worker_confirm(struct worker *worker, uint64_t history_number, uint64_t branch,
                    uint64_t offset);

/* Another repl-timeout for all replicas that it has. */
void worker_set_timeout(struct worker *worker, int64_t timeout_ms);

/* The rate of full syncs is another now: its replicas that wait for it reserve anew. */
void worker_note_rate_changed(struct worker *worker);

/* How what its replicas are sent is compressed from now on, where they take it: the level, and for how long more is
 * waited for (piece_cache.h). A replica keeps its codec. */
void worker_set_compression(struct worker *worker, struct compression compression,
                            int64_t latency_ms);

/* With true, the notifier is rung at the end of each turn in which a replica has acknowledged something: once
 * a turn, whatever the number. An acknowledgement that is not told is on its replica stats when this returns. */
void worker_watch(struct worker *worker, bool watch);

/* The store has published something. Costs two atomics, and a notifier where the worker sleeps. */
void worker_wake(struct worker *worker);

#endif
