/* SPDX-License-Identifier: MIT */
#include "commands_test.h"

/* The fake clock stands still while a command runs: each takes 0 microseconds. */
COMMAND_TEST(histogram_has_what_was_called)
{
    say("ping");
    say("ping");
    say("client getname");
    expect("latency histogram ping", "*2\r\n$4\r\nping\r\n*4\r\n$5\r\ncalls\r\n:2\r\n"
                                     "$14\r\nhistogram_usec\r\n*2\r\n:1\r\n:2\r\n");
    client_session(caller)->protocol = 3;
    expect("latency histogram PING", "%1\r\n$4\r\nping\r\n%2\r\n$5\r\ncalls\r\n:2\r\n"
                                     "$14\r\nhistogram_usec\r\n%1\r\n:1\r\n:2\r\n");
    /* A container stands for its sub-commands; what was never called, or is no command, is left out. */
    expect("latency histogram nosuch client echo",
           "%1\r\n$14\r\nclient|getname\r\n%2\r\n$5\r\ncalls\r\n:1\r\n"
           "$14\r\nhistogram_usec\r\n%1\r\n:1\r\n:1\r\n");
    expect("latency histogram client|getname echo",
           "%1\r\n$14\r\nclient|getname\r\n%2\r\n$5\r\ncalls\r\n:1\r\n"
           "$14\r\nhistogram_usec\r\n%1\r\n:1\r\n:1\r\n");
    expect("latency histogram echo", "%0\r\n");
    /* All: the two, and LATENCY HISTOGRAM itself. */
    expect_part("latency histogram", "%3\r\n");
}

COMMAND_TEST(histogram_adds_the_buckets_up)
{
    settings_take_ms = 5;
    say("config get port");
    settings_take_ms = 40;
    say("config get port");
    say("config get port");
    expect("latency histogram config",
           "*2\r\n$10\r\nconfig|get\r\n*4\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n"
           "*4\r\n:8454\r\n:1\r\n:67633\r\n:3\r\n");
    expect_part("info commandstats", "cmdstat_config|get:calls=3,usec=85000,usec_per_call=28333.33,"
                                     "rejected_calls=0,failed_calls=0\r\n");
    expect_part("info latencystats",
                "latency_percentiles_usec_config|get:p50=40959.000,p99=40959.000,p99.9=40959.000");
}

COMMAND_TEST(resetstat_forgets_them)
{
    say("ping");
    expect("config resetstat", "+OK\r\n");
    expect("latency histogram ping", "*0\r\n");
    expect_part("info commandstats", "# Commandstats\r\ncmdstat_config|resetstat:calls=1,");
}

COMMAND_TEST(no_events_are_recorded)
{
    expect("latency latest", "*0\r\n");
    expect("latency history x", "*0\r\n");
    expect("latency reset", ":0\r\n");
    expect_part("latency doctor", "LATENCY HISTOGRAM");
}
