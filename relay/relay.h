/* SPDX-License-Identifier: MIT
 *
 * The composition: opens the components in order, makes them known to each other through their callbacks, runs
 * the turns, and closes them in the reverse order. What no room may know of another is tied together
 * here: the primary's news and the replicas, a waiting replica and the link.
 *
 * Thread: thread 0, which it becomes.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct config;

/* What may change while it runs (CONFIG SET) is changed in `config`. Runs until SIGTERM, SIGINT or SHUTDOWN, then closes everything and returns true. False: it could
 * not start; `why` says what is wrong. */
MUST_CHECK bool relay_run(struct config *config, struct text *why);

#endif
