/* SPDX-License-Identifier: MIT
 *
 * Several servers may be the primary, or another one is to be followed: who is asked, and when there is a
 * rest.
 */
#include "candidates_stage.h"

static const struct primary_address other = {.host = "other.test", .port = 7000};

/* ------------------------------------------------------------------ rounds */

static void answer_loading(size_t which)
{
    struct conn *primary = bring_up(which);
    stage_expect(primary, "PING");
    stage_say(primary, "-LOADING Redis is loading the dataset in memory\r\n");
    assert_true(fake_conn_is_closed(primary));
    stage_expect_error("refused: PING: the primary answered: -LOADING");
}

static void answer_wrong_password(size_t which)
{
    struct conn *primary = bring_up(which);
    stage_expect(primary, "PING");
    stage_say(primary, "-NOAUTH Authentication required.\r\n");
    stage_expect(primary, "AUTH secret");
    stage_say(primary, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_true(fake_conn_is_closed(primary));
    stage_expect_error("refused: AUTH: the primary answered: -WRONGPASS");
}

/* One after the other without a rest, until somebody is good. */
LINK_TEST(the_good_one_is_found_among_all_kinds_of_bad_ones)
{
    stage.options.password = "secret";
    start_with(6);
    assert_int_equal(stage_status().candidates, 6);
    refuse(0);
    expect_next_at_once();
    expect_passed(introduce(1, REPLICA), "it is a replica of elsewhere.test:6399");
    expect_next_at_once();
    expect_passed(introduce_unrelated(2, PRIMARY_OF(STAGE_OTHER_ID), EMPTY),
                  "it has another history");
    expect_next_at_once();
    answer_loading(3);
    expect_next_at_once();
    answer_wrong_password(4);
    expect_next_at_once();
    settle_on(5);
    assert_int_equal(stage.lost, 0);
    assert_int_equal(stage_status().attempts, 6);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 0);
}

LINK_TEST(one_rest_after_each_round_of_bad_ones)
{
    static const int64_t longest[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    start_with(3);
    for (unsigned round = 0; round < LENGTH_OF(longest); round++) {
        refuse(0);
        expect_next_at_once();
        expect_passed(introduce(1, REPLICA), "it is a replica of");
        expect_next_at_once();
        assert_int_equal(stage.lost, round);
        refuse(2);
        expect_backoff(round + 1, longest[round]);
    }
}

LINK_TEST(the_one_that_was_good_is_first_again)
{
    start_with(3);
    refuse(0);
    settle_on(1);
    hang_up(fake_conn_newest());
    expect_backoff(1, 100);
    settle_on(1);
    stage_say(fake_conn_newest(), PING_COMMAND);
    hang_up(fake_conn_newest());
    refuse(1);
    expect_next_at_once();
    refuse(2);
    expect_next_at_once();
    refuse(0);
    expect_backoff(3, 200);
    refuse(1);
}

LINK_TEST(a_demoted_primary_is_left_for_the_promoted_one)
{
    start_with(2);
    settle_on(0);
    hang_up(fake_conn_newest());
    expect_passed(introduce(0, REPLICA), "it is a replica of");
    expect_next_at_once();
    struct conn *primary =
        introduce(1, "role:master\r\nmaster_replid:" STAGE_OTHER_ID "\r\nmaster_replid2:" STAGE_ID
                     "\r\nsecond_repl_offset:4712\r\n");
    stage_ask(primary, FROM_X);
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n" PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, PING_COMMAND);
    assert_string_equal(stage_status().host, name_of(1));
}

LINK_TEST(a_silent_one_is_passed_over)
{
    start_with(2);
    struct conn *primary = bring_up(0);
    assert_int_equal(fake_conn_connect_ms_max(primary), 3000);
    assert_int_equal(fake_conn_unanswered_ms_max(primary), 20 * 1000);
    stage_seconds(10);
    assert_false(fake_conn_is_closed(primary));
    stage_seconds(2); /* there is another: repl-timeout is not waited for */
    assert_true(fake_conn_is_closed(primary));
    stage_expect_error("silent: ");
    settle_on(1);
}

/* Its RDB is of no use: perhaps another's is. */
LINK_TEST(one_that_fails_while_loading_is_passed_over)
{
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    struct conn *primary = introduce(0, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, "PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_expect_state(LINK_LOADING);
    stage_say(primary, "-ERR BGSAVE failed, replication can't continue\r\n");
    expect_next_at_once();
    (void)await_turn(1);
}

/* But a disk of ours that refuses is not its fault: no other is asked for a full sync meanwhile. */
LINK_TEST(a_disk_that_refuses_is_no_reason_to_ask_the_next)
{
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    struct conn *primary = introduce(0, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, "PSYNC ? -1");
    temp_store_refuse(true);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    temp_store_refuse(false);
    stage_expect_error("store: ");
    expect_backoff(1, 1000);
    (void)await_turn(0);
}

/* ------------------------------------------------------------------ a single one */

LINK_TEST(a_single_one_may_be_a_replica)
{
    start_with(1);
    stage_ask(introduce(0, REPLICA), FROM_X);
}

LINK_TEST(a_single_one_may_have_another_history)
{
    start_with(1);
    take_full_sync(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)));
}

