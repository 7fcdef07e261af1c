/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/patience.h"

#include "test.h"

static struct address address_of(unsigned number, uint16_t port)
{
    char text[40];
    struct address address;
    snprintf(text, sizeof text, "192.0.2.%u", number);
    assert_true(address_parse(text, port, &address));
    return address;
}

TEST(it_doubles_to_the_limit_and_an_answer_takes_it_back)
{
    static struct patience patience;
    struct address silent = address_of(1, 6379);
    struct address other = address_of(1, 6380);
    static const int64_t expected[] = {1500, 3000, 6000, 12000, 12000};
    for (size_t i = 0; i < LENGTH_OF(expected); i++) {
        assert_int_equal(patience_ms(&patience, &silent, 1500, 12000), expected[i]);
        assert_int_equal(patience_ms(&patience, &other, 1500, 12000), 1500);
        patience_note_silence(&patience, &silent);
    }
    for (int i = 0; i < 1000; i++)
        patience_note_silence(&patience, &silent);
    assert_int_equal(patience_ms(&patience, &silent, 1500, 12000), 12000);
    assert_int_equal(patience_ms(&patience, &silent, 1500, 1000), 1000);
    patience_note_answer(&patience, &other);
    assert_int_equal(patience_ms(&patience, &silent, 1500, 12000), 12000);
    patience_note_answer(&patience, &silent);
    assert_int_equal(patience_ms(&patience, &silent, 1500, 12000), 1500);
}

TEST(the_one_that_was_asked_longest_ago_is_forgotten)
{
    static struct patience patience;
    for (unsigned i = 0; i < PATIENCE_ADDRESSES_MAX; i++) {
        struct address address = address_of(i, 1);
        patience_note_silence(&patience, &address);
    }
    struct address first = address_of(0, 1);
    struct address second = address_of(1, 1);
    struct address one_more = address_of(200, 1);
    patience_note_silence(&patience, &first); /* used again: the second is the oldest now */
    patience_note_silence(&patience, &one_more);
    assert_int_equal(patience_ms(&patience, &first, 1, 100), 4);
    assert_int_equal(patience_ms(&patience, &second, 1, 100), 1);
    assert_int_equal(patience_ms(&patience, &one_more, 1, 100), 2);
}
