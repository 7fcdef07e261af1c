/* SPDX-License-Identifier: MIT */
#include "pattern.h"

/* What a byte is compared as. */
typedef unsigned fold_fn(unsigned byte);

static unsigned as_it_is(unsigned byte)
{
    return byte;
}

static unsigned pattern_lower(unsigned byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

/* "[...]" at `at`: is `byte` in it? Sets *after behind it; a class that is not closed ends with the
 * pattern. */
static bool class_has(struct bytes pattern, size_t at, fold_fn *fold, unsigned byte, size_t *after)
{
    bool found = false;
    size_t i = at + 1;
    bool negated = i < pattern.length && pattern.data[i] == '^';
    if (negated)
        i++;
    while (i < pattern.length && pattern.data[i] != ']') {
        if (pattern.data[i] == '\\' && i + 1 < pattern.length)
            i++;
        unsigned first = fold(pattern.data[i]);
        unsigned last = first;
        if (i + 2 < pattern.length && pattern.data[i + 1] == '-' && pattern.data[i + 2] != ']') {
            last = fold(pattern.data[i + 2]);
            i += 2;
        }
        if (first > last ? byte >= last && byte <= first : byte >= first && byte <= last)
            found = true;
        i++;
    }
    *after = i < pattern.length ? i + 1 : i;
    return found != negated;
}

/* Does the one element at `at` (no '*') match `byte`? Sets *after behind it. */
static bool element_matches(struct bytes pattern, size_t at, fold_fn *fold, unsigned byte,
                            size_t *after)
{
    *after = at + 1;
    if (pattern.data[at] == '?')
        return true;
    if (pattern.data[at] == '[')
        return class_has(pattern, at, fold, byte, after);
    if (pattern.data[at] == '\\' && at + 1 < pattern.length)
        *after = at + 2;
    return fold(pattern.data[*after - 1]) == byte;
}

/* Goes back to the last '*' only: an earlier one could not do better, so there is no recursion. */
static bool pattern_matches_from(struct bytes pattern, struct bytes name, fold_fn *fold)
{
    size_t at = 0;
    size_t i = 0;
    size_t star = pattern.length; /* the element behind the last '*' */
    size_t star_i = 0;            /* where the name goes on if that '*' takes one byte more */
    bool has_star = false;
    while (i < name.length) {
        size_t after;
        if (at < pattern.length && pattern.data[at] == '*') {
            has_star = true;
            star = ++at;
            star_i = i;
        } else if (at < pattern.length &&
                   element_matches(pattern, at, fold, fold(name.data[i]), &after)) {
            at = after;
            i++;
        } else if (has_star) {
            at = star;
            i = ++star_i;
        } else {
            return false;
        }
    }
    while (at < pattern.length && pattern.data[at] == '*')
        at++;
    return at == pattern.length;
}

bool pattern_matches(struct bytes pattern, struct bytes name)
{
    return pattern_matches_from(pattern, name, pattern_lower);
}

bool pattern_matches_exactly(struct bytes pattern, struct bytes name)
{
    return pattern_matches_from(pattern, name, as_it_is);
}
