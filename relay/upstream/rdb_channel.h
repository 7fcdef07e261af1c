/* SPDX-License-Identifier: MIT
 *
 * The second connection of a sync over two (link_two_channel.c): the RDB comes over it, while the stream comes over the
 * link's own. It says so in a handshake of its own (docs/protocol.md 7.1, 7.2), and ends with the RDB.
 *
 *     closed --- rdb_channel_open ---> connecting ---> handshake --- X is known: on_begun ---> begun
 *                                                                                                |
 *                                            rdb_channel_receive: a snapshot for the RDB         v
 *     closed <--- rdb_channel_close --- whole: on_whole <--- all of it is in the snapshot --- loading
 *
 * What goes wrong is told by on_failed, once, and the owner closes it. It is closed in any state.
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_RDB_CHANNEL_H
#define RELAY_UPSTREAM_RDB_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "handshake.h"
#include "rdb_receiver.h"
#include "relay/base/check.h"
#include "relay/base/state_machine.h"
#include "server_conn.h"

struct compression_use;
struct loop;
struct primary_address;
struct snapshot;
struct timer;

/* Called as the last thing of an event: the callee may close the channel. */
struct rdb_channel_callbacks {
    void (*on_begun)(void *arg); /* rdb_channel_reply is set */
    void (*on_whole)(void *arg); /* and again every few milliseconds, until it is closed */
    /* is_answer: by what it has said, and not by a connection that broke. */
    void (*on_failed)(bool is_answer, const char *why, void *arg);
    void *arg;
};

struct rdb_channel {
    struct loop *loop;
    struct timer *timer;
    struct rdb_channel_callbacks callbacks;
    const struct route *route;
    struct compression_use *compression;
    struct state_machine machine;
    struct server_conn server_conn; /* the congestion is the link's to set */
    struct rdb_receiver rdb_receiver;
    struct handshake_terms terms;
    struct conn_traffic closed; /* of connections that are closed */
    bool was_answered;          /* of one that fails: see on_failed */
};

/* `route` and `compression` are the link's. All zeros before. False: out of memory; rdb_channel_fini is due all the same. */
MUST_CHECK bool rdb_channel_init(struct rdb_channel *channel, struct loop *loop,
                                 const struct route *route, struct compression_use *compression,
                                 const struct rdb_channel_callbacks *callbacks);
void rdb_channel_fini(struct rdb_channel *channel);

/* Connects; `terms` say by their kind which handshake it is. It is closed. Out of memory: on_failed in the next turn. */
void rdb_channel_open(struct rdb_channel *channel, const struct primary_address *primary,
                      const struct handshake_terms *terms);

/* Closed already: no effect. */
void rdb_channel_close(struct rdb_channel *channel);
bool rdb_channel_is_open(const struct rdb_channel *channel);

/* From on_begun on: the id, X, and at a Valkey the client id. */
const struct psync_reply *rdb_channel_reply(const struct rdb_channel *channel);

/* Within on_begun: where the RDB goes. */
void rdb_channel_receive(struct rdb_channel *channel, struct snapshot *snapshot);

/* The snapshot it fills; NULL: none yet. */
struct snapshot *rdb_channel_snapshot(const struct rdb_channel *channel);
bool rdb_channel_is_whole(const struct rdb_channel *channel);

/* What the RDB, or on_whole, waits for may have come. */
void rdb_channel_go_on(struct rdb_channel *channel);

/* Every second: gives up after `timeout_ms` of silence. */
void rdb_channel_tick(struct rdb_channel *channel, int64_t timeout_ms);

/* Over all connections so far. */
struct conn_traffic rdb_channel_traffic(const struct rdb_channel *channel);

/* Also for one that is open: the strings before are not used any more. */
void rdb_channel_set_credentials(struct rdb_channel *channel, const char *user,
                                 const char *password);

#endif
