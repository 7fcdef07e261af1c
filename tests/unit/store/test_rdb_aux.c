/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/rdb_aux.h"

#include "rdb.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

/* Fields as servers write them, between the magic and what comes behind. */
#define HEAD                                                                                       \
    "REDIS0011"                                                                                    \
    "\xfa\x09redis-ver\x05"                                                                        \
    "7.0.0"                                                                                        \
    "\xfa\x0aredis-bits\xc0\x40"

static bool read_primary(const char *fields, size_t length, struct rdb_aux *primary)
{
    return rdb_aux_read(bytes_at(fields, length), primary);
}

#define READ(fields, primary) read_primary(fields, sizeof(fields) - 1, primary)

TEST(the_id_and_the_offset_are_read)
{
    struct rdb_aux primary;
    assert_true(
        READ(HEAD "\xfa\x07repl-id\x28" ID "\xfa\x0brepl-offset\xc1\x92\x10\xfe", &primary));
    assert_int_equal(memcmp(primary.replid.hex, ID, 40), 0);
    assert_int_equal(primary.offset, 0x1092);
    assert_true(READ(HEAD "\xfa\x07repl-id\x28" ID "\xfa\x0brepl-offset\xc0\x05", &primary));
    assert_int_equal(primary.offset, 5);
    assert_true(
        READ(HEAD "\xfa\x07repl-id\x28" ID "\xfa\x0brepl-offset\xc2\x01\x00\x00\x7f", &primary));
    assert_int_equal(primary.offset, 0x7f000001);
    assert_true(READ(HEAD "\xfa\x0brepl-offset\x0b"
                          "12345678901"
                          "\xfa\x07repl-id\x40\x28" ID,
                     &primary));
    assert_int_equal(primary.offset, 12345678901);
    assert_true(READ(HEAD "\xfa\x0brepl-offset\x01"
                          "7"
                          "\xfa\x07repl-id\x80\x00\x00\x00\x28" ID,
                     &primary));
    assert_int_equal(primary.offset, 7);
}

TEST(what_does_not_say_both_says_nothing)
{
    struct rdb_aux primary;
    assert_false(READ("", &primary));
    assert_false(READ("REDIS0006\xfe", &primary));
    assert_false(READ(HEAD "\xfa\x07repl-id\x28" ID "\xfe", &primary));
    assert_false(READ(HEAD "\xfa\x0brepl-offset\xc0\x05\xfe", &primary));
    assert_false(
        READ(HEAD "\xfa\x07repl-id\x28" ID "\xfa\x0brepl-offset\xc0\xff", &primary)); /* -1 */
    assert_false(READ(HEAD "\xfa\x07repl-id\x05"
                           "short"
                           "\xfa\x0brepl-offset\xc0\x05",
                      &primary));
    assert_false(READ(HEAD "\xfa\x07repl-id\xc3\x01\x01"
                           "x",
                      &primary)); /* compressed: not this one */
    /* Behind other parts it is not looked for. */
    assert_false(
        READ(HEAD "\xfe\x00\xfa\x07repl-id\x28" ID "\xfa\x0brepl-offset\xc0\x05", &primary));
}

TEST(a_head_may_be_cut_anywhere)
{
    static const char whole[] = HEAD "\xfa\x07repl-id\x28" ID "\xfa\x0brepl-offset\xc1\x92\x10";
    struct rdb_aux primary;
    for (size_t length = 0; length < sizeof(whole) - 1; length++) {
        char *copy = malloc(length + 1); /* so that a byte too far is noticed */
        memcpy(copy, whole, length);
        assert_false(read_primary(copy, length, &primary));
        free(copy);
    }
}
