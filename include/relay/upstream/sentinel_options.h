/* SPDX-License-Identifier: MIT
 *
 * Which Sentinels are asked, and for which group. Plain values. Any thread.
 */
#ifndef RELAY_UPSTREAM_SENTINEL_OPTIONS_H
#define RELAY_UPSTREAM_SENTINEL_OPTIONS_H

#include "relay/upstream/primary_address.h"

enum { SENTINEL_NAME_MAX = 128 };

struct sentinel_options {
    char name[SENTINEL_NAME_MAX];        /* of the group, as in `sentinel monitor NAME ...` */
    struct primary_candidates sentinels; /* count 0: not used */
    const char *user;                    /* sentinel-user; NULL or "": none */
    const char *password;                /* sentinel-pass; NULL or "": none */
};

#endif
