/* SPDX-License-Identifier: MIT
 *
 * CONFIG SET and CONFIG REWRITE; what they lead to is the composition's (commands_test.h plays it).
 */
#include "commands_test.h"

COMMAND_TEST(a_setting_is_set_through_the_door)
{
    expect("config set repl-timeout 30", "+OK\r\n");
    assert_string_equal(settings_set, "repl-timeout=30;");
    expect("CONFIG SET Repl-Timeout \"a b\"", "+OK\r\n");
    assert_string_equal(settings_set, "repl-timeout=30;Repl-Timeout=a b;");
}

COMMAND_TEST(the_door_says_why_not)
{
    expect("config set repl-timeout bad",
           "-ERR CONFIG SET failed (possibly related to argument 'repl-timeout') - bad\r\n");
    expect("config set foo bar",
           "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n");
    /* CONFIG GET has it, so it is not unknown. */
    expect("config set maxmemory 1", "-ERR CONFIG SET failed (possibly related to argument "
                                     "'maxmemory') - can't set immutable config\r\n");
    assert_string_equal(settings_set, "");
}

COMMAND_TEST(several_are_set_or_none)
{
    expect("config set repl-timeout 30 port 7000", "+OK\r\n");
    assert_string_equal(settings_set, "repl-timeout=30;port=7000;");
    assert_int_equal(settings_calls, 1); /* together: they may only fit each other */
    settings_set[0] = '\0';
    expect("config set repl-timeout 31 port 7001 foo bar",
           "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n");
    expect(
        "config set repl-timeout 31 maxmemory 1",
        "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable "
        "config\r\n");
    assert_string_equal(settings_set, "");
}

COMMAND_TEST(nonsense_is_refused_in_redis_servers_words)
{
    expect("config set repl-timeout 1 repl-timeout 2",
           "-ERR CONFIG SET failed (possibly related to argument 'repl-timeout') - duplicate "
           "parameter\r\n");
    expect("config set repl-timeout",
           "-ERR wrong number of arguments for 'config|set' command\r\n");
    expect("config set a b c", "-ERR syntax error\r\n");
    expect("config set port \"a\\x00b\"", "-ERR CONFIG SET failed (possibly related to argument "
                                          "'port') - it is too long, or contains a zero byte\r\n");
    char line[600] = "config set";
    for (int i = 0; i < 33; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " n%d v", i);
    expect(line, "-ERR CONFIG SET takes at most 32 settings at once\r\n");
    assert_string_equal(settings_set, "");
}

COMMAND_TEST(a_rewrite_that_need_not_or_cannot_be_is_answered_at_once)
{
    expect("config rewrite", "+OK\r\n");
    rewrite_outcome = COMMANDS_REWRITE_REFUSED;
    expect("config rewrite", "-ERR The server is running without a config file\r\n");
}

COMMAND_TEST(a_client_waits_until_the_ini_is_in_place)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    rewrite_outcome = COMMANDS_REWRITE_BEGUN;
    expect("config rewrite", "");
    assert_true(client_is_blocked(caller));
    assert_true(contains(say_as(other, "info clients"), "\r\nblocked_clients:1\r\n"));
    assert_true(contains(say_as(other, "client list id 7"), " flags=b "));
    assert_view(say_as(other, "ping"), "+PONG\r\n"); /* others are served */
    commands_on_rewritten(room, NULL);
    expect_heard(caller, "+OK\r\n");
    assert_false(client_is_blocked(caller));
    expect("config rewrite", "");
    commands_on_rewritten(room, "ERR Rewriting config file: No space left on device");
    expect_heard(caller, "-ERR Rewriting config file: No space left on device\r\n");
    assert_true(contains(say("info errorstats"), "errorstat_ERR:count=1"));
    assert_int_equal(rewrites_begun, 2);
}

/* What they have set may have come too late for the one under way: they share the next. */
COMMAND_TEST(who_asks_meanwhile_waits_for_the_next)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    struct client *third = fake_client(9, "192.0.2.9:50000");
    rewrite_outcome = COMMANDS_REWRITE_BEGUN;
    say("config rewrite");
    assert_view(say_as(other, "config rewrite"), "");
    assert_view(say_as(third, "config rewrite"), "");
    assert_int_equal(rewrites_begun, 1);
    commands_on_rewritten(room, NULL);
    expect_heard(caller, "+OK\r\n");
    expect_heard(other, "");
    assert_int_equal(rewrites_begun, 2);
    say("config rewrite");
    commands_on_rewritten(room, "ERR no");
    expect_heard(other, "-ERR no\r\n");
    expect_heard(third, "-ERR no\r\n");
    expect_heard(caller, "");
    assert_int_equal(rewrites_begun, 3);
    commands_on_rewritten(room, NULL);
    expect_heard(caller, "+OK\r\n");
}

COMMAND_TEST(a_next_rewrite_that_need_not_or_cannot_be_is_answered)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    static const struct {
        enum commands_rewrite outcome;
        const char *reply;
    } cases[] = {
        {COMMANDS_REWRITE_NOT_NEEDED, "+OK\r\n"},
        {COMMANDS_REWRITE_REFUSED, "-ERR The server is running without a config file\r\n"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        rewrite_outcome = COMMANDS_REWRITE_BEGUN;
        say("config rewrite");
        say_as(other, "config rewrite");
        rewrite_outcome = cases[i].outcome;
        commands_on_rewritten(room, NULL);
        expect_heard(caller, "+OK\r\n");
        expect_heard(other, cases[i].reply);
    }
    rewrite_outcome = COMMANDS_REWRITE_BEGUN;
    expect("config rewrite", "");
    commands_on_rewritten(room, NULL);
    expect_heard(caller, "+OK\r\n");
}

COMMAND_TEST(a_client_that_leaves_is_not_answered)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    rewrite_outcome = COMMANDS_REWRITE_BEGUN;
    say_as(other, "config rewrite");
    fake_client_leaves(other);
    say("config rewrite"); /* it is under way all the same */
    assert_int_equal(rewrites_begun, 1);
    commands_on_rewritten(room, NULL);
    assert_int_equal(rewrites_begun, 2);
    commands_on_rewritten(room, NULL);
    expect_heard(caller, "+OK\r\n");
    /* One that waits for a next that nobody else wants. */
    other = fake_client(9, "192.0.2.9:50000");
    say("config rewrite");
    say_as(other, "config rewrite");
    fake_client_leaves(other);
    commands_on_rewritten(room, NULL);
    assert_int_equal(rewrites_begun, 3);
    say("config rewrite"); /* the component closes while it is under way */
}

#define NOT_IN_A_TRANSACTION                                                                       \
    "-ERR CONFIG REWRITE waits for the disk, which a transaction does not: nothing was written. "  \
    "Send it outside of MULTI and EXEC\r\n"

COMMAND_TEST(a_transaction_does_not_wait)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    for (int under_way = 0; under_way <= 1; under_way++) {
        rewrite_outcome = COMMANDS_REWRITE_BEGUN;
        if (under_way == 1)
            say_as(other, "config rewrite");
        say("multi");
        say("config rewrite");
        say("ping");
        expect("exec", "*2\r\n" NOT_IN_A_TRANSACTION "+PONG\r\n");
        assert_int_equal(rewrites_begun, under_way);
    }
    commands_on_rewritten(room, NULL);
    rewrite_outcome = COMMANDS_REWRITE_NOT_NEEDED;
    say("multi");
    say("config rewrite");
    expect("exec", "*1\r\n+OK\r\n");
}
