/* SPDX-License-Identifier: MIT
 *
 * Patterns as CONFIG GET, COMMAND LIST and PSUBSCRIBE take them: '*', '?', '[a-z]', '[^a]', and '\'
 * before a byte that is meant as it is. Both take time in the product of the lengths at most, whatever
 * the pattern. Pure.
 */
#ifndef RELAY_COMMANDS_PATTERN_H
#define RELAY_COMMANDS_PATTERN_H

#include <stdbool.h>

#include "relay/base/bytes.h"

/* Names of settings and commands: letter case is ignored. */
bool pattern_matches(struct bytes pattern, struct bytes name);

/* Names of channels: it is not. */
bool pattern_matches_exactly(struct bytes pattern, struct bytes name);

#endif
