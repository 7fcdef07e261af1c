/* SPDX-License-Identifier: MIT
 *
 * Names to addresses without blocking the loop. A numeric address is answered at once; a name is given
 * to the C library (getaddrinfo), so that it resolves whenever any other program of the machine
 * resolves it: /etc/hosts, nsswitch.conf, mDNS, systemd-resolved, and every option of resolv.conf,
 * which the C library reads anew when the file has changed.
 *
 * Thread: the loop's. The C library may need many seconds (5 for each name server that is silent), and
 * cannot be interrupted: see name_query.h for the thread that waits for it.
 */
#ifndef RELAY_NET_RESOLVER_H
#define RELAY_NET_RESOLVER_H

#include <stdint.h>

#include "name_query.h"
#include "relay/base/check.h"

struct loop;
struct lookup;

enum {
    LOOKUP_ERROR_MAX = ADDRESS_HOST_MAX + 64,
    LOOKUP_MS_MAX = 30 * 1000, /* a lookup that takes longer has failed */
};

/* `found` is empty when there was none; then `error` says why ("host.example: Name or service not
 * known"). Both live during the call. The lookup ends with it: its owner forgets it. */
typedef void lookup_fn(const struct addresses *found, const char *error, void *arg);

/* Tells once, in a later turn, unless it is cancelled. `resolve` asks for the addresses of a name:
 * resolve_by_system, or a test's stand-in. NULL: out of memory or descriptors. */
MUST_CHECK struct lookup *lookup_start(struct loop *loop, resolve_fn *resolve, const char *host,
                                       uint16_t port, lookup_fn *fn, void *arg);

/* Nothing is told any more. What the C library was asked goes on, and the next lookup of this name
 * takes its answer (name_query.h). */
void lookup_cancel(struct lookup **lookup);

#endif
