/* SPDX-License-Identifier: MIT
 *
 * What every test program includes: cmocka with the headers that it needs, in the order in which it needs
 * them, tests that register themselves, comparisons of views, and inputs cut into pieces in every way.
 *
 *     TEST(reads_a_command)
 *     {
 *         assert_view(command.argument[0], "PING");
 *     }
 *
 * test.c holds main(): it runs the tests of the program in the order of their lines. Arguments select
 * those whose names contain one of them, --list prints the names.
 */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/bytes.h"

/* One test; static storage. setup and teardown run around it and may be NULL, as cmocka knows them. */
struct test {
    const char *name;
    int line;
    CMUnitTestFunction run;
    CMFixtureFunction setup;
    CMFixtureFunction teardown;
    struct test *next;
};

/* Before main(). */
void test_register(struct test *test);
void test_register_group(CMFixtureFunction setup, CMFixtureFunction teardown);

/* How many descriptors of this process are open. main() fails when the tests leave more than they found. */
unsigned test_descriptors(void);

/* The step of a search that takes too long to be whole each time: `quick`, and 1 in `make check-all`. */
unsigned test_stride(unsigned quick);

enum { TEST_PROCESSES = 4 };

/* number is 0 to TEST_PROCESSES - 1. */
typedef void test_process_fn(unsigned number, void *arg);

/* Calls run in TEST_PROCESSES processes side by side; the test fails when it fails in one of them. */
void test_in_processes(test_process_fn *run, void *arg);

#define TEST(name) TEST_SETUP(name, NULL, NULL)

/* Files whose tests share a fixture name it once: #define STORE_TEST(name) TEST_SETUP(name, open, close) */
#define TEST_SETUP(name, set_up, tear_down)                                                        \
    static void name(void **state);                                                                \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        static struct test test = {#name, __LINE__, name, set_up, tear_down, NULL};                \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void name(void **state __attribute__((unused)))

/* A fixture around all tests of the program, at most one; either may be NULL. */
#define TEST_GROUP(set_up, tear_down)                                                              \
    __attribute__((constructor)) static void register_group(void)                                  \
    {                                                                                              \
        test_register_group(set_up, tear_down);                                                    \
    }                                                                                              \
    _Static_assert(true, "takes the semicolon")

/* A view of a literal that may hold zeros. */
#define LITERAL(string) bytes_at(string, sizeof(string) - 1)

static inline void assert_views_equal(struct bytes actual, struct bytes expected)
{
    if (actual.length != expected.length || !bytes_equal(actual, expected)) {
        char left[200];
        char right[200];
        fail_msg("got %zu bytes \"%s\", expected %zu bytes \"%s\"", actual.length,
                 bytes_printable(actual, left, sizeof(left)), expected.length,
                 bytes_printable(expected, right, sizeof(right)));
    }
}

static inline void assert_view(struct bytes actual, const char *expected)
{
    assert_views_equal(actual, bytes_of(expected));
}

/* Numbers that are the same in every run: xorshift64*. The seed is not 0. */
static inline uint64_t test_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t test_random_below(uint64_t *seed, uint64_t bound)
{
    return (test_random(seed) >> 16) % bound;
}

/* Takes the next piece of an input; context is what each_split was given. */
typedef void test_piece_fn(void *context, struct bytes piece);

/* The input in pieces of `length` bytes. */
static inline void feed_pieces(struct bytes input, size_t length, test_piece_fn *feed,
                               void *context)
{
    while (input.length > 0) {
        size_t count = input.length < length ? input.length : length;
        feed(context, bytes_first(input, count));
        input = bytes_skip(input, count);
    }
}

/* The input in pieces of 1 to `most` bytes. */
static inline void feed_random(struct bytes input, uint64_t *seed, size_t most, test_piece_fn *feed,
                               void *context)
{
    while (input.length > 0) {
        size_t count = 1 + (size_t)test_random_below(seed, most);
        if (count > input.length)
            count = input.length;
        feed(context, bytes_first(input, count));
        input = bytes_skip(input, count);
    }
}

/* For every position, 0 and the end included: begin, the two pieces, end. */
static inline void each_split(struct bytes input, void (*begin)(void *context), test_piece_fn *feed,
                              void (*end)(void *context), void *context)
{
    for (size_t position = 0; position <= input.length; position++) {
        begin(context);
        feed(context, bytes_first(input, position));
        feed(context, bytes_skip(input, position));
        end(context);
    }
}

#endif
