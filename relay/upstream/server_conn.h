/* SPDX-License-Identifier: MIT
 *
 * A connection to the primary with what belongs to it until the stream flows: the handshake, what we
 * still have to send, and a buffer for what came. The link has one, and so has a refresh.
 *
 * Owner: the link, or a refresh. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_SERVER_CONN_H
#define RELAY_UPSTREAM_SERVER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handshake.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/net/conn.h"
#include "route.h"

struct loop;

enum {
    SERVER_CONN_BUFFER = 256 * 1024,
    SERVER_CONN_OUT_MAX = 8 * 1024,
    SERVER_CONN_UNANSWERED_MS =
        20 * 1000, /* a primary sends something every ten seconds, and we each second */
};

struct server_conn {
    struct conn *conn;         /* NULL: not open */
    const struct route *route; /* of the next connection; NULL: plain. The owner's to set */
    const char
        *congestion; /* of the next connection; NULL or "": the system's. The owner's to set */
    struct handshake handshake;
    struct text out;            /* to be sent */
    uint8_t *buffer;            /* SERVER_CONN_BUFFER bytes */
    struct bytes pending;       /* received and not taken yet: a view of the buffer */
    bool is_paused;             /* not reading for now: server_conn_pause */
    struct conn_traffic closed; /* of connections that are closed */
    int64_t last_io_ms;         /* clock_ms of the last byte, or of coming up */
};

/* False: out of memory; server_conn_fini is due all the same. */
MUST_CHECK bool server_conn_init(struct server_conn *server_conn);
void server_conn_fini(struct server_conn *server_conn);

/* Connects. False: out of memory. */
MUST_CHECK bool server_conn_open(struct server_conn *server_conn, struct loop *loop,
                                 const struct primary_address *to, conn_event_fn *fn, void *arg);
void server_conn_close(struct server_conn *server_conn);

/* The same with a connection that was made elsewhere, with these options or others, and is the connection's now. */
struct conn_options server_conn_conn_options(const struct server_conn *server_conn,
                                             const struct primary_address *to);
void server_conn_adopt(struct server_conn *server_conn, struct conn *conn);

/* The connection is up: begins the handshake. */
void server_conn_start_handshake(struct server_conn *server_conn,
                                 const struct handshake_terms *terms);

/* For a handshake that has begun and has not come to AUTH yet. */
void server_conn_set_credentials(struct server_conn *server_conn, const char *user,
                                 const char *password);

/* Stops reading, or goes on: what the primary sends waits on its side. */
void server_conn_pause(struct server_conn *server_conn, bool rest);

/* Sends what fits of `out`, and asks to be told when there is room for the rest. Where the connection is broken
 * CONN_EVENT_DOWN follows. */
void server_conn_flush(struct server_conn *server_conn);

/* "REPLCONF ACK <offset>", with " FACK <offset>" where that is what is durable here (docs/protocol.md 3.4).
 * Nothing if the one before it has not left yet. */
void server_conn_acknowledge(struct server_conn *server_conn, uint64_t offset, bool is_durable);

/* A newline: a sign of life that is no command (docs/protocol.md 2.3). Nothing if something has not left yet. */
void server_conn_say_alive(struct server_conn *server_conn);

/* Receives into the buffer; `pending` must be empty. False: the primary closed or the connection broke:
 * `why`. True with an empty `pending`: nothing is there. */
MUST_CHECK bool server_conn_receive(struct server_conn *server_conn, struct text *why);

enum server_conn_result {
    SERVER_CONN_MORE, /* more is to come; what is to be sent stands in `out`: server_conn_flush */
    SERVER_CONN_DONE, /* PSYNC is answered: handshake.reply; what came behind it is in `pending` */
    SERVER_CONN_PASSED, /* the veto of the terms: `why` */
    SERVER_CONN_FAILED, /* an answer that ends it: `why` */
    SERVER_CONN_BROKEN, /* the connection: `why` */
};

/* There is something to read: goes on with the handshake. */
MUST_CHECK enum server_conn_result server_conn_shake_hands(struct server_conn *server_conn,
                                                           struct text *why);

/* Over this connection and all before it. */
struct conn_traffic server_conn_traffic(const struct server_conn *server_conn);

/* The bytes received by this connection and all before it. */
uint64_t server_conn_received(const struct server_conn *server_conn);

#endif
