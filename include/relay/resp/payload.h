/* SPDX-License-Identifier: MIT
 *
 * How an RDB is framed on a replication link (docs/protocol.md 2.1): a header line, "$<length>" or
 * "$EOF:<mark>", possibly after any number of bare '\n', then the bytes, and after `$EOF:` bytes the
 * mark again. The mark is found as the last forty bytes received: the primary sends nothing behind
 * it until our first ACK. Pure: hands on views of what it is fed, keeps forty bytes at the most.
 *
 *     payload_init(&payload, 0);
 *     for each input:
 *         while (input.length > 0 && payload.state is HEADER or BODY)
 *             payload_feed(&payload, &input, pieces);    store pieces[0], then pieces[1]
 *
 * With `$<length>`, bytes behind the RDB stay in the input: they are the stream already.
 */
#ifndef RELAY_RESP_PAYLOAD_H
#define RELAY_RESP_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"

enum { PAYLOAD_MARK_LENGTH = 40, PAYLOAD_HEADER_MAX = 256 };

enum payload_state {
    PAYLOAD_HEADER, /* waiting for the header line */
    PAYLOAD_BODY,   /* RDB bytes come */
    PAYLOAD_DONE,   /* all of it is there */
    PAYLOAD_ERROR,  /* the primary sent an error, or what is no header: see payload.line */
};

struct payload {
    enum payload_state state;
    bool has_length;   /* "$<length>": length is known */
    uint64_t length;   /* of the RDB, where has_length */
    uint64_t received; /* RDB bytes handed on so far, with those that were here before */
    char line[PAYLOAD_HEADER_MAX]; /* the header line so far, terminated */
    unsigned line_length;
    uint8_t mark[PAYLOAD_MARK_LENGTH]; /* announced by "$EOF:" */
    uint8_t held[PAYLOAD_MARK_LENGTH]; /* the last bytes, that may turn out to be the mark */
    unsigned held_length;
    uint8_t released[PAYLOAD_MARK_LENGTH]; /* what pieces[0] points into */
};

/* `received` bytes of the RDB are here already, and do not come: the length in the header counts them all the
 * same (docs/protocol.md 2.7). */
void payload_init(struct payload *payload, uint64_t received);

/* Takes what it can from `input` (and shortens it by that), and sets pieces[0..1] to the RDB bytes
 * that are certain now; they are valid until the next call, and either may be empty. */
void payload_feed(struct payload *payload, struct bytes *input, struct bytes pieces[2]);

/* Headers as we send them: "$<length>\r\n"; "$EOF:<mark>\r\n". */
struct text;
void payload_format_length(struct text *out, uint64_t length);
void payload_format_mark(struct text *out, const char mark[PAYLOAD_MARK_LENGTH + 1]);

#endif
