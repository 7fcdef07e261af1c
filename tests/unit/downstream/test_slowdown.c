/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/slowdown.h"

#include "test.h"

enum { START_MS = 1000000 };

static struct slowdown slowdown;

/* So many rounds at the same moment. */
static void note(const char *address, uint16_t port, unsigned rounds, int64_t now_ms)
{
    for (unsigned i = 0; i < rounds; i++)
        slowdown_note(&slowdown, address, port, now_ms, now_ms);
}

static int begin(void **state)
{
    (void)state;
    memset(&slowdown, 0, sizeof(slowdown));
    return 0;
}

TEST(a_stranger_does_not_wait)
{
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS), 0);
}

TEST(each_round_but_the_first_waits_twice_as_long)
{
    static const int64_t expected_ms[] = {0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    int64_t now_ms = START_MS;
    for (size_t i = 0; i < LENGTH_OF(expected_ms); i++) {
        slowdown_note(&slowdown, "10.0.0.1", 6379, now_ms - 500, now_ms);
        int64_t wait_ms = slowdown_ms(&slowdown, "10.0.0.1", 6379, now_ms + 1000);
        assert_int_equal(wait_ms, expected_ms[i]);
        now_ms += 1000 + wait_ms + 500;
    }
}

TEST(only_the_same_address_and_port_waits)
{
    note("10.0.0.1", 6379, 2, START_MS);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.2", 6379, START_MS), 0);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6380, START_MS), 0);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS), 1000);
}

TEST(who_stayed_for_a_while_is_not_noted)
{
    note("10.0.0.1", 6379, 1, START_MS);
    slowdown_note(&slowdown, "10.0.0.1", 6379, START_MS - 1, START_MS + SLOWDOWN_RECENT_MS);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS + 1), 0);
    slowdown_note(&slowdown, "10.0.0.1", 6379, START_MS, START_MS + SLOWDOWN_RECENT_MS);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS + SLOWDOWN_RECENT_MS), 1000);
}

TEST(a_torn_rdb_and_a_tool_are_not_noted)
{
    for (int i = 0; i < 2; i++) {
        slowdown_note(&slowdown, "10.0.0.1", 6379, 0, START_MS);
        slowdown_note(&slowdown, "10.0.0.1", 0, START_MS, START_MS);
    }
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS), 0);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 0, START_MS), 0);
}

TEST(it_is_forgotten_after_a_while)
{
    note("10.0.0.1", 6379, 3, START_MS);
    int64_t last_ms = START_MS + SLOWDOWN_RECENT_MS + 2000;
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, last_ms), 2000);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, last_ms + 1), 0);
    /* and begins anew */
    note("10.0.0.1", 6379, 2, last_ms + 1);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, last_ms + 1), 1000);
}

TEST(a_good_end_makes_it_forgotten)
{
    note("10.0.0.1", 6379, 5, START_MS);
    slowdown_forget(&slowdown, "10.0.0.1", 6380);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS), 8000);
    slowdown_forget(&slowdown, "10.0.0.1", 6379);
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 6379, START_MS), 0);
    slowdown_forget(&slowdown, "10.0.0.1", 0);
}

TEST(the_oldest_gives_way)
{
    for (uint16_t i = 0; i <= SLOWDOWN_PLACES; i++)
        note("10.0.0.1", (uint16_t)(1000 + i), 2, START_MS + i);
    int64_t now_ms = START_MS + SLOWDOWN_PLACES;
    assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", 1000, now_ms), 0);
    for (uint16_t i = 1; i <= SLOWDOWN_PLACES; i++)
        assert_int_equal(slowdown_ms(&slowdown, "10.0.0.1", (uint16_t)(1000 + i), now_ms), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stranger_does_not_wait, begin),
        cmocka_unit_test_setup(each_round_but_the_first_waits_twice_as_long, begin),
        cmocka_unit_test_setup(only_the_same_address_and_port_waits, begin),
        cmocka_unit_test_setup(who_stayed_for_a_while_is_not_noted, begin),
        cmocka_unit_test_setup(a_torn_rdb_and_a_tool_are_not_noted, begin),
        cmocka_unit_test_setup(it_is_forgotten_after_a_while, begin),
        cmocka_unit_test_setup(a_good_end_makes_it_forgotten, begin),
        cmocka_unit_test_setup(the_oldest_gives_way, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
