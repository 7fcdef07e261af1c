/* SPDX-License-Identifier: MIT
 *
 * Patterns as CONFIG GET and COMMAND LIST take them: '*', '?', '[a-z]', '[^a]', and '\' before a
 * byte that is meant as it is. The case of letters is ignored. Pure.
 */
#ifndef RELAY_ADMIN_PATTERN_H
#define RELAY_ADMIN_PATTERN_H

#include <stdbool.h>

#include "relay/base/bytes.h"

/* Takes time in the product of the lengths at most, whatever the pattern. */
bool pattern_matches(struct bytes pattern, struct bytes name);

#endif
