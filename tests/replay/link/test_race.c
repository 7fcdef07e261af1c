/* SPDX-License-Identifier: MIT
 *
 * Some of several servers do not answer to a connection: the others are connected to beside them, and who is
 * chosen does not depend on it.
 */
#include "../../../relay/upstream/connect_race.h"
#include "candidates_stage.h"

#define KEEPER REPLICA /* its link is down: it has our history, and nothing to give */

/* The next connection is made at once when this much time has passed, and not before. */
static struct conn *await_after(int64_t delay_ms, size_t which)
{
    if (delay_ms > 0) {
        fake_loop_pass(stage.loop, delay_ms - 1);
        assert_false(stage_has_new());
        fake_loop_pass(stage.loop, 1);
    } else {
        fake_loop_pass(stage.loop, 0);
    }
    assert_true(stage_has_new());
    return await_turn(which);
}

static void say_what_it_is(struct conn *primary, const char *replication)
{
    stage.replication = replication;
    stage_introduce(primary);
}

static void settle(struct conn *primary)
{
    say_what_it_is(primary, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, FROM_X);
    stage_say(primary, CONTINUE);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(one_that_hangs_holds_up_nobody)
{
    start_with(2);
    struct conn *slow = await_turn(0);
    struct conn *good = await_after(CONNECT_STAGGER_MS, 1);
    stage_expect_state(LINK_CONNECTING);
    fake_conn_up(good);
    settle(good);
    assert_string_equal(stage_status().host, name_of(1));
    assert_true(fake_conn_is_closed(slow));
    assert_int_equal(stage_status().attempts, 2);
    assert_int_equal(stage.lost, 0);
}

LINK_TEST(any_number_that_hang_cost_a_stagger_each)
{
    start_with(5);
    (void)await_turn(0);
    for (size_t i = 1; i < 4; i++)
        (void)await_after(CONNECT_STAGGER_MS, i);
    struct conn *good = await_after(CONNECT_STAGGER_MS, 4);
    fake_conn_up(good);
    settle(good);
}

LINK_TEST(after_one_that_refuses_the_next_follows_at_once)
{
    start_with(4);
    (void)await_turn(0);
    fake_conn_down(await_after(CONNECT_STAGGER_MS, 1), "Connection refused");
    fake_conn_run_all();
    struct conn *good = await_after(0, 2);
    fake_conn_up(good);
    settle(good);
}

LINK_TEST(one_that_is_slower_than_the_stagger_is_taken_where_it_is_the_first)
{
    start_with(2);
    struct conn *slow = await_turn(0);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 1);
    fake_conn_up(slow);
    settle(slow);
    assert_string_equal(stage_status().host, name_of(0));
    assert_true(fake_conn_is_closed(beside));
}

/* The other was only connected earlier: whose turn it was is asked behind it, on the connection that it has. */
LINK_TEST(who_is_overtaken_keeps_its_turn)
{
    start_with(2);
    struct conn *slow = await_turn(0);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 1);
    fake_conn_up(beside);
    fake_conn_up(slow);
    say_what_it_is(beside, KEEPER);
    expect_passed(beside, "it is a replica of");
    fake_loop_pass(stage.loop, 0);
    stage_expect_state(LINK_HANDSHAKE);
    settle(slow);
    assert_string_equal(stage_status().host, name_of(0));
    assert_int_equal(stage_status().attempts, 2);
}

/* As long as it may still come up. */
LINK_TEST(a_replica_is_chosen_only_when_the_primary_has_had_its_time)
{
    for (int comes_up = 0; comes_up < 2; comes_up++) {
        start_with(2);
        struct conn *slow = await_turn(0);
        struct conn *replica = await_after(CONNECT_STAGGER_MS, 1);
        fake_conn_up(replica);
        say_what_it_is(replica, HEALTHY(STAGE_ID, "9999", ""));
        expect_passed(replica, "it is a replica of elsewhere.test:6399: primaries are asked first");
        fake_loop_pass(stage.loop, 1000);
        stage_expect_state(LINK_CONNECTING);
        assert_false(stage_has_new());
        if (comes_up) {
            fake_conn_up(slow);
            settle(slow);
        } else {
            fake_conn_down(slow, "Connection timed out");
            fake_conn_run_all();
            stage_expect_error("unreachable: Connection timed out");
            struct conn *again = await_after(0, 1);
            fake_conn_up(again);
            say_what_it_is(again, HEALTHY(STAGE_ID, "9999", ""));
            stage_ask(again, FROM_X);
        }
        stage_close(NULL);
        stage_open(NULL);
    }
}

