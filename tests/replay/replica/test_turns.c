/* SPDX-License-Identifier: MIT
 *
 * Clients that all want something at once: they take turns, and the thread's other work, the stream above
 * all, comes in between.
 */
#include "../../../relay/downstream/client_list.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/base/log.h"
#include "test.h"

static struct {
    struct client_list room;
    struct conn *peer;
    struct client *client;
} stage;

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
    log_set_level(LOG_LEVEL_ERROR);
    memset(&stage, 0, sizeof(stage));
    stage.room = (struct client_list){.loop = loop_new(), .on_command = on_command};
    client_list_init(&stage.room);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_list_close_all(&stage.room, CLOSE_SHUTDOWN);
    loop_free(&stage.room.loop);
    fake_conn_reset();
    return 0;
}

#define CLIENT_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void come(void)
{
    client_accept(&stage.room, 5, NULL, 1);
    stage.peer = fake_conn_newest();
    stage.client = client_list_first(&stage.room);
    fake_conn_up(stage.peer);
}

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
    uint64_t commands = stage.room.commands - stream.commands;
    stream.commands = stage.room.commands;
    stream.commands_max = commands > stream.commands_max ? commands : stream.commands_max;
    stream.turns++;
}

CLIENT_TEST(a_crowd_gets_one_go_between_two_looks_at_the_stream)
{
    struct conn *crowd[CROWD];
    memset(&stream, 0, sizeof(stream));
    loop_at_turn_end(stage.room.loop, on_stream, NULL);
    fake_loop_set_chores_max(stage.room.loop, 1);
    for (uint64_t i = 0; i < CROWD; i++) {
        come();
        crowd[i] = stage.peer;
        for (int k = 0; k < PIPELINED; k++)
            fake_conn_feed(crowd[i], bytes_of("P\r\n"));
    }
    for (int i = 0; i < CROWD; i++)
        (void)fake_conn_step(crowd[i]); /* it can be read, and has to wait */
    for (int turns = 0; stage.room.commands < CROWD * PIPELINED; turns++) {
        assert_true(turns < 10 * CROWD * PIPELINED);
        fake_conn_run_all();
        fake_loop_turn(stage.room.loop);
    }
    assert_true(stream.commands_max <= PIPELINED);
    assert_true(stream.turns >= CROWD);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(fake_conn_sent(crowd[i]).length, PIPELINED * 4);
    loop_at_turn_end(stage.room.loop, NULL, NULL);
}

/* One that has said a lot does not keep the next one from its turn. */
CLIENT_TEST(clients_take_turns)
{
    char said[300 * 3 + 1];
    for (int i = 0; i < 300; i++)
        memcpy(said + 3 * i, "P\r\n", 3);
    said[sizeof(said) - 1] = '\0';
    fake_loop_set_chores_max(stage.room.loop, 1);
    come();
    struct conn *greedy = stage.peer;
    come();
    struct conn *modest = stage.peer;
    fake_conn_feed(greedy, bytes_of(said));
    fake_conn_feed(modest, bytes_of("Q\r\n"));
    assert_true(fake_conn_step(greedy));
    (void)fake_conn_step(modest);
    for (int i = 0; i < 3; i++)
        fake_loop_turn(stage.room.loop);
    assert_view(fake_conn_sent(modest), "+Q\r\n");
    assert_true(fake_conn_sent(greedy).length < 300 * 4);
    while (fake_loop_has_chores(stage.room.loop) || fake_conn_step(greedy))
        fake_loop_turn(stage.room.loop);
    assert_int_equal(fake_conn_sent(greedy).length, 300 * 4);
}

/* It may go while it is queued. */
CLIENT_TEST(one_that_is_queued_may_be_closed)
{
    fake_loop_set_chores_max(stage.room.loop, 0);
    come();
    fake_conn_feed(stage.peer, bytes_of("P\r\n"));
    assert_true(fake_conn_step(stage.peer));
    assert_true(fake_loop_has_chores(stage.room.loop));
    client_close(stage.client, CLOSE_KILLED);
    assert_false(fake_loop_has_chores(stage.room.loop));
    assert_true(fake_conn_is_closed(stage.peer));
    assert_int_equal(stage.room.commands, 0);
}
