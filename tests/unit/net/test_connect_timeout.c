/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/connect_timeout.h"

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
    static struct connect_timeout connect_timeout;
    struct address silent = address_of(1, 6379);
    struct address other = address_of(1, 6380);
    static const int64_t expected[] = {1500, 3000, 6000, 12000, 12000};
    for (size_t i = 0; i < LENGTH_OF(expected); i++) {
        assert_int_equal(connect_timeout_ms(&connect_timeout, &silent, 1500, 12000), expected[i]);
        assert_int_equal(connect_timeout_ms(&connect_timeout, &other, 1500, 12000), 1500);
        connect_timeout_note_silence(&connect_timeout, &silent);
    }
    for (int i = 0; i < 1000; i++)
        connect_timeout_note_silence(&connect_timeout, &silent);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &silent, 1500, 12000), 12000);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &silent, 1500, 1000), 1000);
    connect_timeout_note_answer(&connect_timeout, &other);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &silent, 1500, 12000), 12000);
    connect_timeout_note_answer(&connect_timeout, &silent);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &silent, 1500, 12000), 1500);
}

TEST(the_one_that_was_asked_longest_ago_is_forgotten)
{
    static struct connect_timeout connect_timeout;
    for (unsigned i = 0; i < CONNECT_TIMEOUT_ADDRESSES_MAX; i++) {
        struct address address = address_of(i, 1);
        connect_timeout_note_silence(&connect_timeout, &address);
    }
    struct address first = address_of(0, 1);
    struct address second = address_of(1, 1);
    struct address one_more = address_of(200, 1);
    connect_timeout_note_silence(&connect_timeout,
                                 &first); /* used again: the second is the oldest now */
    connect_timeout_note_silence(&connect_timeout, &one_more);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &first, 1, 100), 4);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &second, 1, 100), 1);
    assert_int_equal(connect_timeout_ms(&connect_timeout, &one_more, 1, 100), 2);
}
