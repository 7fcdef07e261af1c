/* SPDX-License-Identifier: MIT
 *
 * The watcher of Sentinels; the test is the Sentinels. */
#include "fake_clock.h"
#include "relay/base/text.h"
#include "sentinel_stage.h"

SENTINEL_TEST(asks_then_listens)
{
    start();
    struct conn *conn = await(26379);
    assert_string_equal(fake_conn_host(conn), "s0");
    fake_conn_up(conn);
    expect_sent(conn, QUESTION SUBSCRIBE);
    say(conn, ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
    say(conn, MESSAGE(36, "mymaster 10.0.0.1 6379 10.0.0.2 6380"));
    expect_told(2, "10.0.0.2 6380");
    say(conn, MESSAGE(33, "other 10.0.0.1 6379 10.0.0.3 6380"));
    expect_told(2, "10.0.0.2 6380");
    assert_false(fake_conn_is_closed(conn));
}

/* Every reply and message cut at every place. */
static const char dialogue[] = ADDRESS_1 SUBSCRIBED MESSAGE(33, "other 10.0.0.1 6379 10.0.0.3 6380")
    MESSAGE(36, "mymaster 10.0.0.1 6379 10.0.0.2 6380");

TEST(takes_what_comes_in_any_pieces)
{
    for (size_t cut = 0; cut <= sizeof(dialogue) - 1; cut++) {
        begin(NULL);
        start();
        struct conn *conn = connect_to(26379);
        struct bytes whole = LITERAL(dialogue);
        if (cut > 0)
            fake_conn_feed(conn, bytes_first(whole, cut));
        if (cut < whole.length)
            fake_conn_feed(conn, bytes_skip(whole, cut));
        fake_conn_run(conn);
        expect_told(2, "10.0.0.2 6380");
        assert_false(fake_conn_is_closed(conn));
        end(NULL);
    }
}

SENTINEL_TEST(takes_what_comes_byte_by_byte)
{
    start();
    struct conn *conn = connect_to(26379);
    fake_conn_feed_cut(conn, LITERAL(dialogue), 1);
    fake_conn_run(conn);
    expect_told(2, "10.0.0.2 6380");
}

SENTINEL_TEST(sends_what_does_not_fit_at_once)
{
    start();
    struct conn *conn = await(26379);
    fake_conn_set_room(conn, 5);
    fake_conn_up(conn);
    fake_conn_run(conn);
    assert_true(fake_conn_wants_write(conn));
    fake_conn_set_room(conn, SIZE_MAX);
    expect_sent(conn, QUESTION SUBSCRIBE);
    assert_false(fake_conn_wants_write(conn));
    say(conn, ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
}

SENTINEL_TEST(logs_in)
{
    options.password = "geheim";
    start();
    struct conn *conn = await(26379);
    fake_conn_up(conn);
    expect_sent(conn, "*2\r\n$4\r\nAUTH\r\n$6\r\ngeheim\r\n" QUESTION SUBSCRIBE);
    say(conn, "+OK\r\n" ADDRESS_1 SUBSCRIBED);
    expect_told(1, "10.0.0.1 6379");
    fake_conn_end(conn);
    fake_conn_run(conn);

    options.user = "relay";
    sentinel_close(&sentinel);
    start();
    conn = await(26379);
    fake_conn_up(conn);
    expect_sent(conn, "*3\r\n$4\r\nAUTH\r\n$5\r\nrelay\r\n$6\r\ngeheim\r\n" QUESTION SUBSCRIBE);
}

SENTINEL_TEST(a_refused_password_passes_it_over)
{
    options.password = "wrong";
    start();
    struct conn *conn = await(26379);
    fake_conn_up(conn);
    say(conn, "-WRONGPASS invalid\r\n-NOAUTH\r\n-NOAUTH\r\n");
    assert_true(fake_conn_is_closed(conn));
    conn = await(26380);
    expect_told(0, "");
}

/* What each does instead of answering; the next one is connected to at once. */
TEST(one_that_is_of_no_use_is_passed_over)
{
    static const char *const says[] = {
        "*-1\r\n" SUBSCRIBED,
        "-ERR unknown command\r\n" SUBSCRIBED,
        "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n",
        "+OK\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "*2\r\n$8\r\n10.0.0.1\r\n$5\r\n99999\r\n" SUBSCRIBED,
        "*2\r\n$0\r\n\r\n$4\r\n6379\r\n" SUBSCRIBED,
        "$999999999\r\n",
        "*100000000\r\n",
        SUBSCRIBED,
        PONG,
        MESSAGE(10, "mymaster a"),
        "*3\r\n$7\r\nmessage\r\n$5\r\n+sdwn\r\n$1\r\nx\r\n",
    };
    for (size_t i = 0; i < LENGTH_OF(says); i++) {
        begin(NULL);
        start();
        struct conn *conn = connect_to(26379);
        say(conn, says[i]);
        if (!fake_conn_is_closed(conn))
            fail_msg("row %zu was believed", i);
        expect_told(0, "");
        (void)listen_to(26380, ADDRESS_2);
        expect_told(1, "10.0.0.2 6379");
        end(NULL);
    }
}

SENTINEL_TEST(an_error_for_the_subscription_passes_it_over)
{
    start();
    struct conn *conn = connect_to(26379);
    say(conn, ADDRESS_1 "-NOPERM this user has no permissions\r\n");
    assert_true(fake_conn_is_closed(conn));
    expect_told(1, "10.0.0.1 6379");
    (void)await(26380);
}

SENTINEL_TEST(the_silent_the_dead_and_the_unknown_are_passed_over)
{
    start();
    struct conn *silent = connect_to(26379);
    fake_loop_pass(loop, 1999);
    assert_false(fake_conn_is_closed(silent));
    fake_loop_pass(loop, 1);
    assert_true(fake_conn_is_closed(silent));

    struct conn *unknown = await(26380);
    fake_conn_down(unknown, "unknown host");
    fake_conn_run(unknown);
    assert_true(fake_conn_is_closed(unknown));

    struct conn *leaving = await(26381);
    assert_string_equal(fake_conn_host(leaving), "::1");
    fake_conn_up(leaving);
    fake_conn_end(leaving);
    fake_conn_run(leaving);
    assert_true(fake_conn_is_closed(leaving));

    /* All have failed once: a rest, then from the beginning. */
    assert_int_equal(fake_conn_count(), 3);
    int64_t rest_ms = fake_loop_next_timer_ms(loop);
    assert_true(rest_ms >= 50 && rest_ms <= 100);
    (void)listen_to(26379, ADDRESS_1);
    expect_told(1, "10.0.0.1 6379");
}

SENTINEL_TEST(rests_grow_up_to_a_limit)
{
    options.sentinels.count = 1;
    start();
    int64_t longest_ms = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct conn *conn = await(26379);
        fake_conn_down(conn, "Connection refused");
        fake_conn_run(conn);
        longest_ms = fake_loop_next_timer_ms(loop);
        assert_true(longest_ms > 0 && longest_ms <= 5000);
    }
    assert_true(longest_ms >= 2500);
    /* One that tells the address, and ends at once, each time, is no better. */
    for (unsigned i = 0; i < 5; i++) {
        struct conn *conn = listen_to(26379, ADDRESS_1);
        fake_conn_end(conn);
        fake_conn_run(conn);
        assert_true(fake_loop_next_timer_ms(loop) >= 2500);
    }
    /* One that goes on is. */
    struct conn *conn = listen_to(26379, ADDRESS_1);
    second();
    say(conn, PONG);
    fake_conn_end(conn);
    fake_conn_run(conn);
    assert_true(fake_loop_next_timer_ms(loop) <= 100);
}

SENTINEL_TEST(a_connection_that_cannot_be_made_is_tried_again)
{
    fake_conn_refuse_next();
    start();
    fake_loop_pass(loop, 1999);
    assert_int_equal(fake_conn_count(), 0);
    (void)listen_to(26380, ADDRESS_1);
    expect_told(1, "10.0.0.1 6379");
}

SENTINEL_TEST(pings_and_notices_death)
{
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    for (unsigned i = 0; i < 30; i++) {
        second();
        expect_sent(conn, PING);
        say(conn, PONG);
    }
    assert_false(fake_conn_is_closed(conn));
    second();
    expect_sent(conn, PING);
    for (unsigned i = 0; i < 3; i++)
        second();
    expect_sent(conn, ""); /* one at a time */
    assert_false(fake_conn_is_closed(conn));
    second();
    second();
    assert_true(fake_conn_is_closed(conn));
    (void)listen_to(26380, ADDRESS_1);
    expect_told(2, "10.0.0.1 6379");
}

SENTINEL_TEST(ends_and_breaks_while_listening)
{
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    fake_conn_end(conn);
    fake_conn_run(conn);
    conn = listen_to(26380, ADDRESS_1);
    fake_conn_down(conn, "Connection reset by peer");
    fake_conn_run(conn);
    conn = listen_to(26381, ADDRESS_2);
    fake_conn_fail(conn, "Connection timed out");
    fake_conn_run(conn);
    (void)listen_to(26379, ADDRESS_2);
    expect_told(4, "10.0.0.2 6379");
}

TEST(nonsense_while_listening_passes_it_over)
{
    static const char *const says[] = {
        "+OK\r\n",
        PONG, /* of no PING */
        "-ERR\r\n",
        "?",
        MESSAGE(35, "mymaster 10.0.0.1 6379 10.0.0.2 0 x"),
        MESSAGE(33, "mymaster 10.0.0.1 6379 10.0.0.2 0"),
        MESSAGE(8, "mymaster"),
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\nb\r\n",
    };
    for (size_t i = 0; i < LENGTH_OF(says); i++) {
        begin(NULL);
        start();
        struct conn *conn = listen_to(26379, ADDRESS_1);
        say(conn, says[i]);
        if (!fake_conn_is_closed(conn))
            fail_msg("row %zu was believed", i);
        expect_told(1, "10.0.0.1 6379");
        (void)await(26380);
        end(NULL);
    }
}

/* One answer too many, in one arrival with the last that was asked for. */
SENTINEL_TEST(an_answer_behind_the_last_passes_it_over)
{
    start();
    struct conn *conn = connect_to(26379);
    say(conn, ADDRESS_1 SUBSCRIBED "$4\r\npong\r\n");
    assert_true(fake_conn_is_closed(conn));
    (void)await(26380);
}

SENTINEL_TEST(asked_again_it_asks_on_the_same_connection)
{
    options.sentinels.count = 1;
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    second();
    expect_sent(conn, PING);
    sentinel_ask(sentinel);
    fake_loop_pass(loop, 0);
    expect_sent(conn, UNSUBSCRIBE QUESTION SUBSCRIBE);
    /* Meanwhile nobody is impatient, and what was under way comes first. */
    sentinel_ask(sentinel);
    say(conn, MESSAGE(36, "mymaster 10.0.0.1 6379 10.0.0.9 6379") PONG UNSUBSCRIBED);
    expect_told(2, "10.0.0.9 6379");
    say(conn, ADDRESS_2 SUBSCRIBED);
    expect_told(3, "10.0.0.2 6379");
    second();
    expect_sent(conn, PING);
    assert_int_equal(fake_conn_count(), 1);
}

/* The one that leads the failover tells who asks, long before it says +switch-master. */
SENTINEL_TEST(a_promotion_is_asked_after)
{
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    fake_loop_pass(loop, 1000);
    say(conn, PROMOTED);
    fake_loop_pass(loop, 0);
    expect_sent(conn, UNSUBSCRIBE QUESTION SUBSCRIBE);
    say(conn, UNSUBSCRIBED ADDRESS_2 SUBSCRIBED);
    expect_told(2, "10.0.0.2 6379");
    /* One that promotes all the time is asked once a second, and listened to on. */
    for (unsigned i = 0; i < 10; i++)
        say(conn, PROMOTED);
    fake_loop_pass(loop, 999);
    expect_sent(conn, "");
    fake_loop_pass(loop, 1);
    expect_sent(conn, UNSUBSCRIBE QUESTION SUBSCRIBE);
    say(conn, UNSUBSCRIBED ADDRESS_2 SUBSCRIBED);
    assert_false(fake_conn_is_closed(conn));
    assert_int_equal(fake_conn_count(), 1);
}

SENTINEL_TEST(asked_again_and_again_it_asks_once_a_second)
{
    options.sentinels.count = 1;
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    fake_loop_pass(loop, 400);
    sentinel_ask(sentinel);
    fake_loop_pass(loop, 300);
    sentinel_ask(sentinel);
    fake_loop_pass(loop, 299);
    expect_sent(conn, "");
    fake_loop_pass(loop, 1);
    expect_sent(conn, UNSUBSCRIBE QUESTION SUBSCRIBE);
    say(conn, UNSUBSCRIBED ADDRESS_1 SUBSCRIBED);
    expect_told(2, "10.0.0.1 6379");
    fake_loop_pass(loop, 5000);
    expect_sent(conn, "");
}

SENTINEL_TEST(with_nothing_new_the_next_one_is_asked)
{
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    second();
    expect_sent(conn, PING);
    say(conn, PONG);
    sentinel_ask(sentinel);
    fake_loop_pass(loop, 0);
    expect_sent(conn, UNSUBSCRIBE QUESTION SUBSCRIBE);
    say(conn, UNSUBSCRIBED ADDRESS_1 SUBSCRIBED);
    assert_true(fake_conn_is_closed(conn));
    conn = listen_to(26380, ADDRESS_2);
    expect_told(3, "10.0.0.2 6379");
    assert_false(fake_conn_is_closed(conn)); /* it is listened to, whatever it said */

    fake_loop_pass(loop, 1000);
    sentinel_ask(sentinel);
    fake_loop_pass(loop, 0);
    expect_sent(conn, UNSUBSCRIBE QUESTION SUBSCRIBE);
    say(conn, UNSUBSCRIBED ADDRESS_1 SUBSCRIBED);
    expect_told(4, "10.0.0.1 6379"); /* news: it stays */
    assert_false(fake_conn_is_closed(conn));
}

SENTINEL_TEST(silence_after_being_asked_again_passes_it_over)
{
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    fake_loop_pass(loop, 1000);
    sentinel_ask(sentinel);
    fake_loop_pass(loop, 0);
    assert_false(fake_conn_is_closed(conn));
    fake_loop_pass(loop, 2000);
    assert_true(fake_conn_is_closed(conn));
    (void)listen_to(26380, ADDRESS_1); /* still in doubt: the one after it, too */
    (void)listen_to(26381, ADDRESS_1);
    expect_told(3, "10.0.0.1 6379");
}

SENTINEL_TEST(a_link_that_asks_because_it_was_told_has_its_answer)
{
    asks_back = true;
    start();
    struct conn *conn = listen_to(26379, ADDRESS_1);
    say(conn, MESSAGE(36, "mymaster 10.0.0.1 6379 10.0.0.2 6380"));
    expect_told(2, "10.0.0.2 6380");
    fake_loop_pass(loop, 3000);
    expect_sent(conn, "");
    assert_int_equal(fake_conn_count(), 1);
}

SENTINEL_TEST(tls_is_for_the_connections_that_come)
{
    char any[2];
    struct tls_context *one = (struct tls_context *)(void *)&any[0];
    struct tls_context *other = (struct tls_context *)(void *)&any[1];
    start();
    sentinel_set_tls(sentinel, one);
    struct conn *first = await(26379);
    assert_ptr_equal(fake_conn_tls(first), one);
    sentinel_set_tls(sentinel, other);
    fake_conn_down(first, "TLS: the server's certificate is not accepted: unknown CA");
    fake_conn_run(first);
    struct conn *second = await(26380);
    assert_ptr_equal(fake_conn_tls(second), other);
    sentinel_set_tls(sentinel, NULL);
    fake_conn_down(second, "reset by peer");
    fake_conn_run(second);
    assert_null(fake_conn_tls(await(26381)));
}

SENTINEL_TEST(closed_in_every_state)
{
    start();
    sentinel_close(&sentinel);
    start();
    struct conn *conn = await(26379);
    sentinel_close(&sentinel);
    assert_true(fake_conn_is_closed(conn));
    start();
    conn = connect_to(26379);
    sentinel_close(&sentinel);
    assert_true(fake_conn_is_closed(conn));
    start();
    conn = listen_to(26379, ADDRESS_1);
    sentinel_close(&sentinel);
    assert_true(fake_conn_is_closed(conn));
    sentinel_close(&sentinel);
    fake_loop_pass(loop, 10000);
    expect_told(1, "10.0.0.1 6379");
}
