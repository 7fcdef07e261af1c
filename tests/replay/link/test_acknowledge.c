/* SPDX-License-Identifier: MIT
 *
 * What is acknowledged to the primary when, under each rule: so what a client's WAIT there means.
 */
#include <sched.h>
#include <time.h>

#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/net/loop.h"
#include "test.h"

enum { SET_LENGTH = sizeof(SET_K) - 1, GETACK_LENGTH = sizeof(GETACK_COMMAND) - 1 };

static const struct ack_rule durable_rule = {ACK_DURABLE, 0};
static const struct ack_rule received_rule = {ACK_RECEIVED, 0};

static const char *acknowledges(uint64_t offset)
{
    static char words[80];
    snprintf(words, sizeof(words), "REPLCONF ACK %llu", (unsigned long long)offset);
    return words;
}

static const char *acknowledges_durable(uint64_t offset)
{
    static char words[80];
    snprintf(words, sizeof(words), "REPLCONF ACK %llu FACK %llu", (unsigned long long)offset,
             (unsigned long long)offset);
    return words;
}

static void set_replicas(size_t count, uint64_t best, uint64_t second)
{
    stage.replica_count = count;
    stage.replicas[0] = best;
    stage.replicas[1] = second;
}

static void turn(void)
{
    fake_loop_end_turn(stage.loop);
}

static void hang_up(struct conn *primary)
{
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
}

static uint64_t durable(void)
{
    return history_durable(store_current(stage.temp.store));
}

/* ------------------------------------------------------------------ replicas N, and all */

LINK_TEST(the_second_best_of_our_replicas)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 2};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K SET_K);
    stage_second();
    stage_expect(primary, acknowledges(0)); /* there is none */
    set_replicas(1, STAGE_X + SET_LENGTH, 0);
    stage_second();
    stage_expect(primary, acknowledges(0));
    set_replicas(2, STAGE_X + SET_LENGTH, STAGE_X);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X));
    set_replicas(2, STAGE_X + 2 * SET_LENGTH, STAGE_X + SET_LENGTH);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
    assert_int_equal(stage_status().acknowledged, STAGE_X + SET_LENGTH);
}

LINK_TEST(the_worst_of_all)
{
    stage.options.ack = (struct ack_rule){ACK_ALL, 0};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K SET_K);
    stage_second();
    stage_expect(primary, acknowledges(0));
    set_replicas(1, STAGE_X + SET_LENGTH, 0);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
    set_replicas(2, STAGE_X + 2 * SET_LENGTH, STAGE_X);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH)); /* not taken back */
    set_replicas(2, STAGE_X + 2 * SET_LENGTH, STAGE_X + 2 * SET_LENGTH);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + 2 * SET_LENGTH));
}

LINK_TEST(replicas_that_go_take_nothing_back)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 1};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K);
    set_replicas(1, STAGE_X + SET_LENGTH, 0);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
    set_replicas(0, 0, 0);
    stage_say(primary, SET_K);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
    set_replicas(1, STAGE_X, 0); /* a late one */
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
}

/* A replica may say what it likes: not more than the last complete command. */
LINK_TEST(never_more_than_is_complete)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 1};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K MULTI_COMMAND SET_K);
    set_replicas(1, UINT64_MAX, 0);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
}

/* Who was told on the old link may not be there any more. */
LINK_TEST(a_new_link_begins_at_nothing)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 1};
    struct conn *primary = stage_stream();
    set_replicas(1, STAGE_X, 0);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X));
    hang_up(primary);
    set_replicas(0, 0, 0);
    primary = stage_greet("PSYNC " STAGE_ID " 4712");
    stage_say(primary, "+CONTINUE " STAGE_ID "\r\n");
    assert_int_equal(stage_status().acknowledged, 0);
    stage_second();
    stage_expect(primary, acknowledges(0));
    set_replicas(1, STAGE_X, 0);
    stage_second();
    stage_expect(primary, acknowledges(STAGE_X));
}

/* The stream does not begin before we have said something, whatever it is. */
LINK_TEST(an_end_mark_is_answered_at_once_under_every_rule)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 3};
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_say_marked_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    stage_expect(primary, acknowledges(0));
}

/* ------------------------------------------------------------------ GETACK */

enum { ASKED = STAGE_X + SET_LENGTH + GETACK_LENGTH };

/* Asked, and answered at once with what there is; then each time it moves, in that turn. */
LINK_TEST(getack_is_answered_when_the_offset_moves)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 1};
    struct conn *primary = stage_stream();
    set_replicas(1, STAGE_X, 0);
    stage_say(primary, SET_K GETACK_COMMAND);
    stage_expect(primary, acknowledges(STAGE_X));
    turn();
    stage_expect(primary, NULL);
    set_replicas(1, STAGE_X + SET_LENGTH, 0);
    turn();
    stage_expect(primary, acknowledges(STAGE_X + SET_LENGTH));
    turn();
    stage_expect(primary, NULL);
    set_replicas(1, ASKED, 0);
    turn();
    stage_expect(primary, acknowledges(ASKED));
    /* All that was asked for: what moves now can wait for its second. */
    stage_say(primary, SET_K);
    set_replicas(1, ASKED + SET_LENGTH, 0);
    turn();
    stage_expect(primary, NULL);
    stage_second();
    stage_expect(primary, acknowledges(ASKED + SET_LENGTH));
}

LINK_TEST(nobody_has_asked_and_nothing_is_said_before_its_second)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 1};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K);
    for (uint64_t offset = STAGE_X; offset <= STAGE_X + SET_LENGTH; offset++) {
        set_replicas(1, offset, 0);
        turn();
    }
    stage_expect(primary, NULL);
}

