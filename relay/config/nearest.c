/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <string.h>

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance, with one row of the table at a time: row[j] is the distance of the first i letters of
 * `a` from the first j of `b`. */
size_t nearest_distance(const char *a, const char *b)
{
    size_t a_length = strnlen(a, NEAREST_LENGTH_MAX);
    size_t b_length = strnlen(b, NEAREST_LENGTH_MAX);
    size_t row[NEAREST_LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least_of(changed, least_of(row[j - 1], row[j]) + 1);
        }
    }
    return row[b_length];
}
