/* SPDX-License-Identifier: MIT
 *
 * The relay that is followed is asked how its own link is: on connections of their own, which cost the
 * stream nothing whatever comes of them.
 */
#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/base/clock.h"
#include "relay/net/loop.h"
#include "test.h"

#define QUESTION "*2\r\n$4\r\nINFO\r\n$5\r\nrelay\r\n"
#define ANSWER                                                                                     \
    "# Relay\r\nupstream_hops:2\r\n"                                                               \
    "upstream_hop0:host=10.0.0.1,port=6379,link=down,silence=31\r\n"                               \
    "upstream_hop1:host=10.0.0.9,port=6379,link=up,silence=2\r\n"

static struct conn *stream; /* from the relay that is followed */

static void follow_a_relay(void)
{
    stage.server = "redis_version:7.0.15\r\npsync_relay_version:0.1.0\r\n";
    stream = stage_stream();
}

/* The connection on which it is asked; NULL: there is no other than those of before. */
static struct conn *question(void)
{
    if (!stage_has_new())
        return NULL;
    struct conn *conn = stage_connect();
    assert_ptr_not_equal(conn, stream);
    assert_string_equal(fake_conn_host(conn), "primary.test");
    assert_int_equal(fake_conn_port(conn), 6379);
    return conn;
}

static struct conn *asked(void)
{
    struct conn *conn = NULL;
    for (unsigned i = 0; i < 6 && conn == NULL; i++) {
        stage_second();
        conn = question();
    }
    assert_non_null(conn);
    return conn;
}

static void expect_hops(size_t count, enum hop_link link, int64_t silence_ms)
{
    struct hops hops;
    link_hops(stage.link, &hops);
    assert_int_equal(hops.count, count);
    assert_string_equal(hops.at[0].to.host, "primary.test");
    if (count < 2)
        return;
    assert_string_equal(hops.at[1].to.host, "10.0.0.1");
    assert_int_equal(hops.at[1].link, link);
    assert_int_equal(hops.at[1].silence_ms, silence_ms);
}

LINK_TEST(the_relay_above_tells)
{
    follow_a_relay();
    expect_hops(1, HOP_UP, 0);
    struct conn *conn = asked();
    assert_view(fake_conn_sent(conn), QUESTION);
    stage_say_bulk(conn, ANSWER);
    assert_true(fake_conn_is_closed(conn));
    expect_hops(3, HOP_DOWN, 31 * 1000);
    stage_seconds(3);
    stage_say(stream, SET_K);
    expect_hops(3, HOP_DOWN, 34 * 1000);
    stage_expect_state(LINK_STREAMING);

    conn = asked(); /* again */
    stage_say_bulk(conn, "upstream_hop0:host=10.0.0.1,port=6379,link=up,silence=0\r\n");
    expect_hops(2, HOP_UP, 0);
}

LINK_TEST(a_server_is_not_asked)
{
    stream = stage_stream();
    stage_seconds(20);
    assert_false(stage_has_new());
    expect_hops(1, HOP_UP, 0);
}

LINK_TEST(it_logs_in_as_the_link_does)
{
    stage.options.password = "secret";
    follow_a_relay();
    struct conn *conn = asked();
    assert_view(fake_conn_sent(conn), "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n" QUESTION);
    stage_say(conn, "+OK\r\n");
    stage_say_bulk(conn, ANSWER);
    expect_hops(3, HOP_DOWN, 31 * 1000);
}

LINK_TEST(who_does_not_let_us_ask_is_left_alone)
{
    follow_a_relay();
    struct conn *conn = asked();
    stage_say(conn, "-NOPERM this user has no permissions to run the 'info' command\r\n");
    assert_true(fake_conn_is_closed(conn));
    stage_seconds(30);
    assert_false(stage_has_new());
    stage_expect_state(LINK_STREAMING);

    /* Its rights may be others when the link is made anew. */
    fake_conn_end(stream);
    fake_conn_run(stream);
    stream = stage_greet("PSYNC " STAGE_ID " 4712");
    stage_say(stream, "+CONTINUE " STAGE_ID "\r\n");
    stage_say_bulk(asked(), ANSWER);
    expect_hops(3, HOP_DOWN, 31 * 1000);
}

LINK_TEST(nonsense_and_silence_are_borne)
{
    static const char *const answers[] = {"?\r\n", "$99999999\r\n",
                                          "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"};
    for (size_t i = 0; i < LENGTH_OF(answers); i++) {
        if (i == 0)
            follow_a_relay();
        struct conn *conn = asked();
        stage_say(conn, answers[i]);
        assert_true(fake_conn_is_closed(conn));
        fake_conn_end(stream);
        fake_conn_run(stream);
        stream = stage_greet("PSYNC " STAGE_ID " 4712");
        stage_say(stream, "+CONTINUE " STAGE_ID "\r\n");
    }
    /* One that never answers is let go of, and asked again; what it told before is believed for a while. */
    stage_say_bulk(asked(), ANSWER);
    struct conn *conn = asked();
    stage_seconds(4);
    assert_true(fake_conn_is_closed(conn));
    expect_hops(3, HOP_DOWN, 40 * 1000);
    conn = asked();
    fake_conn_end(conn);
    fake_conn_run(conn);
    assert_true(fake_conn_is_closed(conn));
    for (unsigned i = 0; i < 20; i++) {
        stage_second();
        if (stage_has_new())
            fake_conn_down(stage_await(), "Connection refused");
    }
    expect_hops(1, HOP_UP, 0);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(what_was_told_goes_with_the_link)
{
    follow_a_relay();
    stage_say_bulk(asked(), ANSWER);
    struct conn *open = asked();
    fake_conn_end(stream);
    fake_conn_run(stream);
    stage_second();
    assert_true(fake_conn_is_closed(open));
    struct hops hops;
    link_hops(stage.link, &hops);
    assert_int_equal(hops.count, 1);
    assert_int_equal(hops.at[0].link, HOP_DOWN);
}

LINK_TEST(the_primary_is_heard)
{
    stream = stage_stream();
    stage_seconds(7);
    struct hops hops;
    link_hops(stage.link, &hops);
    assert_int_equal(hops.at[0].silence_ms, 7000);
    assert_int_equal(stage_status().ping_period_ms, 10 * 1000);
    for (int i = 0; i < 6; i++) {
        stage_say(stream, PING_COMMAND);
        stage_seconds(3);
    }
    assert_int_equal(stage_status().ping_period_ms, 3000);
    link_hops(stage.link, &hops);
    assert_int_equal(hops.at[0].silence_ms, 3000);
}
