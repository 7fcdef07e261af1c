/* SPDX-License-Identifier: MIT
 *
 * Where the origin may be: addresses of candidates, of which the one that is a primary is followed.
 * Plain values. Any thread.
 */
#ifndef RELAY_UPSTREAM_ORIGIN_H
#define RELAY_UPSTREAM_ORIGIN_H

#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_HOST_MAX = 256, ORIGIN_CANDIDATES_MAX = 16 };

struct origin_address {
    char host[ORIGIN_HOST_MAX]; /* a name, or an address */
    uint16_t port;
};

struct origin_candidates {
    size_t count; /* 0: it is not known (yet) where the origin is */
    struct origin_address at[ORIGIN_CANDIDATES_MAX];
};

#endif
