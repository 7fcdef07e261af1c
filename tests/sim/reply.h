/* SPDX-License-Identifier: MIT
 *
 * Replies as a client of the relay reads them: RESP2 and RESP3, HTTP, JSON. Pure. */
#ifndef TESTS_SIM_REPLY_H
#define TESTS_SIM_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_INVALID SIZE_MAX

/* The length of the reply that `in` begins with. 0: it is not whole. REPLY_INVALID: it is none. */
size_t reply_length(const uint8_t *in, size_t length);
/* The same of an HTTP response; *body is the length of what follows its head. */
size_t reply_http_length(const uint8_t *in, size_t length, size_t *body);
bool reply_is_json(const char *text, size_t length);

/* The number behind "\n<name>:" in INFO. False: it is not there. */
bool info_number(const char *info, const char *name, uint64_t *number);
/* The text behind it, up to the end of the line. */
bool info_text(const char *info, const char *name, char *out, size_t size);

#endif
