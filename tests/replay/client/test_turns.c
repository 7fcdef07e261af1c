/* SPDX-License-Identifier: MIT
 *
 * Clients that all want something at once: they take turns, and the thread's other work, the stream above
 * all, comes in between.
 */
#include "client_stage.h"

static void on_command(struct client *client, const struct command *command, void *arg)
{
    (void)arg;
    char shown[64];
    write_simple(client_writer(client),
                 bytes_printable(command->argument[0], shown, sizeof(shown)));
}

static int set_up(void **state)
{
    (void)state;
    stage_open((struct client_list){.on_command = on_command});
    return 0;
}

#define CLIENT_TEST(name) TEST_SETUP(name, set_up, stage_close)

/* What else a thread has to do, the stream above all, is done once a turn: how many commands of clients
 * are run from one time to the next, and whose. */
enum { CROWD = 50, PIPELINED = 16 };

static struct {
    uint64_t commands;
    unsigned turns;
    uint64_t commands_max;
} stream;

static void on_stream(void *arg)
{
    (void)arg;
    uint64_t commands = stage.list.commands - stream.commands;
    stream.commands = stage.list.commands;
    stream.commands_max = commands > stream.commands_max ? commands : stream.commands_max;
    stream.turns++;
}

CLIENT_TEST(a_crowd_gets_one_go_between_two_looks_at_the_stream)
{
    struct conn *crowd[CROWD];
    memset(&stream, 0, sizeof(stream));
    loop_at_turn_end(stage.list.loop, on_stream, NULL);
    fake_loop_set_chores_max(stage.list.loop, 1);
    for (uint64_t i = 0; i < CROWD; i++) {
        stage_come();
        crowd[i] = stage.peer;
        for (int k = 0; k < PIPELINED; k++)
            fake_conn_feed(crowd[i], bytes_of("P\r\n"));
    }
    for (int i = 0; i < CROWD; i++)
        (void)fake_conn_step(crowd[i]); /* it can be read, and has to wait */
    for (int turns = 0; stage.list.commands < CROWD * PIPELINED; turns++) {
        assert_true(turns < 10 * CROWD * PIPELINED);
        fake_conn_run_all();
        fake_loop_turn(stage.list.loop);
    }
    assert_true(stream.commands_max <= PIPELINED);
    assert_true(stream.turns >= CROWD);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(fake_conn_sent(crowd[i]).length, PIPELINED * 4);
    loop_at_turn_end(stage.list.loop, NULL, NULL);
}

/* One that has said a lot does not keep the next one from its turn. */
CLIENT_TEST(clients_take_turns)
{
    char said[300 * 3 + 1];
    for (int i = 0; i < 300; i++)
        memcpy(said + 3 * i, "P\r\n", 3);
    said[sizeof(said) - 1] = '\0';
    fake_loop_set_chores_max(stage.list.loop, 1);
    stage_come();
    struct conn *greedy = stage.peer;
    stage_come();
    struct conn *modest = stage.peer;
    fake_conn_feed(greedy, bytes_of(said));
    fake_conn_feed(modest, bytes_of("Q\r\n"));
    assert_true(fake_conn_step(greedy));
    (void)fake_conn_step(modest);
    for (int i = 0; i < 3; i++)
        fake_loop_turn(stage.list.loop);
    assert_view(fake_conn_sent(modest), "+Q\r\n");
    assert_true(fake_conn_sent(greedy).length < 300 * 4);
    while (fake_loop_has_chores(stage.list.loop) || fake_conn_step(greedy))
        fake_loop_turn(stage.list.loop);
    assert_int_equal(fake_conn_sent(greedy).length, 300 * 4);
}

/* It may go while it is queued. */
CLIENT_TEST(one_that_is_queued_may_be_closed)
{
    fake_loop_set_chores_max(stage.list.loop, 0);
    stage_come();
    fake_conn_feed(stage.peer, bytes_of("P\r\n"));
    assert_true(fake_conn_step(stage.peer));
    assert_true(fake_loop_has_chores(stage.list.loop));
    client_close(stage.client, CLOSE_KILLED);
    assert_false(fake_loop_has_chores(stage.list.loop));
    assert_true(fake_conn_is_closed(stage.peer));
    assert_int_equal(stage.list.commands, 0);
}
