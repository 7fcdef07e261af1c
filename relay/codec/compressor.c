/* SPDX-License-Identifier: MIT */
#include "relay/codec/compressor.h"

#include <stdlib.h>

#include "codec_private.h"

struct compressor {
    enum codec codec;
    const struct library *library;
    void *encoder;
};

struct compressor *compressor_new(struct compression compression)
{
    const struct library *library = library_of(compression.codec);
    CHECK(library != NULL);
    struct compressor *compressor = calloc(1, sizeof(*compressor));
    if (compressor == NULL)
        return NULL;
    compressor->codec = compression.codec;
    compressor->library = library;
    compressor->encoder = library->open_encoder(compression.level);
    if (compressor->encoder == NULL)
        compressor_free(&compressor);
    return compressor;
}

void compressor_free(struct compressor **compressor)
{
    if (*compressor == NULL)
        return;
    if ((*compressor)->encoder != NULL)
        (*compressor)->library->close_encoder((*compressor)->encoder);
    free(*compressor);
    *compressor = NULL;
}

size_t compressor_bound(const struct compressor *compressor, size_t length)
{
    CHECK(length <= COMPRESSOR_PART_MAX);
    return compressor->library->bound(length);
}

size_t compressor_head(enum codec codec, bool has_envelope, uint8_t out[COMPRESSOR_HEAD_MAX])
{
    size_t length = 0;
    if (has_envelope) {
        envelope_write(codec, ENVELOPE_STREAM, out);
        length = ENVELOPE_LENGTH;
    }
    return length + library_of(codec)->stream_header(out + length);
}

bool compressor_piece(struct compressor *compressor, struct bytes plain, uint8_t *out,
                      size_t *length)
{
    CHECK(plain.length > 0);
    size_t bound = compressor_bound(compressor, plain.length);
    return compressor->library->piece(compressor->encoder, plain, out, bound, length);
}

bool compressor_begin(struct compressor *compressor, uint8_t *out, size_t *length)
{
    envelope_write(compressor->codec, ENVELOPE_RDB, out);
    bool good = compressor->library->begin(compressor->encoder, out + ENVELOPE_LENGTH,
                                           COMPRESSOR_HEAD_MAX - ENVELOPE_LENGTH, length);
    *length += ENVELOPE_LENGTH;
    return good;
}

bool compressor_add(struct compressor *compressor, struct bytes plain, uint8_t *out, size_t *length)
{
    CHECK(plain.length > 0);
    size_t bound = compressor_bound(compressor, plain.length);
    return compressor->library->add(compressor->encoder, plain, out, bound, length);
}

bool compressor_end(struct compressor *compressor, uint8_t *out, size_t *length)
{
    return compressor->library->end(compressor->encoder, out, compressor_bound(compressor, 0),
                                    length);
}
