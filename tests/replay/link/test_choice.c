/* SPDX-License-Identifier: MIT
 *
 * Who of several servers is taken where the best does not answer: whose history, and which replica.
 */
#include "candidates_stage.h"
#include "relay/base/clock.h"

/* ------------------------------------------------------------------ another history */

static struct link_wait wait_now(void)
{
    return stage_status().wait;
}

static struct conn *meet_unrelated(size_t which)
{
    return introduce_unrelated(which, PRIMARY_OF(STAGE_OTHER_ID), EMPTY);
}

/* Nobody is silent, and nobody has ours: then nobody is waited for. */
/* One whose user may not ask INFO, up to PSYNC. */
static struct conn *meet_silent_one(size_t which)
{
    struct conn *primary = bring_up(which);
    stage_expect(primary, "PING");
    stage_say(primary, "+PONG\r\n");
    stage_expect(primary, "INFO server");
    stage_say_bulk(primary, stage.server);
    stage_expect(primary, "INFO replication");
    stage_say(primary, "-NOPERM this user has no permissions to run the 'info' command\r\n");
    return primary;
}

LINK_TEST(another_history_is_taken_where_everybody_has_answered)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(3);
    expect_passed(introduce(0, REPLICA_OF_OTHER), "it is a replica of");
    expect_passed(meet_unrelated(1), "it has another history");
    expect_passed(introduce(2, REPLICA_OF_OTHER), "it is a replica of");
    take_full_sync(meet_unrelated(1));
    assert_false(wait_now().is_waiting);
}

static void fail_round_with_unrelated(void)
{
    refuse(0);
    expect_passed(meet_unrelated(1), "it has another history");
}

LINK_TEST(one_that_may_have_ours_is_waited_for)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(2);
    fail_round_with_unrelated();
    struct link_wait wait = wait_now();
    assert_true(wait.is_waiting);
    assert_string_equal(wait.host, name_of(1));
    assert_int_equal(wait.port, 7001);
    assert_string_equal(wait.replid, STAGE_OTHER_ID);
    assert_int_equal(wait.left_ms, GRACE_MS);
    assert_false(wait.is_foreign);
    for (int64_t left = GRACE_MS; left > 0; left = wait_now().left_ms)
        fail_round_with_unrelated();
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 0);
    /* A last look at all: the round in which the time was found to be over. */
    if (stage_status().state == LINK_RETRYING && fake_loop_next_timer_ms(stage.loop) > 0)
        fail_round_with_unrelated();
    take_full_sync(meet_unrelated(1));
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    assert_false(wait_now().is_waiting);
}

/* Whoever goes on with ours is taken whenever he comes, from before and from behind the unauthenticated client. */
LINK_TEST(one_that_has_ours_wins_whenever_it_comes)
{
    for (size_t good = 0; good < 3; good += 2) {
        stage.options.failover_grace_ms = GRACE_MS;
        start_with(3);
        for (int round = 0; round < 5; round++) {
            refuse(0);
            expect_passed(meet_unrelated(1), "it has another history");
            refuse(2);
        }
        assert_true(wait_now().is_waiting);
        if (good > 0) {
            refuse(0);
            expect_passed(meet_unrelated(1), "it has another history");
        }
        settle_on(good);
        assert_false(wait_now().is_waiting);
        assert_int_equal(stage.news[LINK_NEWS_REPLACED], 0);
        stage_close(NULL);
        stage_open(NULL);
    }
}

LINK_TEST(a_replica_with_ours_may_be_promoted_yet)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(2);
    for (int round = 0; round < 5; round++) {
        expect_passed(introduce(0, REPLICA),
                      "it is a replica of elsewhere.test:6399, and its link");
        expect_passed(meet_unrelated(1), "it has another history");
        assert_true(wait_now().is_waiting);
    }
    settle_on(0);
}

LINK_TEST(without_a_grace_a_few_rounds_are_waited)
{
    start_with(2);
    for (int round = 0; round < 10; round++)
        fail_round_with_unrelated();
    take_full_sync(meet_unrelated(1));
}

LINK_TEST(with_no_as_the_grace_it_is_waited_for_ever)
{
    stage.options.failover_grace_ms = -1;
    start_with(2);
    for (int round = 0; round < 100; round++) {
        fail_round_with_unrelated();
        assert_int_equal(wait_now().left_ms, -1);
    }
    assert_null(link_accept(stage.link, NULL));
    fail_round_with_unrelated();
    take_full_sync(meet_unrelated(1));
}

