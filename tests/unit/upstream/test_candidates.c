/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/candidates.h"

#include "test.h"

static struct candidates candidates;

static void begin_with(size_t count)
{
    struct origin_candidates list = {.count = count};
    for (size_t i = 0; i < count; i++) {
        snprintf(list.at[i].host, sizeof(list.at[i].host), "host%zu", i);
        list.at[i].port = (uint16_t)(7000 + i);
    }
    candidates_init(&candidates, &list);
}

static void expect_turn(size_t which)
{
    const struct origin_address *current = candidates_current(&candidates);
    char host[16];
    snprintf(host, sizeof(host), "host%zu", which);
    assert_non_null(current);
    assert_string_equal(current->host, host);
    assert_int_equal(current->port, 7000 + which);
}

TEST(nobody)
{
    begin_with(0);
    assert_null(candidates_current(&candidates));
    assert_false(candidates_have_choice(&candidates));
}

TEST(a_single_one_is_a_round)
{
    begin_with(1);
    assert_false(candidates_have_choice(&candidates));
    for (int i = 0; i < 3; i++) {
        expect_turn(0);
        assert_true(candidates_pass(&candidates));
    }
}

/* For every number of candidates and every one that was good last: a round begins with it, comes to each
 * once, and ends there. */
TEST(rounds_begin_with_the_one_that_was_good)
{
    for (size_t count = 2; count <= ORIGIN_CANDIDATES_MAX; count++) {
        for (size_t good = 0; good < count; good++) {
            begin_with(count);
            assert_true(candidates_have_choice(&candidates));
            for (size_t i = 0; i < good; i++)
                assert_false(candidates_pass(&candidates));
            candidates_settle(&candidates);
            for (size_t turn = 0; turn < count * 2; turn++) {
                expect_turn((good + turn) % count);
                bool is_round = turn % count == count - 1;
                assert_int_equal(candidates_pass(&candidates), is_round);
            }
            expect_turn(good);
        }
    }
}

/* Every way in which three candidates may be strangers or of no use at all, for two rounds. */
TEST(strangers_are_accepted_in_the_round_after_one_was_met)
{
    enum { COUNT = 3 };
    for (unsigned strangers = 0; strangers < 1u << COUNT * 2; strangers++) {
        begin_with(COUNT);
        for (unsigned turn = 0; turn < COUNT * 2; turn++) {
            bool expected = turn >= COUNT && (strangers & 7u) != 0;
            assert_int_equal(candidates.accept_stranger, expected);
            if (strangers & 1u << turn)
                candidates.met_stranger = true;
            (void)candidates_pass(&candidates);
        }
        assert_int_equal(candidates.accept_stranger, strangers >> COUNT != 0);
        candidates_settle(&candidates);
        assert_false(candidates.accept_stranger);
        assert_false(candidates.met_stranger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody),
        cmocka_unit_test(a_single_one_is_a_round),
        cmocka_unit_test(rounds_begin_with_the_one_that_was_good),
        cmocka_unit_test(strangers_are_accepted_in_the_round_after_one_was_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