LINK_TEST(without_memory_for_one_beside_the_race_goes_on)
{
    start_with(2);
    struct conn *slow = await_turn(0);
    size_t before = fake_conn_count();
    fake_conn_refuse_next();
    fake_loop_pass(stage.loop, CONNECT_STAGGER_MS);
    assert_int_equal(fake_conn_count(), before);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 1);
    assert_false(fake_conn_is_closed(slow));
    assert_false(fake_conn_is_closed(beside));
}

LINK_TEST(another_history_is_taken_only_when_all_have_had_their_time)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(2);
    struct conn *slow = await_turn(0);
    struct conn *unauthenticated = await_after(CONNECT_STAGGER_MS, 1);
    fake_conn_up(unauthenticated);
    say_what_it_is(unauthenticated, PRIMARY_OF(STAGE_OTHER_ID));
    stage_expect(unauthenticated, "INFO keyspace");
    stage_say_bulk(unauthenticated, EMPTY);
    expect_passed(unauthenticated, "it has another history");
    fake_loop_pass(stage.loop, 1000);
    stage_expect_state(LINK_CONNECTING);
    fake_conn_up(slow);
    settle(slow);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 0);
}

/* One that is to be promoted yet is asked again as often as if the dead one had refused. */
LINK_TEST(rounds_do_not_wait_for_one_that_hangs)
{
    static const int64_t longest[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    start_with(2);
    struct conn *slow = await_turn(0);
    struct conn *keeper = await_after(CONNECT_STAGGER_MS, 1);
    for (unsigned round = 0; round < LENGTH_OF(longest); round++) {
        fake_conn_up(keeper);
        say_what_it_is(keeper, KEEPER);
        expect_passed(keeper, "it is a replica of");
        expect_backoff(round + 1, longest[round]);
        assert_false(fake_conn_is_closed(slow));
        keeper =
            await_turn(1); /* at once when the rest is over: the other one has had its head start */
    }
    fake_conn_down(slow, "Connection timed out");
    fake_conn_up(keeper);
    settle(keeper);
}

/* What it failed of is told at its turn, and the next round tries it anew. */
LINK_TEST(an_attempt_that_fails_beside_is_told_at_its_turn)
{
    start_with(2);
    struct conn *slow = await_turn(0);
    struct conn *keeper = await_after(CONNECT_STAGGER_MS, 1);
    fake_conn_up(keeper);
    fake_conn_down(slow, "Connection timed out");
    fake_conn_run_all();
    stage_expect_state(LINK_HANDSHAKE);
    say_what_it_is(keeper, KEEPER);
    expect_next_at_once();
    fake_loop_pass(stage.loop, 0);
    fake_loop_pass(stage.loop, 0);
    stage_expect_error("unreachable: Connection timed out");
    expect_backoff(1, 100);
    (void)await_turn(0);
}

/* A first full sync is of the first in the list that answers. */
LINK_TEST(without_a_history_there_is_no_race)
{
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    struct conn *slow = await_turn(0);
    fake_loop_pass(stage.loop, 2000);
    assert_false(stage_has_new());
    fake_conn_down(slow, "Connection timed out");
    fake_conn_run_all();
    (void)await_after(0, 1);
}

/* ------------------------------------------------------------------ prefer = nearest */

static void await_all(struct conn *conns[], size_t count)
{
    fake_loop_pass(stage.loop, 0);
    assert_int_equal(fake_conn_count(), stage.connections + count);
    for (size_t i = 0; i < count; i++)
        conns[i] = fake_conn_nth(stage.connections + i);
    stage.connections += count;
}

LINK_TEST(of_all_the_nearest_is_followed)
{
    for (size_t nearest = 0; nearest < 3; nearest++) {
        struct conn *conns[3];
        stage.options.prefer = PRIMARY_PREFER_NEAREST;
        start_with(3);
        await_all(conns, 3);
        fake_conn_up(conns[nearest]);
        say_what_it_is(conns[nearest], HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID)));
        stage_ask(conns[nearest], FROM_X);
        stage_say(conns[nearest], CONTINUE);
        stage_expect_state(LINK_STREAMING);
        assert_string_equal(stage_status().host, name_of(nearest));
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(fake_conn_is_closed(conns[i]), i != nearest);
        stage_close(NULL);
        stage_open(NULL);
    }
}