LINK_TEST(replicaof_ends_the_wait_also_with_the_same_address)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(2);
    fail_round_with_unrelated();
    const struct primary_address unauthenticated = {.host = "host1.test", .port = 7001};
    link_follow(stage.link, &unauthenticated);
    struct conn *primary = stage_await();
    assert_string_equal(fake_conn_host(primary), "host1.test");
    fake_conn_up(primary);
    stage.replication = PRIMARY_OF(STAGE_OTHER_ID);
    stage_introduce(primary);
    take_full_sync(primary);
}

LINK_TEST(accepted_by_name)
{
    static const struct primary_address good = {.host = "host1.test", .port = 7001};
    static const struct primary_address bad = {.host = "host0.test", .port = 7000};
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(3);
    assert_string_equal(link_accept(stage.link, NULL), "no other history waits to be taken");
    refuse(0);
    expect_passed(meet_unrelated(1), "it has another history");
    expect_passed(meet_unrelated(2), "it has another history");
    assert_non_null(link_accept(stage.link, NULL));
    assert_non_null(link_accept(stage.link, &bad));
    assert_null(link_accept(stage.link, &good));
    refuse(0);
    expect_passed(meet_unrelated(1), "it has another history");
    expect_passed(meet_unrelated(2), "it has another history");
    take_full_sync(meet_unrelated(1));
}

/* A node of the list is the primary of something else: it has a history behind the one that it has, or keys,
 * and was up while ours still flowed. */
LINK_TEST(one_that_was_there_beside_ours_is_never_taken)
{
    static const struct {
        const char *replication;
        const char *keyspace;
    } foreign[] = {
        {"role:master\r\nmaster_replid:" STAGE_OTHER_ID "\r\nmaster_replid2:" RUN_ID
         "\r\nsecond_repl_offset:99\r\n",
         EMPTY},
        {PRIMARY_OF(STAGE_OTHER_ID), WITH_KEYS},
    };
    for (size_t i = 0; i < LENGTH_OF(foreign); i++) {
        stage.options.failover_grace_ms = 1000;
        stage.server = "redis_version:7.0.15\r\nuptime_in_seconds:999999\r\n";
        start_with(2);
        for (int round = 0; round < 50; round++) {
            refuse(0);
            expect_passed(introduce_unrelated(1, foreign[i].replication, foreign[i].keyspace),
                          "it has another history, which existed beside ours");
            assert_true(wait_now().is_foreign);
            assert_int_equal(wait_now().left_ms, -1);
        }
        assert_null(link_accept(stage.link, NULL));
        refuse(0);
        expect_passed(introduce_unrelated(1, foreign[i].replication, foreign[i].keyspace),
                      "it has another history");
        take_full_sync(introduce_unrelated(1, foreign[i].replication, foreign[i].keyspace));
        stage_close(NULL);
        stage_open(NULL);
    }
}

/* Our own, started anew with its data and without a memory of its id. */
LINK_TEST(one_with_keys_that_was_started_since_is_taken_after_the_grace)
{
    stage.options.failover_grace_ms = 10000;
    stage.server = "redis_version:6.2.14\r\nuptime_in_seconds:1\r\n";
    start_with(2);
    while (!wait_now().is_waiting || wait_now().left_ms > 0) {
        refuse(0);
        expect_passed(introduce_unrelated(1, PRIMARY_OF(STAGE_OTHER_ID), WITH_KEYS),
                      "it has another history: ");
    }
}

LINK_TEST(what_parted_from_ours_earlier_is_another_history)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(2);
    struct conn *primary =
        introduce(0, "role:master\r\nmaster_replid:" STAGE_OTHER_ID "\r\nmaster_replid2:" STAGE_ID
                     "\r\nsecond_repl_offset:4712\r\n");
    stage_ask(primary, FROM_X);
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n" PING_COMMAND);
    hang_up(primary);
    refuse(0);
    expect_passed(introduce(1, PRIMARY_OF(STAGE_ID)), "it has another history, which parted");
    assert_true(wait_now().is_waiting);
    assert_false(wait_now().is_foreign);
}

