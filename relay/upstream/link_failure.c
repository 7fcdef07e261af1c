/* SPDX-License-Identifier: MIT
 *
 * How the connection to the primary is given up, and whom the failure is blamed on. */
#include <stdio.h>

#include "link_private.h"

void link_fail(const struct link *link, struct link_outcome *outcome, const char *cause,
               const char *why)
{
    link_fail_at(outcome, link_state(link) == LINK_STREAMING, cause, why);
}

const char *link_at_step(const struct link *link, const char *why, char out[LINK_WHY_MAX])
{
    bool is_handshake = link_state(link) == LINK_HANDSHAKE;
    snprintf(out, LINK_WHY_MAX, "%s%s%s", why, is_handshake ? " after " : "",
             is_handshake ? handshake_step(&link->server_conn.handshake) : "");
    return out;
}

void link_fail_broken(const struct link *link, struct link_outcome *outcome)
{
    char why[LINK_WHY_MAX];
    link_fail(link, outcome, "broken", link_at_step(link, conn_error(link->server_conn.conn), why));
}