/* Those that came after it have their turn in the order in which they came. */
LINK_TEST(where_the_nearest_is_of_no_use_the_next_is_followed)
{
    struct conn *conns[3];
    stage.options.prefer = PRIMARY_PREFER_NEAREST;
    start_with(3);
    await_all(conns, 3);
    fake_conn_up(conns[1]);
    fake_loop_pass(stage.loop, 1);
    fake_conn_up(conns[2]);
    fake_loop_pass(stage.loop, 1);
    fake_conn_up(conns[0]);
    say_what_it_is(conns[1], KEEPER);
    expect_passed(conns[1], "it is a replica of");
    fake_loop_pass(stage.loop, 0);
    stage_expect_state(LINK_HANDSHAKE);
    settle(conns[2]);
    assert_string_equal(stage_status().host, name_of(2));
}

LINK_TEST(also_the_first_full_sync_is_of_the_nearest)
{
    struct conn *conns[2];
    stage.options.prefer = PRIMARY_PREFER_NEAREST;
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    await_all(conns, 2);
    fake_conn_up(conns[1]);
    say_what_it_is(conns[1], HEALTHY(STAGE_ID, "4800", CHAIN(UPSTREAM_ID)));
    stage_ask(conns[1], "PSYNC ? -1");
}

/* Whether there is room for its RDB is looked at before it is asked again. */
LINK_TEST(one_whose_full_sync_failed_is_not_connected_to_beside)
{
    start_with(2);
    settle_on(0);
    hang_up(fake_conn_newest());
    refuse(0);
    struct conn *other = introduce(1, PRIMARY_OF(STAGE_ID));
    stage_ask(other, FROM_X);
    stage_say(other, "+FULLRESYNC " STAGE_ID " 9000\r\n");
    stage_expect_state(LINK_LOADING);
    stage_say(other, "-ERR BGSAVE failed\r\n");
    assert_int_equal(stage_status().full_sync_failures, 0); /* of the one whose turn it is now */
    (void)await_turn(0);
    fake_loop_pass(stage.loop, 10 * 1000);
    assert_false(stage_has_new());
}

LINK_TEST(a_connection_that_nobody_takes_is_closed)
{
    start_with(3);
    (void)await_turn(0);
    struct conn *silent = await_after(CONNECT_STAGGER_MS, 1);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 2);
    fake_conn_up(silent);
    fake_conn_up(beside);
    stage_seconds(10);
    assert_false(fake_conn_is_closed(beside));
    stage_seconds(1);
    assert_true(fake_conn_is_closed(beside));
}

LINK_TEST(told_to_follow_another_in_the_midst_of_it)
{
    static const struct primary_address other = {.host = "other.test", .port = 7000};
    start_with(3);
    struct conn *slow = await_turn(0);
    struct conn *beside = await_after(CONNECT_STAGGER_MS, 1);
    link_follow(stage.link, &other);
    assert_true(fake_conn_is_closed(slow));
    assert_true(fake_conn_is_closed(beside));
    assert_string_equal(fake_conn_host(stage_await()), "other.test");
    fake_loop_pass(stage.loop, 5000);
    assert_false(stage_has_new());
}

/* The end of the test looks whether all connections are closed. */
LINK_TEST(closed_in_the_midst_of_it)
{
    start_with(3);
    (void)await_turn(0);
    fake_conn_up(await_after(CONNECT_STAGGER_MS, 1));
    stage_expect_state(LINK_HANDSHAKE);
}
