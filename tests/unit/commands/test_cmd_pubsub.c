/* SPDX-License-Identifier: MIT
 *
 * Messages between clients. The exact bytes are those of redis-server 7.0.
 */
#include "commands_test.h"

static struct client *listener;

static int set_up_two(void **state)
{
    set_up(state);
    listener = fake_client(8, "192.0.2.8:50000");
    return 0;
}

#define PUBSUB_TEST(name) TEST_SETUP(name, set_up_two, tear_down)

static void expect_as(struct client *client, const char *line, const char *reply)
{
    struct client *kept = caller;
    caller = client;
    expect(line, reply);
    caller = kept;
}

PUBSUB_TEST(subscribers_get_what_is_published)
{
    expect("publish a hi", ":0\r\n");
    expect_as(
        listener, "subscribe a b",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    expect_heard(listener, "");
    expect("publish a hi", ":1\r\n");
    expect_heard(listener, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    expect("publish A hi", ":0\r\n");
    expect("publish c hi", ":0\r\n");
    expect_heard(listener, "");
}

PUBSUB_TEST(a_subscriber_in_resp3_gets_pushes)
{
    client_session(listener)->protocol = 3;
    expect_as(listener, "subscribe a", ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    expect("publish a hi", ":1\r\n");
    expect_heard(listener, ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    expect_as(listener, "psubscribe ?", ">3\r\n$10\r\npsubscribe\r\n$1\r\n?\r\n:2\r\n");
    expect("publish b hi", ":1\r\n");
    expect_heard(listener, ">4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nb\r\n$2\r\nhi\r\n");
    /* Everything else goes on as ever. */
    expect_as(listener, "ping", "+PONG\r\n");
    expect_as(listener, "unsubscribe", ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n");
    expect_as(listener, "unsubscribe", ">3\r\n$11\r\nunsubscribe\r\n_\r\n:1\r\n");
}

/* Each of its subscriptions counts, as in redis-server. */
PUBSUB_TEST(a_message_comes_once_for_each_subscription)
{
    say_as(listener, "subscribe news.x");
    expect_as(listener, "psubscribe news.* *.x other",
              "*3\r\n$10\r\npsubscribe\r\n$6\r\nnews.*\r\n:2\r\n"
              "*3\r\n$10\r\npsubscribe\r\n$3\r\n*.x\r\n:3\r\n"
              "*3\r\n$10\r\npsubscribe\r\n$5\r\nother\r\n:4\r\n");
    expect("publish news.x m", ":3\r\n");
    expect_heard(listener, "*3\r\n$7\r\nmessage\r\n$6\r\nnews.x\r\n$1\r\nm\r\n"
                           "*4\r\n$8\r\npmessage\r\n$6\r\nnews.*\r\n$6\r\nnews.x\r\n$1\r\nm\r\n"
                           "*4\r\n$8\r\npmessage\r\n$3\r\n*.x\r\n$6\r\nnews.x\r\n$1\r\nm\r\n");
}

/* docs/protocol.md 5.2: a Sentinel publishes on one connection and listens on another, and wants to hear itself. */
PUBSUB_TEST(sentinels_hear_each_other_and_themselves)
{
    struct client *other = fake_client(9, "192.0.2.9:50000");
    say_as(listener, "subscribe __sentinel__:hello");
    say_as(other, "subscribe __sentinel__:hello");
    expect("publish __sentinel__:hello 192.0.2.7,26379,id", ":2\r\n");
    static const char heard[] =
        "*3\r\n$7\r\nmessage\r\n$18\r\n__sentinel__:hello\r\n$18\r\n192.0.2.7,26379,id\r\n";
    expect_heard(listener, heard);
    expect_heard(other, heard);
}

PUBSUB_TEST(a_publisher_hears_itself_behind_the_reply)
{
    client_session(caller)->protocol = 3;
    say("subscribe a");
    expect("publish a hi", ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
}

PUBSUB_TEST(subscriptions_are_ended)
{
    say_as(listener, "subscribe a b c");
    expect_as(listener, "subscribe b", "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:3\r\n");
    expect_as(listener, "unsubscribe b nope",
              "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:2\r\n"
              "*3\r\n$11\r\nunsubscribe\r\n$4\r\nnope\r\n:2\r\n");
    expect("publish b hi", ":0\r\n");
    expect_as(listener, "punsubscribe", "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:2\r\n");
    expect_as(listener, "unsubscribe",
              "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"
              "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n");
    expect_as(listener, "unsubscribe", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    expect("pubsub channels", "*0\r\n");
    expect("publish a hi", ":0\r\n");
    expect_as(listener, "echo x", "$1\r\nx\r\n"); /* a client like others again */
}

PUBSUB_TEST(in_resp2_a_subscriber_may_say_little)
{
    static const char refused[] = "-ERR Can't execute 'echo': only (P|S)SUBSCRIBE / "
                                  "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
                                  "context\r\n";
    say("subscribe a");
    assert_true(client_session(caller)->is_listener);
    expect("ECHO x", refused);
    expect_part("Get x", "-ERR Can't execute 'Get': only ");
    expect_part("client list", "-ERR Can't execute 'client|list': only ");
    expect_part("publish a b", "-ERR Can't execute 'publish': only ");
    expect_part("multi", "-ERR Can't execute 'multi': only ");
    expect("ping", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    expect("ping x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    expect("psubscribe b", "*3\r\n$10\r\npsubscribe\r\n$1\r\nb\r\n:2\r\n");
    expect("punsubscribe b", "*3\r\n$12\r\npunsubscribe\r\n$1\r\nb\r\n:1\r\n");
    expect("reset", "+RESET\r\n");
    assert_false(client_session(caller)->is_listener);
    expect("echo x", "$1\r\nx\r\n");
    expect("publish a b", ":0\r\n");
    say("subscribe a");
    expect("quit", "+OK\r\n");
    assert_int_equal(fake_client_finished(caller), CLOSE_QUIT);
}

PUBSUB_TEST(who_leaves_is_forgotten)
{
    say_as(listener, "subscribe a");
    say_as(listener, "psubscribe a*");
    fake_client_leaves(listener);
    expect("publish a hi", ":0\r\n");
    expect("pubsub channels", "*0\r\n");
    expect("pubsub numpat", ":0\r\n");
}

PUBSUB_TEST(pubsub_tells_who_listens)
{
    struct client *other = fake_client(9, "192.0.2.9:50000");
    say_as(listener, "subscribe b ab");
    say_as(other, "subscribe ab");
    say_as(other, "psubscribe x* y*");
    say_as(listener, "psubscribe x*");
    expect("pubsub channels", "*2\r\n$1\r\nb\r\n$2\r\nab\r\n");
    expect("pubsub channels a*", "*1\r\n$2\r\nab\r\n");
    expect("pubsub channels A*", "*0\r\n");
    expect("pubsub channels a b", "-ERR unknown subcommand or wrong number of arguments for "
                                  "'channels'. Try PUBSUB HELP.\r\n");
    expect("pubsub numsub b ab c", "*6\r\n$1\r\nb\r\n:1\r\n$2\r\nab\r\n:2\r\n$1\r\nc\r\n:0\r\n");
    expect("pubsub numsub", "*0\r\n");
    expect("pubsub numpat", ":2\r\n");
    expect_part("info stats", "\r\npubsub_channels:2\r\npubsub_patterns:2\r\n");
    expect_part("client list type pubsub", " flags=P db=0 sub=2 psub=1 ssub=0 multi=-1 ");
    expect_part("client list type pubsub", " flags=P db=0 sub=1 psub=2 ssub=0 multi=-1 ");
    assert_false(contains(say("client list type pubsub"), "id=7 "));
    assert_false(contains(say("client list type normal"), "id=8 "));
}

PUBSUB_TEST(names_have_a_limit)
{
    char line[700];
    char name[514];
    memset(name, 'n', 513);
    name[513] = '\0';
    snprintf(line, sizeof(line), "subscribe %s", name);
    expect(line, "-ERR a channel or pattern has at most 512 bytes\r\n");
    name[512] = '\0';
    snprintf(line, sizeof(line), "subscribe %s", name);
    expect_part(line, "*3\r\n$9\r\nsubscribe\r\n$512\r\n");
    expect("unsubscribe x", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:1\r\n");
    snprintf(line, sizeof(line), "unsubscribe %s", name);
    expect_part(line, "\r\n:0\r\n");
}

PUBSUB_TEST(subscriptions_have_a_limit)
{
    char line[32];
    for (int i = 0; i < 256; i++) {
        snprintf(line, sizeof(line), "subscribe %d", i);
        assert_true(bytes_starts(say_as(listener, line), "*3\r\n"));
    }
    expect_as(listener, "subscribe more",
              "-ERR a connection may subscribe to at most 256 channels and 256 patterns\r\n");
    expect_as(listener, "subscribe 255", "*3\r\n$9\r\nsubscribe\r\n$3\r\n255\r\n:256\r\n");
    expect_as(listener, "psubscribe x", "*3\r\n$10\r\npsubscribe\r\n$1\r\nx\r\n:257\r\n");
    expect("publish 200 m", ":1\r\n");
    expect("publish more m", ":0\r\n");
    say_as(listener, "unsubscribe 17");
    expect_as(listener, "subscribe more", "*3\r\n$9\r\nsubscribe\r\n$4\r\nmore\r\n:257\r\n");
}

/* Many names, in an order that tells trees from lists. */
PUBSUB_TEST(every_channel_finds_its_own)
{
    char line[32];
    char expected[64];
    uint64_t seed = 4711;
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof(line), "subscribe %u", (unsigned)(i * 7919 % 200));
        say_as(i % 2 == 0 ? listener : caller, line);
    }
    client_session(caller)->protocol = 3;
    for (int i = 0; i < 200; i++) {
        unsigned number = (unsigned)test_random_below(&seed, 200);
        snprintf(line, sizeof(line), "pubsub numsub %u", number);
        snprintf(expected, sizeof(expected), "*2\r\n$%zu\r\n%u\r\n:1\r\n",
                 number < 10    ? (size_t)1
                 : number < 100 ? (size_t)2
                                : (size_t)3,
                 number);
        expect(line, expected);
    }
}

/* The component is closed while somebody subscribes, waits and queues: nothing is left over. */
PUBSUB_TEST(the_room_may_be_closed_at_any_time)
{
    say_as(listener, "subscribe a");
    say("multi");
    say("ping");
}
