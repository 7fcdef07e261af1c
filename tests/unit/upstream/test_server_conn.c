/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/server_conn.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/base/clock.h"
#include "test.h"

#define ACK_7 "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n7\r\n"
#define PING "*1\r\n$4\r\nPING\r\n"

static const struct primary_address primary = {.host = "primary.test", .port = 6379};
static struct loop *loop;
static struct server_conn server_conn;
static struct text why;
static unsigned events[4]; /* told, by kind */

static void on_event(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    (void)arg;
    events[event]++;
    if (event == CONN_EVENT_READABLE && server_conn.pending.length == 0)
        assert_true(server_conn_receive(&server_conn, &why));
    if (event == CONN_EVENT_WRITABLE)
        server_conn_flush(&server_conn);
}

static struct conn *open_up(void)
{
    assert_true(server_conn_open(&server_conn, loop, &primary, on_event, NULL));
    fake_conn_up(server_conn.conn);
    return server_conn.conn;
}

static int begin(void **state)
{
    (void)state;
    loop = loop_new(&(struct error){0});
    assert_true(server_conn_init(&server_conn));
    text_init(&why, 512);
    memset(events, 0, sizeof(events));
    return 0;
}

static int end(void **state)
{
    (void)state;
    server_conn_fini(&server_conn);
    text_fini(&why);
    fake_conn_reset();
    loop_free(&loop);
    return 0;
}

#define SERVER_CONN_TEST(name) TEST_SETUP(name, begin, end)

SERVER_CONN_TEST(asks_for_reading_and_for_room_only_when_it_needs_it)
{
    struct conn *conn = open_up();
    const struct handshake_terms terms = {0};
    assert_true(fake_conn_keepalive_s(conn) > 0);
    fake_conn_set_room(conn, 5);
    server_conn_start_handshake(&server_conn, &terms);
    server_conn_flush(&server_conn);
    assert_view(fake_conn_sent(conn), "*1\r\n$");
    assert_true(fake_conn_wants_read(conn));
    assert_true(fake_conn_wants_write(conn));
    fake_conn_set_room(conn, 100);
    fake_conn_set_send_max(conn, 2);
    fake_conn_run(conn);
    assert_view(fake_conn_sent(conn), PING);
    assert_false(fake_conn_wants_write(conn));
}

SERVER_CONN_TEST(one_acknowledgement_at_a_time_waits_for_room)
{
    struct conn *conn = open_up();
    fake_conn_set_room(conn, 3);
    server_conn_acknowledge(&server_conn, 7, false);
    server_conn_acknowledge(&server_conn, 8, false);
    fake_conn_set_room(conn, SIZE_MAX);
    fake_conn_run(conn);
    assert_view(fake_conn_sent(conn), ACK_7);
}

SERVER_CONN_TEST(what_is_durable_is_said_to_be)
{
    struct conn *conn = open_up();
    server_conn_acknowledge(&server_conn, 7, true);
    assert_view(fake_conn_sent(conn), "*5\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n7\r\n"
                                      "$4\r\nFACK\r\n$1\r\n7\r\n");
    fake_conn_forget_sent(conn);
    server_conn_acknowledge(&server_conn, UINT64_MAX, true);
    assert_view(fake_conn_sent(conn),
                "*5\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$20\r\n18446744073709551615\r\n"
                "$4\r\nFACK\r\n$20\r\n18446744073709551615\r\n");
}

SERVER_CONN_TEST(rests_and_goes_on)
{
    struct conn *conn = open_up();
    server_conn_flush(&server_conn);
    server_conn_pause(&server_conn, true);
    fake_conn_feed(conn, bytes_of("+OK\r\n"));
    server_conn_acknowledge(&server_conn, 7, false);
    fake_conn_run(conn);
    assert_int_equal(events[CONN_EVENT_READABLE], 0);
    assert_view(fake_conn_sent(conn), ACK_7);
    server_conn_pause(&server_conn, false);
    fake_conn_run(conn);
    assert_view(server_conn.pending, "+OK\r\n");
}

SERVER_CONN_TEST(knows_when_something_came_last_and_how_much_in_all)
{
    struct conn *conn = open_up();
    int64_t opened = clock_ms();
    server_conn_flush(&server_conn);
    fake_clock_advance(300);
    assert_int_equal(server_conn.last_io_ms, opened);
    fake_conn_feed(conn, bytes_of("12345"));
    fake_conn_run(conn);
    assert_int_equal(server_conn.last_io_ms, opened + 300);
    assert_int_equal(server_conn_received(&server_conn), 5);
    server_conn_close(&server_conn);
    assert_int_equal(server_conn_received(&server_conn), 5);
    assert_int_equal(server_conn.pending.length, 0);
    (void)open_up();
    assert_int_equal(server_conn_received(&server_conn), 5);
    assert_false(server_conn.is_paused);
}

static struct conn *ending;

static void on_ending(struct conn *conn, enum conn_event event, void *arg)
{
    (void)arg;
    ending = conn;
    if (event == CONN_EVENT_READABLE)
        assert_false(server_conn_receive(&server_conn, &why));
}

SERVER_CONN_TEST(tells_why_nothing_comes_any_more)
{
    assert_true(server_conn_open(&server_conn, loop, &primary, on_ending, NULL));
    fake_conn_up(server_conn.conn);
    server_conn_pause(&server_conn, false);
    fake_conn_end(server_conn.conn);
    fake_conn_run(server_conn.conn);
    assert_string_equal(text_string(&why), "the primary closed the connection");
    text_clear(&why);
    server_conn_close(&server_conn);
    assert_true(fake_conn_is_closed(ending));

    assert_true(server_conn_open(&server_conn, loop, &primary, on_ending, NULL));
    fake_conn_up(server_conn.conn);
    server_conn_pause(&server_conn, false);
    fake_conn_fail(server_conn.conn, "Connection reset by peer");
    assert_true(fake_conn_step(server_conn.conn));
    assert_string_equal(text_string(&why), "Connection reset by peer");
    server_conn_acknowledge(&server_conn, 1, false);
    assert_true(fake_conn_step(server_conn.conn)); /* DOWN */
    assert_false(fake_conn_step(server_conn.conn));
}

SERVER_CONN_TEST(memory_is_out)
{
    fake_conn_refuse_next();
    assert_false(server_conn_open(&server_conn, loop, &primary, on_event, NULL));
    server_conn_close(&server_conn);
    (void)open_up();
}
