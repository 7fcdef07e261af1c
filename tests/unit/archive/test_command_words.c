/* SPDX-License-Identifier: MIT */
#include "relay/archive/command_words.h"

#include "test.h"

/* The words, each in brackets; or what is wrong. */
static const char *split(const char *line)
{
    static char out[4096];
    struct command_words words;
    struct error error;
    size_t at = 0;
    out[0] = '\0';
    if (!command_words_make(line, "/data dir/a", "a", &words, &error)) {
        snprintf(out, sizeof(out), "%s", error.text);
        return out;
    }
    assert_null(words.argv[words.count]);
    for (size_t i = 0; i < words.count; i++)
        at += (size_t)snprintf(out + at, sizeof(out) - at, "[%s]", words.argv[i]);
    command_words_free(&words);
    return out;
}

TEST(words_are_split_at_blanks)
{
    assert_string_equal(split("cp a b"), "[cp][a][b]");
    assert_string_equal(split("  cp\t a   b "), "[cp][a][b]");
    assert_string_equal(split("cp"), "[cp]");
}

TEST(quotes_keep_words_together)
{
    assert_string_equal(split("a 'b c' \"d e\" f' 'g"), "[a][b c][d e][f g]");
    assert_string_equal(split("a '' \"\""), "[a][][]");
    assert_string_equal(split("a 'b\\' \"c\\\"d\\\\e\\f\""), "[a][b\\][c\"d\\e\\f]");
    assert_string_equal(split("a \\ b \\' \\\\"), "[a][ b]['][\\]");
    assert_string_equal(split("a \"it's\" '\"'"), "[a][it's][\"]");
}

TEST(placeholders_are_put_in_after_the_splitting)
{
    assert_string_equal(split("cp %p /x/%f"), "[cp][/data dir/a][/x/a]");
    assert_string_equal(split("%p%p%f%%f '%p' \"%f\""),
                        "[/data dir/a/data dir/aa%f][/data dir/a][a]");
    assert_string_equal(split("a \\%p"), "[a][%p]");
}

TEST(nothing_of_a_shell_means_anything)
{
    assert_string_equal(split("a $HOME `b` *|c;d >e &"), "[a][$HOME][`b`][*|c;d][>e][&]");
}

TEST(what_is_wrong_is_told)
{
    assert_string_equal(split(""), "it names no program");
    assert_string_equal(split("  "), "it names no program");
    assert_string_equal(split("'' a"), "it names no program");
    assert_string_equal(split("a 'b"), "a ' is not closed");
    assert_string_equal(split("a \"b\\\""), "a \" is not closed");
    assert_string_equal(split("a \\"), "nothing follows the last \\");
    assert_non_null(strstr(split("a %x"), "%% for a percent sign"));
    assert_non_null(strstr(split("a %"), "%% for a percent sign"));
    assert_non_null(strstr(split("a '%"), "%% for a percent sign"));
    char many[COMMAND_WORDS_MAX * 2 + 3];
    for (size_t i = 0; i < sizeof(many) - 1; i++)
        many[i] = i % 2 == 0 ? 'x' : ' ';
    many[sizeof(many) - 1] = '\0';
    assert_non_null(strstr(split(many), "more than 64 words"));
    many[COMMAND_WORDS_MAX * 2 - 1] = '\0';
    assert_string_equal(split("x"), "[x]");
    assert_int_equal(strlen(split(many)), 3 * COMMAND_WORDS_MAX);
}

TEST(an_empty_command_can_be_set)
{
    struct error error;
    assert_true(command_words_check("", &error));
    assert_true(command_words_check("cp %p %f", &error));
    assert_false(command_words_check("cp %q", &error));
}