LINK_TEST(a_second_getack_asks_for_more)
{
    stage.options.ack = (struct ack_rule){ACK_ALL, 0};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K GETACK_COMMAND);
    stage_expect(primary, acknowledges(0));
    stage_say(primary, SET_K GETACK_COMMAND);
    stage_expect(primary, acknowledges(0));
    set_replicas(1, ASKED, 0);
    turn();
    stage_expect(primary, acknowledges(ASKED));
    set_replicas(1, ASKED + SET_LENGTH + GETACK_LENGTH, 0);
    turn();
    stage_expect(primary, acknowledges(ASKED + SET_LENGTH + GETACK_LENGTH));
}

LINK_TEST(nothing_while_one_is_still_queued)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 1};
    struct conn *primary = stage_stream();
    set_replicas(1, STAGE_X, 0);
    fake_conn_set_room(primary, 4);
    stage_say(primary, SET_K GETACK_COMMAND);
    for (uint64_t offset = STAGE_X; offset < ASKED; offset++) {
        set_replicas(1, offset, 0);
        turn();
    }
    stage_seconds(3);
    assert_int_equal(stage_status().acknowledged, STAGE_X);
    fake_conn_set_room(primary, SIZE_MAX);
    assert_true(fake_conn_step(primary)); /* the rest leaves; then, at the turn's end, what moved */
    struct text expected;
    text_init(&expected, 256);
    text_append_string(&expected, "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$4\r\n4711\r\n"
                                  "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$4\r\n4778\r\n");
    assert_views_equal(fake_conn_sent(primary), text_bytes(&expected));
    assert_int_equal(ASKED - 1, 4778);
    text_fini(&expected);
}

/* A GETACK that came while there was no room is not forgotten. */
LINK_TEST(a_getack_behind_a_queued_one)
{
    struct conn *primary = stage_stream();
    fake_conn_set_room(primary, 4);
    stage_second();
    stage_say(primary, SET_K GETACK_COMMAND);
    assert_int_equal(stage_status().acknowledged, STAGE_X);
    fake_conn_set_room(primary, SIZE_MAX);
    fake_conn_run(primary);
    assert_int_equal(stage_status().acknowledged, ASKED);
}

LINK_TEST(the_connection_breaks_under_an_acknowledgement)
{
    struct conn *primary = stage_stream();
    fake_conn_feed(primary, bytes_of(GETACK_COMMAND));
    fake_conn_fail(primary, "Broken pipe");
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("broken: Broken pipe");
    turn();
    stage_expect_state(LINK_RETRYING);
}

/* ------------------------------------------------------------------ durable */

static void open_with_fsync(void)
{
    stage.temp.options.fsync = STORE_FSYNC_EVERYSEC;
    temp_store_reopen(&stage.temp);
}

/* Until all that is complete is on the disk. The syncer is a thread, in real time; no turn and no second
 * of the link's goes by. */
static void await_durable(void)
{
    time_t deadline = time(NULL) + 30;
    while (durable() < stage_boundary()) {
        assert_true(time(NULL) < deadline);
        store_tick(stage.temp.store);
        sched_yield();
    }
}

LINK_TEST(what_is_durable_and_not_more)
{
    open_with_fsync();
    stage.options.ack = durable_rule;
    struct conn *primary = stage_stream();
    await_durable();
    stage_say(primary, SET_K);
    link_tick(stage.link);
    assert_int_equal(durable(), STAGE_X); /* nobody has asked for an fsync since */
    stage_expect(primary, acknowledges_durable(STAGE_X));
    await_durable();
    link_tick(stage.link);
    stage_expect(primary, acknowledges_durable(STAGE_X + SET_LENGTH));
}

LINK_TEST(getack_waits_for_the_disk)
{
    open_with_fsync();
    stage.options.ack = durable_rule;
    struct conn *primary = stage_stream();
    await_durable();
    stage_say(primary, SET_K GETACK_COMMAND);
    stage_expect(primary, acknowledges_durable(STAGE_X));
    turn();
    stage_expect(primary, NULL);
    await_durable();
    turn();
    stage_expect(primary, acknowledges_durable(ASKED));
}

LINK_TEST(only_under_the_rule_is_it_said)
{
    open_with_fsync();
    struct conn *primary = stage_stream();
    await_durable();
    link_tick(stage.link);
    stage_expect(primary, acknowledges(STAGE_X));
}

/* ------------------------------------------------------------------ another rule at run time */

/* What was acknowledged because it was received is not durable by a change of the rule. */
LINK_TEST(from_received_to_durable)
{
    open_with_fsync();
    struct conn *primary = stage_stream();
    await_durable();
    stage_say(primary, SET_K GETACK_COMMAND);
    stage_expect(primary, acknowledges(ASKED));
    assert_int_equal(durable(), STAGE_X);
    link_set_ack(stage.link, durable_rule);
    assert_int_equal(link_ack(stage.link).policy, ACK_DURABLE);
    link_tick(stage.link);
    stage_expect(primary, acknowledges(ASKED));
    await_durable();
    link_tick(stage.link);
    stage_expect(primary, acknowledges_durable(ASKED));
}

LINK_TEST(from_replicas_to_received_and_back)
{
    stage.options.ack = (struct ack_rule){ACK_REPLICAS, 2};
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K GETACK_COMMAND);
    stage_expect(primary, acknowledges(0));
    link_set_ack(stage.link, received_rule);
    turn();
    stage_expect(primary, acknowledges(ASKED)); /* it was owed */
    link_set_ack(stage.link, (struct ack_rule){ACK_REPLICAS, 2});
    assert_int_equal(link_ack(stage.link).replicas, 2);
    stage_say(primary, SET_K);
    set_replicas(2, STAGE_X, STAGE_X);
    stage_second();
    stage_expect(primary, acknowledges(ASKED));
}
