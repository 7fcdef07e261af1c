/* SPDX-License-Identifier: MIT
 *
 * The seven bytes with which a Valkey 9.2 begins a compressed RDB or a compressed stream (docs/protocol.md 7.5):
 * "VCS", version 1, codec, 0, kind. A payload without them is plain. Pure.
 */
#ifndef RELAY_CODEC_ENVELOPE_H
#define RELAY_CODEC_ENVELOPE_H

#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/codec/codec.h"

enum { ENVELOPE_LENGTH = 7 };

enum envelope_kind { ENVELOPE_RDB = 1, ENVELOPE_STREAM = 2 };

enum envelope_result {
    ENVELOPE_MORE,    /* what came so far may be the beginning of one */
    ENVELOPE_PLAIN,   /* the payload is not compressed */
    ENVELOPE_FOUND,   /* *codec is set */
    ENVELOPE_REFUSED, /* one that we cannot take: *why, constant */
};

/* Looks at the first bytes of a payload. */
enum envelope_result envelope_read(struct bytes begin, enum envelope_kind kind, enum codec *codec,
                                   const char **why);

void envelope_write(enum codec codec, enum envelope_kind kind, uint8_t out[ENVELOPE_LENGTH]);

#endif
