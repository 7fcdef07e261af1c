/* SPDX-License-Identifier: MIT
 *
 * Small texts of lines with words between single blanks, a first line that says what they are, and a checksum of all
 * before it as the last line: manifests, and the note of how far the archive is. Pure. Any thread.
 */
#ifndef RELAY_ARCHIVE_LINES_H
#define RELAY_ARCHIVE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"

enum { LINE_WORDS_MAX = 6 };

struct line_words {
    size_t count;
    struct bytes word[LINE_WORDS_MAX];
};

/* Adds the last line. */
void lines_seal(struct text *text);

/* Takes the first and the last line off `file`. False: `error`; it is cut off, altered, or another file. */
MUST_CHECK bool lines_open(struct bytes *file, const char *first_line, struct error *error);

/* The next line; there is one. False: `error`; it is none of this kind. */
MUST_CHECK bool lines_next(struct bytes *file, struct line_words *out, struct error *error);

/* Sixteen hexadecimal digits. */
MUST_CHECK bool lines_to_sum(struct bytes word, uint64_t *out);

#endif
