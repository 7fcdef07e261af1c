/* SPDX-License-Identifier: MIT
 *
 * What is wrong with the settings, one line each, with where it stands: a file and a line, or an
 * override. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_ERRORS_H
#define RELAY_CONFIG_ERRORS_H

#include <limits.h>
#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "settings.h"

enum { CONFIG_LINE_MAX = 4096, FOUND_IN_OVERRIDE = UINT_MAX };

struct errors {
    struct text *out;
    unsigned count;
    const char *file;                /* NULL: none */
    unsigned found_on[SETTINGS_MAX]; /* line of the file where a setting was found; 0: by default */
};

/* "file:line", or "file" for line 0. Returns `out`. */
const char *errors_place(const struct errors *errors, unsigned line, char out[CONFIG_LINE_MAX]);

/* One error. `where` may be "". */
void complain(struct errors *errors, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* An error that shows only when all settings are known, in the setting whose value is at `place`. */
void complain_of(struct errors *errors, const struct config *config, const void *place,
                 const char *expected);

/* Says how many there are beyond those that were told. */
bool is_free_of_errors(const struct errors *errors);

#endif
