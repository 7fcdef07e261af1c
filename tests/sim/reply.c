/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/check.h"

enum { DEPTH_MAX = 16, LINE_MAX = 64 * 1024 };

/* ---- RESP ---- */

struct parser {
    const uint8_t *in;
    size_t length;
    size_t at;
    bool is_invalid;
};

/* The rest of a line, without its end. False: it is not whole. */
static bool take_line(struct parser *parser, const uint8_t **line, size_t *length)
{
    const uint8_t *from = parser->in + parser->at;
    size_t left = parser->length - parser->at;
    const uint8_t *end = memchr(from, '\r', left);
    if (end == NULL || end + 1 == parser->in + parser->length)
        return false;
    parser->is_invalid = parser->is_invalid || end[1] != '\n' || end - from > LINE_MAX;
    *line = from;
    *length = (size_t)(end - from);
    parser->at += *length + 2;
    return true;
}

static bool read_integer(const uint8_t *line, size_t length, int64_t *number)
{
    char text[24];
    char *end;
    if (length == 0 || length >= sizeof text)
        return false;
    memcpy(text, line, length);
    text[length] = '\0';
    *number = strtoll(text, &end, 10);
    return *end == '\0';
}

static bool take_value(struct parser *parser, unsigned depth);

static bool take_values(struct parser *parser, int64_t count, unsigned depth)
{
    for (int64_t i = 0; i < count; i++) {
        if (!take_value(parser, depth))
            return false;
    }
    return true;
}

static bool take_bulk(struct parser *parser, int64_t count)
{
    if (count < 0)
        return true; /* null */
    size_t wanted = (size_t)count + 2;
    if (parser->length - parser->at < wanted)
        return false;
    parser->at += wanted;
    parser->is_invalid = parser->is_invalid || memcmp(parser->in + parser->at - 2, "\r\n", 2) != 0;
    return true;
}

/* False: it is not whole. */
static bool take_value(struct parser *parser, unsigned depth)
{
    const uint8_t *line;
    size_t length;
    int64_t number = 0;
    if (parser->at >= parser->length)
        return false;
    char kind = (char)parser->in[parser->at++];
    if (!take_line(parser, &line, &length))
        return false;
    bool is_counted = kind != '\0' && strchr("$=!*~>%:", kind) != NULL;
    if (is_counted && !read_integer(line, length, &number))
        parser->is_invalid = true;
    if (kind == '\0' || strchr("+-:,_#($=!*~>%", kind) == NULL || depth == DEPTH_MAX)
        parser->is_invalid = true;
    if (parser->is_invalid)
        return true;
    if (strchr("$=!", kind) != NULL)
        return take_bulk(parser, number);
    if (strchr("*~>%", kind) != NULL)
        return take_values(parser, kind == '%' ? number * 2 : number, depth + 1);
    return true;
}

size_t reply_length(const uint8_t *in, size_t length)
{
    struct parser parser = {.in = in, .length = length};
    bool is_whole = take_value(&parser, 0);
    return parser.is_invalid ? REPLY_INVALID : is_whole ? parser.at : 0;
}

/* ---- HTTP ---- */

size_t reply_http_length(const uint8_t *in, size_t length, size_t *body)
{
    static const char field[] = "\r\nContent-Length: ";
    const uint8_t *end = memmem(in, length, "\r\n\r\n", 4);
    if (length >= 9 && memcmp(in, "HTTP/1.1 ", 9) != 0)
        return REPLY_INVALID;
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - in) + 4;
    const uint8_t *found = memmem(in, head, field, sizeof field - 1);
    if (found == NULL)
        return REPLY_INVALID;
    *body = 0;
    for (const uint8_t *at = found + sizeof field - 1; *at >= '0' && *at <= '9'; at++)
        *body = *body * 10 + (size_t)(*at - '0');
    return length - head >= *body ? head + *body : 0;
}

/* Strings are ended, brackets are closed in order, and nothing is behind the last of them. */
bool reply_is_json(const char *text, size_t length)
{
    enum { NESTED_MAX = 64 };
    char open[NESTED_MAX];
    size_t depth = 0;
    bool is_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if ((unsigned char)c < 0x20 && (is_string || (c != '\n' && c != '\t')))
            return false;
        if (is_string) {
            i += c == '\\';
            is_string = c != '"';
        } else if (c == '{' || c == '[') {
            if (depth == NESTED_MAX)
                return false;
            open[depth++] = c == '{' ? '}' : ']';
        } else if (c == '}' || c == ']') {
            if (depth == 0 || open[--depth] != c)
                return false;
        } else {
            is_string = c == '"';
            if (depth == 0 && c != '\n')
                return false;
        }
    }
    return depth == 0 && !is_string && length > 0;
}

/* ---- INFO ---- */

bool info_text(const char *info, const char *name, char *out, size_t size)
{
    char wanted[80];
    snprintf(wanted, sizeof wanted, "\n%s:", name);
    const char *at = strstr(info, wanted);
    if (at == NULL)
        return false;
    at += strlen(wanted);
    size_t length = strcspn(at, "\r\n");
    length = length < size - 1 ? length : size - 1;
    memcpy(out, at, length);
    out[length] = '\0';
    return true;
}

bool info_number(const char *info, const char *name, uint64_t *number)
{
    char text[32];
    return info_text(info, name, text, sizeof text) && sscanf(text, "%" SCNu64, number) == 1;
}