/* Who may not ask learns it from the answer, which costs the other side a fork: once a back-off. */
LINK_TEST(who_does_not_tell_is_not_taken_either)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(2);
    refuse(0);
    struct conn *primary = meet_silent_one(1);
    stage_ask(primary, FROM_X);
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n");
    assert_true(fake_conn_is_closed(primary));
    stage_expect_error("declined: it has another history: " STAGE_OTHER_ID);
    assert_int_equal(stage_status().full_syncs, 0);
    assert_true(wait_now().is_waiting);
    refuse(0); /* alone: the other one is not asked again so soon */
    expect_backoff(2, 200);
}

LINK_TEST(it_stays_accepted_while_its_rdb_fails)
{
    start_with(2);
    expect_passed(meet_unrelated(0), "it has another history");
    expect_passed(introduce(1, REPLICA_OF_OTHER), "it is a replica of");
    struct conn *primary = meet_unrelated(0);
    stage_ask(primary, FROM_X);
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n");
    hang_up(primary);
    while (stage_status().attempts < 100) {
        struct conn *next = stage_await();
        bool is_first = strcmp(fake_conn_host(next), "host0.test") == 0;
        fake_conn_up(next);
        stage.replication = is_first ? PRIMARY_OF(STAGE_OTHER_ID) : REPLICA_OF_OTHER;
        stage_introduce(next);
        if (!is_first)
            continue;
        stage_expect(next, "INFO keyspace");
        stage_say_bulk(next, EMPTY);
        if (!fake_conn_is_closed(next)) {
            take_full_sync(next);
            return;
        }
    }
    fail();
}

/* ------------------------------------------------------------------ a full sync that failed */

static void fail_full_sync(struct conn *primary)
{
    stage_ask(primary, "PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    hang_up(primary);
}

/* What it costs one primary delays the others not at all. */
LINK_TEST(a_full_sync_that_failed_delays_nobody_else)
{
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    unsigned syncs = 0;
    for (int turn = 0; turn < 40; turn++) {
        struct conn *primary = stage_await();
        bool is_first = strcmp(fake_conn_host(primary), "host0.test") == 0;
        if (is_first) {
            fake_conn_up(primary);
            stage.replication = PRIMARY_OF(STAGE_ID);
            stage_introduce(primary);
            fail_full_sync(primary);
            syncs++;
        } else {
            fake_conn_down(primary, "Connection refused");
            fake_conn_run_all();
        }
        assert_in_range(fake_loop_next_timer_ms(stage.loop), 0, 5000);
    }
    assert_in_range(syncs, 3, 12); /* after 1, 2, 4, 8 ... seconds, and the other each five */
    struct conn *primary = stage_await();
    stage.replication = PRIMARY_OF(STAGE_ID);
    while (strcmp(fake_conn_host(primary), "host1.test") != 0) {
        fake_conn_up(primary);
        stage_introduce(primary);
        fail_full_sync(primary);
        primary = stage_await();
    }
    fake_conn_up(primary);
    stage_introduce(primary);
    stage_ask(primary, "PSYNC ? -1");
}

LINK_TEST(without_a_history_any_primary_will_do)
{
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    expect_passed(introduce(0, REPLICA), "it is a replica of");
    stage_ask(introduce(1, PRIMARY_OF(STAGE_OTHER_ID)), "PSYNC ? -1");
}

LINK_TEST(who_does_not_tell_is_asked)
{
    start_with(2);
    struct conn *primary = meet_silent_one(0);
    stage_ask(primary, FROM_X);
    stage_say(primary, CONTINUE);
    stage_expect_state(LINK_STREAMING);
}

/* ------------------------------------------------------------------ replicas among several */

LINK_TEST(a_healthy_replica_is_followed_where_no_primary_is_found)
{
    stage.options.failover_grace_ms = GRACE_MS;
    start_with(3);
    refuse(0);
    expect_passed(introduce(1, HEALTHY(STAGE_ID, "4800", "")), "it is a replica of");
    expect_passed(introduce(2, HEALTHY(STAGE_ID, "4800", "")), "it is a replica of");
    expect_next_at_once();
    struct conn *primary = introduce(1, HEALTHY(STAGE_ID, "4800", ""));
    stage_ask(primary, FROM_X);
    stage_say(primary, CONTINUE);
    stage_expect_state(LINK_STREAMING);
    hang_up(primary); /* it is the first one again, but primaries are asked before */
    expect_passed(introduce(1, HEALTHY(STAGE_ID, "4800", "")), "it is a replica of");
    refuse(2);
    settle_on(0);
}

LINK_TEST(without_a_history_the_first_relay_is_followed)
{
    stage.options.primary = (struct primary_candidates){
        .count = 2,
        .at = {{.host = "host0.test", .port = 7000}, {.host = "host1.test", .port = 7001}}};
    stage_start();
    const char *relay = HEALTHY(STAGE_ID, "4800", CHAIN(UPSTREAM_ID));
    expect_passed(introduce(0, relay), "it is a replica of elsewhere.test:6399: primaries");
    expect_passed(introduce(1, relay), "it is a replica of");
    stage_ask(introduce(0, relay), "PSYNC ? -1");
}

/* ------------------------------------------------------------------ prefer = first, nearest */

LINK_TEST(the_first_is_followed_also_where_it_is_a_replica)
{
    stage.options.prefer = PRIMARY_PREFER_FIRST;
    start_with(2);
    struct conn *relay = introduce(0, HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID)));
    stage_ask(relay, FROM_X);
    stage_say(relay, CONTINUE);
    stage_expect_state(LINK_STREAMING);
    assert_string_equal(stage_status().host, name_of(0));
    hang_up(relay);
    refuse(0);
    settle_on(1);
    hang_up(fake_conn_newest()); /* the first of the list, not the one that was good last */
    stage_ask(introduce(0, HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID))), FROM_X);
}

