/* SPDX-License-Identifier: MIT
 *
 * The framing of an RDB: cut anywhere, what is handed on is the RDB and nothing else, and what is left
 * in the input is the stream. The mark counts as the last bytes of an arrival only (docs/protocol.md 2.1), so
 * the cuts are part of what is expected.
 */
#include "fuzz.h"

#include "relay/base/text.h"
#include "relay/resp/payload.h"

enum { RDB_MAX = 4 << 20 };

/* Reads the header line: its place in the input is skipped, empty lines before it, too. */
static enum payload_state expect_header(struct bytes *input, uint64_t here, uint64_t *length,
                                        struct bytes *mark)
{
    for (;;) {
        size_t end = bytes_find(*input, '\n');
        struct bytes line = bytes_first(*input, end);
        if (line.length >= PAYLOAD_HEADER_MAX)
            return PAYLOAD_ERROR;
        if (end == input->length)
            return PAYLOAD_HEADER;
        *input = bytes_skip(*input, end + 1);
        if (line.length > 0 && line.data[line.length - 1] == '\r')
            line.length--;
        if (line.length == 0)
            continue;
        *mark = bytes_at(NULL, 0);
        if (bytes_starts(line, "$EOF:") && line.length == 5 + PAYLOAD_MARK_LENGTH)
            *mark = bytes_skip(line, 5);
        else if (!bytes_starts(line, "$") || !bytes_to_u64(bytes_skip(line, 1), length) ||
                 *length > INT64_MAX || *length < here)
            return PAYLOAD_ERROR;
        return mark->length > 0 || *length > here ? PAYLOAD_BODY : PAYLOAD_DONE;
    }
}

static bool ends_with(struct bytes view, struct bytes end)
{
    return view.length >= end.length &&
           bytes_equal(bytes_skip(view, view.length - end.length), end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = bytes_at(data, size);
    struct bytes mark = bytes_at(NULL, 0);
    uint64_t length = 0;
    uint64_t here = size > 0 ? data[size - 1] % 4 : 0; /* bytes of the RDB that do not come */
    enum payload_state expected = expect_header(&body, here, &length, &mark);
    uint64_t to_come = length >= here ? length - here : 0;

    struct payload payload;
    struct cuts cuts = cuts_of(data, size);
    struct bytes left = bytes_at(data, size);
    struct text rdb;
    payload_init(&payload, here);
    text_init(&rdb, RDB_MAX);
    while (left.length > 0 && payload.state <= PAYLOAD_BODY) {
        struct bytes whole = cuts_next(&cuts, &left);
        uint8_t *copy = exact_copy(whole);
        struct bytes piece = bytes_at(copy, whole.length);
        while (piece.length > 0 && payload.state <= PAYLOAD_BODY) {
            struct bytes parts[2];
            payload_feed(&payload, &piece, parts);
            text_append(&rdb, parts[0]);
            text_append(&rdb, parts[1]);
        }
        free(copy);
        left = bytes_at(left.data - piece.length, left.length + piece.length);
        /* Where this arrival ends, the mark may have come. */
        struct bytes seen = bytes_at(
            body.data, body.length - (left.length < body.length ? left.length : body.length));
        if (expected == PAYLOAD_BODY && mark.length > 0 && ends_with(seen, mark))
            expected = PAYLOAD_DONE;
    }
    if (expected == PAYLOAD_BODY && mark.length == 0 && body.length >= to_come)
        expected = PAYLOAD_DONE;
    CHECK(payload.state == expected);
    CHECK(payload.received == here + rdb.length);
    CHECK(bytes_equal(text_bytes(&rdb), bytes_first(body, rdb.length)) ||
          expected == PAYLOAD_ERROR);
    if (payload.state == PAYLOAD_DONE && mark.length == 0)
        CHECK(rdb.length == to_come && left.length == body.length - to_come);
    if (payload.state == PAYLOAD_DONE && mark.length > 0)
        CHECK(rdb.length + PAYLOAD_MARK_LENGTH + left.length == body.length);
    text_fini(&rdb);
    return 0;
}
