/* SPDX-License-Identifier: MIT
 *
 * The codecs of compressed replication: LZ4 and Zstandard, each from the system's library and optional when the
 * relay is built. This component is pure: bytes in, bytes out, no I/O. It is the only one that includes lz4frame.h
 * and zstd.h.
 */
#ifndef RELAY_CODEC_CODEC_H
#define RELAY_CODEC_CODEC_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum codec { CODEC_NONE, CODEC_LZ4, CODEC_ZSTD };

enum {
    CODEC_LEVEL_DEFAULT = 1, /* of zstd: higher ones gain little on streams */
    CODEC_LEVEL_MAX = 19,    /* of zstd: what is above takes hundreds of MB for each connection */
};

/* The setting repl-compression. */
struct compression {
    enum codec codec;
    int level; /* of zstd, 1..CODEC_LEVEL_MAX */
};

/* Has this program been built with it? CODEC_NONE: true. */
bool codec_is_built(enum codec codec);

/* "no", "lz4", "zstd". Constant. */
const char *codec_name(enum codec codec);

/* "no", "lz4", "zstd" or "zstd:<level>". False: another word, or a codec that the program was built without; *out is
 * as it was. */
MUST_CHECK bool compression_parse(struct bytes text, struct compression *out);

enum { COMPRESSION_TEXT_MAX = 16 };

/* The same, written. Returns `out`. */
const char *compression_format(struct compression compression, char out[COMPRESSION_TEXT_MAX]);

#endif
