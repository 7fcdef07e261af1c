/* SPDX-License-Identifier: MIT */
#include "relay/base/rdb_part.h"

#include <string.h>

#include "test.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

static const char word[] = ID ":1000:20000:4096:00ff00ff00ff00ff";

static bool is_read(const char *string)
{
    struct rdb_part part;
    return rdb_part_parse(bytes_of(string), &part);
}

TEST(a_word_says_the_same_on_both_sides)
{
    struct rdb_part part;
    assert_true(rdb_part_parse(bytes_of(word), &part));
    assert_string_equal(part.replid.hex, ID);
    assert_int_equal(part.offset, 1000);
    assert_int_equal(part.length, 20000);
    assert_int_equal(part.bytes, 4096);
    assert_true(part.crc == UINT64_C(0x00ff00ff00ff00ff));
    struct text out;
    text_init(&out, RDB_PART_WORD_MAX);
    rdb_part_format(&part, &out);
    assert_string_equal(text_string(&out), word);
    text_fini(&out);
}

TEST(the_longest_word_fits)
{
    struct rdb_part part = {.offset = OFFSET_FIRST_MAX, .length = INT64_MAX, .bytes = INT64_MAX};
    assert_true(replid_parse(bytes_of(ID), &part.replid));
    struct text out;
    text_init(&out, RDB_PART_WORD_MAX);
    rdb_part_format(&part, &out);
    assert_false(out.failed);
    struct rdb_part again;
    assert_true(rdb_part_parse(text_bytes(&out), &again));
    assert_int_equal(again.bytes, INT64_MAX);
    text_fini(&out);
}

/* A word that lost its end, at any byte, is none; nor is one with a byte more, or another byte, anywhere: but a
 * digit for a digit, which says something else. */
TEST(every_byte_of_a_word_counts)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < length; i++) {
        struct rdb_part part;
        assert_false(rdb_part_parse(bytes_at(word, i), &part));
        for (unsigned byte = 0; byte < 256; byte++) {
            char changed[sizeof(word)];
            memcpy(changed, word, sizeof(word));
            changed[i] = (char)byte;
            if (!rdb_part_parse(bytes_at(changed, length), &part))
                continue;
            struct text out;
            text_init(&out, RDB_PART_WORD_MAX);
            rdb_part_format(&part, &out);
            /* An id is known in capitals, too, and is kept in lower case. */
            assert_int_equal(strncasecmp(text_string(&out), changed, length), 0);
            text_fini(&out);
        }
    }
}

static const char *const bad[] = {
    "",
    ":",
    "::::",
    ID,
    ID ":1000:20000:4096",
    ID ":1000:20000:4096:",
    ID ":1000:20000:4096:00ff00ff00ff00ff ",
    ID ":1000:20000:4096:00ff00ff00ff00ff:",
    ID ":1000:20000:4096:00FF00FF00FF00FF",
    ID ":1000:20000:4096:ff00ff00ff00ff",
    ID ":1000:20000:20001:00ff00ff00ff00ff",
    ID ":1000:20000:63:00ff00ff00ff00ff",
    ID ":1000:20000:0:00ff00ff00ff00ff",
    ID ":1000:20000:-1:00ff00ff00ff00ff",
    ID ":-1:20000:4096:00ff00ff00ff00ff",
    ID ":01000:20000:4096:00ff00ff00ff00ff",
    ID ":4611686018427387905:20000:4096:00ff00ff00ff00ff",
    ID ":1000:9223372036854775808:4096:00ff00ff00ff00ff",
    ID ":1000:0:9223372036854775808:00ff00ff00ff00ff",
    ID ":1000:0:18446744073709551616:00ff00ff00ff00ff",
    "?:1000:20000:4096:00ff00ff00ff00ff",
};

TEST(what_is_no_word_is_refused)
{
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        if (is_read(bad[i]))
            fail_msg("\"%s\" was taken for a part of an RDB", bad[i]);
    }
    assert_true(is_read(ID ":1000:0:4096:00ff00ff00ff00ff"));
    assert_true(is_read(ID ":0:64:64:0000000000000000"));
}

TEST(the_same_rdb_has_the_same_id_x_and_length)
{
    struct rdb_part part;
    struct replid other;
    assert_true(rdb_part_parse(bytes_of(word), &part));
    assert_true(replid_parse(bytes_of("1123456789abcdef0123456789abcdef01234567"), &other));
    assert_true(rdb_part_is_of(&part, &part.replid, 1000, 20000));
    assert_true(rdb_part_is_of(&part, &part.replid, 1000, 0));
    assert_false(rdb_part_is_of(&part, &part.replid, 1000, 20001));
    assert_false(rdb_part_is_of(&part, &part.replid, 1001, 20000));
    assert_false(rdb_part_is_of(&part, &other, 1000, 20000));
    part.length = 0;
    assert_true(rdb_part_is_of(&part, &part.replid, 1000, 20001));
    assert_false(rdb_part_is_of(&part, &part.replid, 1000, 4095));
}
