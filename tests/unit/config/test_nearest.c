/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "../../../relay/config/nearest.h"

TEST(counts_letters)
{
    static const struct {
        const char *a;
        const char *b;
        size_t distance;
    } rows[] = {
        {"", "", 0},           {"", "fsync", 5},         {"fsync", "fsync", 0},
        {"fsnc", "fsync", 1},  {"fsyncs", "fsync", 1},   {"fsybc", "fsync", 1},
        {"fysnc", "fsync", 2}, {"kitten", "sitting", 3}, {"port", "bind", 4},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        assert_int_equal(nearest_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(nearest_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}

TEST(looks_at_the_beginning_of_long_names)
{
    char a[200];
    char b[200];
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    a[sizeof(a) - 1] = '\0';
    b[sizeof(b) - 1] = '\0';
    assert_int_equal(nearest_distance(a, b), NEAREST_LENGTH_MAX);
    assert_int_equal(nearest_distance(a, a), 0);
    assert_int_equal(nearest_distance(a, ""), NEAREST_LENGTH_MAX);
}
