/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/delay.h"

#include "fake_clock.h"
#include "fake_store.h"
#include "relay/base/log.h"
#include "test.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { DELAY_MS = 60 * 1000, X = 100 };

static struct delay delay;
static struct history *history;

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    delay_init(&delay, DELAY_MS);
    history = fake_history_new(1, ID, X);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_store_reset();
    return 0;
}

#define DELAY_TEST(name) TEST_SETUP(name, set_up, tear_down)

/* A second in which ten bytes come. */
static void pass_seconds(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        fake_clock_advance(1000);
        fake_history_append(history, bytes_of("0123456789"));
        fake_history_note_time(history);
        (void)delay_look(&delay, history);
    }
}

DELAY_TEST(nothing_is_due_before_the_delay)
{
    (void)state;
    fake_history_note_time(history);
    assert_false(delay_look(&delay, NULL));
    assert_true(delay_look(&delay, history)); /* there is a history */
    assert_int_equal(delay.due, 0);
    pass_seconds(59);
    assert_int_equal(delay.due, 0);
    fake_clock_advance(999);
    assert_false(delay_look(&delay, history));
    fake_clock_advance(1);
    assert_true(delay_look(&delay, history));
    assert_int_equal(delay.due, X);
}

/* As the entries are, to a second; never a byte that is younger. */
DELAY_TEST(what_came_a_delay_ago_is_due)
{
    (void)state;
    fake_history_note_time(history);
    pass_seconds(60);
    assert_int_equal(delay.due, X);
    pass_seconds(1);
    assert_int_equal(delay.due, X + 10);
    pass_seconds(100);
    assert_int_equal(delay.due, X + 101 * 10);
    /* Nothing comes any more, and what came becomes due. */
    fake_clock_advance(30 * 1000);
    assert_true(delay_look(&delay, history));
    assert_int_equal(delay.due, X + 131 * 10);
    fake_clock_advance(1000 * 1000);
    assert_true(delay_look(&delay, history));
    assert_int_equal(delay.due, X + 161 * 10);
    assert_false(delay_look(&delay, history));
}

DELAY_TEST(a_clock_that_is_set_forward_lets_nothing_through_too_early)
{
    (void)state;
    fake_history_note_time(history);
    pass_seconds(90);
    assert_int_equal(delay.due, X + 30 * 10);
    fake_clock_step(3600 * 1000);
    for (unsigned second = 1; second <= 200; second++) {
        pass_seconds(1);
        assert_true(delay.due <= X + (30 + second) * 10);
        if (second < 60)
            assert_int_equal(delay.due, X + (30 + second) * 10);
    }
    assert_int_equal(delay.due, X + 230 * 10);
    assert_int_equal(delay_added_us(&delay, 0), 0);
}

DELAY_TEST(a_clock_that_is_set_back_takes_nothing_away)
{
    (void)state;
    fake_history_note_time(history);
    pass_seconds(90);
    fake_clock_step(-3600 * 1000);
    uint64_t before = delay.due;
    for (unsigned second = 1; second <= 200; second++) {
        pass_seconds(1);
        assert_true(delay.due >= before);
        assert_true(delay.due <= X + (30 + second) * 10);
        before = delay.due;
    }
    assert_int_equal(delay.due, X + 230 * 10);
}

/* Steps without end are held by few places: together they count for longer, never for less. */
DELAY_TEST(a_clock_that_steps_all_the_time)
{
    (void)state;
    fake_history_note_time(history);
    pass_seconds(90);
    for (unsigned second = 1; second <= 100; second++) {
        fake_clock_step(5000);
        pass_seconds(1);
        assert_true(delay.due <= X + (30 + second) * 10);
    }
    assert_true(delay_added_us(&delay, 0) >= INT64_C(60) * 5000 * 1000);
    pass_seconds(200);
    assert_int_equal(delay.due, X + 330 * 10);
}

DELAY_TEST(another_delay)
{
    (void)state;
    fake_history_note_time(history);
    pass_seconds(90);
    delay_set(&delay, 120 * 1000);
    pass_seconds(60);
    assert_int_equal(delay.due, X + 30 * 10); /* what was due stays due */
    pass_seconds(1);
    assert_int_equal(delay.due, X + 31 * 10);
    delay_set(&delay, 10 * 1000);
    pass_seconds(1);
    assert_int_equal(delay.due, X + 142 * 10);
}

DELAY_TEST(a_rewind_and_another_history)
{
    (void)state;
    fake_history_note_time(history);
    pass_seconds(90);
    assert_int_equal(delay.due, X + 300);
    fake_history_rewind(history, X + 500);
    assert_false(delay_look(&delay, history)); /* the branch was not due yet */
    pass_seconds(5);
    assert_int_equal(delay.due, X + 350);
    fake_history_rewind(history, X + 200);
    assert_true(delay_look(&delay, history)); /* at once, before a byte comes */
    assert_int_equal(delay.due, X + 200);
    pass_seconds(59);
    assert_int_equal(delay.due, X + 200);
    fake_clock_advance(1000);
    (void)delay_look(&delay, history);
    assert_int_equal(delay.due, X + 200);
    pass_seconds(1);
    assert_true(delay.due > X + 200 && delay.due <= X + 220);

    struct history *next = fake_history_new(2, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 7);
    assert_true(delay_look(&delay, next));
    assert_int_equal(delay.due, 0);
    assert_int_equal(delay.history_number, 2);
}
