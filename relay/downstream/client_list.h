/* SPDX-License-Identifier: MIT
 *
 * The clients of the component, as downstream.c has them: made, listed, counted, closed. What the command
 * table sees of one is client.h.
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_CLIENT_LIST_H
#define RELAY_DOWNSTREAM_CLIENT_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer_peaks.h"
#include "relay/base/log_repeat.h"
#include "relay/base/queue.h"
#include "relay/downstream/client.h"
#include "relay/downstream/reasons.h"
#include "relay/net/conn.h"
#include "relay/resp/psync.h"

struct loop;
struct tls_context;

/* A client that has said PSYNC or SYNC and is no client any more. `conn` is detached, and the callee's
 * as `unsent_replies` is (it moves it out, or leaves it to be freed); the rest is valid until it returns. */
struct newcomer {
    struct conn *conn;
    uint64_t id;
    int64_t connected_ms;
    const struct replica_terms *terms;
    const char *local;
    const char *user;                    /* "": nobody had logged in */
    const struct psync_request *request; /* NULL: SYNC */
    struct text *unsent_replies;
    struct bytes input; /* read already, behind the command */
    bool runs_behind;   /* it has come to a port of [delayed] */
};

typedef void newcomer_fn(const struct newcomer *newcomer, void *arg);

TAILQ_HEAD(clients, client);

struct client_list {
    /* Set by the owner. */
    struct loop *loop;
    int64_t timeout_ms; /* 0: never */
    int keepalive_s;
    bool must_authenticate;
    bool sends_frames; /* of zstd, to a Redis that asks for them */
    client_command_fn *on_command;
    void *on_command_arg;
    newcomer_fn *on_newcomer;
    void *on_newcomer_arg;

    struct clients clients; /* oldest first */
    uint64_t count;
    uint64_t commands;
    struct buffer_peaks buffer_peaks; /* of all clients, those that have gone included */
    /* Of those who have gone and were not replicas. */
    struct conn_traffic traffic;
    uint64_t closed[CLOSE_REASON_COUNT];
    uint64_t replicas_refused;  /* connections that wanted to replicate, and may not */
    struct log_repeats repeats; /* what goes wrong with clients, by their address */
};

void client_list_init(struct client_list *list);

/* Takes a connected descriptor; `tls` is NULL for a plain port, `rules` for one that is no WebSocket's. `is_delayed`: it has
 * come to a port of [delayed]. */
void client_accept(struct client_list *list, int fd, struct tls_context *tls,
                   const struct websocket_rules *rules, bool is_delayed, uint64_t id);

/* Closes at once; but one whose command is being run first gets its reply. */
void client_close(struct client *client, enum close_reason reason);

/* Timeouts. */
void client_list_tick(struct client_list *list);

void client_list_close_all(struct client_list *list, enum close_reason reason);

struct client *client_list_first(const struct client_list *list);
struct client *client_next(const struct client *client);

/* All zeros of one that is closed. */
struct conn_traffic client_traffic(const struct client *client);

#endif
