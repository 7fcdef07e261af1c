/* SPDX-License-Identifier: MIT
 *
 * A client that must authenticate and has not: how long it may stay, and what it may make us hold.
 */
#include "client_stage.h"

/* Clients whose commands are AUTH, RESET, MUCH, and everything else, which is refused to unauthenticated clients. */
static unsigned refused;

static void on_command(struct client *client, const struct command *command, void *arg)
{
    (void)arg;
    struct writer *writer = client_writer(client);
    struct client_session *session = client_session(client);
    struct bytes name = command->argument[0];
    if (bytes_is(name, "auth")) {
        snprintf(session->user, sizeof(session->user), "default");
    } else if (bytes_is(name, "reset")) {
        session->user[0] = '\0';
    } else if (session->user[0] == '\0') {
        refused++;
        write_error(writer, "NOAUTH Authentication required.");
        if (bytes_is(name, "psync") || bytes_is(name, "replconf"))
            client_refuse_replica(client, "no password", bytes_is(name, "replconf"));
        return;
    }
    write_simple(writer, "OK");
}

static void on_newcomer(const struct newcomer *newcomer, void *arg)
{
    (void)newcomer;
    (void)arg;
    fail_msg("an unauthenticated client has become a replica");
}

static int set_up(void **state)
{
    (void)state;
    refused = 0;
    stage_open((struct client_list){
        .must_authenticate = true,
        .on_command = on_command,
        .on_newcomer = on_newcomer,
    });
    stage_accept();
    return 0;
}

#define UNAUTHENTICATED_TEST(name) TEST_SETUP(name, set_up, stage_close)

static void pass(int64_t ms)
{
    fake_clock_advance(ms);
    client_list_tick(&stage.list);
}

/* ---- its time ---- */

UNAUTHENTICATED_TEST(has_its_time_and_no_more)
{
    fake_conn_up(stage.peer);
    pass(UNAUTHENTICATED_MS_MAX);
    assert_int_equal(stage.list.count, 1);
    pass(1);
    stage_expect_closed(CLOSE_UNAUTHENTICATED);
}

/* Whatever it says meanwhile, bit by bit or in whole commands that are refused. */
UNAUTHENTICATED_TEST(gets_no_more_by_talking)
{
    fake_conn_up(stage.peer);
    stage_hear("PING\r\n*2\r\n$4\r\nAU");
    pass(UNAUTHENTICATED_MS_MAX - 1);
    stage_hear("TH");
    pass(2);
    stage_expect_closed(CLOSE_UNAUTHENTICATED);
}

/* The handshake of TLS has a deadline of its own. */
UNAUTHENTICATED_TEST(its_time_begins_when_the_connection_is_up)
{
    pass(2 * UNAUTHENTICATED_MS_MAX);
    assert_int_equal(stage.list.count, 1);
    fake_conn_up(stage.peer);
    pass(UNAUTHENTICATED_MS_MAX);
    assert_int_equal(stage.list.count, 1);
    stage_hear("AUTH\r\n");
    stage_expect_sent("+OK\r\n");
}

UNAUTHENTICATED_TEST(who_has_authenticated_may_stay)
{
    fake_conn_up(stage.peer);
    stage_hear("AUTH\r\n");
    pass(100 * UNAUTHENTICATED_MS_MAX);
    assert_int_equal(stage.list.count, 1);
    stage_hear("RESET\r\n"); /* begins anew, with all of the time */
    pass(UNAUTHENTICATED_MS_MAX);
    assert_int_equal(stage.list.count, 1);
    pass(1);
    stage_expect_closed(CLOSE_UNAUTHENTICATED);
}

UNAUTHENTICATED_TEST(nobody_is_one_without_a_password)
{
    stage.list.must_authenticate = false;
    fake_conn_up(stage.peer);
    pass(100 * UNAUTHENTICATED_MS_MAX);
    assert_int_equal(stage.list.count, 1);
    stage_hear("*1\r\n$9000\r\n"); /* more than an unauthenticated client may */
    stage_expect_sent("");
    assert_int_equal(stage.list.count, 1);
}

/* ---- a replica without the password ---- */

#define NOAUTH "-NOAUTH Authentication required.\r\n"

UNAUTHENTICATED_TEST(a_replica_waits_for_its_refusal)
{
    fake_conn_up(stage.peer);
    stage_hear("PING\r\n");
    stage_expect_sent(NOAUTH);
    stage_hear("PSYNC ? -1\r\nPSYNC ? -1\r\n");
    stage_expect_sent("");
    assert_int_equal(refused, 2);
    assert_int_equal(stage.list.replicas_refused, 1);
    pass(CLIENT_PAUSE_MS - 1);
    fake_conn_run(stage.peer);
    stage_expect_sent("");
    pass(1);
    fake_conn_run(stage.peer);
    stage_expect_sent(NOAUTH);
    assert_int_equal(refused, 3);
    pass(CLIENT_PAUSE_MS);
    fake_conn_run(stage.peer);
    stage_expect_sent(NOAUTH);
    assert_int_equal(stage.list.replicas_refused, 1);
    stage_hear("AUTH\r\n");
    stage_expect_sent("+OK\r\n");
}

