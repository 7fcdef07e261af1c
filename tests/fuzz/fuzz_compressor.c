/* SPDX-License-Identifier: MIT
 *
 * Plain bytes in pieces and as one frame: what was compressed comes out again, and is no longer than its bound.
 */
#include "fuzz.h"

#include "relay/base/text.h"
#include "relay/codec/compressor.h"
#include "relay/codec/decompressor.h"

enum { PLAIN_MAX = 1 << 20 };

static void check_gives(struct bytes wire, enum envelope_kind kind, struct bytes expected)
{
    static uint8_t out[PLAIN_MAX + 1];
    const struct decompressor_options options = {.kind = kind};
    struct decompressor *decompressor = decompressor_new(&options);
    struct text why;
    size_t produced;
    CHECK(decompressor != NULL);
    text_init(&why, 300);
    CHECK(decompressor_feed(decompressor, &wire, out, sizeof(out), &produced, &why));
    CHECK(bytes_equal(bytes_at(out, produced), expected));
    CHECK(kind != ENVELOPE_RDB || decompressor_has_ended(decompressor));
    decompressor_free(&decompressor);
    text_fini(&why);
}

static void run(enum codec codec, struct bytes plain, bool is_rdb)
{
    static uint8_t out[2 * COMPRESSOR_PART_MAX];
    const struct compression compression = {.codec = codec, .level = 1};
    struct compressor *compressor = compressor_new(compression);
    struct cuts cuts = cuts_of(plain.data, plain.length);
    struct bytes left = plain;
    struct text wire;
    size_t length;
    CHECK(compressor != NULL);
    text_init(&wire, 4 * PLAIN_MAX);
    if (is_rdb)
        CHECK(compressor_begin(compressor, out, &length));
    else
        length = compressor_head(codec, true, out);
    CHECK(length <= COMPRESSOR_HEAD_MAX);
    text_append(&wire, bytes_at(out, length));
    while (left.length > 0) {
        struct bytes piece = cuts_next(&cuts, &left);
        if (is_rdb)
            CHECK(compressor_add(compressor, piece, out, &length));
        else
            CHECK(compressor_piece(compressor, piece, out, &length));
        CHECK(length <= compressor_bound(compressor, piece.length));
        text_append(&wire, bytes_at(out, length));
    }
    if (is_rdb) {
        CHECK(compressor_end(compressor, out, &length));
        text_append(&wire, bytes_at(out, length));
    }
    check_gives(text_bytes(&wire), is_rdb ? ENVELOPE_RDB : ENVELOPE_STREAM, plain);
    compressor_free(&compressor);
    text_fini(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes plain = bytes_at(data, size < 4096 ? size : 4096);
    for (int codec = CODEC_LZ4; codec <= CODEC_ZSTD; codec++) {
        if (!codec_is_built((enum codec)codec))
            continue;
        run((enum codec)codec, plain, false);
        run((enum codec)codec, plain, true);
    }
    return 0;
}
