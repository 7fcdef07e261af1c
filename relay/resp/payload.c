/* SPDX-License-Identifier: MIT */
#include "relay/resp/payload.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

void payload_init(struct payload *payload, uint64_t received)
{
    *payload = (struct payload){.state = PAYLOAD_HEADER, .received = received};
}

static bool parse_mark(struct payload *payload, struct bytes line)
{
    static const char prefix[] = "$EOF:";
    if (!bytes_starts(line, prefix))
        return false;
    struct bytes mark = bytes_skip(line, strlen(prefix));
    if (mark.length != PAYLOAD_MARK_LENGTH)
        return false;
    memcpy(payload->mark, mark.data, PAYLOAD_MARK_LENGTH);
    return true;
}

static bool parse_length(struct payload *payload, struct bytes line)
{
    return bytes_starts(line, "$") && bytes_to_u64(bytes_skip(line, 1), &payload->length) &&
           payload->length <= INT64_MAX;
}

static void judge_header(struct payload *payload)
{
    struct bytes line = bytes_at(payload->line, payload->line_length);
    if (parse_mark(payload, line)) {
        payload->state = PAYLOAD_BODY;
    } else if (parse_length(payload, line) && payload->length >= payload->received) {
        payload->has_length = true;
        payload->state = payload->length > payload->received ? PAYLOAD_BODY : PAYLOAD_DONE;
    } else {
        payload->length = 0;
        payload->state = PAYLOAD_ERROR;
    }
}

/* The line ended: an empty one only says that the primary lives. */
static void payload_end_line(struct payload *payload)
{
    if (payload->line_length > 0 && payload->line[payload->line_length - 1] == '\r')
        payload->line_length--;
    payload->line[payload->line_length] = '\0';
    if (payload->line_length > 0)
        judge_header(payload);
}

static void feed_header(struct payload *payload, struct bytes *input)
{
    while (input->length > 0 && payload->state == PAYLOAD_HEADER) {
        char byte = (char)input->data[0];
        *input = bytes_skip(*input, 1);
        if (byte == '\n') {
            payload_end_line(payload);
        } else if (payload->line_length == PAYLOAD_HEADER_MAX - 1) {
            payload->state = PAYLOAD_ERROR;
        } else {
            payload->line[payload->line_length++] = byte;
            payload->line[payload->line_length] = '\0';
        }
    }
}

static void feed_length(struct payload *payload, struct bytes *input, struct bytes pieces[2])
{
    uint64_t missing = payload->length - payload->received;
    CHECK(missing > 0);
    size_t count = input->length < missing ? input->length : (size_t)missing;
    pieces[1] = bytes_first(*input, count);
    *input = bytes_skip(*input, count);
    payload->received += count;
    if (payload->received == payload->length)
        payload->state = PAYLOAD_DONE;
}

/* Of the bytes held before and the new ones, all but the last forty are certain to be RDB. */
static void feed_mark(struct payload *payload, struct bytes *input, struct bytes pieces[2])
{
    size_t total = payload->held_length + input->length;
    size_t certain = total > PAYLOAD_MARK_LENGTH ? total - PAYLOAD_MARK_LENGTH : 0;
    size_t from_held = certain < payload->held_length ? certain : payload->held_length;
    size_t from_input = certain - from_held;

    memcpy(payload->released, payload->held, from_held);
    pieces[0] = bytes_at(payload->released, from_held);
    pieces[1] = bytes_first(*input, from_input);
    payload->received += certain;

    payload->held_length -= (unsigned)from_held;
    memmove(payload->held, payload->held + from_held, payload->held_length);
    struct bytes rest = bytes_skip(*input, from_input);
    CHECK(rest.length <= PAYLOAD_MARK_LENGTH - payload->held_length);
    if (rest.length > 0)
        memcpy(payload->held + payload->held_length, rest.data, rest.length);
    payload->held_length += (unsigned)rest.length;
    *input = bytes_skip(*input, input->length);

    if (payload->held_length == PAYLOAD_MARK_LENGTH &&
        memcmp(payload->held, payload->mark, PAYLOAD_MARK_LENGTH) == 0)
        payload->state = PAYLOAD_DONE;
}

void payload_feed(struct payload *payload, struct bytes *input, struct bytes pieces[2])
{
    CHECK(payload->state == PAYLOAD_HEADER || payload->state == PAYLOAD_BODY);
    pieces[0] = bytes_at(NULL, 0);
    pieces[1] = bytes_at(NULL, 0);
    if (payload->state == PAYLOAD_HEADER)
        feed_header(payload, input);
    else if (payload->has_length)
        feed_length(payload, input, pieces);
    else
        feed_mark(payload, input, pieces);
}

void payload_format_length(struct text *out, uint64_t length)
{
    text_format(out, "$%" PRIu64 "\r\n", length);
}

void payload_format_mark(struct text *out, const char mark[PAYLOAD_MARK_LENGTH + 1])
{
    CHECK(strlen(mark) == PAYLOAD_MARK_LENGTH);
    text_format(out, "$EOF:%s\r\n", mark);
}
