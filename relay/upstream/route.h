/* SPDX-License-Identifier: MIT
 *
 * How the servers above us are connected to, whichever server it is: under TLS or not, directly or through a proxy.
 * The link has one, which its refresh and its parent watch read, too; the watcher of Sentinels has its own.
 *
 * Owner: the link; the watcher of Sentinels. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_ROUTE_H
#define RELAY_UPSTREAM_ROUTE_H

#include "relay/net/conn.h"
#include "relay/upstream/primary_address.h"

struct tls_context;

/* What it points to is somebody else's, who tells of another before it goes. */
struct route {
    struct tls_context *tls;     /* of HOST PORT; NULL: plain */
    struct tls_context *wss_tls; /* of wss://; not NULL where such a server may be connected to */
    const char *proxy;           /* NULL or "": none */
};

/* Sets in the options what the next connection to this server needs. NULL for a route: plain, without a proxy. */
void route_apply(const struct route *route, const struct primary_address *to,
                 struct conn_options *options);

#endif
