/* SPDX-License-Identifier: MIT
 *
 * The handshake with a proxy, between the socket and TLS: it leaves the channel when the proxy has connected us.
 */
#ifndef RELAY_NET_TRANSPORT_PROXY_H
#define RELAY_NET_TRANSPORT_PROXY_H

#include <stdint.h>

#include "channel.h"
#include "relay/base/check.h"
#include "relay/net/proxy.h"

/* For a channel that is not up yet, whose socket is the proxy's; `host` and `port` are the server's. False: out of
 * memory. */
MUST_CHECK bool transport_proxy_begin(struct channel *channel, const struct proxy *proxy,
                                      const char *host, uint16_t port);

#endif
