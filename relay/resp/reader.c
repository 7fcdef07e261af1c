/* SPDX-License-Identifier: MIT */
#include "relay/resp/reader.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/check.h"

static_assert(UNAUTHENTICATED_LENGTH_MAX <= COMMAND_LENGTH_MAX,
              "a unauthenticated client may do less");
static_assert(COMMAND_LENGTH_MAX <= INT32_MAX, "positions in a command must not overflow");

#define EXPECTED "Protocol error: expected '$', got '%c'"

#define INVALID_COUNT "Protocol error: invalid multibulk length"
#define INVALID_BULK "Protocol error: invalid bulk length"

enum { LINE_END = 2 };

/* Who may send what, and what is said to more. */
static const struct limits {
    int64_t arguments;
    size_t length;
    const char *too_many;
    const char *too_long;
} limits_of[] = {
    [false] = {COMMAND_ARGUMENTS_MAX, COMMAND_LENGTH_MAX, INVALID_COUNT, INVALID_BULK},
    [true] = {UNAUTHENTICATED_ARGUMENTS_MAX, UNAUTHENTICATED_LENGTH_MAX,
              "Protocol error: unauthenticated multibulk length",
              "Protocol error: unauthenticated bulk length"},
};

/* The input as one call sees it: never looked at behind the limit, so that the verdict on a long
 * command does not depend on how it was cut into reads. */
struct input {
    uint8_t *data;
    size_t length; /* <= limits->length */
    const struct limits *limits;
};

static bool is_full(struct input input)
{
    return input.length == input.limits->length;
}

static void restart(struct reader *reader)
{
    reader->position = 0;
    reader->item = 0;
    reader->arguments = -1;
    reader->bulk = -1;
    reader->complete = 0;
}

void reader_init(struct reader *reader)
{
    *reader = (struct reader){.error = NULL};
    restart(reader);
}

void reader_set_unauthenticated(struct reader *reader, bool is_unauthenticated)
{
    if (reader->position == 0)
        reader->is_unauthenticated = is_unauthenticated;
}

static enum reader_result reader_fail(struct reader *reader, const char *error)
{
    reader->error = error;
    return READER_ERROR;
}

static enum reader_result fail_expected(struct reader *reader, uint8_t byte)
{
    char shown = byte >= ' ' && byte <= '~' ? (char)byte : ' ';
    snprintf(reader->expected, sizeof(reader->expected), EXPECTED, shown);
    return reader_fail(reader, reader->expected);
}

static enum reader_result reader_finish(struct reader *reader, struct command *command,
                                        size_t length)
{
    command->length = length;
    restart(reader);
    return READER_COMMAND;
}

/* Looks for the end of the line that begins at reader->item. On success *line is what stands before
 * its '\n', and reader->position the place behind it. */
static bool find_line(struct reader *reader, struct input input, struct bytes *line)
{
    CHECK(reader->item <= reader->position && reader->position <= input.length);
    struct bytes fresh = bytes_at(input.data + reader->position, input.length - reader->position);
    size_t found = bytes_find(fresh, '\n');
    reader->position += found;
    if (found == fresh.length)
        return false;
    *line = bytes_at(input.data + reader->item, reader->position - reader->item);
    reader->position++;
    return true;
}

/* A header line "<kind><number>\r", strictly as redis-server reads numbers: no '+', no blank, no
 * leading zero, no "-0". */
static bool parse_header(struct bytes line, int64_t *number)
{
    if (line.length < 2 || line.data[line.length - 1] != '\r')
        return false;
    struct bytes digits = bytes_at(line.data + 1, line.length - 2);
    if (bytes_starts(digits, "-0") || (bytes_starts(digits, "0") && digits.length > 1))
        return false;
    return bytes_to_i64(digits, number);
}

/* ---- inline commands ---- */

static bool reader_is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static uint8_t reader_escape(uint8_t byte)
{
    static const char from[] = "nrtba";
    static const char to[] = "\n\r\t\b\a";
    const char *found = byte != '\0' ? strchr(from, byte) : NULL;
    return found != NULL ? (uint8_t)to[found - from] : byte;
}

/* Splits a line in place. What has been read is never shorter than what is written: `out` follows
 * `in` and cannot overtake it. */
struct splitter {
    const uint8_t *in;
    const uint8_t *end;
    uint8_t *out;
};

static size_t left(const struct splitter *s)
{
    return (size_t)(s->end - s->in);
}

/* One byte of a "double quoted" text, whose backslash has been seen. */
static void unescape(struct splitter *s)
{
    int high = left(s) >= 4 && s->in[1] == 'x' ? hex_digit(s->in[2]) : -1;
    int low = high >= 0 ? hex_digit(s->in[3]) : -1;
    if (low >= 0) {
        *s->out++ = (uint8_t)(high * 16 + low);
        s->in += 4;
    } else {
        *s->out++ = reader_escape(s->in[1]);
        s->in += 2;
    }
}

/* Copies a quoted text, from behind its first quote. False: it has no proper end. */
static bool unquote(struct splitter *s, uint8_t quote)
{
    while (left(s) > 0) {
        bool escaped = *s->in == '\\' && left(s) >= 2;
        if (escaped && quote == '"') {
            unescape(s);
        } else if (escaped && s->in[1] == '\'') {
            *s->out++ = '\'';
            s->in += 2;
        } else if (*s->in == quote) {
            s->in++;
            return left(s) == 0 || reader_is_blank(*s->in);
        } else {
            *s->out++ = *s->in++;
        }
    }
    return false;
}