#define RELAY_SERVER "redis_version:7.0.15\r\npsync_relay_version:0.1.0\r\n"
#define LINK_DOWN                                                                                  \
    "role:slave\r\nmaster_host:elsewhere.test\r\nmaster_port:6399\r\nmaster_link_status:down\r\n"  \
    "master_sync_in_progress:0\r\nmaster_replid:" STAGE_ID "\r\n"

LINK_TEST(the_other_of_a_pair_is_given_a_moment)
{
    stage.options.prefer = PRIMARY_PREFER_FIRST;
    start_with(2);
    stage.server = RELAY_SERVER;
    int64_t begin_ms = clock_ms();
    size_t first = 0;
    for (;;) {
        struct conn *conn = stage_await();
        if (strcmp(fake_conn_host(conn), name_of(1)) == 0)
            break;
        fake_conn_up(conn);
        stage.replication = LINK_DOWN;
        stage_introduce(conn);
        expect_passed(conn, "it is a replica of elsewhere.test:6399, and its link is down");
        first++;
    }
    assert_in_range(first, 2, 20);
    assert_in_range(clock_ms() - begin_ms, 500, 5000 + 5000);
}

LINK_TEST(the_other_of_a_pair_is_followed_when_its_link_is_there)
{
    stage.options.prefer = PRIMARY_PREFER_FIRST;
    start_with(2);
    stage.server = RELAY_SERVER;
    expect_passed(introduce(0, LINK_DOWN), "it is a replica of");
    expect_backoff(1, 100);
    struct conn *relay = introduce(0, HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID)));
    stage_ask(relay, FROM_X);
    stage_say(relay, CONTINUE);
    stage_expect_state(LINK_STREAMING);
}

/* A server that is a replica without its link is none that turns to our primary. */
LINK_TEST(no_other_replica_is_given_a_moment)
{
    stage.options.prefer = PRIMARY_PREFER_FIRST;
    start_with(2);
    expect_passed(introduce(0, LINK_DOWN), "it is a replica of");
    expect_next_at_once();
    settle_on(1);
}

/* It may be behind us, as far as it shows. */
LINK_TEST(a_replica_with_no_more_than_we_have_is_none_to_follow)
{
    start_with(2);
    refuse(0);
    expect_passed(introduce(1, HEALTHY(STAGE_ID, "4711", "")), "it is a replica of");
    expect_backoff(1, 100);
    refuse(0);
    expect_passed(introduce(1, HEALTHY(STAGE_ID, "4712", "")), "it is a replica of");
    expect_next_at_once();
    stage_ask(introduce(1, HEALTHY(STAGE_ID, "4712", "")), FROM_X);
}

