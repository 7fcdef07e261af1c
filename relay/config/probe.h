/* SPDX-License-Identifier: MIT
 *
 * Can a path be used? What has to be made to find out is removed at once. Thread: any.
 */
#ifndef RELAY_CONFIG_PROBE_H
#define RELAY_CONFIG_PROBE_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/error.h"

/* True: it can be written, or is not there and can be made. False: `error`. */
MUST_CHECK bool probe_path(const char *path, bool is_directory, struct error *error);

#endif
