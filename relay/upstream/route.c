/* SPDX-License-Identifier: MIT */
#include "route.h"

void route_apply(const struct route *route, const struct primary_address *to,
                 struct conn_options *options)
{
    (void)to;
    if (route == NULL)
        return;
    options->tls = route->tls;
    options->proxy = route->proxy;
}
