/* SPDX-License-Identifier: MIT
 *
 * The stream on its way from the link into the history: received into a buffer that stays in the processor's cache, read
 * there by the tokenizer, which tells the boundary and notices GETACK, and appended from there.
 *
 * After a break we ask for the stream from the boundary B on, though we may hold bytes beyond it: the
 * beginning of a command that did not arrive whole. So the first end - B bytes come a second time.
 * They are compared with what is held, and only what is new is appended; readers notice nothing. Should
 * they differ, the held ones are no part of this history: they are cut off, and the link begins anew.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_STREAM_RECEIVER_H
#define RELAY_UPSTREAM_STREAM_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/resp/tokenizer.h"
#include "relay/store/cursor.h"
#include "relay/store/history.h"
#include "stream_source.h"

struct conn;
struct handshake;

struct stream_receiver {
    struct history *history; /* the store's current one */
    struct tokenizer tokenizer;
    struct cursor overlap; /* attached while bytes come that are held already */
    struct stream_source source;
    uint8_t *buffer; /* what is received goes through it */
    size_t buffer_length;
    uint64_t answered; /* GETACKs that were answered, of tokenizer.getacks */
    uint64_t noticed;  /* PINGs that were taken notice of, of tokenizer.pings */
};

enum stream_receiver_result {
    STREAM_RECEIVER_OK,       /* received something, or nothing is there */
    STREAM_RECEIVER_NO_SPACE, /* the disk has no room, or fails: read again later */
    STREAM_RECEIVER_HELD, /* the next segment is being made, or readers must let go of what was given up: read again very soon */
    STREAM_RECEIVER_END,  /* the primary closed, or the connection broke: `why` */
    STREAM_RECEIVER_REWOUND, /* bytes that came again were others; the held ones were cut off: `why` */
    STREAM_RECEIVER_LOST, /* the same, but the disk refused the cut: only a full sync helps: `why` */
    STREAM_RECEIVER_BROKEN,  /* what came is no stream: `why` */
    STREAM_RECEIVER_GARBLED, /* it is compressed, and cannot be decompressed: `why` */
};

/* Begins at the history's boundary. `buffer`, of at most BACKLOG_APPEND_MAX bytes, is the caller's and outlives the
 * stream receiver. */
void stream_receiver_begin(struct stream_receiver *stream_receiver, struct history *history,
                           uint8_t *buffer, size_t buffer_length);

/* After it has begun, and before it is fed: where the handshake has asked for compression, the stream may be compressed
 * (stream_source.h), and `pending`, which was received already, is taken. */
void stream_receiver_decompress(struct stream_receiver *stream_receiver,
                                const struct handshake *handshake, struct compression_use *use,
                                struct bytes *pending);

/* Lets go of what it holds. Also of one that was never begun. */
void stream_receiver_end(struct stream_receiver *stream_receiver);

/* Takes bytes that were received already; shortens the input by what was taken. */
enum stream_receiver_result stream_receiver_feed(struct stream_receiver *stream_receiver,
                                                 struct bytes *input, struct text *why);

/* Receives from the connection, a bounded amount. */
enum stream_receiver_result stream_receiver_receive(struct stream_receiver *stream_receiver,
                                                    struct conn *conn, struct text *why);

/* Has it received more than it has taken? The connection will not tell of it: receive again in the next turn. */
bool stream_receiver_has_more(const struct stream_receiver *stream_receiver);

/* Was a GETACK seen since the last call? */
bool stream_receiver_take_getack(struct stream_receiver *stream_receiver);

/* Was a PING seen since the last call? */
bool stream_receiver_take_ping(struct stream_receiver *stream_receiver);

#endif
