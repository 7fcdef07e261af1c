/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/crc64.h"

enum { SUM_DIGITS = 16, SUM_LINE = 4 + SUM_DIGITS + 1, SHOWN_MAX = 80 };

void lines_seal(struct text *text)
{
    struct bytes body = text_bytes(text);
    text_format(text, "sum %016" PRIx64 "\n", crc64(0, body.data, body.length));
}

bool lines_to_sum(struct bytes word, uint64_t *out)
{
    uint64_t value = 0;
    if (word.length != SUM_DIGITS)
        return false;
    for (size_t i = 0; i < word.length; i++) {
        uint8_t c = word.data[i];
        bool is_letter = c >= 'a' && c <= 'f';
        if (!is_letter && (c < '0' || c > '9'))
            return false;
        value = value << 4 | (uint64_t)(is_letter ? c - 'a' + 10 : c - '0');
    }
    *out = value;
    return true;
}

static bool lines_take_sum(struct bytes *file, struct error *error)
{
    uint64_t sum;
    if (file->length < SUM_LINE || file->data[file->length - 1] != '\n')
        return error_set(error, ERROR_DAMAGED, "it is cut off");
    struct bytes line = bytes_skip(*file, file->length - SUM_LINE);
    if (!bytes_starts(line, "sum ") ||
        !lines_to_sum(bytes_first(bytes_skip(line, 4), SUM_DIGITS), &sum))
        return error_set(error, ERROR_DAMAGED, "it is cut off: its last line is no checksum");
    *file = bytes_first(*file, file->length - SUM_LINE);
    return crc64(0, file->data, file->length) == sum ||
           error_set(error, ERROR_DAMAGED, "its checksum does not match its content");
}

static bool lines_take(struct bytes *file, struct bytes *line)
{
    size_t length = bytes_find(*file, '\n');
    if (length == file->length)
        return false;
    *line = bytes_first(*file, length);
    *file = bytes_skip(*file, length + 1);
    return true;
}

bool lines_open(struct bytes *file, const char *first_line, struct error *error)
{
    struct bytes line;
    if (!lines_take_sum(file, error))
        return false;
    if (lines_take(file, &line) && bytes_equal(line, bytes_of(first_line)))
        return true;
    return error_set(error, ERROR_DAMAGED,
                     "its first line is not \"%s\": another version has written it, or another "
                     "program",
                     first_line);
}

static bool lines_split(struct bytes line, struct line_words *out)
{
    out->count = 0;
    for (;;) {
        size_t length = bytes_find(line, ' ');
        if (length == 0 || out->count == LINE_WORDS_MAX)
            return false;
        out->word[out->count++] = bytes_first(line, length);
        if (length == line.length)
            return true;
        line = bytes_skip(line, length + 1);
    }
}

bool lines_next(struct bytes *file, struct line_words *out, struct error *error)
{
    struct bytes line = *file;
    char shown[SHOWN_MAX];
    if (lines_take(file, &line) && lines_split(line, out))
        return true;
    return error_set(error, ERROR_DAMAGED, "a line is none that this version knows: %s",
                     bytes_printable(line, shown, sizeof(shown)));
}
