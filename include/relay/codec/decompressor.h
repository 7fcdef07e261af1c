/* SPDX-License-Identifier: MIT
 *
 * Makes plain bytes of a payload that may be compressed. The first bytes tell (docs/protocol.md 7.5): an envelope,
 * a zstd frame where one was agreed on, or anything else, which is plain and handed on unchanged.
 *
 *     while (decompressor_feed(decompressor, &input, out, capacity, &produced, why))
 *         use(out, produced); stop when nothing was produced and the input is empty
 *
 * Bounds, whatever the peer sends: a call writes no more than `capacity`; the window of a zstd frame is at most
 * 2^window_log bytes; an LZ4 block at most 4 MiB; DECOMPRESSOR_SILENT_MAX bytes of input that produce nothing end it;
 * frames of any other kind (skippable ones, old formats) are refused; an RDB may become DECOMPRESSOR_RATIO_MAX times as
 * long where it is more than DECOMPRESSOR_RDB_FREE bytes. So memory is bounded, and a bomb costs what its plain bytes
 * cost.
 *
 * Owner: who made it. Thread: the owner's.
 */
#ifndef RELAY_CODEC_DECOMPRESSOR_H
#define RELAY_CODEC_DECOMPRESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/codec/codec.h"
#include "relay/codec/envelope.h"

struct decompressor;

enum {
    DECOMPRESSOR_SILENT_MAX = 1024 * 1024,
    DECOMPRESSOR_RATIO_MAX = 1024,
    DECOMPRESSOR_RDB_FREE = 1024 * 1024 * 1024,
    DECOMPRESSOR_WINDOW_LOG = 23,     /* 8 MiB: what zstd's levels up to 19 need */
    DECOMPRESSOR_WINDOW_LOG_MAX = 27, /* 128 MiB: level 22 */
};

struct decompressor_options {
    enum envelope_kind kind;
    bool expects_frames; /* zstd frames without an envelope were agreed on: the dialect of Redis */
    unsigned window_log; /* 0: DECOMPRESSOR_WINDOW_LOG */
};

/* NULL: out of memory. */
MUST_CHECK struct decompressor *decompressor_new(const struct decompressor_options *options);
void decompressor_free(struct decompressor **decompressor);

/* Takes from `input`, shortens it by that, and puts at most `capacity` > 0 bytes at `out`. Where it has filled `out`
 * there may be more without further input. False: what came is not what it should be, or out of memory: `why`; from
 * then on it is false. An RDB is one frame: bytes behind its end are refused. */
MUST_CHECK bool decompressor_feed(struct decompressor *decompressor, struct bytes *input,
                                  uint8_t *out, size_t capacity, size_t *produced,
                                  struct text *why);

/* Has the payload told what it is? With CODEC_NONE in decompressor_codec it is plain. */
bool decompressor_is_decided(const struct decompressor *decompressor);
enum codec decompressor_codec(const struct decompressor *decompressor);

/* Plain, and nothing is held: bytes may be taken past it from now on. */
bool decompressor_is_idle(const struct decompressor *decompressor);

/* Of a payload that has an end, an RDB: the frame has ended, and so all of it was produced. Plain: always. */
bool decompressor_has_ended(const struct decompressor *decompressor);

/* Does the frame carry a checksum, which was verified as far as bytes were produced? Plain: false. */
bool decompressor_has_checksum(const struct decompressor *decompressor);

#endif
