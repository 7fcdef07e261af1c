/* SPDX-License-Identifier: MIT */
#include "log_line.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/check.h"

enum { RESERVE = 8, /* "..." and what closes a line */ COMPONENT_MAX = 32 };

/* All of it or nothing: an escape or a letter of several bytes is never cut in two. */
static void put_some(struct log_line *line, const char *bytes, size_t length)
{
    if (line->is_cut || length > sizeof(line->data) - RESERVE - line->length) {
        line->is_cut = true;
        return;
    }
    memcpy(line->data + line->length, bytes, length);
    line->length += length;
}

static void log_line_put(struct log_line *line, const char *string)
{
    put_some(line, string, strlen(string));
}

static void log_line_finish(struct log_line *line, const char *end)
{
    size_t length = strlen(end);
    if (line->is_cut) {
        memcpy(line->data + line->length, "...", 3);
        line->length += 3;
    }
    CHECK(length <= sizeof(line->data) - line->length);
    memcpy(line->data + line->length, end, length);
    line->length += length;
}

static bool is_control(unsigned char byte)
{
    return byte < ' ' || byte == 127;
}

/* Bytes over 127 stay, for file names. */
void log_line_text(struct log_line *line, const struct log_event *event)
{
    char head[64];
    *line = (struct log_line){.length = 0};
    snprintf(head, sizeof(head), "%s %-7s ", event->time, event->level);
    log_line_put(line, head);
    for (const char *at = event->message; *at != '\0'; at++)
        put_some(line, is_control((unsigned char)*at) ? "?" : at, 1);
    log_line_finish(line, "\n");
}

/* --- JSON --- */

/* The length of the UTF-8 letter that stands here; 0: none does. No overlong ones, no surrogates, none
 * behind U+10FFFF; the zero at the end of a string continues nothing. */
static size_t letter_length(const char *string)
{
    static const struct {
        unsigned char first, last; /* of the first byte */
        unsigned char least, most; /* of the second one */
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *byte = (const unsigned char *)string;
    for (size_t i = 0; i < LENGTH_OF(forms); i++) {
        if (byte[0] < forms[i].first || byte[0] > forms[i].last)
            continue;
        size_t length = forms[i].length;
        if (length > 1 && (byte[1] < forms[i].least || byte[1] > forms[i].most))
            return 0;
        for (size_t k = 2; k < length; k++) {
            if (byte[k] < 0x80 || byte[k] > 0xbf)
                return 0;
        }
        return length;
    }
    return 0;
}

static void put_escaped(struct log_line *line, const char *string)
{
    while (*string != '\0' && !line->is_cut) {
        size_t letter = letter_length(string);
        char escape[8] = "\\ufffd"; /* what was there is no letter */
        if (letter == 0) {
            log_line_put(line, escape);
        } else if (is_control((unsigned char)*string)) {
            snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(unsigned char)*string);
            log_line_put(line, escape);
        } else if (*string == '"' || *string == '\\') {
            snprintf(escape, sizeof(escape), "\\%c", *string);
            log_line_put(line, escape);
        } else {
            put_some(line, string, letter);
        }
        string += letter > 0 ? letter : 1;
    }
}

/* The length of the component's name that the message begins with; 0: it does not. */
static size_t component_length(const char *message)
{
    size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyz");
    return length < COMPONENT_MAX && strncmp(message + length, ": ", 2) == 0 ? length : 0;
}

void log_line_json(struct log_line *line, const struct log_event *event)
{
    char head[128];
    size_t component = component_length(event->message);
    const char *rest = event->message + (component > 0 ? component + 2 : 0);
    *line = (struct log_line){.length = 0};
    snprintf(head, sizeof(head),
             "{\"ts\":\"%s\",\"level\":\"%s\",\"component\":\"%.*s\",\"message\":\"", event->time,
             event->level, (int)component, event->message);
    log_line_put(line, head);
    put_escaped(line, rest);
    log_line_finish(line, "\"}\n");
}
