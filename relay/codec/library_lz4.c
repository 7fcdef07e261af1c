/* SPDX-License-Identifier: MIT */
#ifdef HAVE_LZ4

#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "relay/base/check.h"

/* Blocks of 64 KiB, as Valkey has them. Those of a stream are independent of each other, which its reader does not
 * mind; those of an RDB are linked, and its end has a checksum of the whole (docs/protocol.md 7.5). */
static const LZ4F_preferences_t of_stream = {
    .frameInfo = {.blockSizeID = LZ4F_max64KB,
                  .blockMode = LZ4F_blockIndependent,
                  .blockChecksumFlag = LZ4F_blockChecksumEnabled},
    .autoFlush = 1,
};
static const LZ4F_preferences_t of_rdb = {
    .frameInfo = {.blockSizeID = LZ4F_max64KB,
                  .blockMode = LZ4F_blockLinked,
                  .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                  .blockChecksumFlag = LZ4F_blockChecksumEnabled},
    .autoFlush = 1,
};

struct lz4_encoder {
    LZ4F_cctx *context;
    bool has_begun; /* with a stream */
};

static void *lz4_open_decoder(unsigned window_log)
{
    (void)window_log;
    LZ4F_dctx *context = NULL;
    return LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) ? NULL : context;
}

static void lz4_close_decoder(void *state)
{
    LZ4F_freeDecompressionContext(state);
}

static enum library_result lz4_decode(void *state, struct bytes *input, uint8_t *out,
                                      size_t capacity, size_t *produced, const char **why)
{
    size_t taken = input->length;
    *produced = capacity;
    size_t left = LZ4F_decompress(state, out, produced, input->data, &taken, NULL);
    if (LZ4F_isError(left)) {
        *produced = 0;
        *why = LZ4F_getErrorName(left);
        return LIBRARY_FAILED;
    }
    *input = bytes_skip(*input, taken);
    return left == 0 ? LIBRARY_ENDED : LIBRARY_MORE;
}

static void *lz4_open_encoder(int level)
{
    (void)level;
    struct lz4_encoder *encoder = calloc(1, sizeof(*encoder));
    if (encoder == NULL)
        return NULL;
    if (LZ4F_isError(LZ4F_createCompressionContext(&encoder->context, LZ4F_VERSION))) {
        free(encoder);
        return NULL;
    }
    return encoder;
}

static void lz4_close_encoder(void *state)
{
    struct lz4_encoder *encoder = state;
    LZ4F_freeCompressionContext(encoder->context);
    free(encoder);
}

static size_t lz4_bound(size_t length)
{
    return LZ4F_compressBound(length, &of_rdb) + LZ4F_HEADER_SIZE_MAX;
}

/* What LZ4F_compressBegin writes for of_stream: the unit test compares. */
static size_t lz4_stream_header(uint8_t *out)
{
    static const uint8_t header[] = {0x04, 0x22, 0x4d, 0x18, 0x70, 0x40, 0xad};
    memcpy(out, header, sizeof(header));
    return sizeof(header);
}

static bool lz4_update(struct lz4_encoder *encoder, struct bytes plain, uint8_t *out,
                       size_t capacity, size_t *length)
{
    *length = LZ4F_compressUpdate(encoder->context, out, capacity, plain.data, plain.length, NULL);
    return !LZ4F_isError(*length);
}

static bool lz4_piece(void *state, struct bytes plain, uint8_t *out, size_t capacity,
                      size_t *length)
{
    struct lz4_encoder *encoder = state;
    if (!encoder->has_begun &&
        LZ4F_isError(LZ4F_compressBegin(encoder->context, out, capacity, &of_stream)))
        return false;
    encoder->has_begun = true;
    return lz4_update(encoder, plain, out, capacity, length);
}

static bool lz4_begin(void *state, uint8_t *out, size_t capacity, size_t *length)
{
    struct lz4_encoder *encoder = state;
    encoder->has_begun = false;
    *length = LZ4F_compressBegin(encoder->context, out, capacity, &of_rdb);
    return !LZ4F_isError(*length);
}

static bool lz4_add(void *state, struct bytes plain, uint8_t *out, size_t capacity, size_t *length)
{
    return lz4_update(state, plain, out, capacity, length);
}

static bool lz4_end(void *state, uint8_t *out, size_t capacity, size_t *length)
{
    struct lz4_encoder *encoder = state;
    *length = LZ4F_compressEnd(encoder->context, out, capacity, NULL);
    return !LZ4F_isError(*length);
}

const struct library library_lz4 = {
    .name = "lz4",
    .magic = {0x04, 0x22, 0x4d, 0x18},
    .checksum_flags = 0x14,
    .has_stream_of_frames = false,
    .open_decoder = lz4_open_decoder,
    .close_decoder = lz4_close_decoder,
    .decode = lz4_decode,
    .open_encoder = lz4_open_encoder,
    .close_encoder = lz4_close_encoder,
    .bound = lz4_bound,
    .stream_header = lz4_stream_header,
    .piece = lz4_piece,
    .begin = lz4_begin,
    .add = lz4_add,
    .end = lz4_end,
};

#else

typedef int library_lz4_is_not_built; /* a source must not be empty */

#endif
