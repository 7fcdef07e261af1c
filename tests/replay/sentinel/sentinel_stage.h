/* SPDX-License-Identifier: MIT
 *
 * The watcher of Sentinels on a stage of its own. The test is the Sentinels: s0:26379, s1:26380, [::1]:26381.
 */
#ifndef TESTS_REPLAY_SENTINEL_SENTINEL_STAGE_H
#define TESTS_REPLAY_SENTINEL_SENTINEL_STAGE_H

#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/upstream/sentinel.h"
#include "test.h"

#define QUESTION "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$8\r\nmymaster\r\n"
#define CHANNELS "$14\r\n+switch-master\r\n$29\r\n+failover-state-reconf-slaves\r\n"
#define SUBSCRIBE "*3\r\n$9\r\nSUBSCRIBE\r\n" CHANNELS
#define UNSUBSCRIBE "*3\r\n$11\r\nUNSUBSCRIBE\r\n" CHANNELS
#define PING "*1\r\n$4\r\nPING\r\n"

#define ADDRESS_1 "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n"
#define ADDRESS_2 "*2\r\n$8\r\n10.0.0.2\r\n$4\r\n6379\r\n"
#define SUBSCRIBED                                                                                 \
    "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"                                     \
    "*3\r\n$9\r\nsubscribe\r\n$29\r\n+failover-state-reconf-slaves\r\n:2\r\n"
#define UNSUBSCRIBED                                                                               \
    "*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"                                  \
    "*3\r\n$11\r\nunsubscribe\r\n$29\r\n+failover-state-reconf-slaves\r\n:0\r\n"
#define PROMOTED                                                                                   \
    "*3\r\n$7\r\nmessage\r\n$29\r\n+failover-state-reconf-slaves\r\n"                              \
    "$29\r\nmaster mymaster 10.0.0.1 6379\r\n"
#define PONG "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
#define MESSAGE(length, text)                                                                      \
    "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$" #length "\r\n" text "\r\n"

static struct loop *loop;
static struct sentinel *sentinel;
static struct sentinel_options options;
static size_t connections; /* that await_connection has seen */
static unsigned told;
static char told_last[300];
static bool asks_back; /* the callee asks from inside its call, as a link that is lost does */

static inline void on_address(const struct primary_address *primary, void *arg)
{
    assert_ptr_equal(arg, &told);
    told++;
    snprintf(told_last, sizeof(told_last), "%s %u", primary->host, (unsigned)primary->port);
    if (asks_back)
        sentinel_ask(sentinel);
}

static inline void add_sentinel(const char *host, uint16_t port)
{
    struct primary_address *at = &options.sentinels.at[options.sentinels.count++];
    snprintf(at->host, sizeof(at->host), "%s", host);
    at->port = port;
}

static inline int begin(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new(&(struct error){0});
    memset(&options, 0, sizeof(options));
    snprintf(options.name, sizeof(options.name), "mymaster");
    add_sentinel("s0", 26379);
    add_sentinel("s1", 26380);
    add_sentinel("::1", 26381);
    connections = 0;
    told = 0;
    told_last[0] = '\0';
    asks_back = false;
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    sentinel_close(&sentinel);
    assert_null(sentinel);
    for (size_t i = 0; i < fake_conn_count(); i++)
        assert_true(fake_conn_is_closed(fake_conn_nth(i)));
    fake_conn_reset();
    loop_free(&loop);
    return 0;
}

#define SENTINEL_TEST(name) TEST_SETUP(name, begin, end)

static inline void start(void)
{
    sentinel = sentinel_open(loop, &options, on_address, &told);
    assert_non_null(sentinel);
}

/* The next one that is connected to, which has this port. Waits in fake time. */
static inline struct conn *await(uint16_t port)
{
    while (fake_conn_count() == connections) {
        int64_t next_ms = fake_loop_next_timer_ms(loop);
        if (next_ms == -1)
            fail_msg("expected a connection to port %u, nothing is going on", (unsigned)port);
        fake_loop_pass(loop, next_ms);
    }
    struct conn *conn = fake_conn_nth(connections++);
    assert_int_equal(fake_conn_port(conn), port);
    return conn;
}

static inline void expect_sent(struct conn *conn, const char *expected)
{
    fake_conn_run(conn);
    assert_view(fake_conn_sent(conn), expected);
    fake_conn_forget_sent(conn);
}

static inline void say(struct conn *conn, const char *string)
{
    fake_conn_feed(conn, bytes_of(string));
    fake_conn_run(conn);
}

static inline void expect_told(unsigned times, const char *last)
{
    assert_string_equal(told_last, last);
    assert_int_equal(told, times);
}

static inline struct conn *connect_to(uint16_t port)
{
    struct conn *conn = await(port);
    fake_conn_up(conn);
    expect_sent(conn, QUESTION SUBSCRIBE);
    return conn;
}

static inline struct conn *listen_to(uint16_t port, const char *address)
{
    struct conn *conn = connect_to(port);
    say(conn, address);
    say(conn, SUBSCRIBED);
    return conn;
}

static inline void second(void)
{
    fake_loop_pass(loop, 1000);
    sentinel_tick(sentinel);
    fake_loop_turn(loop);
}

#endif
