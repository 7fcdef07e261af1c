/* SPDX-License-Identifier: MIT
 *
 * What the component holds, for the files that are it: downstream.c opens and closes it, replicas.c has the replicas that
 * come and go, downstream_status.c reports.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_COMPONENT_H
#define RELAY_DOWNSTREAM_COMPONENT_H

#include "client_list.h"
#include "connection_limiter.h"
#include "delay.h"
#include "full_sync_limits.h"
#include "holds.h"
#include "known_private.h"
#include "ports.h"
#include "relay/downstream/options.h"
#include "relay/net/conn.h"
#include "relay/net/websocket.h"
#include "replica_stats_list.h"
#include "waiting.h"

struct loop;
struct mailbox;
struct notifier;
struct worker;

enum { WORKERS_MAX = 64 };

struct downstream {
    struct loop *loop;
    struct downstream_options options; /* `bind` is used while opening only */
    struct downstream_callbacks callbacks;
    struct mailbox *mailbox;   /* replica stats that come back */
    struct notifier *notifier; /* acknowledgements have come; rung by workers */
    bool watches;              /* and somebody wants to know */
    struct ports ports;
    struct worker *workers[WORKERS_MAX];
    unsigned loads[WORKERS_MAX]; /* replicas that each has */
    unsigned worker_count;
    struct client_list clients;
    struct waiting waiting;
    struct delay delay;             /* of those that run behind, */
    struct holds holds;             /* and those of them that an operator has stopped */
    struct full_sync_limits limits; /* of all full syncs */
    struct notifier *place_left;    /* one of them is over; rung by workers */
    int64_t progress_logged_ms;     /* of full syncs */
    struct replica_stats_list replica_stats_list; /* of all replicas, oldest first */
    struct known known;
    uint64_t replica_stats_count;
    bool will_ask; /* somebody has come who must be asked at the end of this turn */
    uint64_t newest_id;
    uint64_t connections_received;
    struct connection_limiter connection_limiter;
    struct websocket_rules ws_rules;
    struct websocket_rules wss_rules;
    /* Of replicas that have gone. */
    struct conn_traffic traffic;
    uint64_t compressed_bytes;
    uint64_t uncompressed_bytes;
    uint64_t closed[CLOSE_REASON_COUNT];
};

/* The history that is current: what acknowledged offsets are judged by. */
struct replica_stats_list_scope downstream_scope(const struct downstream *downstream);

#endif
