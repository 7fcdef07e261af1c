/* SPDX-License-Identifier: MIT
 *
 * Some Sentinels do not answer to a connection: the others are connected to beside them. */
#include "../../../relay/upstream/connect_race.h"
#include "sentinel_stage.h"

/* The next connection is made at once when this much time has passed, and not before. */
static struct conn *await_after(int64_t delay_ms, uint16_t port)
{
    size_t before = fake_conn_count();
    if (delay_ms > 0)
        fake_loop_pass(loop, delay_ms - 1);
    assert_int_equal(fake_conn_count(), before);
    fake_loop_pass(loop, delay_ms > 0 ? 1 : 0);
    assert_int_equal(fake_conn_count(), before + 1);
    return await(port);
}

SENTINEL_TEST(those_that_hang_hold_up_nobody)
{
    start();
    struct conn *first = await(26379);
    struct conn *second_one = await_after(CONNECT_STAGGER_MS, 26380);
    struct conn *third = await_after(CONNECT_STAGGER_MS, 26381);
    fake_conn_up(third);
    expect_sent(third, QUESTION SUBSCRIBE);
    say(third, ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
    assert_true(fake_conn_is_closed(first));
    assert_true(fake_conn_is_closed(second_one));
    fake_loop_pass(loop, 5000);
    assert_int_equal(fake_conn_count(), 3);
}

SENTINEL_TEST(after_one_that_refuses_the_next_follows_at_once)
{
    start();
    struct conn *slow = await(26379);
    fake_conn_down(await_after(CONNECT_STAGGER_MS, 26380), "Connection refused");
    fake_conn_run_all();
    struct conn *good = await(26381);
    fake_conn_up(slow); /* it is the first all the same */
    expect_sent(slow, QUESTION SUBSCRIBE);
    say(slow, ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
    assert_true(fake_conn_is_closed(good));
}

SENTINEL_TEST(one_that_is_overtaken_is_asked_when_the_other_is_of_no_use)
{
    options.sentinels.count = 2;
    start();
    struct conn *slow = await(26379);
    struct conn *unknowing = await_after(CONNECT_STAGGER_MS, 26380);
    fake_conn_up(unknowing);
    expect_sent(unknowing, QUESTION SUBSCRIBE);
    fake_conn_up(slow);
    expect_sent(slow, "");
    say(unknowing, "*-1\r\n" SUBSCRIBED);
    assert_true(fake_conn_is_closed(unknowing));
    fake_loop_pass(loop, 0);
    fake_loop_pass(loop, 0);
    expect_sent(slow, QUESTION SUBSCRIBE);
    say(slow, ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
    assert_int_equal(fake_conn_count(), 2);
}

/* Each has two seconds, and a turn that was used up beside another's is not waited for again. */
SENTINEL_TEST(where_all_hang_there_is_a_rest_between_the_rounds)
{
    start();
    struct conn *first = await(26379);
    (void)await_after(CONNECT_STAGGER_MS, 26380);
    (void)await_after(CONNECT_STAGGER_MS, 26381);
    fake_loop_pass(loop, 1500 - 1);
    assert_false(fake_conn_is_closed(first));
    fake_loop_pass(loop, 1);
    assert_true(fake_conn_is_closed(first));
    for (size_t i = 1; i < 3; i++)
        fake_conn_down(fake_conn_nth(i), "Connection timed out");
    fake_conn_run_all();
    fake_loop_pass(loop, 0);
    fake_loop_pass(loop, 0);
    expect_told(0, "");
    for (unsigned i = 0; i < 10; i++) {
        size_t before = fake_conn_count();
        fake_loop_pass(loop, 10 * 1000);
        assert_in_range(fake_conn_count() - before, 1, 40);
    }
}

/* No timer but that of the race ends the turn of one that hangs. */
SENTINEL_TEST(without_memory_for_one_beside_the_race_goes_on)
{
    start();
    struct conn *first = await(26379);
    fake_conn_refuse_next();
    fake_loop_pass(loop, CONNECT_STAGGER_MS);
    assert_int_equal(fake_conn_count(), 1);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 26380);
    fake_conn_up(beside);
    expect_sent(beside, QUESTION SUBSCRIBE);
    say(beside, ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
    assert_true(fake_conn_is_closed(first));
}

SENTINEL_TEST(closed_while_several_are_connected_to)
{
    start();
    struct conn *first = await(26379);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 26380);
    sentinel_close(&sentinel);
    assert_true(fake_conn_is_closed(first));
    assert_true(fake_conn_is_closed(beside));
}
