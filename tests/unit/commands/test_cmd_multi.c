/* SPDX-License-Identifier: MIT */
#include "commands_test.h"

static struct client *other;
static struct client *listener;

static int set_up_three(void **state)
{
    set_up(state);
    other = fake_client(8, "192.0.2.8:50000");
    listener = fake_client(9, "192.0.2.9:50000");
    say_as(listener, "subscribe a");
    return 0;
}

#define MULTI_TEST(name) TEST_SETUP(name, set_up_three, tear_down)

MULTI_TEST(commands_are_run_at_exec_in_their_order)
{
    expect("multi", "+OK\r\n");
    expect("ping", "+QUEUED\r\n");
    expect("echo \"a\\x00b\"", "+QUEUED\r\n");
    expect("client setname me", "+QUEUED\r\n");
    expect("client getname", "+QUEUED\r\n");
    assert_string_equal(client_session(caller)->name, "");
    struct bytes reply = say("exec");
    assert_views_equal(reply, LITERAL("*4\r\n+PONG\r\n$3\r\na\0b\r\n+OK\r\n$2\r\nme\r\n"));
    assert_string_equal(client_session(caller)->name, "me");
    expect("ping", "+PONG\r\n");
    expect("exec", "-ERR EXEC without MULTI\r\n");
}

MULTI_TEST(an_empty_transaction_is_an_empty_array)
{
    say("multi");
    expect("exec", "*0\r\n");
}

/* docs/protocol.md 5.2: pipelined; the replies are thrown away, but the connection they come on must live. */
MULTI_TEST(sentinel_points_a_relay_elsewhere)
{
    expect("MULTI", "+OK\r\n");
    expect("SLAVEOF 192.0.2.50 6390", "+QUEUED\r\n");
    expect("CONFIG REWRITE", "+QUEUED\r\n");
    expect("CLIENT KILL TYPE normal", "+QUEUED\r\n");
    expect("CLIENT KILL TYPE pubsub", "+QUEUED\r\n");
    assert_string_equal(followed, "");
    assert_int_equal(fake_components.killed_count, 0);
    expect("EXEC", "*4\r\n+OK\r\n+OK\r\n:1\r\n:1\r\n");
    assert_string_equal(followed, "192.0.2.50 6390");
    assert_int_equal(fake_components.killed_count, 2);
    assert_int_equal(fake_components.killed[0], 8);
    assert_int_equal(fake_components.killed[1], 9);
    assert_int_equal(fake_client_finished(caller), CLOSE_REASON_COUNT);
    expect("publish a x", ":0\r\n"); /* the listener has gone, with what it listened to */
    expect("ping", "+PONG\r\n");
}

/* It says so when the address is refused, and goes on, as any transaction does. */
/* In a group that renames CONFIG and CLIENT, and with what else nobody knows. */
MULTI_TEST(replicaof_takes_effect_with_words_behind_it_that_are_refused)
{
    static const char *const words[] = {"c0nf1g rewrite",  "cl13nt kill type normal",
                                        "config nonsense", "echo",
                                        "get x",           "psync ? -1"};
    say("multi");
    expect("slaveof 10.0.0.2 6379", "+QUEUED\r\n");
    for (size_t i = 0; i < LENGTH_OF(words); i++)
        expect(words[i], "+QUEUED\r\n");
    expect("ping", "+QUEUED\r\n");
    expect_part("exec", "*8\r\n+OK\r\n-ERR unknown command 'c0nf1g', with args");
    assert_string_equal(followed, "10.0.0.2 6379");
    assert_false(fake_client_is_gone(caller));
    say("multi");
    say("replicaof 10.0.0.3 6379");
    say("psync ? -1");
    expect("exec", "*2\r\n+OK\r\n-ERR Command not allowed inside a transaction\r\n");
    say("multi");
    say("replicaof 10.0.0.4 6379");
    say("nonsense");
    expect("discard", "+OK\r\n");
    assert_string_equal(followed, "10.0.0.3 6379");
}

