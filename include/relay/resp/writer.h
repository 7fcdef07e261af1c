/* SPDX-License-Identifier: MIT
 *
 * Writes replies. The protocol version (2 or 3) is the client's, chosen by HELLO; what RESP2 lacks
 * is written as RESP2 clients expect it (a map as a flat array, a null as "$-1"). Pure.
 */
#ifndef RELAY_RESP_WRITER_H
#define RELAY_RESP_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

struct writer {
    struct text *out;
    int protocol; /* 2 or 3 */
};

/* "+OK\r\n"; no line break in `string`. */
void write_simple(struct writer *writer, const char *string);

/* "-ERR ...\r\n": the message begins with its code word; line breaks in it become blanks. */
void write_error(struct writer *writer, const char *format, ...) PRINTF_LIKE(2, 3);

void write_integer(struct writer *writer, int64_t value);
void write_bulk(struct writer *writer, struct bytes view);
void write_bulk_string(struct writer *writer, const char *string);
void write_null(struct writer *writer);

/* The head of an array of `count` elements that the caller writes next. */
void write_array(struct writer *writer, size_t count);

/* The head of a map of `pairs` pairs: "%n" in RESP3, "*2n" in RESP2. */
void write_map(struct writer *writer, size_t pairs);

/* The head of a set of `count` elements: "~n" in RESP3, "*n" in RESP2. */
void write_set(struct writer *writer, size_t count);

/* The head of an out-of-band message: ">n" in RESP3, "*n" in RESP2. */
void write_push(struct writer *writer, size_t count);

/* INFO-like text: "=<len>\r\ntxt:..." in RESP3, a bulk string in RESP2. */
void write_verbatim(struct writer *writer, struct bytes view);

/* A whole command as an array of bulk strings: what we send upstream. */
void write_command(struct writer *writer, const char *const *arguments, size_t count);

#endif
