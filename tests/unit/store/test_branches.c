/* SPDX-License-Identifier: MIT
 *
 * Branches against a model that writes down, for each branch, who wrote each byte of it.
 */
#include "relay/store/branches.h"

#include "test.h"

enum { LENGTH = 40, BRANCHES = 12 };

TEST(a_history_with_one_branch_is_common_to_all)
{
    struct branches branches = {.current = 0};
    assert_int_equal(branches_common_end(&branches, 0), UINT64_MAX);
}

TEST(a_cut_limits_those_before_it)
{
    struct branches branches = {.current = 0};
    branches_begin(&branches, 100);
    assert_int_equal(branches.current, 1);
    assert_int_equal(branches_common_end(&branches, 0), 100);
    assert_int_equal(branches_common_end(&branches, 1), UINT64_MAX);
    branches_begin(&branches, 200);
    assert_int_equal(branches_common_end(&branches, 0), 100);
    assert_int_equal(branches_common_end(&branches, 1), 200);
    branches_begin(&branches, 50);
    assert_int_equal(branches_common_end(&branches, 0), 50);
    assert_int_equal(branches_common_end(&branches, 1), 50);
    assert_int_equal(branches_common_end(&branches, 2), 50);
    assert_int_equal(branches_common_end(&branches, 3), UINT64_MAX);
}

/* Branch b is written by b itself from where it begins on. */
TEST(what_is_common_are_the_same_writers)
{
    uint64_t seed = 4711;
    for (int round = 0; round < 2000; round++) {
        struct branches branches = {.current = 0};
        unsigned writer[BRANCHES][LENGTH] = {{0}};
        for (unsigned b = 1; b < BRANCHES; b++) {
            uint64_t offset = test_random_below(&seed, LENGTH);
            branches_begin(&branches, offset);
            for (uint64_t i = 0; i < LENGTH; i++)
                writer[b][i] = i < offset ? writer[b - 1][i] : b;
            for (unsigned other = 0; other < b; other++) {
                uint64_t common = 0;
                while (common < LENGTH && writer[other][common] == writer[b][common])
                    common++;
                assert_int_equal(branches_common_end(&branches, other), common);
            }
        }
    }
}

/* A failover a minute for years: what there is room for is told apart, the rest is claimed too little of. */
TEST(many_are_limited_never_too_late)
{
    struct branches branches = {.current = 0};
    enum { MANY = 1000 };
    for (uint64_t i = 1; i <= MANY; i++)
        branches_begin(&branches, i * 10);
    assert_int_equal(branches.count, BRANCHES_STARTS_MAX);
    for (uint64_t branch = 0; branch < MANY; branch++) {
        uint64_t exact = (branch + 1) * 10;
        uint64_t told = branches_common_end(&branches, branch);
        assert_true(told <= exact);
        if (branch + BRANCHES_STARTS_MAX > MANY)
            assert_int_equal(told, exact);
    }
    assert_int_equal(branches_common_end(&branches, MANY), UINT64_MAX);
}
