/* SPDX-License-Identifier: MIT */
#include "relay/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 128 };

void text_init(struct text *text, size_t limit)
{
    CHECK(limit < SIZE_MAX / 2); /* doubling must not overflow */
    *text = (struct text){.limit = limit};
}

void text_fini(struct text *text)
{
    free(text->data);
    text_init(text, text->limit);
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->data != NULL)
        text->data[0] = '\0';
}

/* Makes place for `count` more bytes and the terminator, or marks the text failed. */
static bool reserve(struct text *text, size_t count)
{
    if (text->failed || count > text->limit - text->length) {
        text->failed = true;
        return false;
    }
    size_t needed = text->length + count + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity * 2 > FIRST_CAPACITY ? text->capacity * 2 : FIRST_CAPACITY;
    if (capacity < needed)
        capacity = needed;
    /* One more than the limit, for the terminator. */
    if (capacity > text->limit + 1)
        capacity = text->limit + 1;
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, struct bytes view)
{
    if (view.length == 0 || !reserve(text, view.length))
        return;
    memcpy(text->data + text->length, view.data, view.length);
    text->length += view.length;
    text->data[text->length] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, bytes_of(string));
}

void text_format(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    text_format_list(text, format, list);
    va_end(list);
}

void text_format_list(struct text *text, const char *format, va_list list)
{
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    CHECK(length >= 0);
    if (length > 0 && reserve(text, (size_t)length)) {
        CHECK(vsnprintf(text->data + text->length, (size_t)length + 1, format, again) == length);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_skip(struct text *text, size_t count)
{
    CHECK(count <= text->length);
    if (count == 0)
        return;
    text->length -= count;
    memmove(text->data, text->data + count, text->length + 1);
}

void text_join_lines(struct text *text, size_t start)
{
    for (size_t i = start; i < text->length; i++) {
        if (text->data[i] == '\r' || text->data[i] == '\n')
            text->data[i] = ' ';
    }
}

struct bytes text_bytes(const struct text *text)
{
    return bytes_at(text->data, text->length);
}

const char *text_string(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}
