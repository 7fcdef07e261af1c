/* SPDX-License-Identifier: MIT */
#include "relay/os/random.h"

#include "test.h"

TEST(hex_has_as_many_digits_as_asked)
{
    char out[64];
    for (size_t digits = 0; digits <= 41; digits++) {
        memset(out, 'Z', sizeof(out));
        random_hex(out, digits);
        assert_int_equal(strlen(out), digits);
        assert_int_equal(strspn(out, "0123456789abcdef"), digits);
        assert_int_equal(out[digits + 1], 'Z');
    }
}

TEST(hex_differs_from_call_to_call)
{
    char one[41];
    char other[41];
    random_hex(one, 40);
    random_hex(other, 40);
    assert_string_not_equal(one, other);
}

TEST(numbers_stay_below_and_reach_everywhere)
{
    unsigned seen[10] = {0};
    assert_int_equal(random_below(1), 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_below(10);
        assert_in_range(value, 0, 9);
        seen[value]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 700, 1300); /* ten standard deviations */
    assert_true(random_below(UINT64_MAX) < UINT64_MAX);
}
