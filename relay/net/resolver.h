/* SPDX-License-Identifier: MIT
 *
 * Names to addresses without blocking. A numeric address needs no name server and asks none; a name
 * is looked for in the hosts file, then at the name servers. Both files are read anew for each
 * lookup: lookups are rare here (one an attempt to connect), and an operator who has mended
 * resolv.conf expects the next attempt to know.
 *
 * Thread: the loop's, and in a process only one loop looks up names (the random numbers of
 * libevent's resolver are one a process, and unlocked).
 */
#ifndef RELAY_NET_RESOLVER_H
#define RELAY_NET_RESOLVER_H

#include <stdint.h>

#include "address.h"
#include "relay/base/check.h"

struct loop;
struct lookup;

enum {
    LOOKUP_ADDRESSES_MAX = 16, /* more are not tried */
    LOOKUP_ERROR_MAX = ADDRESS_HOST_MAX + 64,
};

struct addresses {
    size_t count;
    struct address list[LOOKUP_ADDRESSES_MAX];
};

struct lookup_files {
    const char *resolv_conf;
    const char *hosts;
};

extern const struct lookup_files lookup_system_files;

/* `found` is empty when there was none; then `error` says why ("host.example: Name or service not
 * known"). Both live during the call. The lookup ends with it: its owner forgets it. */
typedef void lookup_fn(const struct addresses *found, const char *error, void *arg);

/* Tells once, in a later turn, unless it is cancelled. NULL: memory is out. */
MUST_CHECK struct lookup *lookup_start(struct loop *loop, const struct lookup_files *files,
                                       const char *host, uint16_t port, lookup_fn *fn, void *arg);

/* Nothing is told any more. */
void lookup_cancel(struct lookup **lookup);

#endif
