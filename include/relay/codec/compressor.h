/* SPDX-License-Identifier: MIT
 *
 * Makes compressed bytes of plain ones, in one of two ways:
 *
 *     pieces   of a stream, each of which can be decoded without those before it: one zstd frame, or one independent
 *              block of an LZ4 frame that never ends. The same piece can be sent to any number of replicas, to each
 *              behind a head of its own (compressor_head).
 *     a frame  an RDB: its beginning, parts, end.
 *
 * All have checksums. What is written is never longer than compressor_bound says.
 *
 * Owner: who made it. Thread: the owner's.
 */
#ifndef RELAY_CODEC_COMPRESSOR_H
#define RELAY_CODEC_COMPRESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/codec/codec.h"
#include "relay/codec/envelope.h"

struct compressor;

enum {
    COMPRESSOR_PART_MAX = 64 * 1024, /* of plain bytes: a piece, a part of a frame */
    COMPRESSOR_HEAD_MAX = 32,
};

/* For a codec that is built. NULL: out of memory. */
MUST_CHECK struct compressor *compressor_new(struct compression compression);
void compressor_free(struct compressor **compressor);

/* The most that a piece, a part, or the end of a frame with that many plain bytes can become;
 * length <= COMPRESSOR_PART_MAX. */
size_t compressor_bound(const struct compressor *compressor, size_t length);

/* What goes before the first piece of a connection: with `has_envelope` the envelope of a stream, and the header of an
 * LZ4 frame. May be empty. */
size_t compressor_head(enum codec codec, bool has_envelope, uint8_t out[COMPRESSOR_HEAD_MAX]);

/* A piece of 1..COMPRESSOR_PART_MAX bytes. `out` has room for compressor_bound. False: out of memory. */
MUST_CHECK bool compressor_piece(struct compressor *compressor, struct bytes plain, uint8_t *out,
                                 size_t *length);

/* A frame: the envelope of an RDB and the header (COMPRESSOR_HEAD_MAX at `out`), any number of parts, the end.
 * False: out of memory. */
MUST_CHECK bool compressor_begin(struct compressor *compressor, uint8_t *out, size_t *length);
MUST_CHECK bool compressor_add(struct compressor *compressor, struct bytes plain, uint8_t *out,
                               size_t *length);
MUST_CHECK bool compressor_end(struct compressor *compressor, uint8_t *out, size_t *length);

#endif
