/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/syntax.h"

#include "test.h"

static void expect_syntax(int protocol, const char *syntax, const char *reply)
{
    struct text out;
    text_init(&out, 4096);
    struct writer writer = {.out = &out, .protocol = protocol};
    syntax_write(&writer, syntax);
    assert_string_equal(text_string(&out), reply);
    text_fini(&out);
}

#define WORD(name, type) "$4\r\nname\r\n" name "$4\r\ntype\r\n" type "$12\r\ndisplay_text\r\n" name

TEST(a_word_is_a_value)
{
    expect_syntax(2, "message", "*1\r\n*6\r\n" WORD("$7\r\nmessage\r\n", "$6\r\nstring\r\n"));
    expect_syntax(3, "port", "*1\r\n%3\r\n" WORD("$4\r\nport\r\n", "$7\r\ninteger\r\n"));
    expect_syntax(2, "", "*0\r\n");
}

TEST(capitals_are_a_token)
{
    expect_syntax(3, "NOW",
                  "*1\r\n%4\r\n$4\r\nname\r\n$3\r\nnow\r\n$4\r\ntype\r\n$10\r\npure-token\r\n"
                  "$12\r\ndisplay_text\r\n$3\r\nNOW\r\n$5\r\ntoken\r\n$3\r\nNOW\r\n");
}

TEST(brackets_and_dots_are_flags)
{
    expect_syntax(
        3, "[message]",
        "*1\r\n%4\r\n" WORD("$7\r\nmessage\r\n", "$6\r\nstring\r\n") "$5\r\nflags\r\n~1\r\n"
                                                                     "+optional\r\n");
    expect_syntax(2, "[section...]",
                  "*1\r\n*8\r\n" WORD("$7\r\nsection\r\n",
                                      "$6\r\nstring\r\n") "$5\r\nflags\r\n*2\r\n+optional\r\n"
                                                          "+multiple\r\n");
}

TEST(several_in_brackets_are_a_block)
{
    expect_syntax(3, "x [ID client-id...]",
                  "*2\r\n%3\r\n" WORD("$1\r\nx\r\n", "$6\r\nstring\r\n") //
                  "%4\r\n$4\r\nname\r\n$12\r\nid_client-id\r\n$4\r\ntype\r\n$5\r\nblock\r\n"
                  "$5\r\nflags\r\n~1\r\n+optional\r\n$9\r\narguments\r\n*2\r\n"
                  "%4\r\n$4\r\nname\r\n$2\r\nid\r\n$4\r\ntype\r\n$10\r\npure-token\r\n"
                  "$12\r\ndisplay_text\r\n$2\r\nID\r\n$5\r\ntoken\r\n$2\r\nID\r\n"
                  "%4\r\n" WORD("$9\r\nclient-id\r\n", "$7\r\ninteger\r\n") //
                  "$5\r\nflags\r\n~1\r\n+multiple\r\n");
}

TEST(alternatives_are_one_of)
{
    static const char on_or_a[] =
        "$4\r\nname\r\n$6\r\non_a_b\r\n$4\r\ntype\r\n$5\r\noneof\r\n%s$9\r\narguments\r\n*2\r\n"
        "%%4\r\n$4\r\nname\r\n$2\r\non\r\n$4\r\ntype\r\n$10\r\npure-token\r\n"
        "$12\r\ndisplay_text\r\n$2\r\nON\r\n$5\r\ntoken\r\n$2\r\nON\r\n"
        "%%3\r\n$4\r\nname\r\n$3\r\na_b\r\n$4\r\ntype\r\n$5\r\nblock\r\n$9\r\narguments\r\n*2\r\n"
        "%%3\r\n" WORD("$1\r\na\r\n", "$6\r\nstring\r\n") //
        "%%3\r\n" WORD("$1\r\nb\r\n", "$6\r\nstring\r\n");
    char expected[1024];
    char body[900];
    snprintf(body, sizeof(body), on_or_a, "");
    snprintf(expected, sizeof(expected), "*1\r\n%%3\r\n%s", body);
    expect_syntax(3, "<ON | a b>", expected);
    snprintf(body, sizeof(body), on_or_a, "$5\r\nflags\r\n~1\r\n+optional\r\n");
    snprintf(expected, sizeof(expected), "*1\r\n%%4\r\n%s", body);
    expect_syntax(3, "[ON | a b]", expected);
}