MULTI_TEST(replicaof_behind_what_is_refused_does_not)
{
    say("multi");
    expect_part("nonsense", "-ERR unknown command");
    expect("slaveof 10.0.0.2 6379", "+QUEUED\r\n");
    expect_part("nonsense", "-ERR unknown command");
    expect("exec", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    assert_string_equal(followed, "");
}

MULTI_TEST(an_error_in_a_transaction_is_one_of_its_replies)
{
    may_follow = false;
    say("multi");
    say("replicaof other.example 7000");
    say("config set nonsense 1");
    say("ping");
    expect("exec", "*3\r\n-ERR that is ourselves\r\n-ERR Unknown option or number of arguments for "
                   "CONFIG SET - 'nonsense'\r\n+PONG\r\n");
}

MULTI_TEST(what_is_refused_spoils_the_transaction)
{
    static const char *const refused[] = {
        "nonsense",        "get",  "get x",      "set x y",  "echo",
        "client nonsense", "sync", "psync ? -1", "shutdown", "client reply off"};
    for (size_t i = 0; i < LENGTH_OF(refused); i++) {
        say("multi");
        assert_true(bytes_starts(say(refused[i]), "-"));
        expect("ping", "+QUEUED\r\n");
        expect("exec", "-EXECABORT Transaction discarded because of previous errors.\r\n");
        expect("ping", "+PONG\r\n");
    }
    assert_int_equal(shutdowns, 0);
    assert_false(fake_client_is_gone(caller));
    say("multi");
    expect("sync", "-ERR Command not allowed inside a transaction\r\n");
    expect_part("info errorstats", "+QUEUED\r\n");
    say("discard");
    expect_part("info errorstats", "errorstat_EXECABORT:count=10\r\n");
}

MULTI_TEST(some_commands_are_not_queued)
{
    say("multi");
    expect("multi", "-ERR MULTI calls can not be nested\r\n");
    expect("watch a", "-ERR WATCH inside MULTI is not allowed\r\n");
    expect("exec x", "-ERR wrong number of arguments for 'exec' command\r\n");
    expect("discard", "+OK\r\n");
    expect("discard", "-ERR DISCARD without MULTI\r\n");
    say("multi");
    expect("multi", "-ERR MULTI calls can not be nested\r\n");
    expect("exec", "*0\r\n"); /* that spoils nothing */
    say("multi");
    say("ping");
    expect("reset", "+RESET\r\n");
    expect("exec", "-ERR EXEC without MULTI\r\n");
    say("multi");
    expect("quit", "+OK\r\n");
    assert_int_equal(fake_client_finished(caller), CLOSE_QUIT);
}

MULTI_TEST(there_is_nothing_to_watch)
{
    expect("watch a b", "+OK\r\n");
    expect("unwatch", "+OK\r\n");
    expect("watch", "-ERR wrong number of arguments for 'watch' command\r\n");
}

MULTI_TEST(so_many_commands_and_no_more)
{
    say("multi");
    for (int i = 0; i < 256; i++)
        expect("ping", "+QUEUED\r\n");
    expect("ping", "-ERR a transaction holds at most 256 commands with 262144 bytes in all\r\n");
    expect("exec", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    say("multi");
    for (int i = 0; i < 256; i++)
        expect("ping", "+QUEUED\r\n");
    assert_true(bytes_starts(say("exec"), "*256\r\n+PONG\r\n"));
}

MULTI_TEST(nobody_waits_in_a_transaction)
{
    say("multi");
    expect("wait 5 0", "+QUEUED\r\n");
    expect("ping", "+QUEUED\r\n");
    expect("exec", "*2\r\n:0\r\n+PONG\r\n");
    assert_false(client_is_blocked(caller));
    assert_int_equal(watch_changes, 0);
}

MULTI_TEST(resp3_is_spoken_in_transactions)
{
    client_session(caller)->protocol = 3;
    say("multi");
    say("config get port");
    say("subscribe b");
    say("publish b hi");
    expect("exec",
           "*3\r\n%1\r\n$4\r\nport\r\n$4\r\n6380\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:1\r\n"
           ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$2\r\nhi\r\n");
}

MULTI_TEST(the_list_of_clients_tells_of_transactions)
{
    say_as(other, "multi");
    say_as(other, "ping");
    say_as(other, "ping");
    expect_part("client list id 8", " flags=x db=0 sub=0 psub=0 ssub=0 multi=2 ");
    expect_part("client list id 7", " flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 ");
}

MULTI_TEST(a_password_is_asked_for_first)
{
    close_room();
    open_room("sesame", "");
    expect("multi", "-NOAUTH Authentication required.\r\n");
    expect("auth sesame", "+OK\r\n");
    expect("multi", "+OK\r\n");
    expect("exec", "*0\r\n");
}
