/* SPDX-License-Identifier: MIT */
#include "link_outcome.h"

#include <stdarg.h>
#include <stdio.h>

void link_enter(struct link_outcome *outcome, enum link_state next, const char *cause, ...)
{
    va_list list;
    va_start(list, cause);
    vsnprintf(outcome->text, sizeof(outcome->text), cause, list);
    va_end(list);
    outcome->verdict = LINK_ENTER;
    outcome->next = next;
}

void link_fail_at(struct link_outcome *outcome, bool stays, const char *cause, const char *why)
{
    snprintf(outcome->text, sizeof(outcome->text), "%s", why);
    outcome->verdict = LINK_FAIL;
    outcome->cause = cause;
    outcome->stays = stays;
}

void link_fail_store(struct link_outcome *outcome, const char *why)
{
    link_fail_at(outcome, true, "store", why);
}
