/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/pattern.h"

#include "test.h"

TEST(names_match_as_redis_server_has_it)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool matches;
    } rows[] = {
        {"port", "port", true},
        {"PORT", "port", true},
        {"port", "ports", false},
        {"ports", "port", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "a", true},
        {"repl-*", "repl-x", true},
        {"repl-*", "repl-", true},
        {"repl-*", "repl", false},
        {"*size", "backlog-size", true},
        {"*size", "sizes", false},
        {"*a*b*", "xaxbx", true},
        {"*a*b*", "xbxax", false},
        {"a*b*c", "abbbcc", true},
        {"a*bc", "abcbc", true},
        {"?", "a", true},
        {"?", "", false},
        {"p?rt", "port", true},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[^a-c]x", "dx", true},
        {"[^a-c]x", "ax", false},
        {"[c-a]x", "bx", true},
        {"[A-C]x", "bx", true},
        {"[abc", "b", true},
        {"[]", "a", false},
        {"[a\\]]", "]", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\", "\\", true},
        {"x[a-", "xa", true},
        {"*[0-9]", "slave12", true},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (pattern_matches(bytes_of(rows[i].pattern), bytes_of(rows[i].name)) != rows[i].matches)
            fail_msg("\"%s\" on \"%s\": expected %d", rows[i].pattern, rows[i].name,
                     rows[i].matches);
    }
}

TEST(channels_match_with_their_case)
{
    assert_true(pattern_matches_exactly(bytes_of("News.*"), bytes_of("News.Sport")));
    assert_false(pattern_matches_exactly(bytes_of("news.*"), bytes_of("News.Sport")));
    assert_false(pattern_matches_exactly(bytes_of("[a-z]x"), bytes_of("Ax")));
    assert_true(pattern_matches_exactly(bytes_of("[^a-z]x"), bytes_of("Ax")));
    assert_true(pattern_matches_exactly(bytes_of("\\*A?"), bytes_of("*Ab")));
}

/* What takes a naive matcher longer than the world will last. */
TEST(many_stars_take_no_time)
{
    char pattern[201];
    char name[1001];
    for (size_t i = 0; i < 200; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[199] = 'b';
    pattern[200] = '\0';
    memset(name, 'a', 1000);
    name[1000] = '\0';
    assert_false(pattern_matches(bytes_of(pattern), bytes_of(name)));
    name[999] = 'b';
    assert_true(pattern_matches(bytes_of(pattern), bytes_of(name)));
}

/* Whatever comes: an answer, and (under a sanitizer) no byte beyond the end. */
TEST(all_short_patterns_end)
{
    static const char letters[] = "*?[]^-\\a";
    char pattern[6] = "";
    size_t matching = 0;
    for (unsigned code = 0; code < 8 * 8 * 8 * 8 * 8; code++) {
        unsigned rest = code;
        for (size_t i = 0; i < 5; i++, rest /= 8)
            pattern[i] = letters[rest % 8];
        char *exact = strdup(pattern); /* its end is an end that a sanitizer sees */
        assert_non_null(exact);
        matching += pattern_matches(bytes_at(exact, 5), bytes_of("a"));
        free(exact);
    }
    assert_in_range(matching, 1, 8 * 8 * 8 * 8 * 8 - 1);
}
