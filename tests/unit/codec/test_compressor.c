/* SPDX-License-Identifier: MIT */
#include "relay/codec/compressor.h"

#include "relay/base/text.h"
#include "relay/codec/decompressor.h"
#include "test.h"

enum { PLAIN_BYTES = 1 << 20, OUT_BYTES = 2 * COMPRESSOR_PART_MAX };

static uint8_t plain[PLAIN_BYTES];

/* Commands, then bytes without any pattern. */
static void fill(void)
{
    uint64_t seed = 11;
    size_t at = 0;
    while (at < PLAIN_BYTES / 2)
        at += (size_t)snprintf((char *)plain + at, PLAIN_BYTES - at,
                               "*4\r\n$7\r\nHINCRBY\r\n$5\r\nstats\r\n$4\r\nhits\r\n$5\r\n%05u\r\n",
                               (unsigned)test_random_below(&seed, 100000));
    for (; at < PLAIN_BYTES; at++)
        plain[at] = (uint8_t)test_random_below(&seed, 256);
}

static const struct compression kinds[] = {
    {CODEC_LZ4, 1}, {CODEC_ZSTD, 1}, {CODEC_ZSTD, 3}, {CODEC_ZSTD, CODEC_LEVEL_MAX}};

static struct compressor *open_compressor(struct compression compression)
{
    struct compressor *compressor = compressor_new(compression);
    assert_non_null(compressor);
    return compressor;
}

static void assert_gives(struct bytes wire, enum envelope_kind kind, bool expects_frames,
                         struct bytes expected)
{
    static uint8_t out[PLAIN_BYTES + 1];
    struct text why;
    const struct decompressor_options options = {.kind = kind, .expects_frames = expects_frames};
    struct decompressor *decompressor = decompressor_new(&options);
    assert_non_null(decompressor);
    text_init(&why, 200);
    size_t produced;
    bool good = decompressor_feed(decompressor, &wire, out, sizeof(out), &produced, &why);
    if (!good)
        fail_msg("%s", text_string(&why));
    assert_int_equal(produced, expected.length);
    assert_memory_equal(out, expected.data, expected.length);
    assert_int_equal(wire.length, 0);
    assert_true(decompressor_has_checksum(decompressor));
    if (kind == ENVELOPE_RDB)
        assert_true(decompressor_has_ended(decompressor));
    decompressor_free(&decompressor);
    text_fini(&why);
}

static struct bytes piece_of(size_t *at, size_t length)
{
    size_t left = PLAIN_BYTES - *at;
    struct bytes piece = bytes_at(plain + *at, length < left ? length : left);
    *at += piece.length;
    return piece;
}

/* A replica that joins at any piece decodes all that comes from it on. */
TEST(each_piece_is_decoded_without_those_before_it)
{
    fill();
    for (size_t kind = 0; kind < LENGTH_OF(kinds); kind++) {
        if (!codec_is_built(kinds[kind].codec))
            continue;
        struct compressor *compressor = open_compressor(kinds[kind]);
        struct text wire;
        size_t starts[64];
        size_t offsets[64];
        size_t count = 0;
        text_init(&wire, 2 * PLAIN_BYTES);
        for (size_t at = 0; at < PLAIN_BYTES && count < LENGTH_OF(starts);) {
            uint8_t out[OUT_BYTES];
            size_t length;
            starts[count] = wire.length;
            offsets[count++] = at;
            size_t size = count % 3 == 0 ? 1 : count % 3 == 1 ? 1000 : COMPRESSOR_PART_MAX;
            struct bytes piece = piece_of(&at, size);
            assert_in_range(compressor_bound(compressor, piece.length), 1, sizeof(out));
            assert_true(compressor_piece(compressor, piece, out, &length));
            assert_in_range(length, 1, compressor_bound(compressor, piece.length));
            text_append(&wire, bytes_at(out, length));
        }
        for (size_t i = 0; i < count; i++) {
            struct text joined;
            uint8_t head[COMPRESSOR_HEAD_MAX];
            text_init(&joined, 3 * PLAIN_BYTES);
            text_append(&joined, bytes_at(head, compressor_head(kinds[kind].codec, true, head)));
            text_append(&joined, bytes_skip(text_bytes(&wire), starts[i]));
            size_t end = offsets[count - 1] + COMPRESSOR_PART_MAX;
            size_t last = (count % 3 == 0 ? 1 : count % 3 == 1 ? 1000 : COMPRESSOR_PART_MAX);
            end = offsets[count - 1] + last < PLAIN_BYTES ? offsets[count - 1] + last : PLAIN_BYTES;
            assert_gives(text_bytes(&joined), ENVELOPE_STREAM, false,
                         bytes_at(plain + offsets[i], end - offsets[i]));
            text_fini(&joined);
        }
        text_fini(&wire);
        compressor_free(&compressor);
    }
}

