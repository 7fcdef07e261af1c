/* SPDX-License-Identifier: MIT */
#include "client_stage.h"

/* The newest client that has become a replica, if there is one. */
static struct {
    unsigned count;
    struct newcomer newcomer;
    struct replica_terms terms;
    char owed[100];
    char input[100];
} replicas;

static void write_much(struct client *client, size_t length)
{
    char *bytes = malloc(length);
    memset(bytes, 'x', length);
    write_bulk(client_writer(client), bytes_at(bytes, length));
    free(bytes);
}

/* A few words are commands; everything else is echoed as "+<word>". */
static void on_command(struct client *client, const struct command *command, void *arg)
{
    assert_ptr_equal(arg, &stage.list);
    struct bytes name = command->argument[0];
    if (bytes_is(name, "quit"))
        client_finish(client, CLOSE_QUIT);
    if (bytes_is(name, "kill"))
        client_close(client, CLOSE_KILLED);
    if (bytes_is(name, "off"))
        client_session(client)->reply_off = true;
    if (bytes_is(name, "on"))
        client_session(client)->reply_off = false;
    if (bytes_is(name, "skip"))
        client_session(client)->reply_skip_next = true;
    if (bytes_is(name, "push"))
        client_push(client, bytes_of("(pushed)"));
    if (bytes_is(name, "listen"))
        client_session(client)->is_listener = true;
    if (bytes_is(name, "hold")) {
        client_hold(client);
        return;
    }
    if (bytes_is(name, "psync") && client_psync(client, command))
        return;
    if (bytes_is(name, "psync"))
        return; /* an error was written */
    if (bytes_is(name, "sync")) {
        client_sync(client);
        return;
    }
    if (bytes_is(name, "replconf")) {
        client_replconf(client, command);
        return;
    }
    if (bytes_is(name, "much")) {
        write_much(client, 400 * 1024);
        return;
    }
    if (bytes_is(name, "skip"))
        return;
    char shown[64];
    write_simple(client_writer(client), bytes_printable(name, shown, sizeof(shown)));
}

static void copy(char *out, size_t capacity, struct bytes view)
{
    assert_true(view.length < capacity);
    if (view.length > 0)
        memcpy(out, view.data, view.length);
    out[view.length] = '\0';
}

static void on_newcomer(const struct newcomer *newcomer, void *arg)
{
    assert_ptr_equal(arg, &stage.list);
    replicas.count++;
    replicas.newcomer = *newcomer;
    replicas.terms = *newcomer->terms;
    copy(replicas.owed, sizeof(replicas.owed), text_bytes(newcomer->unsent_replies));
    copy(replicas.input, sizeof(replicas.input), newcomer->input);
    assert_true(fake_conn_is_detached(newcomer->conn));
    struct conn *conn = newcomer->conn;
    conn_close(&conn);
}

static int set_up(void **state)
{
    (void)state;
    memset(&replicas, 0, sizeof(replicas));
    stage_open((struct client_list){
        .keepalive_s = 300,
        .on_command = on_command,
        .on_command_arg = &stage.list,
        .on_newcomer = on_newcomer,
        .on_newcomer_arg = &stage.list,
    });
    return 0;
}

#define CLIENT_TEST(name) TEST_SETUP(name, set_up, stage_close)

CLIENT_TEST(answers_inline_and_arrays)
{
    stage_come();
    assert_int_equal(fake_conn_keepalive_s(stage.peer), 300);
    stage_hear("PING\r\n*1\r\n$4\r\nECHO\r\n\r\n\nlast\r\n");
    stage_expect_sent("+PING\r\n+ECHO\r\n+last\r\n");
    assert_int_equal(stage.list.commands, 3);
    assert_true(fake_conn_wants_read(stage.peer));
    assert_false(fake_conn_wants_write(stage.peer));
}

CLIENT_TEST(commands_may_be_cut_anywhere)
{
    static const char said[] = "PING\r\n*2\r\n$4\r\nECHO\r\n$12\r\nhello, world\r\n\nTIME\r\n";
    for (size_t length = 1; length < sizeof(said); length++) {
        stage_come();
        fake_conn_feed_cut(stage.peer, LITERAL(said), length);
        fake_conn_run(stage.peer);
        stage_expect_sent("+PING\r\n+ECHO\r\n+TIME\r\n");
        stage_close(NULL);
        set_up(NULL);
    }
}

