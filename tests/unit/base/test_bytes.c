/* SPDX-License-Identifier: MIT */
#include "relay/base/bytes.h"

#include "test.h"

TEST(views_are_cut)
{
    struct bytes view = bytes_of("replica");
    assert_view(bytes_skip(view, 2), "plica");
    assert_view(bytes_first(view, 2), "re");
    assert_view(bytes_skip(view, 7), "");
    assert_view(bytes_skip(bytes_at(NULL, 0), 0), "");
    assert_view(bytes_first(bytes_at(NULL, 0), 0), "");
}

TEST(equality_looks_at_all_bytes)
{
    assert_true(bytes_equal(LITERAL("a\0b"), LITERAL("a\0b")));
    assert_false(bytes_equal(LITERAL("a\0b"), LITERAL("a\0c")));
    assert_false(bytes_equal(bytes_of("a"), bytes_of("ab")));
    assert_true(bytes_equal(bytes_at(NULL, 0), bytes_of("")));
}

TEST(secrets_are_equal_as_a_whole_or_not_at_all)
{
    assert_true(bytes_equal_secret(bytes_of("sesame"), bytes_of("sesame")));
    assert_true(bytes_equal_secret(LITERAL("a\0b"), LITERAL("a\0b")));
    assert_true(bytes_equal_secret(bytes_of(""), bytes_at(NULL, 0)));
    assert_false(bytes_equal_secret(bytes_of("sesame"), bytes_of("sesamE")));
    assert_false(bytes_equal_secret(bytes_of("sesame"), bytes_of("Sesame")));
    assert_false(bytes_equal_secret(bytes_of("sesame"), bytes_of("sesam")));
    assert_false(bytes_equal_secret(bytes_of("sesame"), bytes_of("")));
    assert_false(bytes_equal_secret(bytes_of(""), bytes_of("s")));
    /* A candidate that repeats the secret, or goes on behind it, is longer, and that counts. */
    assert_false(bytes_equal_secret(bytes_of("aa"), bytes_of("aaaa")));
    assert_false(bytes_equal_secret(bytes_of("sesame"), bytes_of("sesamesesame")));
    assert_false(bytes_equal_secret(LITERAL("a"), LITERAL("a\0")));
}

TEST(names_ignore_the_case_of_letters_only)
{
    assert_true(bytes_is(bytes_of("ReplConf"), "replconf"));
    assert_true(bytes_is(bytes_of("replconf"), "REPLCONF"));
    assert_false(bytes_is(bytes_of("replcon"), "replconf"));
    assert_false(bytes_is(bytes_of("replconfs"), "replconf"));
    assert_true(bytes_is(bytes_at(NULL, 0), ""));
    for (unsigned a = 1; a < 256; a++) {
        for (unsigned b = 1; b < 256; b++) {
            const char name[2] = {(char)b, '\0'};
            uint8_t byte = (uint8_t)a;
            bool letters = (a >= 'a' && a <= 'z') || (a >= 'A' && a <= 'Z');
            bool same = a == b || (letters && (a ^ 0x20) == b);
            assert_int_equal(bytes_is(bytes_at(&byte, 1), name), same);
        }
    }
}

TEST(prefixes_observe_case)
{
    assert_true(bytes_starts(bytes_of("+CONTINUE"), "+CONT"));
    assert_true(bytes_starts(bytes_of("x"), ""));
    assert_false(bytes_starts(bytes_of("+cont"), "+CONT"));
    assert_false(bytes_starts(bytes_of("+CON"), "+CONT"));
}

TEST(unsigned_numbers)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1x", false, 0},
        {"/", false, 0},
        {":", false, 0},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        uint64_t value = 42;
        assert_int_equal(bytes_to_u64(bytes_of(rows[i].text), &value), rows[i].valid);
        assert_int_equal(value, rows[i].valid ? rows[i].value : 42);
    }
    uint64_t value = 42;
    assert_false(bytes_to_u64(LITERAL("1\0"), &value));
    assert_int_equal(value, 42);
}

TEST(signed_numbers)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"18446744073709551615", false, 0},
        {"-", false, 0},
        {"", false, 0},
        {"--1", false, 0},
        {"+1", false, 0},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        int64_t value = 42;
        assert_int_equal(bytes_to_i64(bytes_of(rows[i].text), &value), rows[i].valid);
        assert_int_equal(value, rows[i].valid ? rows[i].value : 42);
    }
}

TEST(printable_hides_and_cuts)
{
    char out[8];
    assert_string_equal(bytes_printable(bytes_of("1234567"), out, sizeof(out)), "1234567");
    assert_string_equal(bytes_printable(bytes_of("12345678"), out, sizeof(out)), "1234...");
    assert_string_equal(bytes_printable(LITERAL("a\n\r\0\x7f\xc3~"), out, sizeof(out)), "a?????~");
    assert_string_equal(bytes_printable(bytes_at(NULL, 0), out, sizeof(out)), "");
    assert_string_equal(bytes_printable(bytes_of("1234"), out, 4), "...");
    assert_string_equal(bytes_printable(bytes_of("123"), out, 4), "123");
}

TEST(find_gives_the_first_or_the_length)
{
    assert_int_equal(bytes_find(bytes_of("a b c"), ' '), 1);
    assert_int_equal(bytes_find(bytes_of("abc"), ' '), 3);
    assert_int_equal(bytes_find(LITERAL("a\0b"), '\0'), 1);
    assert_int_equal(bytes_find(bytes_at(NULL, 0), 'x'), 0);
}
