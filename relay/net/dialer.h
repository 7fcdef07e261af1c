/* SPDX-License-Identifier: MIT
 *
 * The way from a host and a port to a connected descriptor. The name is resolved, then its addresses
 * race (RFC 8305): the next attempt begins when one fails, or `stagger_ms` after the one before it, while
 * those go on; the first that connects wins.
 *
 * Each attempt has a limit of its own, since a host that has vanished says nothing for minutes. It begins
 * at `first_ms` and doubles with each attempt at that address that comes to nothing so, up to
 * `limit_ms`, so that a long way is not given up for ever; an answer of any kind takes it back
 * (connect_timeout.h).
 *
 * Owner: a connection that is opening. Thread: the loop's.
 */
#ifndef RELAY_NET_DIALER_H
#define RELAY_NET_DIALER_H

#include <stdint.h>

#include "name_query.h"
#include "relay/base/check.h"

struct dialer;
struct loop;

struct dialer_options {
    resolve_fn *resolve; /* asks for the addresses of a name */
    int64_t stagger_ms;
    int64_t first_ms;
    int64_t limit_ms; /* of the first attempt, too */
};

extern const struct dialer_options dialer_defaults;

/* Gives the descriptor away, or -1 with the reason in words. Told once; the dialer is still to be
 * freed (here, if one likes). */
typedef void dialer_fn(int fd, const char *error, void *arg);

/* Tells in a later turn. NULL: out of memory. */
MUST_CHECK struct dialer *dialer_new(struct loop *loop, const struct dialer_options *options,
                                     const char *host, uint16_t port, dialer_fn *fn, void *arg);

/* Gives up what is under way. */
void dialer_free(struct dialer **dialer);

#endif
