/* SPDX-License-Identifier: MIT
 *
 * A view of bytes that somebody else owns: a pointer that travels with its length. Not terminated,
 * may hold zeros. All functions are pure. Any thread.
 */
#ifndef RELAY_BASE_BYTES_H
#define RELAY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"

struct bytes {
    const uint8_t *data;
    size_t length;
};

/* A view of `length` bytes at `data`; NULL is allowed with length 0. */
struct bytes bytes_at(const void *data, size_t length);

/* Is it there, and not empty? */
static inline bool string_is_given(const char *string)
{
    return string != NULL && string[0] != '\0';
}

/* A view of a terminated string, without its terminator. */
struct bytes bytes_of(const char *string);

/* The view without its first `count` bytes; count <= view.length. */
struct bytes bytes_skip(struct bytes view, size_t count);

/* The first `count` bytes of the view; count <= view.length. */
struct bytes bytes_first(struct bytes view, size_t count);

bool bytes_equal(struct bytes a, struct bytes b);

/* Equality for passwords: the time it takes depends on the length of `candidate` alone, so that a
 * guess that begins right is not told by the clock. */
bool bytes_equal_secret(struct bytes secret, struct bytes candidate);

/* Equality that ignores the case of ASCII letters: command and option names. */
bool bytes_is(struct bytes view, const char *name);

/* Does the view begin with `prefix`, case observed? */
bool bytes_starts(struct bytes view, const char *prefix);

/* Decimal digits only, the whole view, no sign, no blank, no overflow. False leaves *out alone. */
MUST_CHECK bool bytes_to_u64(struct bytes view, uint64_t *out);

/* As bytes_to_u64, with an optional leading '-'. */
MUST_CHECK bool bytes_to_i64(struct bytes view, int64_t *out);

/* Copies the view into a terminated string of `capacity` bytes, all but printable ASCII as '?', cut
 * with "..." where it does not fit: for logs and error replies. capacity >= 4. Returns `out`. */
const char *bytes_printable(struct bytes view, char *out, size_t capacity);

/* The position of the first `byte` in the view, or view.length. */
size_t bytes_find(struct bytes view, uint8_t byte);

/* A blank is a space or a tab. `bytes_trim`: without those at both ends. */
bool bytes_is_blank(uint8_t byte);
struct bytes bytes_trim(struct bytes view);

#endif
