/* SPDX-License-Identifier: MIT
 *
 * A file read whole, and replaced as a whole: who reads it, also after a power failure, finds the old
 * content or the new. Thread: any.
 */
#ifndef RELAY_CONFIG_REPLACE_H
#define RELAY_CONFIG_REPLACE_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

/* Appends its content. False: `why`, without the path; also where it is longer than out->limit. */
MUST_CHECK bool replace_read(const char *path, struct text *out, struct text *why);

/* Asked when the new file is on the disk under its other name `path`, and may still be refused. */
typedef bool replace_check_fn(const char *path, void *arg, struct text *why);

/* Mode and owner stay. `path` is no symbolic link. False: `why`, and the old content is there. */
MUST_CHECK bool replace_file(const char *path, struct bytes content, replace_check_fn *check,
                             void *arg, struct text *why);

#endif
