/* SPDX-License-Identifier: MIT */
#include "relay/net/conn_push.h"

#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/net/loop.h"
#include "test.h"

static struct loop *loop;
static struct conn *conn;

static void on_event(struct conn *which, enum conn_event event, void *arg)
{
    (void)which;
    (void)event;
    (void)arg;
}

static int begin(void **state)
{
    (void)state;
    const struct conn_options options = {0};
    loop = loop_new(&(struct error){0});
    conn = conn_connect(loop, "server.test", 6379, &options, on_event, NULL);
    fake_conn_up(conn);
    return 0;
}

static int end(void **state)
{
    (void)state;
    conn_close(&conn);
    fake_conn_reset();
    loop_free(&loop);
    return 0;
}

#define PUSH_TEST(name) TEST_SETUP(name, begin, end)

PUSH_TEST(sends_all_in_as_many_calls_as_it_takes)
{
    size_t sent;
    fake_conn_set_send_max(conn, 3);
    assert_int_equal(conn_push(conn, bytes_of("0123456789"), &sent), CONN_OK);
    assert_int_equal(sent, 10);
    assert_view(fake_conn_sent(conn), "0123456789");
}

PUSH_TEST(nothing_is_sent_of_nothing)
{
    size_t sent = 1;
    assert_int_equal(conn_push(conn, bytes_at(NULL, 0), &sent), CONN_OK);
    assert_int_equal(sent, 0);
}

PUSH_TEST(what_does_not_fit_stays)
{
    struct text out;
    text_init(&out, 64);
    text_append_string(&out, "0123456789");
    fake_conn_set_send_max(conn, 2);
    fake_conn_set_room(conn, 5);
    assert_int_equal(conn_push_text(conn, &out), CONN_AGAIN);
    assert_string_equal(text_string(&out), "56789");
    fake_conn_set_room(conn, SIZE_MAX);
    assert_int_equal(conn_push_text(conn, &out), CONN_OK);
    assert_int_equal(out.length, 0);
    assert_view(fake_conn_sent(conn), "0123456789");
    text_fini(&out);
}

PUSH_TEST(a_broken_connection_takes_nothing)
{
    struct text out;
    text_init(&out, 64);
    text_append_string(&out, "0123");
    fake_conn_down(conn, "reset");
    assert_int_equal(conn_push_text(conn, &out), CONN_FAILED);
    assert_string_equal(text_string(&out), "0123");
    text_fini(&out);
}
