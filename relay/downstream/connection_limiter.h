/* SPDX-License-Identifier: MIT
 *
 * Who is let in. A connection that is not is told why in one send and closed at once: it takes no
 * memory and no time, so that unauthenticated clients who come in crowds stop nobody who is in, nor the store, which
 * needs descriptors of its own. The log hears of each kind of refusal when it begins, of how many there
 * were ever more rarely, and when room is there again.
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_CONNECTION_LIMITER_H
#define RELAY_DOWNSTREAM_CONNECTION_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/log_repeat.h"

enum entry {
    ENTRY_FREE,
    ENTRY_PROTECTED,   /* it comes from elsewhere, and there is no password */
    ENTRY_CLIENTS,     /* there are `maxclients` already */
    ENTRY_DESCRIPTORS, /* the few descriptors that are left are not for clients */
    ENTRY_COUNT,
};

struct connection_limiter {
    /* Set by the owner, the second anew for each who comes. */
    uint64_t clients_max;
    uint64_t descriptors_max; /* open files that the system allows us; 0: any number */
    bool local_only;          /* protected-mode, and no password */
    bool tls_knows_callers; /* the TLS port asks for certificates: that is as good as a password */

    uint64_t refused; /* since start */
    struct log_repeat refusals[ENTRY_COUNT];
};

/* What is to be done with one that was given the descriptor `fd` while `connected` others are there:
 * the system gives the lowest that is free, so all below it are in use. Pure. */
enum entry connection_limiter_judge(const struct connection_limiter *connection_limiter, int fd,
                                    bool is_local, uint64_t connected);

/* False: it has been sent away, and is closed. One on a TLS port is sent away without a word: it would
 * not understand plain ones. One on the port of WebSockets gets an answer of HTTP. */
MUST_CHECK bool connection_limiter_admit(struct connection_limiter *connection_limiter, int fd,
                                         uint64_t connected, bool is_tls, bool is_http);

#endif
