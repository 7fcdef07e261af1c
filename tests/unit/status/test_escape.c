/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/escape.h"

#include "test.h"

typedef void escape_fn(struct text *out, const char *string);

static void expect(escape_fn *fn, const char *string, const char *expected)
{
    struct text out;
    text_init(&out, 1000);
    fn(&out, string);
    assert_string_equal(text_string(&out), expected);
    text_fini(&out);
}

#define NONE "\xef\xbf\xbd" /* U+FFFD */

TEST(json_strings)
{
    expect(escape_json, "", "");
    expect(escape_json, "10.0.0.1", "10.0.0.1");
    expect(escape_json, "a\"b\\c", "a\\u0022b\\u005cc");
    expect(escape_json, "\n\t\x01\x7f", "\\u000a\\u0009\\u0001\\u007f");
    expect(escape_json, "</script>&", "\\u003c/script\\u003e\\u0026");
    expect(escape_json, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
           "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98");
}

TEST(labels)
{
    expect(escape_label, "a\"b\\c\nd", "a\\\"b\\\\c\\nd");
    expect(escape_label, "x\xff", "x" NONE);
    expect(escape_label, "gr\xc3\xbc", "gr\xc3\xbc");
}

TEST(what_is_no_utf8)
{
    static const struct {
        const char *string;
        const char *expected;
    } cases[] = {
        {"\x80", NONE},
        {"\xc3", NONE},                   /* cut */
        {"\xe2\x82", NONE NONE},          /* cut */
        {"\xf0\x9f\x90", NONE NONE NONE}, /* cut */
        {"\xc0\xaf", NONE NONE},          /* overlong */
        {"\xe0\x80\xaf", NONE NONE NONE}, /* overlong */
        {"\xf0\x80\x80\xaf", NONE NONE NONE NONE},
        {"\xed\xa0\x80", NONE NONE NONE},          /* a surrogate */
        {"\xf4\x90\x80\x80", NONE NONE NONE NONE}, /* beyond the last */
        {"\xf5\xff\xfe", NONE NONE NONE},
        {"a\xe2z", "a" NONE "z"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        expect(escape_json, cases[i].string, cases[i].expected);
        expect(escape_label, cases[i].string, cases[i].expected);
    }
}

/* Is it well-formed? By the shape of the bits and the value, not by ranges as in escape.c. */
static bool is_utf8(const uint8_t *at)
{
    while (*at != 0) {
        unsigned more = *at < 0x80       ? 0
                        : *at >> 5 == 6  ? 1
                        : *at >> 4 == 14 ? 2
                        : *at >> 3 == 30 ? 3
                                         : 9;
        if (more == 9)
            return false;
        uint32_t value = more == 0 ? *at : *at & (0x3fU >> more);
        at++;
        for (unsigned i = 0; i < more; i++, at++) {
            if (*at >> 6 != 2)
                return false;
            value = value << 6 | (*at & 0x3f);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return false;
    }
    return true;
}

/* All strings of two bytes, and of three that begin with what may be long. */
TEST(what_comes_out_is_utf8)
{
    struct text out;
    text_init(&out, 1000);
    for (unsigned i = 0; i < 256 * 256 + 256 * 64 * 64; i++) {
        unsigned rest = i - 256 * 256;
        char string[4] = {(char)(i >> 8), (char)i, 0, 0};
        if (i >= 256 * 256)
            memcpy(
                string,
                (char[]){(char)(0xe0 + rest % 24), (char)(rest / 24), (char)(0x7e + rest % 70), 0},
                4);
        text_clear(&out);
        escape_json(&out, string);
        assert_true(is_utf8((const uint8_t *)text_string(&out)));
        if (is_utf8((const uint8_t *)string) && strcmp(string, NONE) != 0)
            assert_null(strstr(text_string(&out), NONE));
    }
    text_fini(&out);
}
