/* SPDX-License-Identifier: MIT
 *
 * A WebSocket (relay/net/websocket.h) on TLS or on the socket.
 *
 * A request that is refused gets its answer of HTTP. Then the layer reads and throws away what still comes until the client
 * has closed, so that a reset does not take the answer back, and fails: the time of the handshake bounds that.
 */
#ifndef RELAY_NET_TRANSPORT_WEBSOCKET_H
#define RELAY_NET_TRANSPORT_WEBSOCKET_H

#include <stdint.h>

#include "channel.h"
#include "relay/base/check.h"
#include "relay/net/websocket.h"

/* For a channel that is not up yet, whose layers below are there. False: out of memory, or not built. */
MUST_CHECK bool transport_websocket_connect(struct channel *channel, const char *host,
                                            uint16_t port, const char *path);

/* The same for a client's, which comes from `peer`. The rules are read until it is up. */
MUST_CHECK bool transport_websocket_accept(struct channel *channel,
                                           const struct websocket_rules *rules);

/* The address that a trusted proxy has told, when the channel is up; "": none. */
const char *transport_websocket_forwarded(const struct channel *channel);

/* Nothing was sent for WEBSOCKET_PING_MS, maybe: the connection looks so often. */
void transport_websocket_keep_alive(struct channel *channel);

#endif
