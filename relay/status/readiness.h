/* SPDX-License-Identifier: MIT
 *
 * Is this a relay that replicas should be sent to? What /readyz answers, and what page, /status.json and
 * metrics say with it. Pure. Thread: the owner's.
 */
#ifndef RELAY_STATUS_READINESS_H
#define RELAY_STATUS_READINESS_H

#include "picture.h"
#include "relay/base/check.h"

enum { READINESS_WHY_MAX = 512 };

/* True: it is. False: `why`. `max_silence_ms`: for how long the primary may have been silent; 0: any time. */
bool readiness_look(const struct picture *picture, int64_t max_silence_ms,
                    char why[READINESS_WHY_MAX]);

/* "max-silence=30s" in the query goes before the setting; without it *out is left. False: it is no time. */
MUST_CHECK bool readiness_read_query(const char *query, int64_t *max_silence_ms);

#endif
