/* SPDX-License-Identifier: MIT */
#include "relay/resp/command_scanner.h"

#include <string.h>

#include "plain_header.h"

#define COUNT_MAX (UINT64_C(1) << 31)
#define LENGTH_MAX (UINT64_C(1) << 40)

void command_scanner_init(struct command_scanner *scanner, uint64_t offset, struct bytes key)
{
    *scanner = (struct command_scanner){.state = COMMAND_SCANNER_BETWEEN,
                                        .offset = offset,
                                        .begin = offset,
                                        .boundary = offset,
                                        .key = key};
}

bool command_scanner_is_inside(const struct command_scanner *scanner)
{
    return scanner->state != COMMAND_SCANNER_BETWEEN || scanner->return_seen;
}

bool command_scanner_is(const struct command_scanner *scanner, const char *name)
{
    return bytes_is(bytes_at(scanner->name, scanner->name_length), name);
}

/* The same where it costs to ask: `name` in upper case. */
static inline bool scanner_is_named(const struct command_scanner *s, const char *name,
                                    size_t length)
{
    return s->name_length == length && memcmp(s->name, name, length) == 0;
}

static enum command_scan scanner_break(struct command_scanner *s, const char *error)
{
    s->state = COMMAND_SCANNER_BROKEN;
    s->error = error;
    return COMMAND_SCAN_BROKEN;
}

/* Where the key of such a command is; most have it first. */
static uint64_t key_place(const struct command_scanner *s)
{
    static const struct {
        const char *name;
        uint64_t place;
    } rows[] = {
        {"BITOP", 2}, {"XGROUP", 2}, {"EVAL", 3}, {"EVALSHA", 3}, {"FCALL", 3},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (command_scanner_is(s, rows[i].name))
            return rows[i].place;
    }
    return 1;
}

/* Is the argument in hand one that may be the key that is looked for? */
static bool may_be_key(const struct command_scanner *s)
{
    if (s->key.data == NULL || s->argument == 0 || s->has_key)
        return false;
    if (command_scanner_is(s, "DEL") || command_scanner_is(s, "UNLINK"))
        return true;
    return s->argument == key_place(s);
}

static void scanner_begin_argument(struct command_scanner *s, uint64_t length)
{
    s->length = length;
    s->remaining = length + LINE_END;
    s->is_same = length == s->key.length && may_be_key(s);
    s->state = COMMAND_SCANNER_BODY;
    if (s->argument == 0)
        s->has_name = length == 0 || length > COMMAND_NAME_MAX;
}

static uint8_t upper(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;
}

/* Bytes of the body: all that is looked at is the name, and what may be the key. */
static void scanner_look_at_body(struct command_scanner *s, const uint8_t *data, size_t count)
{
    uint64_t at = s->length + LINE_END - s->remaining;
    if (s->argument == 0 && !s->has_name) {
        for (size_t i = 0; i < count; i++)
            s->name[s->name_length++] = upper(data[i]);
    } else if (s->is_same && count > 0) {
        s->is_same = memcmp(s->key.data + at, data, count) == 0;
    }
}

static void scanner_end_argument(struct command_scanner *s)
{
    if (s->argument == 0)
        s->has_name = true;
    s->has_key = s->has_key || s->is_same;
    s->argument++;
    s->state = COMMAND_SCANNER_DOLLAR;
}

static void scanner_begin_command(struct command_scanner *s, uint64_t count)
{
    s->count = count;
    s->argument = 0;
    s->has_name = false;
    s->name_length = 0;
    s->has_key = false;
    s->is_same = false;
    s->state = COMMAND_SCANNER_DOLLAR;
}

static enum command_scan scanner_end_command(struct command_scanner *s)
{
    s->state = COMMAND_SCANNER_BETWEEN;
    s->return_seen = false;
    if (scanner_is_named(s, "MULTI", 5))
        s->in_multi = true;
    else if (scanner_is_named(s, "EXEC", 4) || scanner_is_named(s, "DISCARD", 7))
        s->in_multi = false;
    if (!s->in_multi)
        s->boundary = s->offset;
    return COMMAND_SCAN_COMMAND;
}

static void take(struct command_scanner *s, struct bytes *view, size_t count)
{
    s->offset += count;
    *view = bytes_skip(*view, count);
}

/* Takes headers and arguments as long as they are whole. True: a command is complete. */
static bool scanner_take_whole(struct command_scanner *s, struct bytes *view)
{
    const uint8_t *place = view->data;
    const uint8_t *end = place + view->length;
    const uint8_t *body;
    uint64_t number;
    if (s->state == COMMAND_SCANNER_BETWEEN) {
        body = plain_header(place, end, '*', &number);
        if (body == NULL || number == 0)
            return false;
        s->begin = s->offset;
        scanner_begin_command(s, number);
        place = body;
    }
    while (s->argument < s->count) {
        body = plain_header(place, end, '$', &number);
        if (body == NULL || (size_t)(end - body) < number + LINE_END || body[number] != '\r' ||
            body[number + 1] != '\n')
            break;
        scanner_begin_argument(s, number);
        scanner_look_at_body(s, body, (size_t)number);
        scanner_end_argument(s);
        place = body + number + LINE_END;
    }
    take(s, view, (size_t)(place - view->data));
    return s->argument == s->count;
}