CLIENT_TEST(replies_may_be_cut_anywhere)
{
    for (size_t room = 0; room < 14; room++) {
        stage_come();
        fake_conn_set_room(stage.peer, room);
        stage_hear("PING\r\nTIME\r\n");
        assert_int_equal(fake_conn_sent(stage.peer).length, room);
        assert_true(fake_conn_wants_write(stage.peer));
        fake_conn_set_room(stage.peer, 100);
        fake_conn_run(stage.peer);
        stage_expect_sent("+PING\r\n+TIME\r\n");
        assert_false(fake_conn_wants_write(stage.peer));
        stage_close(NULL);
        set_up(NULL);
    }
}

CLIENT_TEST(a_turn_runs_so_many_commands_and_the_next_goes_on)
{
    stage_come();
    char said[600 * 3 + 1];
    for (int i = 0; i < 600; i++)
        memcpy(said + 3 * i, "P\r\n", 3);
    said[sizeof(said) - 1] = '\0';
    fake_loop_set_chores_max(stage.list.loop, 1);
    fake_conn_feed(stage.peer, bytes_of(said));
    uint64_t before = 0;
    for (bool goes_on = true; goes_on;) {
        goes_on = fake_conn_step(stage.peer) || fake_loop_has_chores(stage.list.loop);
        fake_loop_turn(stage.list.loop);
        assert_true(stage.list.commands - before <=
                    2 * CLIENT_GO_COMMANDS_MAX); /* two turns: a step is one */
        before = stage.list.commands;
    }
    assert_int_equal(stage.list.commands, 600);
    assert_int_equal(fake_conn_sent(stage.peer).length, 600 * 4);
    assert_true(fake_conn_wants_read(stage.peer));
}

CLIENT_TEST(who_does_not_read_is_not_read)
{
    stage_come();
    fake_conn_set_room(stage.peer, 0);
    stage_hear("much\r\nmuch\r\nmuch\r\nmuch\r\nmuch\r\nmuch\r\n");
    assert_int_equal(stage.list.commands, 3); /* more than CLIENT_OUTPUT_MAX waits */
    assert_false(fake_conn_wants_read(stage.peer));
    stage_hear("P\r\n");
    assert_int_equal(stage.list.commands, 3);
    fake_conn_set_room(stage.peer, SIZE_MAX);
    fake_conn_run(stage.peer);
    assert_int_equal(stage.list.commands, 7);
    assert_true(fake_conn_wants_read(stage.peer));
}

CLIENT_TEST(a_protocol_error_is_told_and_ends_it)
{
    stage_come();
    stage_hear("PING\r\n*1\r\nx\r\nPING\r\n");
    stage_expect_sent("+PING\r\n-ERR Protocol error: expected '$', got 'x'\r\n");
    stage_expect_closed(CLOSE_PROTOCOL);
    assert_true(fake_conn_is_drained(stage.peer)); /* so that the error arrives */
}

CLIENT_TEST(a_browser_is_shown_the_door)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: x\r\n\r\nSHUTDOWN\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nSHUTDOWN\r\n",
    };
    for (size_t i = 0; i < LENGTH_OF(requests); i++) {
        stage_come();
        stage_hear(requests[i]);
        stage_expect_closed(CLOSE_PROTOCOL);
        assert_int_equal(stage.list.commands, i); /* GET is one, as far as we know by then */
        stage_close(NULL);
        set_up(NULL);
    }
}

CLIENT_TEST(one_that_speaks_tls_to_the_plain_port_is_named_so)
{
    log_set_level(LOG_LEVEL_ERROR + 1);
    stage_come();
    stage_hear("\x16");
    assert_int_equal(stage.list.count, 1);
    stage_hear("\x03\x01\x02");
    stage_expect_sent("");
    stage_expect_closed(CLOSE_TLS);
}

CLIENT_TEST(a_context_reaches_the_connection)
{
    char any;
    struct tls_context *context = (struct tls_context *)(void *)&any;
    client_accept(&stage.list, 5, context, NULL, false, 1);
    assert_ptr_equal(fake_conn_tls(fake_conn_newest()), context);
}