/* A replica sends several of them, and gives up when all together take long. */
UNAUTHENTICATED_TEST(of_what_it_says_of_itself_the_first_alone_waits)
{
    fake_conn_up(stage.peer);
    stage_hear("REPLCONF a b\r\nREPLCONF a b\r\nREPLCONF a b\r\n");
    stage_expect_sent("");
    pass(CLIENT_PAUSE_MS);
    fake_conn_run(stage.peer);
    stage_expect_sent(NOAUTH NOAUTH NOAUTH);
    assert_int_equal(stage.list.replicas_refused, 1);
}

UNAUTHENTICATED_TEST(it_may_leave_while_it_waits)
{
    fake_conn_up(stage.peer);
    stage_hear("PSYNC ? -1\r\n");
    fake_conn_end(stage.peer);
    fake_conn_run(stage.peer);
    pass(CLIENT_PAUSE_MS);
    fake_conn_run(stage.peer);
    assert_int_equal(stage.list.count, 0);
}

/* ---- what it makes us hold ---- */

UNAUTHENTICATED_TEST(too_many_arguments_are_told_in_the_known_words)
{
    fake_conn_up(stage.peer);
    stage_hear("*10\r\n");
    assert_int_equal(stage.list.count, 1);
    stage_close(NULL);
    set_up(NULL);
    fake_conn_up(stage.peer);
    stage_hear("*11\r\n");
    stage_expect_sent("-ERR Protocol error: unauthenticated multibulk length\r\n");
    stage_expect_closed(CLOSE_PROTOCOL);
}

UNAUTHENTICATED_TEST(a_long_argument_is_told_in_the_known_words)
{
    fake_conn_up(stage.peer);
    stage_hear("*2\r\n$4\r\nAUTH\r\n$8193\r\n");
    stage_expect_sent("-ERR Protocol error: unauthenticated bulk length\r\n");
    stage_expect_closed(CLOSE_PROTOCOL);
}

/* What it may say begins to count behind its AUTH, also in one piece with that. */
UNAUTHENTICATED_TEST(a_long_command_may_follow_auth_at_once)
{
    static char said[20 * 1024];
    memset(said, 'x', sizeof(said) - 1);
    size_t head = (size_t)snprintf(said, sizeof(said), "AUTH\r\n*1\r\n$10000\r\n");
    said[head] = 'x';
    memcpy(said + head + 10000, "\r\n", 3);
    for (size_t cut = 1; cut < 10100; cut += 1009) {
        fake_conn_up(stage.peer);
        fake_conn_feed_cut(stage.peer, bytes_of(said), cut);
        fake_conn_run(stage.peer);
        stage_expect_sent("+OK\r\n+OK\r\n");
        stage_close(NULL);
        set_up(NULL);
    }
}

UNAUTHENTICATED_TEST(a_flood_without_an_end_is_not_kept)
{
    static char flood[100 * 1024 + 1];
    memset(flood, 'x', sizeof(flood) - 1);
    fake_conn_up(stage.peer);
    fake_conn_feed_cut(stage.peer, bytes_of(flood), 100);
    fake_conn_run(stage.peer);
    stage_expect_sent("-ERR Protocol error: too big inline request\r\n");
    stage_expect_closed(CLOSE_PROTOCOL);
    assert_in_range(stage.list.traffic.received_bytes, UNAUTHENTICATED_LENGTH_MAX,
                    UNAUTHENTICATED_LENGTH_MAX + 100);
}

/* It is refused again and again, and does not read that. */
UNAUTHENTICATED_TEST(refusals_that_it_does_not_take_are_few)
{
    static char said[3 * 100 * 1000 + 1];
    for (size_t i = 0; i + 3 < sizeof(said); i += 3)
        memcpy(said + i, "x\r\n", 3);
    fake_conn_up(stage.peer);
    fake_conn_set_room(stage.peer, 0);
    fake_conn_feed_cut(stage.peer, bytes_of(said), 3000);
    fake_conn_run(stage.peer);
    size_t one = strlen("-NOAUTH Authentication required.\r\n");
    assert_in_range(refused * one, UNAUTHENTICATED_OUTPUT_MAX, UNAUTHENTICATED_OUTPUT_MAX + one);
    assert_false(fake_conn_wants_read(stage.peer));
    assert_in_range(client_traffic(stage.client).received_bytes, 0, 2 * UNAUTHENTICATED_LENGTH_MAX);
    pass(UNAUTHENTICATED_MS_MAX + 1);
    stage_expect_closed(CLOSE_UNAUTHENTICATED);
}
