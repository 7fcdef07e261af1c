/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/refresh_pace.h"

#include "../../../relay/upstream/refresh_note.h"
#include "test.h"

enum { NOW = 50 * 1000, HOUR = 3600 * 1000 };

static struct refresh_pace pace;

static int set_up(void **state)
{
    (void)state;
    pace = (struct refresh_pace){0};
    return 0;
}

#define PACE_TEST(name) TEST_SETUP(name, set_up, NULL)

static int64_t pause_after(int64_t now_ms, bool somebody_waits)
{
    return refresh_pace_next_ms(&pace, somebody_waits, HOUR) - now_ms;
}

PACE_TEST(the_first_may_begin_at_once)
{
    assert_true(refresh_pace_next_ms(&pace, false, HOUR) <= NOW);
    assert_true(refresh_pace_next_ms(&pace, true, HOUR) <= NOW);
}

PACE_TEST(the_interval_counts_from_the_end_whatever_it_was)
{
    static const enum refresh_end ends[] = {REFRESH_GOOD, REFRESH_FAILED, REFRESH_CANCELLED};
    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        pace = (struct refresh_pace){0};
        refresh_pace_ask(&pace, NOW);
        refresh_pace_end(&pace, NOW + 7000, ends[i], true);
        assert_int_equal(pause_after(NOW + 7000, false), HOUR);
    }
}

PACE_TEST(who_waits_lets_the_primary_rest_as_long_as_it_worked)
{
    refresh_pace_ask(&pace, NOW);
    refresh_pace_end(&pace, NOW + 7000, REFRESH_GOOD, true);
    assert_int_equal(pause_after(NOW + 7000, true), 7000);
    refresh_pace_ask(&pace, NOW);
    refresh_pace_end(&pace, NOW + HOUR, REFRESH_GOOD, true);
    assert_int_equal(pause_after(NOW + HOUR, true), 5 * 60 * 1000);
}

PACE_TEST(failures_make_who_waits_wait_longer)
{
    int64_t last = 0;
    for (int i = 0; i < 12; i++) {
        refresh_pace_ask(&pace, NOW);
        refresh_pace_end(&pace, NOW, REFRESH_FAILED, true);
        last = pause_after(NOW, true);
        assert_in_range(last, 500, 5 * 60 * 1000);
    }
    assert_true(last >= 150 * 1000);
    refresh_pace_ask(&pace, NOW);
    refresh_pace_end(&pace, NOW, REFRESH_GOOD, true);
    assert_int_equal(pause_after(NOW, true), 0);
}

/* A relay serves from its disk; and who says no has not forked. */
PACE_TEST(what_costs_no_fork_is_tried_again_sooner)
{
    for (int i = 0; i < 12; i++) {
        refresh_pace_ask(&pace, NOW);
        refresh_pace_end(&pace, NOW, REFRESH_FAILED, false);
        assert_in_range(pause_after(NOW, true), 500, 30 * 1000);
    }
    pace = (struct refresh_pace){0};
    for (int i = 0; i < 12; i++) {
        refresh_pace_ask(&pace, NOW);
        refresh_pace_end(&pace, NOW, REFRESH_REFUSED, true);
        assert_in_range(pause_after(NOW, false), 500, 30 * 1000);
    }
    for (int i = 0; i < 12; i++) {
        refresh_pace_end(&pace, NOW, REFRESH_FAILED, true); /* it never came to asking */
        assert_in_range(pause_after(NOW, false), 500, 30 * 1000);
    }
}

PACE_TEST(a_refusal_does_not_take_back_what_was_before)
{
    refresh_pace_ask(&pace, NOW);
    refresh_pace_end(&pace, NOW, REFRESH_GOOD, true);
    refresh_pace_ask(&pace, NOW + 1000);
    refresh_pace_end(&pace, NOW + 1000, REFRESH_REFUSED, true);
    assert_int_equal(pause_after(NOW, false), HOUR);
}

PACE_TEST(a_process_before_counts)
{
    refresh_pace_recall(&pace, NOW, 1000 * 1000); /* longer ago than the clock began */
    assert_int_equal(pause_after(NOW, false), HOUR - 1000 * 1000);
    assert_true(pause_after(NOW, true) <= 0);
}

PACE_TEST(notes_are_read)
{
    int64_t wall_ms = 0;
    assert_true(
        refresh_note_parse(bytes_of("psync-relay refresh 1\nasked 1767225600000\n"), &wall_ms));
    assert_int_equal(wall_ms, 1767225600000);
    static const char *const bad[] = {
        "",
        "psync-relay refresh 1\n",
        "psync-relay refresh 2\nasked 1767225600000\n",
        "psync-relay refresh 1\nasked \n",
        "psync-relay refresh 1\nasked 1767225600000",
        "psync-relay refresh 1\nasked 1767225600000\nmore\n",
        "psync-relay refresh 1\nasked -5\n",
        "psync-relay refresh 1\nasked 99999999999999999999\n",
    };
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_false(refresh_note_parse(bytes_of(bad[i]), &wall_ms));
}
