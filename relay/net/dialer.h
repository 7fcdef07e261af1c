/* SPDX-License-Identifier: MIT
 *
 * The way from a host and a port to a connected descriptor: the name is resolved, then its addresses
 * are tried in turn until one takes us. Owner: a connection that is opening. Thread: the loop's.
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
    /* How long an address may keep us from the next one; the last has the time that the owner
     * gives. A first address whose packets vanish would otherwise use it up at every attempt. */
    int64_t try_ms;
};

extern const struct dialer_options dialer_defaults;

/* Gives the descriptor away, or -1 with the reason in words. Told once; the dialer is still to be
 * freed (here, if one likes). */
typedef void dialer_fn(int fd, const char *error, void *arg);

/* Tells in a later turn. NULL: memory is out. */
MUST_CHECK struct dialer *dialer_new(struct loop *loop, const struct dialer_options *options,
                                     const char *host, uint16_t port, dialer_fn *fn, void *arg);

/* Gives up what is under way. */
void dialer_free(struct dialer **dialer);

#endif
