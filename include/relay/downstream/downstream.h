/* SPDX-License-Identifier: MIT
 *
 * Our many replicas: listeners, clients that are not replicas (yet), and the workers.
 *
 *    thread 0:  listener -> client ---- PSYNC / SYNC ----> waiting --+
 *                 (commands)            decided here: continue,      | attached: a cursor in the
 *                                       hold, full sync, wait        | backlog, maybe a snapshot
 *    worker k:                                                       v
 *                                            loading (RDB) ------> streaming ----> closing
 *
 * A waiting replica hears '\n' once a second and is asked again at the end of each turn in which the
 * store has changed. An attached one belongs to its worker, and thread 0 keeps its replica stats (replica.h):
 * a handful of atomics that say how it is. Letters carry replicas over, wishes to close them, and the
 * news that one has gone. Nothing else is shared.
 *
 * Thread: thread 0 for everything in this file.
 */
#ifndef RELAY_DOWNSTREAM_DOWNSTREAM_H
#define RELAY_DOWNSTREAM_DOWNSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/downstream/options.h"
#include "relay/downstream/peer_status.h"
#include "relay/downstream/reasons.h"

struct downstream;
struct known;
struct loop;
struct store;
struct tls_context;

/* Binds, then starts the workers. NULL: `why`. */
MUST_CHECK struct downstream *downstream_open(struct loop *loop, struct store *store,
                                              const struct downstream_options *options,
                                              const struct downstream_callbacks *callbacks,
                                              struct text *why);

/* Could downstream_open have its addresses and ports now? False: `why` has a line for each that it could not, but for those
 * on which somebody listens: they are in `taken`, and may be those of a relay that is about to be started anew. */
MUST_CHECK bool downstream_probe(const struct downstream_options *options, struct text *taken,
                                 struct text *why);

/* Of the options, takes what may change while it is open: clients_max, both timeouts, serves_old_history, the limits of full
 * syncs, and keepalive_s for connections that come. Who is there already stays, also where there are more than clients_max. */
void downstream_change(struct downstream *downstream, const struct downstream_options *options);

/* Closes everybody with CLOSE_SHUTDOWN, stops and joins the workers, frees. */
void downstream_close(struct downstream **downstream);

/* After store_publish has said that there is something new: asks those who wait, wakes the workers
 * that sleep. */
void downstream_wake(struct downstream *downstream);

/* Every second: '\n' to those who wait, timeouts. */
void downstream_tick(struct downstream *downstream);

/* RELAY DROP: closes the replica of that id, which may come back. False: there is none. */
bool downstream_drop(struct downstream *downstream, uint64_t id);

/* Closes all replicas that are attached, but for those of history `number` (0: none is spared). Those
 * who wait go on waiting. */
void downstream_close_replicas(struct downstream *downstream, enum close_reason reason,
                               uint64_t number_spared);

/* CLIENT KILL: closes the client or replica of that id. False: there is none. */
bool downstream_kill(struct downstream *downstream, uint64_t id);

/* The same for another reason. */
bool downstream_expel(struct downstream *downstream, uint64_t id, enum close_reason reason);

/* The current history has lost its end, under the same id: who stands at the cut or before it goes on, and its
 * worker is asked to say so. Until it has, what is acknowledged beyond the cut does not count. */
void downstream_rewound(struct downstream *downstream);

/* The current history goes on under another id: closes with CLOSE_RENAMED who is up to date, to come back for it. A
 * full sync that is under way is finished first, RDB and stream up to here, and closed when it is loaded. */
void downstream_renamed(struct downstream *downstream);

/* Of the current history alone, and of what is common with its newest branch, as it is at the time of the
 * call (replica_stats_list.h): what the rank-th best of the online replicas that acknowledge has acknowledged: rank 1 is the one that
 * has most; rank 0 is what all have
 * that are known (known.h); at most ACKNOWLEDGED_RANK_MAX. One that has not told yet
 * counts with 0. False: there are fewer than that (none, for rank 0). Looks at each replica. */
MUST_CHECK bool downstream_acknowledged(const struct downstream *downstream, unsigned rank,
                                        uint64_t *offset);

/* How many online replicas have acknowledged `offset` of the current history or more. Looks at each replica. */
unsigned downstream_count_acknowledged(const struct downstream *downstream, uint64_t offset);

/* With true, downstream_callbacks.on_acknowledged is called (on thread 0, at the most once a turn) when
 * acknowledgements have come or a replica has left; workers do not tell while nobody wants to know. What
 * was acknowledged before the call is seen by a look after it, all else is told. */
void downstream_watch_acknowledged(struct downstream *downstream, bool watch);

/* Is there a replica whose connection comes from `address` and that listens on `port`? */
bool downstream_has_replica(const struct downstream *downstream, const char *address,
                            uint16_t port);

/* The ones really bound; 0: none. */
uint16_t downstream_port(const struct downstream *downstream);
uint16_t downstream_tls_port(const struct downstream *downstream);
uint16_t downstream_ws_port(const struct downstream *downstream);
uint16_t downstream_ws_tls_port(const struct downstream *downstream);

/* For connections that come from now on; those that are there keep what they have. The caller's as the
 * one before it was, until the next call or downstream_close. `knows_callers` as in the options. */
void downstream_set_tls(struct downstream *downstream, struct tls_context *tls, bool knows_callers);

typedef void peer_status_fn(const struct peer_status *status, void *arg);

/* Calls `fn` for each replica, oldest first; for each client. `fn` closes nobody. */
void downstream_each_replica(const struct downstream *downstream, peer_status_fn *fn, void *arg);
void downstream_each_client(const struct downstream *downstream, peer_status_fn *fn, void *arg);

/* Those that cannot load what they are given, each once; those that cannot be told from one another are one. */
typedef void sync_failure_fn(const struct sync_failure *failure, void *arg);
void downstream_each_sync_failure(const struct downstream *downstream, sync_failure_fn *fn,
                                  void *arg);

void downstream_counts(const struct downstream *downstream, struct downstream_counts *out);

/* Both in one pass: what `fn` is told of each replica is what the counts are made of, though the workers
 * go on meanwhile. */
void downstream_observe(const struct downstream *downstream, struct downstream_counts *out,
                        peer_status_fn *fn, void *arg);

#endif
