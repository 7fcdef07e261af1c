/* SPDX-License-Identifier: MIT
 *
 * Times as people write them: "30" (seconds), "500ms", "30s", "5m", "12h", "1d". Pure. Any thread.
 */
#ifndef RELAY_BASE_DURATION_H
#define RELAY_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

/* False: it is none, or none that fits. */
MUST_CHECK bool duration_parse_ms(struct bytes text, uint64_t *out);

#endif
