/* SPDX-License-Identifier: MIT */
#include "route.h"

void route_apply(const struct route *route, const struct primary_address *to,
                 struct conn_options *options)
{
    if (route == NULL)
        return;
    options->proxy = route->proxy;
    switch (to->carrier) {
    case PRIMARY_TCP:
        options->tls = route->tls;
        return;
    case PRIMARY_WS:
        options->websocket_path = to->path;
        return;
    case PRIMARY_WSS:
        CHECK(route->wss_tls != NULL);
        options->tls = route->wss_tls;
        options->websocket_path = to->path;
        return;
    }
    UNREACHABLE("a carrier without a case");
}
