/* SPDX-License-Identifier: MIT
 *
 * What the two libraries have in common, so that the rest of the component need not know which one it uses. A row is
 * there where the library was found when the relay was built (HAVE_LZ4, HAVE_ZSTD in the Makefile).
 */
#ifndef RELAY_CODEC_LIBRARY_H
#define RELAY_CODEC_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"

enum library_result {
    LIBRARY_MORE, /* in the midst of a frame */
    LIBRARY_ENDED,
    LIBRARY_FAILED, /* *why, constant */
};

enum { LIBRARY_FLAGS_AT = 4 }; /* both have a magic of four bytes, then a byte of flags */

struct library {
    const char *name;
    uint8_t magic[LIBRARY_FLAGS_AT];
    uint8_t checksum_flags; /* any of these in the byte of flags: there is a checksum */
    bool
        has_stream_of_frames; /* a stream may be any number of frames; else it is one without end */

    void *(*open_decoder)(unsigned window_log); /* NULL: out of memory */
    void (*close_decoder)(void *state);
    enum library_result (*decode)(void *state, struct bytes *input, uint8_t *out, size_t capacity,
                                  size_t *produced, const char **why);

    void *(*open_encoder)(int level); /* NULL: out of memory */
    void (*close_encoder)(void *state);
    size_t (*bound)(size_t length);
    size_t (*stream_header)(uint8_t *out); /* of a stream of pieces, before the first */
    /* False: out of memory. */
    bool (*piece)(void *state, struct bytes plain, uint8_t *out, size_t capacity, size_t *length);
    bool (*begin)(void *state, uint8_t *out, size_t capacity, size_t *length);
    bool (*add)(void *state, struct bytes plain, uint8_t *out, size_t capacity, size_t *length);
    bool (*end)(void *state, uint8_t *out, size_t capacity, size_t *length);
};

extern const struct library library_lz4;
extern const struct library library_zstd;

#endif
