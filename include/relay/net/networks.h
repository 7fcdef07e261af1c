/* SPDX-License-Identifier: MIT
 *
 * A list of networks, as in: 10.0.0.0/8 192.0.2.7 2001:db8::/32. One without a prefix is a single address.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_NET_NETWORKS_H
#define RELAY_NET_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

enum { NETWORKS_MAX = 32 };

struct network {
    uint8_t address[16]; /* of IPv4: ::ffff:a.b.c.d */
    uint8_t prefix;      /* bits of those 128 */
    bool is_v4;
};

struct networks {
    size_t count;
    struct network at[NETWORKS_MAX];
};

/* Words with blanks between; may be empty. False: one is no network, has bits behind its prefix, or there are more
 * than NETWORKS_MAX. *out has not changed then. */
MUST_CHECK bool networks_parse(const char *string, struct networks *out);

void networks_format(const struct networks *networks, struct text *out);

/* Is this numeric address ("::ffff:10.0.0.1" is 10.0.0.1) in one of them? */
bool networks_have(const struct networks *networks, const char *address);

/* Is it one of this machine's own, 127.0.0.0/8 or ::1? */
bool networks_is_loopback(const char *address);

#endif
