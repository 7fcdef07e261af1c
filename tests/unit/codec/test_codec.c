/* SPDX-License-Identifier: MIT */
#include "relay/codec/codec.h"

#include "test.h"

static void assert_reads(const char *text, enum codec codec, int level, const char *written)
{
    struct compression found = {.codec = CODEC_NONE};
    char shown[COMPRESSION_TEXT_MAX];
    if (!codec_is_built(codec)) {
        assert_false(compression_parse(bytes_of(text), &found));
        return;
    }
    assert_true(compression_parse(bytes_of(text), &found));
    assert_int_equal(found.codec, codec);
    assert_int_equal(found.level, level);
    assert_string_equal(compression_format(found, shown), written);
}

TEST(the_setting_is_read_and_written)
{
    assert_reads("no", CODEC_NONE, 1, "no");
    assert_reads("lz4", CODEC_LZ4, 1, "lz4");
    assert_reads("zstd", CODEC_ZSTD, 1, "zstd");
    assert_reads("zstd:1", CODEC_ZSTD, 1, "zstd");
    assert_reads("ZSTD:3", CODEC_ZSTD, 3, "zstd:3");
    assert_reads("zstd:19", CODEC_ZSTD, 19, "zstd:19");
}

TEST(another_word_or_level_is_refused)
{
    static const char *const bad[] = {
        "",       "yes",    "zlib",    "lz4:1", "zstd:", "zstd:0",   "zstd:20", "zstd:-1",
        "zstd:x", "zstd 3", "zstd:3 ", "zstdx", "zst",   "zstd:1:2", "no:1"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct compression found = {.codec = CODEC_LZ4, .level = 77};
        assert_false(compression_parse(bytes_of(bad[i]), &found));
        assert_int_equal(found.level, 77);
    }
}
