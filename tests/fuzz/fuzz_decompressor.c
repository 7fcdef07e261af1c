/* SPDX-License-Identifier: MIT
 *
 * A payload that may be compressed: whatever it is, and wherever it is cut, the same plain bytes come out, no more
 * than there is room for, and no memory grows. What comes out of a payload that is plain is the payload.
 */
#include "fuzz.h"

#include "relay/base/text.h"
#include "relay/codec/decompressor.h"

enum { PLAIN_MAX = 1 << 20, OUT_MAX = 70000 };

static bool feed_piece(struct decompressor *decompressor, struct bytes piece, size_t capacity,
                       struct text *plain, struct text *why)
{
    static uint8_t out[OUT_MAX];
    for (size_t produced = 1; piece.length > 0 || produced > 0;) {
        size_t before = piece.length;
        if (!decompressor_feed(decompressor, &piece, out, capacity, &produced, why))
            return false;
        CHECK(produced <= capacity);
        CHECK(piece.length < before || produced > 0 || before == 0);
        text_append(plain, bytes_at(out, produced));
        if (plain->failed)
            return true; /* enough */
    }
    return true;
}

/* False: it was refused. */
static bool feed_cut(const struct decompressor_options *options, const uint8_t *data, size_t size,
                     bool is_cut, struct text *plain)
{
    struct decompressor *decompressor = decompressor_new(options);
    CHECK(decompressor != NULL);
    struct cuts cuts = cuts_of(data, size);
    struct bytes left = bytes_at(data, size);
    struct text why;
    bool good = true;
    text_init(&why, 300);
    size_t capacity = is_cut ? 1 + cuts.value % 64 * 7 : OUT_MAX;
    while (good && left.length > 0 && !plain->failed) {
        struct bytes whole = is_cut ? cuts_next(&cuts, &left) : left;
        if (!is_cut)
            left = bytes_at(NULL, 0);
        uint8_t *copy = exact_copy(whole);
        good = feed_piece(decompressor, bytes_at(copy, whole.length), capacity, plain, &why);
        free(copy);
    }
    CHECK(good || why.length > 0);
    if (good && decompressor_is_decided(decompressor) &&
        decompressor_codec(decompressor) == CODEC_NONE && !plain->failed)
        CHECK(bytes_equal(text_bytes(plain), bytes_at(data, size)));
    decompressor_free(&decompressor);
    text_fini(&why);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct decompressor_options options[] = {
        {.kind = ENVELOPE_RDB},
        {.kind = ENVELOPE_STREAM},
        {.kind = ENVELOPE_STREAM, .expects_frames = true},
    };
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        struct text whole;
        struct text cut;
        text_init(&whole, PLAIN_MAX);
        text_init(&cut, PLAIN_MAX);
        bool is_good = feed_cut(&options[i], data, size, false, &whole);
        bool is_good_cut = feed_cut(&options[i], data, size, true, &cut);
        if (!whole.failed && !cut.failed) {
            CHECK(is_good == is_good_cut);
            /* How much came out before a fault depends on how much was decoded in one go. */
            if (is_good)
                CHECK(bytes_equal(text_bytes(&whole), text_bytes(&cut)));
        }
        text_fini(&whole);
        text_fini(&cut);
    }
    return 0;
}
