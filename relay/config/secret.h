/* SPDX-License-Identifier: MIT
 *
 * A password in a file of its own, so that the ini can be shown around. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_SECRET_H
#define RELAY_CONFIG_SECRET_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/error.h"

enum { SECRET_MAX = 4096 };

/* The only line of a file, without its end. False: `error`, without the name of the file in error_reason. */
MUST_CHECK bool secret_read(const char *file, char out[SECRET_MAX], struct error *error);

#endif
