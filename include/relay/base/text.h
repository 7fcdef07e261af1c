/* SPDX-License-Identifier: MIT
 *
 * Text that grows up to a limit: replies, INFO, identity files. Running out of memory or over the
 * limit does not stop the caller: the text becomes `failed`, drops what follows, and the one place
 * that uses the result looks at the mark.
 *
 *     struct text t;
 *     text_init(&t, limit);
 *     text_format(&t, "%s:%d\r\n", name, value);
 *     if (!t.failed)
 *         use(text_bytes(&t));
 *     text_fini(&t);
 *
 * Owner: whoever called text_init. Thread: the owner's.
 */
#ifndef RELAY_BASE_TEXT_H
#define RELAY_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

struct text {
    char *data;      /* terminated whenever length > 0; NULL before the first byte */
    size_t length;   /* without the terminator */
    size_t capacity; /* allocated */
    size_t limit;    /* length never grows over it */
    bool failed;     /* something was dropped */
};

void text_init(struct text *text, size_t limit);

/* Frees the memory and leaves an empty text with the same limit. */
void text_fini(struct text *text);

/* Empties the text, keeps the memory, clears `failed`. */
void text_clear(struct text *text);

void text_append(struct text *text, struct bytes view);
void text_append_string(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_format_list(struct text *text, const char *format, va_list list) PRINTF_LIKE(2, 0);

/* Drops the first `count` bytes; count <= length. */
void text_skip(struct text *text, size_t count);

/* Makes blanks of the line breaks from `start` on: what a peer has said shall not forge a line. */
void text_join_lines(struct text *text, size_t start);

struct bytes text_bytes(const struct text *text);

/* The content as a terminated string, "" when empty. Valid until the next change. */
const char *text_string(const struct text *text);

#endif