LINK_TEST(a_relay_with_no_more_is_followed_if_its_chain_leads_to_a_primary)
{
    const char *incomplete = HEALTHY(
        STAGE_ID, "4711", "upstream_chain:" UPSTREAM_ID "\r\nupstream_chain_complete:0\r\n");
    start_with(2);
    refuse(0);
    expect_passed(introduce(1, incomplete), "it is a replica of");
    expect_backoff(1, 100);
    refuse(0);
    expect_passed(introduce(1, HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID))),
                  "it is a replica of");
    stage_ask(introduce(1, HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID))), FROM_X);
}

/* However long the way round is, and also where it is the only one. */
LINK_TEST(never_one_that_follows_us)
{
    for (size_t count = 1; count <= 2; count++) {
        start_with(count);
        link_set_run_id(stage.link, RUN_ID);
        if (count == 2)
            refuse(0);
        expect_passed(
            introduce(count - 1,
                      HEALTHY(STAGE_ID, "9999", CHAIN(UPSTREAM_ID "," RUN_ID "," STAGE_OTHER_ID))),
            "it follows this relay");
        expect_backoff(1, 100);
        stage_close(NULL);
        stage_open(NULL);
    }
}

LINK_TEST(the_chain_is_told_while_it_streams)
{
    start_with(1);
    stage.server = "redis_version:7.0.15\r\nrun_id:" RUN_ID "\r\n";
    assert_string_equal(stage_status().chain, "");
    struct conn *primary = introduce(0, HEALTHY(STAGE_ID, "4711", CHAIN(UPSTREAM_ID)));
    stage_ask(primary, FROM_X);
    stage_say(primary, CONTINUE);
    assert_string_equal(stage_status().chain, RUN_ID "," UPSTREAM_ID);
    assert_true(stage_status().chain_is_complete);
    hang_up(primary);
    assert_string_equal(stage_status().chain, "");
}

/* A stream that stands still may come from behind us: then somebody else is asked first. */
LINK_TEST(one_that_was_silent_is_not_the_first_again)
{
    start_with(2);
    settle_on(0);
    stage_seconds(61);
    stage_expect_error("silent: ");
    settle_on(1);
}

/* ------------------------------------------------------------------ told by Sentinels */

static const struct primary_address told = {.host = "host0.test", .port = 7000};

LINK_TEST(before_a_sentinel_answers_no_history_is_taken)
{
    stage.options.failover_grace_ms = 1000;
    stage.options.asks_sentinels = true;
    start_with(1);
    for (int round = 0; round < 20; round++) {
        expect_passed(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)), "it has another history");
        assert_true(wait_now().waits_for_sentinels);
        assert_int_equal(wait_now().left_ms, -1);
    }
    link_follow_primary(stage.link, &told); /* it is that one: at once, and from now on the grace */
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), 0);
    expect_passed(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)), "it has another history");
    assert_int_equal(wait_now().left_ms, 1000);
    while (wait_now().left_ms > 0)
        expect_passed(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)), "it has another history");
}

/* Also not a full sync of ours, while it is not known whether that is the primary. */
LINK_TEST(before_a_sentinel_answers_no_full_sync_is_taken)
{
    stage.options.failover_grace_ms = GRACE_MS;
    stage.options.asks_sentinels = true;
    start_with(1);
    struct conn *primary = introduce(0, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, FROM_X);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 9000\r\n");
    assert_true(fake_conn_is_closed(primary));
    stage_expect_error("declined: it offers a full sync only");
    assert_int_equal(stage_status().full_syncs, 0);
    link_follow_primary(stage.link, &told);
    primary = introduce(0, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, FROM_X);
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 9000\r\n");
    stage_expect_state(LINK_LOADING);
}

LINK_TEST(before_a_sentinel_answers_it_goes_on_where_it_can)
{
    stage.options.asks_sentinels = true;
    start_with(1);
    settle_on(0);
    link_follow_primary(stage.link, &told);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(what_a_sentinel_tells_waits_for_the_grace)
{
    stage.options.failover_grace_ms = GRACE_MS;
    stage.options.asks_sentinels = true;
    start_with(0);
    link_follow_primary(stage.link, &told);
    do
        expect_passed(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)), "it has another history");
    while (wait_now().left_ms > 0);
    if (fake_loop_next_timer_ms(stage.loop) > 0)
        expect_passed(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)), "it has another history");
    take_full_sync(introduce(0, PRIMARY_OF(STAGE_OTHER_ID)));
}
