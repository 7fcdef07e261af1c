/* SPDX-License-Identifier: MIT */
#include "link_outcome.h"

#include <stdarg.h>
#include <stdio.h>

#include "link_private.h"

void link_enter(struct link_outcome *outcome, enum link_state next, const char *cause, ...)
{
    va_list list;
    va_start(list, cause);
    vsnprintf(outcome->text, sizeof(outcome->text), cause, list);
    va_end(list);
    outcome->verdict = LINK_ENTER;
    outcome->next = next;
}

static void set_failure(struct link_outcome *outcome, const char *cause, const char *why,
                        bool stays)
{
    snprintf(outcome->text, sizeof(outcome->text), "%s", why);
    outcome->verdict = LINK_FAIL;
    outcome->cause = cause;
    outcome->stays = stays;
}

void link_fail(const struct link *link, struct link_outcome *outcome, const char *cause,
               const char *why)
{
    set_failure(outcome, cause, why, link_state(link) == LINK_STREAMING);
}

void link_fail_store(struct link_outcome *outcome, const char *why)
{
    set_failure(outcome, "store", why, true);
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
