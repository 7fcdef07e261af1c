/* SPDX-License-Identifier: MIT */
#include "relay/base/crc64.h"

#include "test.h"

enum { LENGTHS = 1600, ALIGNMENTS = 64, LONG = 1 << 20 };

/* The definition, bit by bit, most significant first: shares no idea with the code under test. */
static uint64_t reflect(uint64_t value)
{
    uint64_t out = 0;
    for (int bit = 0; bit < 64; bit++)
        out |= (value >> bit & 1) << (63 - bit);
    return out;
}

static uint64_t by_definition(uint64_t crc, const uint8_t *data, size_t length)
{
    crc = reflect(crc);
    for (size_t i = 0; i < length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bool out = (crc >> 63) ^ (data[i] >> bit & 1);
            crc = (crc << 1) ^ (out ? UINT64_C(0xad93d23594c935a9) : 0);
        }
    }
    return reflect(crc);
}

static uint8_t *noise(size_t length)
{
    uint8_t *data = test_malloc(length);
    uint64_t seed = 20260101;
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(test_random(&seed) >> 56);
    return data;
}

TEST(known_values)
{
    assert_int_equal(crc64(0, "123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca));
    assert_int_equal(crc64_portable(0, "123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca));
    assert_int_equal(by_definition(0, (const uint8_t *)"123456789", 9),
                     UINT64_C(0xe9c6d914c4b8d9ca));
    assert_int_equal(crc64(7, NULL, 0), 7);
}

TEST(all_short_lengths_at_random_alignments_and_starts)
{
    uint8_t *data = noise(LENGTHS + ALIGNMENTS);
    uint64_t seed = 1;
    for (size_t length = 0; length <= LENGTHS; length++) {
        for (int turn = 0; turn < 4; turn++) {
            const uint8_t *place = data + test_random_below(&seed, ALIGNMENTS);
            uint64_t start = turn == 0 ? 0 : test_random(&seed);
            uint64_t expected = by_definition(start, place, length);
            assert_int_equal(crc64(start, place, length), expected);
            assert_int_equal(crc64_portable(start, place, length), expected);
        }
    }
    test_free(data);
}

TEST(pieces_give_the_crc_of_the_whole)
{
    uint8_t *data = noise(LONG);
    uint64_t seed = 2;
    uint64_t expected = crc64_portable(0, data, LONG);
    for (int turn = 0; turn < 20; turn++) {
        uint64_t crc = 0;
        for (size_t done = 0; done < LONG;) {
            size_t count = (size_t)test_random_below(&seed, turn % 2 ? 5000 : 200000);
            if (count > LONG - done)
                count = LONG - done;
            crc = crc64(crc, data + done, count);
            done += count;
        }
        assert_int_equal(crc, expected);
    }
    test_free(data);
}

TEST(a_footer_makes_the_crc_zero)
{
    uint8_t *data = noise(LENGTHS + 8);
    for (size_t length = 0; length <= LENGTHS; length++) {
        uint8_t copy[LENGTHS + 8];
        memcpy(copy, data, length);
        uint64_t crc = crc64(0, copy, length);
        for (int i = 0; i < 8; i++)
            copy[length + (size_t)i] = (uint8_t)(crc >> (8 * i));
        assert_int_equal(crc64(0, copy, length + 8), 0);
    }
    test_free(data);
}