LINK_TEST(never_itself)
{
    start_with(1);
    link_set_run_id(stage.link, RUN_ID);
    stage.server = "redis_version:7.0.15\r\nrun_id:" RUN_ID "\r\n";
    expect_passed(introduce(0, PRIMARY_OF(STAGE_ID)), "it is this relay itself");
    expect_backoff(1, 100);
    expect_passed(introduce(0, REPLICA), "it is this relay itself");
    expect_backoff(2, 200);
    stage.server = "redis_version:7.0.15\r\nrun_id:" STAGE_ID "\r\n";
    settle_on(0);
}

/* An address and a port may be shared or translated, so they alone prove nothing. */
LINK_TEST(a_replica_that_looks_like_the_primary_keeps_nobody_from_it)
{
    start_with(1);
    stage.own_replica = "192.0.2.7";
    stage.own_replica_port = 7000;
    settle_on(0);
    hang_up(fake_conn_newest());
    stage_ask(introduce(0, HEALTHY(STAGE_ID, "4712", "")), FROM_X);
}

LINK_TEST(never_a_replica_of_its_own)
{
    start_with(1);
    stage.own_replica = "192.0.2.7";
    stage.own_replica_port = 7000;
    expect_passed(introduce(0, REPLICA), "it is a replica, has no more than this relay");
    expect_backoff(1, 100);
    stage.own_replica_port = 7001;
    stage_ask(introduce(0, REPLICA), FROM_X);
}

/* ------------------------------------------------------------------ told whom to follow */

typedef void reach_fn(void);

static void reach_idle(void)
{
    start_with(2);
    stage_expect_state(LINK_IDLE);
}

static void reach_connecting(void)
{
    start_with(2);
    (void)await_turn(0);
    stage_expect_state(LINK_CONNECTING);
}

static void reach_handshake(void)
{
    start_with(2);
    (void)bring_up(0);
    stage_expect_state(LINK_HANDSHAKE);
}

static void reach_loading(void)
{
    start_with(2);
    struct conn *primary = introduce(0, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, FROM_X);
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n");
    stage_expect_state(LINK_LOADING);
}

static void reach_streaming(void)
{
    start_with(2);
    settle_on(0);
}

static void reach_resting(void)
{
    start_with(2);
    settle_on(0);
    hang_up(fake_conn_newest());
}

static reach_fn *const reaches[] = {
    reach_idle, reach_connecting, reach_handshake, reach_loading, reach_streaming, reach_resting,
};

LINK_TEST(told_the_same_address_it_does_nothing_in_every_state)
{
    for (size_t i = 0; i < LENGTH_OF(reaches); i++) {
        reaches[i]();
        enum link_state before = stage_status().state;
        uint64_t attempts = stage_status().attempts;
        int64_t timer = fake_loop_next_timer_ms(stage.loop);
        struct conn *primary = fake_conn_newest();
        const struct primary_address same = {.host = "host0.test", .port = 7000};
        link_follow(stage.link, &same);
        stage_expect_state(before);
        assert_int_equal(stage_status().attempts, attempts);
        assert_int_equal(fake_loop_next_timer_ms(stage.loop), timer);
        assert_int_equal(stage_status().candidates, 2);
        if (primary != NULL && before != LINK_RETRYING)
            assert_false(fake_conn_is_closed(primary));
        stage_close(NULL);
        stage_open(NULL);
    }
}

LINK_TEST(told_another_address_it_goes_there_from_every_state)
{
    for (size_t i = 0; i < LENGTH_OF(reaches); i++) {
        reaches[i]();
        struct conn *before = fake_conn_newest();
        link_follow(stage.link, &other);
        assert_true(before == NULL || fake_conn_is_closed(before));
        assert_int_equal(fake_loop_next_timer_ms(stage.loop), 0);
        struct conn *primary = stage_await();
        assert_string_equal(fake_conn_host(primary), "other.test");
        assert_int_equal(stage_status().candidates, 1);
        assert_int_equal(stage.lost, i == 5 ? 1 : 0);
        fake_conn_up(primary);
        stage.replication = PRIMARY_OF(STAGE_OTHER_ID); /* named: no veto */
        stage_introduce(primary);
        stage_ask(primary, FROM_X);
        stage_close(NULL);
        stage_open(NULL);
    }
}

LINK_TEST(another_port_is_another_address)
{
    start_with(1);
    settle_on(0);
    const struct primary_address next = {.host = "host0.test", .port = 7001};
    link_follow(stage.link, &next);
    assert_int_equal(fake_conn_port(stage_await()), 7001);
}

LINK_TEST(nobody_to_follow_at_first)
{
    start_with(0);
    stage_seconds(5);
    stage_expect_state(LINK_IDLE);
    assert_false(stage_has_new());
    assert_string_equal(stage_status().host, "");
    assert_int_equal(stage_status().port, 0);
    assert_int_equal(stage_status().candidates, 0);
    link_follow(stage.link, &other);
    assert_string_equal(fake_conn_host(stage_await()), "other.test");
    assert_int_equal(stage.lost, 0);
}

/* Whoever is told of the loss may know at once. */
LINK_TEST(told_from_within_the_news_of_the_loss)
{
    start_with(1);
    for (int i = 0; i < 5; i++)
        refuse(0);
    stage.told_when_lost = &other;
    refuse(0);
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), 0);
    assert_string_equal(fake_conn_host(stage_await()), "other.test");
}

LINK_TEST(told_the_same_from_within_the_news_it_rests_on)
{
    const struct primary_address same = {.host = "host0.test", .port = 7000};
    start_with(1);
    stage.told_when_lost = &same;
    refuse(0);
    expect_backoff(1, 100);
}
