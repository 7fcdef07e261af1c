/* SPDX-License-Identifier: MIT
 *
 * How far two names are apart, to tell somebody which one was probably meant. Pure. Any thread.
 */
#ifndef RELAY_CONFIG_NEAREST_H
#define RELAY_CONFIG_NEAREST_H

#include <stddef.h>

/* How many messages must be put in, taken out or changed to make the one name the other; of longer
 * names only the first NEAREST_LENGTH_MAX messages are looked at. */
enum { NEAREST_LENGTH_MAX = 32 };
size_t nearest_distance(const char *a, const char *b);

#endif