CLIENT_TEST(a_line_without_end_is_a_protocol_error)
{
    stage_come();
    static char flood[100 * 1024 + 1];
    memset(flood, 'x', sizeof(flood) - 1);
    fake_conn_feed_cut(stage.peer, bytes_of(flood), 10000);
    fake_conn_run(stage.peer);
    assert_true(bytes_starts(fake_conn_sent(stage.peer), "-ERR Protocol error: "));
    stage_expect_closed(CLOSE_PROTOCOL);
}

CLIENT_TEST(a_command_of_the_greatest_length_is_heard)
{
    stage_come();
    static char said[COMMAND_LENGTH_MAX + 1];
    memset(said, 'a', COMMAND_LENGTH_MAX);
    memcpy(said, "E ", 2);
    memcpy(said + COMMAND_LENGTH_MAX - 2, "\r\n", 3);
    fake_conn_feed_cut(stage.peer, bytes_of(said), 777);
    fake_conn_run(stage.peer);
    stage_expect_sent("+E\r\n");
}

CLIENT_TEST(quit_is_answered_and_nothing_after_it)
{
    stage_come();
    stage_hear("PING\r\nQUIT\r\nPING\r\n");
    stage_expect_sent("+PING\r\n+QUIT\r\n");
    stage_expect_closed(CLOSE_QUIT);
}

