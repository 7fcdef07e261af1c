/* SPDX-License-Identifier: MIT
 *
 * WAIT: on a fake clock, with replicas that acknowledge when the test says so.
 */
#include "commands_test.h"

static struct client *other;

#define HISTORY_LOST                                                                               \
    "-UNBLOCKED the primary has another history now, which does not contain the offset of this "   \
    "WAIT\r\n"

static int set_up_replicas(void **state)
{
    set_up(state);
    other = fake_client(8, "192.0.2.8:50000");
    fake_components.has_history = true;
    fake_components.history_number = 3;
    fake_components.published = 1000;
    fake_components.end = 1200; /* received in this turn, and no replica can have it */
    fake_components.replica_count = 3;
    for (size_t i = 0; i < 3; i++)
        fake_components.replicas[i] =
            (struct peer_status){.is_online = true, .acknowledges = true, .acknowledged = 900};
    return 0;
}

#define WAIT_TEST(name) TEST_SETUP(name, set_up_replicas, tear_down)

static void acknowledge(size_t replica, uint64_t offset)
{
    fake_components.replicas[replica].acknowledged = offset;
    commands_on_acknowledged(room);
}

static void expect_blocked(unsigned count)
{
    char line[64];
    snprintf(line, sizeof(line), "\r\nblocked_clients:%u\r\n", count);
    struct client *asker = fake_components.client_count < FAKE_PEERS_MAX
                               ? fake_client(100 + fake_components.client_count, "192.0.2.9:1")
                               : fake_components.clients[FAKE_PEERS_MAX - 1];
    struct bytes got = say_as(asker, "info clients");
    if (!contains(got, line))
        fail_msg("expected \"%s\" in \"%.*s\"", line, (int)got.length, (const char *)got.data);
    assert_int_equal(watches_acknowledged, count > 0);
}

WAIT_TEST(what_has_been_acknowledged_is_told_at_once)
{
    expect("wait 0 0", ":0\r\n");
    expect("wait -1 0", ":0\r\n");
    fake_components.replicas[0].acknowledged = 1000;
    fake_components.replicas[1].acknowledged = 1100;
    expect("wait 1 0", ":2\r\n");
    expect("wait 2 100", ":2\r\n");
    fake_components.replicas[1].is_online = false;
    expect("wait 1 0", ":1\r\n");
    fake_components.replicas[0].acknowledges = false;
    expect("wait 0 0", ":0\r\n");
    expect_blocked(0);
}

WAIT_TEST(a_client_waits_for_so_many_replicas)
{
    expect("wait 2 0", "");
    assert_true(client_is_blocked(caller));
    expect_blocked(1);
    acknowledge(0, 999);
    acknowledge(1, 1000);
    expect_heard(caller, "");
    acknowledge(0, 1000);
    expect_heard(caller, ":2\r\n");
    assert_false(client_is_blocked(caller));
    expect_blocked(0);
    fake_loop_pass(loop, 1000 * 1000);
    expect_heard(caller, "");
    expect("ping", "+PONG\r\n");
}

/* What is published later is not waited for. */
WAIT_TEST(the_offset_is_that_of_the_moment_of_asking)
{
    say("wait 1 0");
    fake_components.published = 5000;
    say_as(other, "wait 1 0");
    acknowledge(0, 1000);
    expect_heard(caller, ":1\r\n");
    expect_heard(other, "");
    acknowledge(0, 5000);
    expect_heard(other, ":1\r\n");
}

WAIT_TEST(time_ends_the_waiting)
{
    expect("wait 3 500", "");
    fake_components.replicas[2].acknowledged = 2000;
    fake_loop_pass(loop, 499);
    expect_heard(caller, "");
    fake_loop_pass(loop, 1);
    expect_heard(caller, ":1\r\n");
    expect_blocked(0);
    assert_int_equal(fake_loop_next_timer_ms(loop), -1);
}

WAIT_TEST(each_has_its_own_time)
{
    struct client *third = fake_client(9, "192.0.2.10:1");
    say("wait 3 500");
    say_as(other, "wait 3 100");
    say_as(third, "wait 3 0");
    expect_blocked(3);
    fake_loop_pass(loop, 100);
    expect_heard(other, ":0\r\n");
    expect_heard(caller, "");
    expect_blocked(2);
    fake_loop_pass(loop, 400);
    expect_heard(caller, ":0\r\n");
    fake_loop_pass(loop, 1000 * 1000);
    expect_heard(third, "");
    for (size_t i = 0; i < 3; i++)
        acknowledge(i, 1000);
    expect_heard(third, ":3\r\n");
    expect_blocked(0);
}

