/* SPDX-License-Identifier: MIT */
#include "relay/upstream/renames.h"

#include "test.h"

static struct renames renames;

static bool parse(const char *text)
{
    return renames_parse(bytes_of(text), &renames);
}

TEST(each_command_has_its_word)
{
    assert_true(parse(" psync  xyz,\tREPLCONF abc ,Config c0nf"));
    assert_string_equal(renames_word(&renames, "PSYNC"), "xyz");
    assert_string_equal(renames_word(&renames, "REPLCONF"), "abc");
    assert_string_equal(renames_word(&renames, "CONFIG"), "c0nf");
    assert_string_equal(renames_word(&renames, "AUTH"), "AUTH");
    assert_string_equal(renames_word(NULL, "PSYNC"), "PSYNC");
    assert_true(parse("AUTH a, CONFIG b, INFO c, PING d, PSYNC e, REPLCONF f"));
    assert_string_equal(renames_word(&renames, "AUTH"), "a");
    assert_true(parse(""));
    assert_int_equal(renames.count, 0);
}

TEST(what_cannot_be_meant_is_refused)
{
    static const char *const bad[] = {
        "PSYNC", "PSYNC \"\" x",       "PSYNC x y",        "PSYNC x,",    ",",
        "SET x", "PSYNC x REPLCONF y", "PSYNC x, psync y", "PSYNC x\x01", "PSYNC ,x",
    };
    assert_true(parse("PSYNC kept"));
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(parse(bad[i]));
    assert_string_equal(renames_word(&renames, "PSYNC"), "kept");
    char word[RENAME_WORD_MAX + 16] = "PSYNC ";
    memset(word + 6, 'x', RENAME_WORD_MAX - 1);
    assert_true(parse(word));
    word[6 + RENAME_WORD_MAX - 1] = 'x';
    assert_false(parse(word));
}
