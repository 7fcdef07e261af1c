/* SPDX-License-Identifier: MIT
 *
 * How an ini is read: line by line, each "key = value" told with its section; what is no such line is
 * complained of. Which sections and keys there are is not known here. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_INI_FILE_H
#define RELAY_CONFIG_INI_FILE_H

#include "errors.h"
#include "relay/base/bytes.h"

/* A value is all that stands behind the "=". `line` begins with 1. */
typedef void ini_fn(const char *section, const char *key, const char *value, unsigned line,
                    void *arg);

/* Reads errors->file; where `content` is given, that in its place, and errors name the file. */
void ini_file_read(struct errors *errors, const struct bytes *content, ini_fn *fn, void *arg);

#endif