WAIT_TEST(a_long_time_is_waited_out)
{
    enum { DAY_MS = 24 * 60 * 60 * 1000 };
    char line[64];
    snprintf(line, sizeof(line), "wait 1 %d", DAY_MS);
    say(line);
    fake_loop_pass(loop, DAY_MS - 1);
    expect_heard(caller, "");
    fake_loop_pass(loop, 1);
    expect_heard(caller, ":0\r\n");
}

WAIT_TEST(who_leaves_is_forgotten)
{
    say("wait 1 500");
    say_as(other, "wait 1 600");
    fake_client_leaves(caller);
    expect_blocked(1);
    fake_client_leaves(other);
    expect_blocked(0);
    fake_loop_pass(loop, 10 * 1000);
    acknowledge(0, 1000);
}

WAIT_TEST(a_wait_can_be_ended_by_another)
{
    say_as(other, "wait 3 0");
    acknowledge(0, 1000);
    expect_part("client list id 8", " flags=b ");
    expect("client unblock 9", ":0\r\n");
    expect("client unblock 8", ":1\r\n");
    expect_heard(other, ":1\r\n");
    say_as(other, "wait 3 0");
    expect("client unblock 8 error", ":1\r\n");
    expect_heard(other, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    say_as(other, "wait 3 0");
    expect("client unblock 8 TIMEOUT", ":1\r\n");
    expect_heard(other, ":1\r\n");
    expect("client unblock 8", ":0\r\n");
}

/* Offsets of another history say nothing about what was asked for. */
WAIT_TEST(another_history_ends_the_waiting)
{
    say("wait 1 0");
    fake_components.history_number = 4;
    acknowledge(0, 9999);
    expect_heard(caller, HISTORY_LOST);
    fake_components.replicas[0].acknowledged = 900;
    say("wait 1 700");
    fake_components.published = 999; /* cut off */
    fake_loop_pass(loop, 700);
    expect_heard(caller, HISTORY_LOST);
    expect_blocked(0);
}

/* The history was cut before what is waited for, and has grown beyond that place since: replicas have other
 * bytes there. */
WAIT_TEST(a_cut_ends_the_waiting_however_long_the_history_has_become)
{
    say("wait 1 0"); /* for 1000 */
    branches_begin(&fake_components.branches, 1000);
    commands_on_acknowledged(room);
    expect_heard(caller, "");
    say_as(other, "wait 1 0");
    branches_begin(&fake_components.branches, 999);
    fake_components.published = 2000;
    acknowledge(0, 2000);
    expect_heard(caller, HISTORY_LOST);
    expect_heard(other, HISTORY_LOST);
    say("wait 2 0");
    branches_begin(&fake_components.branches, 1500);
    say_as(other, "client unblock 7");
    expect_heard(caller, ":0\r\n");
}

WAIT_TEST(without_a_history_there_is_nothing_to_wait_for)
{
    fake_components.has_history = false;
    fake_components.replica_count = 0;
    expect("wait 0 0", ":0\r\n");
    say("wait 1 10");
    fake_loop_pass(loop, 10);
    expect_heard(caller, ":0\r\n");
}

/* Those who wait for the same are served by one look at the replicas. */
WAIT_TEST(many_who_wait_for_the_same_cost_one_look)
{
    say("wait 3 0");
    say_as(other, "wait 2 0");
    say_as(fake_client(9, "192.0.2.10:1"), "wait 3 0");
    fake_components.looks = 0;
    acknowledge(0, 1000);
    assert_int_equal(fake_components.looks, 1);
    acknowledge(1, 1000);
    assert_int_equal(fake_components.looks, 2);
    expect_heard(other, ":2\r\n");
}

WAIT_TEST(replicas_are_watched_only_while_somebody_waits)
{
    assert_int_equal(watch_changes, 0);
    say("wait 1 0");
    say_as(other, "wait 1 0");
    assert_int_equal(watch_changes, 1);
    acknowledge(0, 1000);
    assert_int_equal(watch_changes, 2);
    assert_false(watches_acknowledged);
}

WAIT_TEST(nonsense_is_refused_in_redis_servers_words)
{
    expect("wait x 0", "-ERR value is not an integer or out of range\r\n");
    expect("wait 1 x", "-ERR timeout is not an integer or out of range\r\n");
    expect("wait 1 -1", "-ERR timeout is negative\r\n");
    expect("wait 1 9999999999999999999", "-ERR timeout is not an integer or out of range\r\n");
    fake_clock_advance(1);
    expect("wait 1 9223372036854775807", "-ERR timeout is out of range\r\n");
    expect_part("waitaof 0 1 0", "-ERR WAITAOF cannot be used with a relay: ");
    expect_blocked(0);
}

/* Somebody waits when the room is closed. */
WAIT_TEST(the_room_may_be_closed_at_any_time)
{
    say("wait 1 0");
    say_as(other, "wait 1 100");
    expect_blocked(2);
}
