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

COMMAND_TEST(the_door_rewrites_or_says_why_not)
{
    expect("config rewrite", "+OK\r\n");
    may_rewrite = false;
    expect("config rewrite", "-ERR The server is running without a config file\r\n");
}
