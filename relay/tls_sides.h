/* SPDX-License-Identifier: MIT
 *
 * TLS of the two sides, as the settings name it and the files are at the moment. Each side has its own
 * context; the rooms are lent them.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_TLS_SIDES_H
#define RELAY_TLS_SIDES_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct config;
struct tls_context;

/* NULL: that side is plain. */
struct tls_sides {
    struct tls_context *upstream;
    struct tls_context *downstream;
};

/* Reads the files. False: `why`, a line for each side at fault; there is nothing to close. */
MUST_CHECK bool tls_sides_open(struct tls_sides *sides, const struct config *config,
                               struct text *why);

/* What each has, a line for each. */
void tls_sides_log(const struct tls_sides *sides);

void tls_sides_close(struct tls_sides *sides);

/* Reads the files again. A side whose files do not fit keeps what it has, and the log says why. The
 * rooms are to be told: what they were lent is gone. */
void tls_sides_reload(struct tls_sides *sides, const struct config *config);

#endif
