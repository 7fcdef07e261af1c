/* SPDX-License-Identifier: MIT
 *
 * How an ini is read: line by line, each "key = value" told with its section; what is no such line is
 * complained of. Which sections and keys there are is not known here. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_INI_FILE_H
#define RELAY_CONFIG_INI_FILE_H

#include "errors.h"

/* A value is all that stands behind the "=". `line` begins with 1. */
typedef void ini_fn(const char *section, const char *key, const char *value, unsigned line,
                    void *arg);

/* Reads errors->file. */
void ini_file_read(struct errors *errors, ini_fn *fn, void *arg);

#endif