CLIENT_TEST(the_last_replies_are_waited_for_but_not_for_ever)
{
    stage_come();
    fake_conn_set_room(stage.peer, 3);
    stage_hear("QUIT\r\n");
    assert_int_equal(stage.list.count, 1);
    fake_clock_advance(10 * 1000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    fake_clock_advance(1);
    client_list_tick(&stage.list);
    stage_expect_closed(CLOSE_QUIT);
}

CLIENT_TEST(one_that_kills_itself_gets_its_reply)
{
    stage_come();
    stage_hear("KILL\r\nPING\r\n");
    stage_expect_sent("+KILL\r\n");
    stage_expect_closed(CLOSE_KILLED);
}

CLIENT_TEST(an_idle_client_is_closed_where_that_is_wanted)
{
    stage_come();
    fake_clock_advance(1000 * 1000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    stage.list.timeout_ms = 30 * 1000;
    stage_hear("PING\r\n");
    fake_clock_advance(30 * 1000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    stage_hear("half a command");
    fake_clock_advance(1);
    client_list_tick(&stage.list);
    stage_expect_closed(CLOSE_IDLE);
}

/* Whatever `timeout` is: its replies would be held for ever. */
CLIENT_TEST(who_does_not_read_its_replies_is_closed)
{
    stage_come();
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
    fake_clock_advance(1000 * 1000); /* silence alone is no harm */
    client_list_tick(&stage.list);
    fake_conn_set_room(stage.peer, 3);
    stage_hear("PING\r\n");
    fake_clock_advance(60 * 1000);
    client_list_tick(&stage.list); /* it has taken something */
    assert_int_equal(stage.list.count, 1);
    fake_clock_advance(60 * 1000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    fake_clock_advance(1);
    client_list_tick(&stage.list);
    stage_expect_closed(CLOSE_OVERFLOW);
}

CLIENT_TEST(replies_can_be_switched_off)
{
    stage_come();
    stage_hear("one\r\noff\r\ntwo\r\nthree\r\non\r\nskip\r\nfour\r\nfive\r\n");
    stage_expect_sent("+one\r\n+on\r\n+five\r\n");
}

CLIENT_TEST(the_end_of_the_peer_is_the_end)
{
    stage_come();
    fake_conn_feed(stage.peer, LITERAL("PING\r\n"));
    fake_conn_end(stage.peer);
    fake_conn_run(stage.peer);
    stage_expect_sent("+PING\r\n");
    stage_expect_closed(CLOSE_ENDED);
}

CLIENT_TEST(a_broken_connection_is_the_end)
{
    stage_come();
    fake_conn_fail(stage.peer, "reset by peer");
    fake_conn_run(stage.peer);
    stage_expect_closed(CLOSE_FAILED);
}

CLIENT_TEST(bytes_are_counted_beyond_the_end)
{
    stage_come();
    stage_hear("PING\r\n");
    assert_int_equal(client_traffic(stage.client).sent_bytes, 7);
    assert_int_equal(client_traffic(stage.client).received_bytes, 6);
    stage_hear("QUIT\r\n");
    assert_int_equal(stage.list.traffic.sent_bytes, 14);
    assert_int_equal(stage.list.traffic.received_bytes, 12);
}

CLIENT_TEST(psync_takes_the_connection_away)
{
    stage_come();
    stage_hear("REPLCONF capa eof capa psync2 listening-port 6380\r\n");
    stage_expect_sent("+OK\r\n");
    stage_hear("PSYNC AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 101\r\n");
    assert_int_equal(replicas.count, 1);
    assert_int_equal(stage.list.count, 0);
    assert_int_equal(replicas.newcomer.id, 1);
    assert_int_equal(replicas.terms.listening_port, 6380);
    assert_true(replicas.terms.capa_psync2);
    assert_string_equal(replicas.owed, "");
    stage_expect_sent("");
    assert_int_equal(stage.list.closed[CLOSE_ENDED], 0);
}

CLIENT_TEST(what_was_read_and_what_is_owed_go_along)
{
    stage_come();
    stage_hear("REPLCONF capa eof\r\nSYNC\r\n\nREPLCONF ACK 0\r\n");
    assert_int_equal(replicas.count, 1);
    assert_null(replicas.newcomer.request);
    assert_string_equal(replicas.owed, "+OK\r\n");
    assert_string_equal(replicas.input, "\nREPLCONF ACK 0\r\n");
    assert_int_equal(stage.list.commands, 2);
}

CLIENT_TEST(a_psync_that_cannot_be_is_refused)
{
    stage_come();
    stage_hear("PSYNC ? x\r\n");
    stage_expect_sent("-ERR value is not an integer or out of range\r\n");
    stage_hear("PSYNC aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 7 FAILOVER\r\n");
    assert_true(bytes_starts(fake_conn_sent(stage.peer), "-ERR "));
    assert_int_equal(replicas.count, 0);
    assert_int_equal(stage.list.count, 1);
}

/* ---- answered later ---- */

CLIENT_TEST(a_held_client_waits_with_its_further_commands)
{
    stage_come();
    stage_hear("one\r\nhold\r\ntwo\r\nthr");
    stage_expect_sent("+one\r\n");
    assert_true(client_is_blocked(stage.client));
    stage_hear("ee\r\nfour\r\n");
    stage_expect_sent("");
    assert_int_equal(stage.list.commands, 2);
    client_resume(stage.client, bytes_of(":1\r\n"));
    fake_loop_turn(stage.list.loop);
    fake_conn_run(stage.peer);
    stage_expect_sent(":1\r\n+two\r\n+three\r\n+four\r\n");
    assert_false(client_is_blocked(stage.client));
    assert_true(fake_conn_wants_read(stage.peer));
    assert_false(fake_conn_wants_write(stage.peer));
}

CLIENT_TEST(a_held_client_is_heard_when_it_leaves)
{
    stage_come();
    stage_hear("hold\r\n");
    assert_true(fake_conn_wants_read(stage.peer));
    assert_false(fake_conn_wants_write(stage.peer));
    fake_conn_end(stage.peer);
    fake_conn_run(stage.peer);
    stage_expect_closed(CLOSE_ENDED);
}

CLIENT_TEST(a_held_client_makes_us_hold_no_more_than_others)
{
    stage_come();
    static char flood[200 * 1024 + 1];
    memset(flood, '\n', sizeof(flood) - 1);
    stage_hear("hold\r\n");
    fake_conn_feed_cut(stage.peer, bytes_of(flood), 4000);
    fake_conn_run(stage.peer);
    assert_false(fake_conn_wants_read(stage.peer));
    assert_in_range(client_traffic(stage.client).received_bytes, COMMAND_LENGTH_MAX,
                    COMMAND_LENGTH_MAX + 8 * 1024);
    fake_conn_feed(stage.peer, bytes_of("last\r\n"));
    client_resume(stage.client, bytes_of(":1\r\n"));
    fake_loop_turn(stage.list.loop);
    fake_conn_run(stage.peer);
    stage_expect_sent(":1\r\n+last\r\n");
}

CLIENT_TEST(what_is_answered_later_can_be_switched_off)
{
    stage_come();
    stage_hear("skip\r\nhold\r\nnext\r\n");
    client_resume(stage.client, bytes_of(":1\r\n"));
    fake_loop_turn(stage.list.loop);
    fake_conn_run(stage.peer);
    stage_expect_sent("+next\r\n");
}

CLIENT_TEST(who_waits_or_listens_is_not_idle)
{
    stage_come();
    stage.list.timeout_ms = 1000;
    stage_hear("hold\r\n");
    fake_clock_advance(5000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    client_resume(stage.client, bytes_of(":1\r\n"));
    fake_clock_advance(1000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    stage_hear("listen\r\n");
    fake_clock_advance(5000);
    client_list_tick(&stage.list);
    assert_int_equal(stage.list.count, 1);
    client_session(stage.client)->is_listener = false;
    client_list_tick(&stage.list);
    stage_expect_closed(CLOSE_IDLE);
}

/* ---- sent unasked ---- */

CLIENT_TEST(a_message_is_sent_at_the_end_of_the_turn)
{
    stage_come();
    client_push(stage.client, bytes_of("one "));
    client_push(stage.client, bytes_of("two"));
    stage_expect_sent("");
    fake_loop_turn(stage.list.loop);
    stage_expect_sent("one two");
    assert_false(fake_conn_wants_write(stage.peer));
}

CLIENT_TEST(a_message_comes_after_the_reply_of_the_command_that_runs)
{
    stage_come();
    stage_hear("push\r\nPING\r\noff\r\npush\r\n"); /* and CLIENT REPLY mutes replies only */
    stage_expect_sent("+push\r\n(pushed)+PING\r\n(pushed)");
}

CLIENT_TEST(many_messages_in_a_turn_reach_who_reads)
{
    stage_come();
    static char message[300 * 1024 + 1];
    memset(message, 'm', sizeof(message) - 1);
    for (int i = 0; i < 20; i++)
        client_push(stage.client, bytes_of(message));
    fake_loop_turn(stage.list.loop);
    assert_int_equal(stage.list.count, 1);
    assert_int_equal(fake_conn_sent(stage.peer).length, 20 * (sizeof(message) - 1));
}

CLIENT_TEST(who_does_not_read_its_messages_is_closed)
{
    stage_come();
    static char message[300 * 1024 + 1];
    memset(message, 'm', sizeof(message) - 1);
    fake_conn_set_room(stage.peer, 10);
    for (int i = 0; i < 3; i++)
        client_push(stage.client, bytes_of(message));
    fake_loop_turn(stage.list.loop);
    assert_int_equal(stage.list.count, 1);
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
    client_push(stage.client, bytes_of(message));
    assert_int_equal(stage.list.count, 1); /* nobody is closed inside the call */
    fake_loop_turn(stage.list.loop);
    stage_expect_closed(CLOSE_OVERFLOW);
}

CLIENT_TEST(a_message_to_a_broken_connection_is_no_harm)
{
    stage_come();
    client_push(stage.client, bytes_of("one"));
    client_close(stage.client, CLOSE_KILLED);
    fake_loop_turn(stage.list.loop);
    stage_expect_closed(CLOSE_KILLED);
}

/* ---- kept for it ---- */

static void count_gone(void *thing)
{
    unsigned *gone = thing;
    (*gone)++;
}

CLIENT_TEST(who_keeps_something_for_a_client_hears_of_its_end)
{
    static const char *const ends[] = {"QUIT\r\n", "SYNC\r\n", "POST /\r\n"};
    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        unsigned gone = 0;
        stage_come();
        client_keep(stage.client, &gone, count_gone);
        assert_ptr_equal(client_kept(stage.client), &gone);
        stage_hear("PING\r\n");
        assert_int_equal(gone, 0);
        stage_hear(ends[i]);
        assert_int_equal(gone, 1);
        stage_close(NULL);
        assert_int_equal(gone, 1);
        set_up(NULL);
    }
}

CLIENT_TEST(who_keeps_nothing_any_more_hears_nothing)
{
    unsigned gone = 0;
    stage_come();
    client_keep(stage.client, &gone, count_gone);
    client_keep(stage.client, NULL, NULL);
    assert_null(client_kept(stage.client));
    stage_hear("QUIT\r\n");
    assert_int_equal(gone, 0);
}

CLIENT_TEST(out_of_memory_at_accept_is_no_client)
{
    log_set_level(LOG_LEVEL_ERROR + 1);
    fake_conn_refuse_next();
    client_accept(&stage.list, 5, NULL, NULL, false, 1);
    assert_int_equal(stage.list.count, 0);
}
