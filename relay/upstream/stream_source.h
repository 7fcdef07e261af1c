/* SPDX-License-Identifier: MIT
 *
 * Where the plain bytes of the stream come from: the connection itself, or what is decompressed of it. Where
 * compression was asked for, the first bytes tell (codec/decompressor.h); a primary that does not compress costs one
 * more copy of its first bytes.
 *
 * What was received and is not decompressed yet is held, at most STREAM_SOURCE_WIRE bytes. The connection tells nothing
 * of these: stream_source_has_more.
 *
 * Owner: the stream receiver. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_STREAM_SOURCE_H
#define RELAY_UPSTREAM_STREAM_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compression_use.h"
#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/codec/decompressor.h"
#include "relay/net/conn.h"

enum { STREAM_SOURCE_WIRE = 256 * 1024 };

struct stream_source {
    struct decompressor *decompressor; /* NULL: the stream is plain */
    struct compression_use *use;
    uint8_t *wire;     /* STREAM_SOURCE_WIRE bytes; NULL: plain */
    struct bytes held; /* of `wire`: received, and not decompressed yet */
    bool is_filled;    /* what was decompressed last has filled its place: there may be more */
    bool is_garbled;   /* what came cannot be decompressed */
    bool is_out_of_memory;
};

/* From now on the stream may be compressed. `pending`, which is copied, was received already; at most
 * STREAM_SOURCE_WIRE bytes. Out of memory: the next stream_source_receive fails. */
void stream_source_begin(struct stream_source *source, const struct decompressor_options *options,
                         struct compression_use *use, struct bytes pending);

/* Frees. Also of one that is zero. */
void stream_source_end(struct stream_source *source);

/* As conn_receive, with the reason of CONN_FAILED in `why`. */
enum conn_io stream_source_receive(struct stream_source *source, struct conn *conn, uint8_t *into,
                                   size_t capacity, size_t *received, struct text *why);

/* Is there more than the connection will tell of? */
bool stream_source_has_more(const struct stream_source *source);

#endif
