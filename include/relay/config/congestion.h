/* SPDX-License-Identifier: MIT
 *
 * Does the kernel have the congestion controls that the settings `tcp-congestion` name? A start goes on without, with
 * the system's default: a module may be missing after an update of the machine. A change to one that cannot be had
 * is refused. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_CONGESTION_H
#define RELAY_CONFIG_CONGESTION_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct config;

/* False: `why` has a line for each that cannot be had. `before`: what it has already is not looked at; NULL: all are. */
MUST_CHECK bool congestion_may(const struct config *config, const struct config *before,
                               struct text *why);

/* At a start: a warning in the log for each that cannot be had. */
void congestion_warn(const struct config *config);

#endif
