/* SPDX-License-Identifier: MIT */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The length of the well-formed character at `at` (RFC 3629: nothing overlong, no surrogate, nothing
 * beyond U+10FFFF), or 0. */
static size_t character_length(const uint8_t *at)
{
    static const struct {
        uint8_t first_least;
        uint8_t first_most;
        uint8_t second_least;
        uint8_t second_most;
        uint8_t length;
    } shapes[] = {
        {0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < LENGTH_OF(shapes); i++) {
        if (at[0] < shapes[i].first_least || at[0] > shapes[i].first_most)
            continue;
        if (shapes[i].length > 1 &&
            (at[1] < shapes[i].second_least || at[1] > shapes[i].second_most))
            return 0;
        /* The terminator ends this, too. */
        for (size_t next = 2; next < shapes[i].length; next++) {
            if ((at[next] & 0xc0) != 0x80)
                return 0;
        }
        return shapes[i].length;
    }
    return 0;
}

typedef void escape_fn(struct text *out, const uint8_t *at, size_t length);

static void escape_escape(struct text *out, const char *string, escape_fn *fn)
{
    const uint8_t *at = (const uint8_t *)string;
    while (*at != '\0') {
        size_t length = character_length(at);
        if (length == 0) {
            text_append_string(out, "\xef\xbf\xbd");
            length = 1;
        } else {
            fn(out, at, length);
        }
        at += length;
    }
}

static void json(struct text *out, const uint8_t *at, size_t length)
{
    bool is_special = length == 1 && (*at < 0x20 || *at == 0x7f || strchr("\"\\<>&", *at) != NULL);
    if (is_special)
        text_format(out, "\\u%04x", *at);
    else
        text_append(out, bytes_at(at, length));
}

static void label(struct text *out, const uint8_t *at, size_t length)
{
    if (*at == '\n')
        text_append_string(out, "\\n");
    else if (*at == '"' || *at == '\\')
        text_format(out, "\\%c", *at);
    else
        text_append(out, bytes_at(at, length));
}

void escape_json(struct text *out, const char *string)
{
    escape_escape(out, string, json);
}

void escape_label(struct text *out, const char *string)
{
    escape_escape(out, string, label);
}
