/* SPDX-License-Identifier: MIT */
#include "commands_test.h"

#define NOAUTH "-NOAUTH Authentication required.\r\n"
#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"

static int set_up_with_password(void **state)
{
    (void)state;
    open_room("sesame", "");
    return 0;
}

#define PASSWORD_TEST(name) TEST_SETUP(name, set_up_with_password, tear_down)

COMMAND_TEST(ping_and_echo)
{
    expect("PING", "+PONG\r\n");
    expect("ping hello", "$5\r\nhello\r\n");
    expect("ping a b", "-ERR wrong number of arguments for 'ping' command\r\n");
    expect("echo \"\"", "$0\r\n\r\n");
    expect("ECHO x", "$1\r\nx\r\n");
    expect("echo", "-ERR wrong number of arguments for 'echo' command\r\n");
}

COMMAND_TEST(select_knows_as_many_databases_as_a_primary_may_have)
{
    expect("select 0", "+OK\r\n");
    expect("select 15", "+OK\r\n");
    expect("select 16", "+OK\r\n");
    expect("select 2147483647", "+OK\r\n");
    expect("select -1", "-ERR DB index is out of range\r\n");
    expect("select x", "-ERR value is not an integer or out of range\r\n");
    expect("select 99999999999", "-ERR value is not an integer or out of range\r\n");
}

COMMAND_TEST(quit_answers_then_closes)
{
    expect("quit", "+OK\r\n");
    assert_int_equal(fake_client_finished(caller), CLOSE_QUIT);
}

/* docs/protocol.md 5.3: a replica with a masterauth takes an error for a refusal. */
COMMAND_TEST(without_a_password_every_auth_is_welcome)
{
    expect("auth x", "+OK\r\n");
    expect("auth someone x", "+OK\r\n");
    expect("auth a b c", "-ERR syntax error\r\n");
    expect("auth", "-ERR wrong number of arguments for 'auth' command\r\n");
}

PASSWORD_TEST(before_auth_nearly_nothing_is_allowed)
{
    static const char *const refused[] = {
        "ping",        "info",     "client list", "command", "replconf a b", "sync",
        "psync ? -1",  "shutdown", "get x",       "echo x",  "role",         "replicaof no one",
        "config get *"};
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
        expect(refused[i], NOAUTH);
    assert_int_equal(shutdowns, 0);
    assert_int_equal(fake_components.replicas_refused, 3); /* replconf, sync, psync */
    assert_non_null(strstr(fake_components.refusal_cause, "it has not logged in: set masterauth"));
    assert_false(fake_client_is_gone(caller));
    expect("reset", "+RESET\r\n");
    /* As redis-server has it: whether a command exists is no secret. */
    expect("nonsense", "-ERR unknown command 'nonsense', with args beginning with: \r\n");
    expect("echo", "-ERR wrong number of arguments for 'echo' command\r\n");
    expect("quit", "+OK\r\n");
}

PASSWORD_TEST(the_right_password_opens)
{
    expect("auth sesam", WRONGPASS);
    expect("auth sesame1", WRONGPASS);
    expect("auth \"\"", WRONGPASS);
    expect("auth root sesame", WRONGPASS);
    expect("auth default nope", WRONGPASS);
    expect("ping", NOAUTH);
    expect("auth sesame", "+OK\r\n");
    expect("ping", "+PONG\r\n");
    expect("auth nope", WRONGPASS); /* and what was given stays */
    expect("ping", "+PONG\r\n");
    expect("reset", "+RESET\r\n");
    expect("ping", NOAUTH);
    expect("auth default sesame", "+OK\r\n");
    expect("ping", "+PONG\r\n");
}

#define HELLO_2(server, version)                                                                   \
    "*14\r\n$6\r\nserver\r\n" server "$7\r\nversion\r\n" version                                   \
    "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"                   \
    "$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n"

COMMAND_TEST(hello_tells_who_we_are)
{
    expect("hello", HELLO_2("$5\r\nredis\r\n", "$5\r\n7.0.0\r\n"));
    fake_components.link.server_version = "7.0.15";
    expect("hello 2", HELLO_2("$5\r\nredis\r\n", "$6\r\n7.0.15\r\n"));
    fake_components.link.server_version = "7.2.4";
    fake_components.link.valkey_version = "8.0.1";
    expect("hello 2", HELLO_2("$6\r\nvalkey\r\n", "$5\r\n8.0.1\r\n"));
}

COMMAND_TEST(hello_3_switches_the_protocol)
{
    expect("client getname", "$-1\r\n");
    expect("hello 3 setname tool",
           "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n"
           "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
           "$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n");
    expect("client getname", "$4\r\ntool\r\n");
    expect("memory usage x", "_\r\n");
    expect_part("hello", "$5\r\nproto\r\n:3\r\n");
    expect("reset", "+RESET\r\n");
    expect("memory usage x", "$-1\r\n");
    expect("client getname", "$-1\r\n");
}

COMMAND_TEST(hello_refuses_what_it_does_not_know)
{
    expect("hello 4", "-NOPROTO unsupported protocol version\r\n");
    expect("hello 1", "-NOPROTO unsupported protocol version\r\n");
    expect("hello three", "-ERR Protocol version is not an integer or out of range\r\n");
    expect("hello 3 foo", "-ERR Syntax error in HELLO option 'foo'\r\n");
    expect("hello 3 auth x", "-ERR Syntax error in HELLO option 'auth'\r\n");
    expect("hello 3 setname", "-ERR Syntax error in HELLO option 'setname'\r\n");
    expect("hello 3 setname \"a b\"",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    expect("memory usage x", "$-1\r\n"); /* still RESP2 */
}

PASSWORD_TEST(hello_authenticates)
{
    expect_part("hello", "-NOAUTH HELLO must be called with the client already authenticated");
    expect_part("hello 3", "-NOAUTH HELLO must be");
    expect("hello 3 auth default nope", WRONGPASS);
    expect("hello 5", "-NOPROTO unsupported protocol version\r\n");
    expect("ping", NOAUTH);
    expect_part("hello 3 auth default sesame setname me", "%7\r\n");
    expect("client getname", "$2\r\nme\r\n");
}
