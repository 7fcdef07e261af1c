/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/backoff.h"

#include "test.h"

enum { TRIES = 200 };

static const struct backoff backoff = {.ms_min = 100, .ms_max = 5000};

/* Between the half and the whole, and not always the same. */
static void check_range(unsigned failures, int64_t longest)
{
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (int i = 0; i < TRIES; i++) {
        int64_t ms = backoff_ms(backoff, failures);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_in_range(least, longest / 2, longest);
    assert_in_range(most, longest / 2, longest);
    assert_true(most > least);
}

TEST(grows_and_is_limited)
{
    check_range(1, 100);
    check_range(2, 200);
    check_range(6, 3200);
    check_range(7, 5000);
    check_range(8, 5000);
    check_range(UINT32_MAX, 5000);
}

TEST(without_a_failure_there_is_no_wait)
{
    assert_int_equal(backoff_ms(backoff, 0), 0);
}

TEST(the_smallest_there_is)
{
    const struct backoff small = {.ms_min = 1, .ms_max = 1};
    for (unsigned failures = 1; failures < 100; failures++)
        assert_int_equal(backoff_ms(small, failures), 1);
}
