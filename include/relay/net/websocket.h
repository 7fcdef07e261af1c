/* SPDX-License-Identifier: MIT
 *
 * Replication inside a WebSocket (RFC 6455): binary messages whose payloads, one behind the other, are the bytes of the
 * connection. Where a message begins means nothing. The subprotocol is "psync"; there are no extensions.
 *
 * A connection is one by conn_options.websocket_path (ours to a server) or conn_options.websocket_rules (a client's to us).
 */
#ifndef RELAY_NET_WEBSOCKET_H
#define RELAY_NET_WEBSOCKET_H

#include <stdbool.h>

#include "relay/net/networks.h"

enum {
    /* One that has sent nothing for so long sends a ping: shorter than the idle time-outs of usual ingresses. */
    WEBSOCKET_PING_MS = 15 * 1000,
};

/* Was the program built with libwslay? */
bool websocket_is_built(void);

/* Whom a server lets in. The caller's; read when a handshake comes. */
struct websocket_rules {
    const char *path;        /* begins with '/'; anything else is not found */
    struct networks trusted; /* of whom X-Forwarded-For is believed */
    bool needs_tls;          /* plain HTTP is told to use TLS */
    bool
        local_only; /* who comes from another machine, as far as X-Forwarded-For shows, is sent away */
};

#endif
