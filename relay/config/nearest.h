/* SPDX-License-Identifier: MIT
 *
 * How different two names are, to suggest the name that was probably meant. Pure. Any thread.
 */
#ifndef RELAY_CONFIG_NEAREST_H
#define RELAY_CONFIG_NEAREST_H

#include <stddef.h>

/* How many letters must be inserted, removed or changed to turn one name into the other. Only the first
 * NEAREST_LENGTH_MAX letters of a name count. */
enum { NEAREST_LENGTH_MAX = 32 };
size_t nearest_distance(const char *a, const char *b);

#endif
