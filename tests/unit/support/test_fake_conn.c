/* SPDX-License-Identifier: MIT
 *
 * That the stand-in keeps the rules that test_conn.c proves of the real one.
 */
#include "fake_conn.h"

#include "fake_loop.h"
#include "test.h"

static struct loop *loop;
static struct conn *conn; /* the owner's */
static char events[64];
static char got[64];
static size_t got_length;
static enum conn_io last_io;
static bool reads_to_the_end;

static void note(char letter)
{
    size_t length = strlen(events);
    assert_true(length + 1 < sizeof events);
    events[length] = letter;
    events[length + 1] = '\0';
}

static void on_event(struct conn *which, enum conn_event event, void *arg)
{
    (void)arg;
    note("URWD"[event]);
    if (event != CONN_EVENT_READABLE)
        return;
    size_t received;
    do {
        last_io = conn_receive(which, got + got_length, sizeof got - got_length, &received);
        got_length += received;
    } while (last_io == CONN_OK && reads_to_the_end);
}

static int begin(void **state)
{
    (void)state;
    memset(events, 0, sizeof events);
    memset(got, 0, sizeof got);
    got_length = 0;
    reads_to_the_end = false;
    loop = loop_new(&(struct error){0});
    const struct conn_options options = {.keepalive_s = 60};
    conn = conn_connect(loop, "primary.test", 6380, &options, on_event, NULL);
    assert_non_null(conn);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_conn_reset();
    loop_free(&loop);
    return 0;
}

#define FAKE_CONN_TEST(name) TEST_SETUP(name, begin, end)

FAKE_CONN_TEST(comes_up_and_knows_its_ends)
{
    struct conn *peer = fake_conn_newest();
    assert_ptr_equal(peer, conn);
    assert_string_equal(fake_conn_host(peer), "primary.test");
    assert_int_equal(fake_conn_port(peer), 6380);
    assert_int_equal(fake_conn_keepalive_s(peer), 60);
    assert_string_equal(conn_peer(conn), "primary.test:6380");
    assert_false(fake_conn_step(peer));
    fake_conn_up(peer);
    assert_string_equal(events, "U");
    assert_string_equal(conn_peer(conn), "192.0.2.7:6380");
    assert_true(fake_conn_is_up(peer));
}

FAKE_CONN_TEST(pieces_arrive_one_by_one_and_only_when_wanted)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_up(peer);
    fake_conn_feed_cut(peer, bytes_of("hello"), 2);
    fake_conn_end(peer);
    fake_conn_run(peer);
    assert_string_equal(events, "U");

    reads_to_the_end = true;
    conn_want(conn, true, false);
    assert_true(fake_conn_step(peer));
    assert_string_equal(got, "he");
    assert_int_equal(last_io, CONN_AGAIN);
    fake_conn_run(peer);
    assert_string_equal(got, "hello");
    assert_int_equal(last_io, CONN_END);
    assert_string_equal(events, "URRR");
    assert_int_equal(conn_received_total(conn), 5);
}

FAKE_CONN_TEST(sends_as_much_as_there_is_room_for)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_up(peer);
    fake_conn_set_room(peer, 5);
    fake_conn_set_send_max(peer, 3);
    size_t sent;
    assert_int_equal(conn_send(conn, bytes_of("abcdef"), true, &sent), CONN_OK);
    assert_int_equal(sent, 3);
    assert_true(fake_conn_promised_more(peer));
    assert_int_equal(conn_send(conn, bytes_of("def"), false, &sent), CONN_OK);
    assert_int_equal(sent, 2);
    assert_int_equal(conn_send(conn, bytes_of("f"), false, &sent), CONN_AGAIN);
    assert_int_equal(sent, 0);
    assert_view(fake_conn_sent(peer), "abcde");
    conn_want(conn, false, true);
    fake_conn_run(peer);
    assert_string_equal(events, "U");
    fake_conn_set_room(peer, 1);
    assert_true(fake_conn_step(peer));
    assert_string_equal(events, "UW");
}

FAKE_CONN_TEST(a_file_goes_out_and_a_short_one_breaks_the_connection)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_up(peer);
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("0123456789", file);
    fflush(file);
    size_t sent;
    assert_int_equal(conn_send_file(conn, fileno(file), 7, 9, &sent), CONN_OK);
    assert_int_equal(sent, 3);
    assert_view(fake_conn_sent(peer), "789");
    assert_int_equal(fake_conn_sent_by_file(peer), 3);
    assert_int_equal(conn_send_file(conn, fileno(file), 10, 6, &sent), CONN_UNREADABLE);
    fake_conn_run(peer);
    assert_string_equal(events, "U");
    fclose(file);
}

FAKE_CONN_TEST(goes_down_once_with_a_reason)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_down(peer, "Connection refused");
    assert_string_equal(events, "");
    fake_conn_run(peer);
    assert_string_equal(events, "D");
    assert_string_equal(conn_error(conn), "Connection refused");
    conn_close(&conn);
    assert_true(fake_conn_is_closed(peer));
    assert_false(fake_conn_is_drained(peer));
}

FAKE_CONN_TEST(a_reset_comes_after_what_was_fed)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_up(peer);
    fake_conn_feed(peer, bytes_of("x"));
    fake_conn_fail(peer, "Connection reset by peer");
    conn_want(conn, true, false);
    fake_conn_run(peer);
    assert_string_equal(events, "URRD");
    assert_string_equal(got, "x");
    assert_int_equal(last_io, CONN_FAILED);
    assert_string_equal(conn_error(conn), "Connection reset by peer");
}

FAKE_CONN_TEST(nothing_comes_after_closing_or_draining)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_up(peer);
    fake_conn_feed(peer, bytes_of("x"));
    conn_want(conn, true, true);
    conn_drain(&conn, 250);
    assert_null(conn);
    fake_conn_run_all();
    assert_string_equal(events, "U");
    assert_true(fake_conn_is_drained(peer));
    assert_int_equal(fake_conn_drain_limit_ms(peer), 250);
}

FAKE_CONN_TEST(detached_it_tells_nothing_until_it_is_attached)
{
    struct conn *peer = fake_conn_newest();
    fake_conn_up(peer);
    fake_conn_feed(peer, bytes_of("x"));
    conn_want(conn, true, false);
    conn_detach(conn);
    assert_true(fake_conn_is_detached(peer));
    fake_conn_run(peer);
    assert_string_equal(events, "U");
    struct loop *other = loop_new(&(struct error){0});
    assert_true(conn_attach(conn, other, on_event, NULL));
    fake_conn_run(peer);
    assert_string_equal(events, "U"); /* begins with nothing wanted */
    conn_want(conn, true, false);
    fake_conn_run(peer);
    assert_string_equal(events, "UR");
    assert_int_equal(fake_loop_turns(other), 1);
    loop_free(&other);
}
