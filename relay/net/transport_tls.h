/* SPDX-License-Identifier: MIT
 *
 * TLS by OpenSSL, on the socket's layer.
 */
#ifndef RELAY_NET_TRANSPORT_TLS_H
#define RELAY_NET_TRANSPORT_TLS_H

#include <stdbool.h>

#include "channel.h"
#include "relay/base/check.h"

struct tls_context;

/* Puts a channel that is not up yet under TLS: as a server where `host` is NULL. Where `accepts_plain`, a
 * server's layer leaves the channel if the client does not speak TLS. False: out of memory. */
MUST_CHECK bool transport_tls_begin(struct channel *channel, struct tls_context *context,
                                    const char *host, bool accepts_plain);

#endif
