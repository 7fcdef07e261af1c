/* SPDX-License-Identifier: MIT
 *
 * CONFIG REWRITE, as far as it is a matter of text: an ini in which some values have changed, and nothing
 * else has. Comments, order, blanks, line ends and all other lines stay as they are.
 *
 *     fsync = no           the line that sets it:   only the value is replaced
 *     ;fsync = everysec    or one that is commented out (";", or "#" right before the key): it is replaced
 *     [store]              or at the end of its section, which is made where there is none
 *
 * Pure.
 */
#ifndef RELAY_CONFIG_REWRITE_H
#define RELAY_CONFIG_REWRITE_H

#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/base/text.h"

enum { REWRITE_CHANGES_MAX = 128 };

struct rewrite_change {
    const char *section;
    const char *key;
    const char *value; /* one line */
};

/* At most REWRITE_CHANGES_MAX, each setting once. `ini` is one that could be read. */
void rewrite_ini(struct bytes ini, const struct rewrite_change *changes, size_t count,
                 struct text *out);

#endif
