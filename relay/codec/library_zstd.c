/* SPDX-License-Identifier: MIT */
#ifdef HAVE_ZSTD

#include <stdlib.h>
#include <zstd.h>

#include "library.h"
#include "relay/base/check.h"

static void *zstd_open_decoder(unsigned window_log)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context != NULL &&
        ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, (int)window_log))) {
        ZSTD_freeDCtx(context);
        return NULL;
    }
    return context;
}

static void zstd_close_decoder(void *state)
{
    ZSTD_freeDCtx(state);
}

static enum library_result zstd_decode(void *state, struct bytes *input, uint8_t *out,
                                       size_t capacity, size_t *produced, const char **why)
{
    ZSTD_inBuffer in = {input->data, input->length, 0};
    ZSTD_outBuffer to = {out, capacity, 0};
    size_t left = ZSTD_decompressStream(state, &to, &in);
    *input = bytes_skip(*input, in.pos);
    *produced = to.pos;
    if (ZSTD_isError(left)) {
        *why = ZSTD_getErrorName(left);
        return LIBRARY_FAILED;
    }
    return left == 0 ? LIBRARY_ENDED : LIBRARY_MORE;
}

static void *zstd_open_encoder(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (context == NULL)
        return NULL;
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))) {
        ZSTD_freeCCtx(context);
        return NULL;
    }
    return context;
}

static void zstd_close_encoder(void *state)
{
    ZSTD_freeCCtx(state);
}

/* Header (18), a block's header (3), the checksum (4), and some. */
static size_t zstd_bound(size_t length)
{
    return ZSTD_compressBound(length) + 64;
}

static size_t zstd_stream_header(uint8_t *out)
{
    (void)out;
    return 0;
}

static bool zstd_piece(void *state, struct bytes plain, uint8_t *out, size_t capacity,
                       size_t *length)
{
    *length = ZSTD_compress2(state, out, capacity, plain.data, plain.length);
    return !ZSTD_isError(*length);
}

static bool zstd_begin(void *state, uint8_t *out, size_t capacity, size_t *length)
{
    (void)out;
    (void)capacity;
    *length = 0; /* the header comes with the first part */
    return !ZSTD_isError(ZSTD_CCtx_reset(state, ZSTD_reset_session_only));
}

/* With a flush all of it comes out, so that what a part may become is known. */
static bool zstd_continue(void *state, struct bytes plain, ZSTD_EndDirective directive,
                          uint8_t *out, size_t capacity, size_t *length)
{
    ZSTD_inBuffer in = {plain.data, plain.length, 0};
    ZSTD_outBuffer to = {out, capacity, 0};
    size_t left = ZSTD_compressStream2(state, &to, &in, directive);
    if (ZSTD_isError(left))
        return false;
    CHECK(left == 0 && in.pos == in.size);
    *length = to.pos;
    return true;
}

static bool zstd_add(void *state, struct bytes plain, uint8_t *out, size_t capacity, size_t *length)
{
    return zstd_continue(state, plain, ZSTD_e_flush, out, capacity, length);
}

static bool zstd_end(void *state, uint8_t *out, size_t capacity, size_t *length)
{
    return zstd_continue(state, bytes_at(NULL, 0), ZSTD_e_end, out, capacity, length);
}

const struct library library_zstd = {
    .name = "zstd",
    .magic = {0x28, 0xb5, 0x2f, 0xfd},
    .checksum_flags = 0x04,
    .has_stream_of_frames = true,
    .open_decoder = zstd_open_decoder,
    .close_decoder = zstd_close_decoder,
    .decode = zstd_decode,
    .open_encoder = zstd_open_encoder,
    .close_encoder = zstd_close_encoder,
    .bound = zstd_bound,
    .stream_header = zstd_stream_header,
    .piece = zstd_piece,
    .begin = zstd_begin,
    .add = zstd_add,
    .end = zstd_end,
};

#else

typedef int library_zstd_is_not_built; /* a source must not be empty */

#endif
