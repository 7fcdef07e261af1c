/* SPDX-License-Identifier: MIT */
#include "relay/base/replid.h"

#include "test.h"

#define LOWER "0123456789abcdef0123456789abcdef01234567"
#define UPPER "0123456789ABCDEF0123456789ABCDEF01234567"

TEST(both_cases_are_one_id)
{
    struct replid lower;
    struct replid upper;
    assert_true(replid_parse(bytes_of(LOWER), &lower));
    assert_true(replid_parse(bytes_of(UPPER), &upper));
    assert_string_equal(lower.hex, LOWER);
    assert_string_equal(upper.hex, LOWER);
    assert_true(replid_equal(&lower, &upper));
}

TEST(each_digit_counts)
{
    struct replid one;
    struct replid other;
    assert_true(replid_parse(bytes_of(LOWER), &one));
    for (size_t i = 0; i < REPLID_DIGITS; i++) {
        char text[] = LOWER;
        text[i] = text[i] == 'a' ? 'b' : 'a';
        assert_true(replid_parse(bytes_of(text), &other));
        assert_false(replid_equal(&one, &other));
    }
}

TEST(anything_but_forty_hexadecimal_digits_is_refused)
{
    struct replid out;
    assert_true(replid_parse(bytes_of(LOWER), &out));
    assert_false(replid_parse(bytes_of(""), &out));
    assert_false(replid_parse(bytes_of("?"), &out));
    assert_false(replid_parse(bytes_of(LOWER "8"), &out));
    assert_false(replid_parse(bytes_first(bytes_of(LOWER), 39), &out));
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = LOWER;
        text[17] = (char)byte;
        bool valid = byte != 0 && strchr("0123456789abcdefABCDEF", (int)byte) != NULL;
        struct replid other = replid_none();
        assert_int_equal(replid_parse(bytes_at(text, REPLID_DIGITS), &other), valid);
        if (!valid)
            assert_string_equal(other.hex, replid_none().hex);
    }
    assert_string_equal(out.hex, LOWER);
}

TEST(none_is_forty_zeros)
{
    assert_string_equal(replid_none().hex, "0000000000000000000000000000000000000000");
}
