/* SPDX-License-Identifier: MIT
 *
 * What an event has led to. The parts of the link say it, and link.c acts on it: it alone changes the state.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_LINK_OUTCOME_H
#define RELAY_UPSTREAM_LINK_OUTCOME_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/upstream/link_status.h"

struct link;

enum { LINK_WHY_MAX = 512 };

enum link_verdict {
    LINK_KEEP,  /* nothing changes */
    LINK_ENTER, /* another state */
    LINK_FAIL,  /* the connection is given up: a retry, or the next candidate */
};

struct link_outcome {
    enum link_verdict verdict; /* LINK_KEEP at first */
    enum link_state next;      /* LINK_ENTER */
    const char *cause;         /* LINK_FAIL: a word */
    bool stays;                /* LINK_FAIL: the same server is tried again, and not the next one */
    char text[LINK_WHY_MAX];   /* LINK_ENTER: the cause in the log; LINK_FAIL: why */
};

/* A handler of events. */
typedef void link_event_fn(struct link *link, struct link_outcome *outcome);

void link_enter(struct link_outcome *outcome, enum link_state next, const char *cause, ...)
    PRINTF_LIKE(3, 4);

/* The connection is given up. `stays`: the same server is tried again, and not the next candidate. */
void link_fail_at(struct link_outcome *outcome, bool stays, const char *cause, const char *why);

/* We are to blame, and not the server: it is tried again. */
void link_fail_store(struct link_outcome *outcome, const char *why);

#endif