TEST(frames_without_an_envelope_are_for_redis)
{
    if (!codec_is_built(CODEC_ZSTD))
        return;
    fill();
    struct compressor *compressor = open_compressor(kinds[1]);
    uint8_t head[COMPRESSOR_HEAD_MAX];
    uint8_t out[OUT_BYTES];
    size_t length;
    assert_int_equal(compressor_head(CODEC_ZSTD, false, head), 0);
    assert_true(compressor_piece(compressor, bytes_at(plain, 5000), out, &length));
    assert_gives(bytes_at(out, length), ENVELOPE_STREAM, true, bytes_at(plain, 5000));
    compressor_free(&compressor);
}

TEST(an_rdb_is_one_frame_of_any_number_of_parts)
{
    fill();
    for (size_t kind = 0; kind < LENGTH_OF(kinds); kind++) {
        if (!codec_is_built(kinds[kind].codec))
            continue;
        struct compressor *compressor = open_compressor(kinds[kind]);
        for (size_t size = 1000; size <= COMPRESSOR_PART_MAX; size += 21512) {
            struct text wire;
            uint8_t out[OUT_BYTES];
            size_t length;
            text_init(&wire, 3 * PLAIN_BYTES);
            assert_true(compressor_begin(compressor, out, &length));
            assert_in_range(length, ENVELOPE_LENGTH, COMPRESSOR_HEAD_MAX);
            text_append(&wire, bytes_at(out, length));
            for (size_t at = 0; at < PLAIN_BYTES / 4;) {
                struct bytes part = piece_of(&at, size);
                assert_true(compressor_add(compressor, part, out, &length));
                assert_in_range(length, 1, compressor_bound(compressor, part.length));
                text_append(&wire, bytes_at(out, length));
                if (at >= PLAIN_BYTES / 4) {
                    assert_true(compressor_end(compressor, out, &length));
                    text_append(&wire, bytes_at(out, length));
                    assert_gives(text_bytes(&wire), ENVELOPE_RDB, false, bytes_at(plain, at));
                }
            }
            text_fini(&wire);
            /* A piece in between: the same compressor serves both. */
            assert_true(compressor_piece(compressor, bytes_at(plain, 10), out, &length));
        }
        compressor_free(&compressor);
    }
}

TEST(what_has_no_pattern_grows_by_little)
{
    fill();
    for (size_t kind = 0; kind < LENGTH_OF(kinds); kind++) {
        if (!codec_is_built(kinds[kind].codec))
            continue;
        struct compressor *compressor = open_compressor(kinds[kind]);
        uint8_t out[OUT_BYTES];
        size_t length;
        struct bytes noise =
            bytes_at(plain + PLAIN_BYTES - COMPRESSOR_PART_MAX, COMPRESSOR_PART_MAX);
        assert_true(compressor_piece(compressor, noise, out, &length));
        assert_in_range(length, COMPRESSOR_PART_MAX, COMPRESSOR_PART_MAX + 64);
        compressor_free(&compressor);
    }
}

/* The header that a stream's blocks stand behind is written by hand: the library's own, for the same preferences. */
TEST(the_header_of_an_lz4_stream_is_that_of_the_document)
{
    if (!codec_is_built(CODEC_LZ4))
        return;
    uint8_t head[COMPRESSOR_HEAD_MAX];
    size_t length = compressor_head(CODEC_LZ4, true, head);
    assert_views_equal(bytes_at(head, length),
                       LITERAL("VCS\x01\x01\x00\x02\x04\x22\x4d\x18\x70\x40\xad"));
}
