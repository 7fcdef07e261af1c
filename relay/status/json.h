/* SPDX-License-Identifier: MIT
 *
 * Writes JSON: sets the commas, escapes the strings. The caller closes what it opens. A name of NULL
 * is for the elements of an array. Pure. Thread: the owner's.
 */
#ifndef RELAY_STATUS_JSON_H
#define RELAY_STATUS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/text.h"

struct json {
    struct text *out;
    bool has_sibling; /* something stands before in the same object or array */
};

void json_open_object(struct json *json, const char *name);
void json_close_object(struct json *json);
void json_open_array(struct json *json, const char *name);
void json_close_array(struct json *json);
void json_string(struct json *json, const char *name, const char *value);
void json_u64(struct json *json, const char *name, uint64_t value);
void json_i64(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);

/* Thousandths, as a number with three decimals; below 0: null. */
void json_thousandths(struct json *json, const char *name, int64_t value);

/* Milliseconds as seconds; below 0: null. */
void json_seconds(struct json *json, const char *name, int64_t ms);

#endif
