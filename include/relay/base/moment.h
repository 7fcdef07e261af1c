/* SPDX-License-Identifier: MIT
 *
 * Moments as people write them, and as they read them:
 *
 *     2026-11-28T15:04:05Z   2026-11-28 15:04:05.25+01:00   RFC 3339
 *     2026-11-28 15:04:05                                   local time, where no zone is said
 *     -15min  -90s  -1h30min  -2d                           before `now`: units s, sec, m, min, h, d
 *     now
 *
 * Pure, but for the zone of the process (TZ), which local time goes by. Any thread.
 */
#ifndef RELAY_BASE_MOMENT_H
#define RELAY_BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

enum { MOMENT_TEXT_MAX = 48 };

/* Microseconds since 1970 UTC. False: `error` says what is wrong with it. */
MUST_CHECK bool moment_parse(struct bytes text, int64_t now_us, int64_t *out, struct error *error);

/* In local time, with its zone: "2026-11-28T15:04:05.250+01:00". Returns `out`. */
const char *moment_format(int64_t wall_us, char out[MOMENT_TEXT_MAX]);

#endif
