/* SPDX-License-Identifier: MIT */
#include "commands_test.h"
#include "relay/base/clock.h"

COMMAND_TEST(time_is_seconds_and_microseconds)
{
    char expected[128];
    char seconds[24];
    int64_t now_us = clock_wall_us();
    snprintf(seconds, sizeof(seconds), "%lld", (long long)(now_us / 1000000));
    char micros[24];
    snprintf(micros, sizeof(micros), "%lld", (long long)(now_us % 1000000));
    snprintf(expected, sizeof(expected), "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(seconds),
             seconds, strlen(micros), micros);
    expect("time", expected);
}

COMMAND_TEST(lastsave_is_when_the_snapshot_was_complete)
{
    char expected[128];
    snprintf(expected, sizeof(expected), ":%lld\r\n", (long long)(clock_wall_us() / 1000000));
    expect("lastsave", expected); /* none yet: when we were started */
    fake_clock_advance(100000);
    fake_components.has_history = true;
    fake_components.has_snapshot = true;
    fake_components.snapshot_completed_ms = clock_ms() - 40000;
    snprintf(expected, sizeof(expected), ":%lld\r\n", (long long)(clock_wall_us() / 1000000 - 40));
    expect("lastsave", expected);
}

COMMAND_TEST(shutdown_says_nothing)
{
    expect("shutdown abort", "-ERR No shutdown in progress.\r\n");
    expect("shutdown foo", "-ERR syntax error\r\n");
    expect("shutdown save nosave", "-ERR syntax error\r\n");
    expect("shutdown now abort", "-ERR syntax error\r\n");
    assert_int_equal(shutdowns, 0);
    expect("SHUTDOWN NOSAVE NOW FORCE", "");
    assert_int_equal(shutdowns, 1);
    expect("shutdown", "");
    expect("shutdown save", "");
    assert_int_equal(shutdowns, 3);
}

COMMAND_TEST(config_get_matches_names)
{
    expect("config get port", "*2\r\n$4\r\nport\r\n$4\r\n6380\r\n");
    expect("config get PORT nonsense", "*2\r\n$4\r\nport\r\n$4\r\n6380\r\n");
    expect("config get nonsense", "*0\r\n");
    expect("config get *repl-timeout",
           "*4\r\n$12\r\nrepl-timeout\r\n$2\r\n60\r\n$21\r\nupstream.repl-timeout\r\n$2\r\n61\r\n");
    expect("config get databases replica-priority",
           "*4\r\n$9\r\ndatabases\r\n$2\r\n16\r\n$16\r\nreplica-priority\r\n$1\r\n0\r\n");
    expect("config get requirepass", "*2\r\n$11\r\nrequirepass\r\n$0\r\n\r\n");
    client_session(caller)->protocol = 3;
    expect("config get nonsense", "%0\r\n");
    expect("config get save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n");
    assert_true(is_one_value(say("config get *"), 3));
}

/* Names are told once: the first that has it. */
COMMAND_TEST(config_get_tells_no_name_twice)
{
    expect("config get maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$1\r\n7\r\n");
    expect("config get port p*t", "*2\r\n$4\r\nport\r\n$4\r\n6380\r\n");
}

/* The counts go back to zero, and go on from there. */
COMMAND_TEST(config_resetstat_starts_anew)
{
    fake_components.counts.sync_full = 3;
    fake_components.counts.commands = 10;
    fake_components.counts.closed[CLOSE_QUIT] = 2;
    fake_components.link.received_bytes = 1000;
    expect("nonsense x", "-ERR unknown command 'nonsense', with args beginning with: 'x' \r\n");
    expect_part("info stats", "sync_full:3\r\n");
    expect_part("info stats", "total_error_replies:1\r\n");
    expect("config resetstat", "+OK\r\n");
    fake_components.counts.sync_full = 4;
    fake_components.link.received_bytes = 1007;
    expect_part("info stats", "sync_full:1\r\n");
    expect_part("info stats", "total_commands_processed:0\r\n");
    expect_part("info stats", "closed_quit:0\r\n");
    expect_part("info stats", "total_net_repl_input_bytes:7\r\n");
    expect_part("info stats", "total_error_replies:0\r\n");
    expect("info errorstats", "$14\r\n# Errorstats\r\n\r\n");
}

COMMAND_TEST(stubs_are_empty)
{
    expect("dbsize", ":0\r\n");
    expect("slowlog get", "*0\r\n");
    expect("slowlog get 10", "*0\r\n");
    expect("slowlog get -2", "-ERR count should be greater than or equal to -1\r\n");
    expect("slowlog len", ":0\r\n");
    expect("slowlog reset", "+OK\r\n");
    expect("memory usage x", "$-1\r\n");
    expect("memory purge", "+OK\r\n");
    expect("module list", "*0\r\n");
    client_session(caller)->protocol = 3;
    expect_part("memory stats", "%4\r\n$15\r\ntotal.allocated\r\n:");
    expect_part("memory malloc-stats", "<malloc");
}