static bool split_argument(struct splitter *s, struct bytes *argument)
{
    const uint8_t *start = s->out;
    while (left(s) > 0 && strchr(" \n\r\t", *s->in) == NULL) {
        uint8_t byte = *s->in++;
        if (byte != '"' && byte != '\'') {
            *s->out++ = byte;
            continue;
        }
        /* The text may go on only with a blank: unquote has looked. */
        if (!unquote(s, byte))
            return false;
        break;
    }
    *argument = bytes_at(start, (size_t)(s->out - start));
    return true;
}

static enum reader_result split_line(struct reader *reader, struct input line,
                                     struct command *command)
{
    /* redis-server reads the line as a C string. */
    size_t length = bytes_find(bytes_at(line.data, line.length), '\0');
    struct splitter s = {.in = line.data, .end = line.data + length, .out = line.data};
    command->argument_count = 0;
    for (;;) {
        while (left(&s) > 0 && reader_is_blank(*s.in))
            s.in++;
        if (left(&s) == 0)
            return READER_COMMAND;
        if (command->argument_count == COMMAND_ARGUMENTS_MAX)
            return reader_fail(reader, "Protocol error: too big inline request");
        if (!split_argument(&s, &command->argument[command->argument_count++]))
            return reader_fail(reader, "Protocol error: unbalanced quotes in request");
    }
}

/* Old replicas send their handshake so, and people with telnet do (docs/protocol.md 1.1). */
static enum reader_result next_inline(struct reader *reader, struct input input,
                                      struct command *command)
{
    struct bytes line;
    if (!find_line(reader, input, &line)) {
        if (is_full(input))
            return reader_fail(reader, "Protocol error: too big inline request");
        return READER_MORE;
    }
    struct input writable = {input.data, line.length, input.limits};
    if (split_line(reader, writable, command) == READER_ERROR)
        return READER_ERROR;
    return reader_finish(reader, command, reader->position);
}

/* ---- arrays of bulk strings ---- */

/* READER_COMMAND here and below: this part is there. */
static enum reader_result read_count(struct reader *reader, struct input input)
{
    struct bytes line;
    if (!find_line(reader, input, &line)) {
        if (is_full(input))
            return reader_fail(reader, "Protocol error: too big mbulk count string");
        return READER_MORE;
    }
    int64_t count;
    if (!parse_header(line, &count) || count > COMMAND_ARGUMENTS_MAX)
        return reader_fail(reader, INVALID_COUNT);
    if (count > input.limits->arguments)
        return reader_fail(reader, input.limits->too_many);
    reader->arguments = count > 0 ? count : 0;
    reader->item = reader->position;
    return READER_COMMAND;
}

static enum reader_result read_bulk_length(struct reader *reader, struct input input)
{
    if (reader->item < input.length && input.data[reader->item] != '$')
        return fail_expected(reader, input.data[reader->item]);
    struct bytes line;
    if (!find_line(reader, input, &line)) {
        if (is_full(input))
            return reader_fail(reader, "Protocol error: too big bulk count string");
        return READER_MORE;
    }
    int64_t length;
    /* Judged by what was announced, before it has come: who announces more than may be sent is
     * not waited for. */
    if (!parse_header(line, &length) || length < 0 || length > COMMAND_LENGTH_MAX)
        return reader_fail(reader, INVALID_BULK);
    if (reader->position + (size_t)length + LINE_END > input.limits->length)
        return reader_fail(reader, input.limits->too_long);
    reader->bulk = length;
    reader->item = reader->position;
    return READER_COMMAND;
}

static enum reader_result reader_read_bulk(struct reader *reader, struct input input)
{
    size_t end = reader->item + (size_t)reader->bulk;
    if (input.length < end + LINE_END)
        return READER_MORE;
    if (input.data[end] != '\r' || input.data[end + 1] != '\n')
        return reader_fail(reader, INVALID_BULK);
    reader->bulk = -1;
    reader->complete++;
    reader->position = end + LINE_END;
    reader->item = reader->position;
    return READER_COMMAND;
}

/* Makes the views, now that all is there and known to be right: earlier calls may have seen the
 * same bytes at another address. */
static void collect(const struct reader *reader, struct input input, struct command *command)
{
    struct reader again;
    reader_init(&again);
    CHECK(read_count(&again, input) == READER_COMMAND);
    command->argument_count = (size_t)again.arguments;
    for (size_t i = 0; i < command->argument_count; i++) {
        CHECK(read_bulk_length(&again, input) == READER_COMMAND);
        command->argument[i] = bytes_at(input.data + again.item, (size_t)again.bulk);
        CHECK(reader_read_bulk(&again, input) == READER_COMMAND);
    }
    CHECK(again.position == reader->position);
}

static enum reader_result next_array(struct reader *reader, struct input input,
                                     struct command *command)
{
    enum reader_result result = READER_COMMAND;
    if (reader->arguments == -1)
        result = read_count(reader, input);
    while (result == READER_COMMAND && reader->complete < (size_t)reader->arguments)
        result =
            reader->bulk == -1 ? read_bulk_length(reader, input) : reader_read_bulk(reader, input);
    if (result != READER_COMMAND)
        return result;
    collect(reader, input, command);
    return reader_finish(reader, command, reader->position);
}

enum reader_result reader_next(struct reader *reader, uint8_t *input, size_t length,
                               struct command *command)
{
    if (reader->error != NULL)
        return READER_ERROR;
    if (length == 0)
        return READER_MORE;
    const struct limits *limits = &limits_of[reader->is_unauthenticated];
    struct input seen = {input, length < limits->length ? length : limits->length, limits};
    if (input[0] == '*')
        return next_array(reader, seen, command);
    return next_inline(reader, seen, command);
}
