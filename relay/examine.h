/* SPDX-License-Identifier: MIT
 *
 * --check: what a start would refuse, found without one. It goes through what relay_run goes through, in
 * the same order and with the same words, and collects instead of ending at the first.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_EXAMINE_H
#define RELAY_EXAMINE_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct config;

/* False: a start would be refused; `why` has a line for each reason. A relay that runs with this data
 * directory may be the one that is about to be started anew: that it has the directory and the ports is no
 * reason, and told in `notes`. */
MUST_CHECK bool examine(struct config *config, struct text *why, struct text *notes);

#endif