static enum command_scan scanner_take_between(struct command_scanner *s, uint8_t byte)
{
    if (!s->return_seen)
        s->begin = s->offset - 1;
    if (s->return_seen && byte != '\n')
        return scanner_break(s, "no '\\n' behind '\\r' between commands");
    if (byte == '\n') {
        s->count = 0;
        s->name_length = 0;
        s->has_key = false;
        return scanner_end_command(s);
    }
    if (byte == '\r') {
        s->return_seen = true;
        s->has_name = false;
        return COMMAND_SCAN_MORE;
    }
    if (byte != '*')
        return scanner_break(s, "a command does not begin with '*'");
    s->state = COMMAND_SCANNER_COUNT;
    s->has_name = false;
    s->name_length = 0;
    s->number = 0;
    s->digits = 0;
    return COMMAND_SCAN_MORE;
}

/* A byte of "<digits>\r\n". */
static enum command_scan scanner_take_digit(struct command_scanner *s, uint8_t byte)
{
    bool is_count = s->state == COMMAND_SCANNER_COUNT;
    if (s->return_seen) {
        if (byte != '\n')
            return scanner_break(s, "no '\\n' behind the '\\r' of a header");
        s->return_seen = false;
        if (is_count)
            scanner_begin_command(s, s->number);
        else
            scanner_begin_argument(s, s->number);
        return COMMAND_SCAN_MORE;
    }
    if (byte == '\r' && s->digits > 0) {
        s->return_seen = true;
        return COMMAND_SCAN_MORE;
    }
    if (byte < '0' || byte > '9')
        return scanner_break(s,
                             is_count ? "a count that is no number" : "a length that is no number");
    if (s->digits > 0 && s->number == 0)
        return scanner_break(s, "a length with a leading zero");
    s->number = s->number * 10 + (uint64_t)(byte - '0');
    s->digits++;
    if (is_count && s->number == 0)
        return scanner_break(s, "a command without arguments");
    if (s->number > (is_count ? COUNT_MAX : LENGTH_MAX))
        return scanner_break(s, is_count ? "a count over 2^31" : "a length over 2^40");
    return COMMAND_SCAN_MORE;
}

/* The line end of an argument. */
static enum command_scan scanner_take_line_end(struct command_scanner *s, uint8_t byte)
{
    if (byte != (s->remaining == LINE_END ? '\r' : '\n'))
        return scanner_break(s, "no line end behind an argument");
    if (--s->remaining > 0)
        return COMMAND_SCAN_MORE;
    scanner_end_argument(s);
    return s->argument == s->count ? scanner_end_command(s) : COMMAND_SCAN_MORE;
}

/* The byte at offset - 1. */
static enum command_scan scanner_take_byte(struct command_scanner *s, uint8_t byte)
{
    switch (s->state) {
    case COMMAND_SCANNER_BETWEEN:
        return scanner_take_between(s, byte);
    case COMMAND_SCANNER_DOLLAR:
        if (byte != '$')
            return scanner_break(s, "an argument does not begin with '$'");
        s->state = COMMAND_SCANNER_LENGTH;
        s->number = 0;
        s->digits = 0;
        return COMMAND_SCAN_MORE;
    case COMMAND_SCANNER_COUNT:
    case COMMAND_SCANNER_LENGTH:
        return scanner_take_digit(s, byte);
    case COMMAND_SCANNER_BODY:
        return scanner_take_line_end(s, byte);
    case COMMAND_SCANNER_BROKEN:
        break;
    }
    UNREACHABLE("a byte for a broken scanner");
}

/* As much of the body in hand as the view has. */
static void scanner_take_body(struct command_scanner *s, struct bytes *view)
{
    uint64_t text = s->remaining - LINE_END;
    size_t count = text < view->length ? (size_t)text : view->length;
    scanner_look_at_body(s, view->data, count);
    s->remaining -= count;
    take(s, view, count);
}

enum command_scan command_scanner_next(struct command_scanner *scanner, struct bytes *view)
{
    struct command_scanner *s = scanner;
    while (view->length > 0 && s->state != COMMAND_SCANNER_BROKEN) {
        bool is_plain = !s->return_seen &&
                        (s->state == COMMAND_SCANNER_BETWEEN || s->state == COMMAND_SCANNER_DOLLAR);
        if (is_plain && scanner_take_whole(s, view))
            return scanner_end_command(s);
        if (view->length == 0)
            break;
        if (s->state == COMMAND_SCANNER_BODY && s->remaining > LINE_END) {
            scanner_take_body(s, view);
            continue;
        }
        uint8_t byte = view->data[0];
        take(s, view, 1);
        enum command_scan result = scanner_take_byte(s, byte);
        if (result == COMMAND_SCAN_BROKEN) {
            s->offset--;
            return result;
        }
        if (result == COMMAND_SCAN_COMMAND)
            return result;
    }
    return s->state == COMMAND_SCANNER_BROKEN ? COMMAND_SCAN_BROKEN : COMMAND_SCAN_MORE;
}
