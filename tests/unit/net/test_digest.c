/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "relay/net/digest.h"

/* FIPS 180-2, appendix B, and of nothing. */
TEST(digests_are_sha_256)
{
    static const struct {
        const char *text;
        const char *digits;
    } rows[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct digest expected;
        struct digest actual = digest_of(bytes_of(rows[i].text));
        assert_true(digest_parse(bytes_of(rows[i].digits), &expected));
        assert_memory_equal(actual.byte, expected.byte, DIGEST_LENGTH);
        assert_true(digest_equal(&actual, &expected));
    }
}

TEST(each_bit_counts)
{
    struct digest right = digest_of(bytes_of("sesame"));
    for (unsigned bit = 0; bit < 8 * DIGEST_LENGTH; bit++) {
        struct digest wrong = right;
        wrong.byte[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(digest_equal(&right, &wrong));
    }
}

TEST(digits_are_64_hexadecimal_ones)
{
    static const char good[] = "BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD";
    struct digest digest = {.byte = {1}};
    struct digest abc = digest_of(bytes_of("abc"));
    for (size_t length = 0; length < DIGEST_DIGITS; length++)
        assert_false(digest_parse(bytes_at(good, length), &digest));
    assert_false(digest_parse(bytes_at(good, DIGEST_DIGITS + 1), &digest));
    for (size_t i = 0; i < DIGEST_DIGITS; i++) {
        static const char bad[] = {'/', ':', '@', 'G', '`', 'g', ' ', '\0', '\x7f', '\xff'};
        for (size_t k = 0; k < sizeof(bad); k++) {
            char digits[DIGEST_DIGITS];
            memcpy(digits, good, sizeof(digits));
            digits[i] = bad[k];
            assert_false(digest_parse(bytes_at(digits, sizeof(digits)), &digest));
        }
    }
    assert_int_equal(digest.byte[0], 1); /* was left alone */
    assert_true(digest_parse(bytes_of(good), &digest));
    assert_true(digest_equal(&digest, &abc));
}
