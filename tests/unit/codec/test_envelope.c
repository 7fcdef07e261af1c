/* SPDX-License-Identifier: MIT */
#include "relay/codec/envelope.h"

#include "test.h"

static enum envelope_result read_begin(struct bytes begin, enum envelope_kind kind)
{
    enum codec codec;
    const char *why;
    return envelope_read(begin, kind, &codec, &why);
}

TEST(an_envelope_is_read_as_it_is_written)
{
    for (int kind = ENVELOPE_RDB; kind <= ENVELOPE_STREAM; kind++) {
        for (int codec = CODEC_LZ4; codec <= CODEC_ZSTD; codec++) {
            if (!codec_is_built((enum codec)codec))
                continue;
            uint8_t out[ENVELOPE_LENGTH];
            enum codec found = CODEC_NONE;
            const char *why = NULL;
            envelope_write((enum codec)codec, (enum envelope_kind)kind, out);
            for (size_t length = 0; length < ENVELOPE_LENGTH; length++)
                assert_int_equal(read_begin(bytes_at(out, length), (enum envelope_kind)kind),
                                 ENVELOPE_MORE);
            assert_int_equal(
                envelope_read(bytes_at(out, sizeof(out)), (enum envelope_kind)kind, &found, &why),
                ENVELOPE_FOUND);
            assert_int_equal(found, codec);
        }
    }
}

TEST(an_envelope_has_the_bytes_of_the_document)
{
    uint8_t out[ENVELOPE_LENGTH];
    envelope_write(CODEC_LZ4, ENVELOPE_STREAM, out);
    assert_memory_equal(out, "VCS\x01\x01\x00\x02", ENVELOPE_LENGTH);
    envelope_write(CODEC_ZSTD, ENVELOPE_STREAM, out);
    assert_memory_equal(out, "VCS\x01\x02\x00\x02", ENVELOPE_LENGTH);
    envelope_write(CODEC_LZ4, ENVELOPE_RDB, out);
    assert_memory_equal(out, "VCS\x01\x01\x00\x01", ENVELOPE_LENGTH);
    envelope_write(CODEC_ZSTD, ENVELOPE_RDB, out);
    assert_memory_equal(out, "VCS\x01\x02\x00\x01", ENVELOPE_LENGTH);
}

/* A Valkey's RDB shares the first letter. */
TEST(what_is_plain_is_known_at_the_first_byte_that_differs)
{
    static const char *const plain[] = {"\n", "*", "PING\r\n", "REDIS0011", "VA", "VCR"};
    for (size_t i = 0; i < LENGTH_OF(plain); i++) {
        struct bytes begin = bytes_of(plain[i]);
        assert_int_equal(read_begin(begin, ENVELOPE_RDB), ENVELOPE_PLAIN);
        assert_int_equal(read_begin(begin, ENVELOPE_STREAM), ENVELOPE_PLAIN);
    }
    assert_int_equal(read_begin(bytes_of("V"), ENVELOPE_RDB), ENVELOPE_MORE);
}

TEST(envelopes_that_we_cannot_take_are_refused)
{
    static const char refused[][ENVELOPE_LENGTH] = {
        {'V', 'C', 'S', 0, 1, 0, 2}, {'V', 'C', 'S', 2, 1, 0, 2}, {'V', 'C', 'S', 1, 0, 0, 2},
        {'V', 'C', 'S', 1, 3, 0, 2}, {'V', 'C', 'S', 1, 1, 1, 2}, {'V', 'C', 'S', 1, 1, 0, 1},
        {'V', 'C', 'S', 1, 1, 0, 0}, {'V', 'C', 'S', 1, 1, 0, 3},
    };
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
        assert_int_equal(read_begin(bytes_at(refused[i], ENVELOPE_LENGTH), ENVELOPE_STREAM),
                         ENVELOPE_REFUSED);
}
