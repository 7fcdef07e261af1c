/* SPDX-License-Identifier: MIT */
#include "commands_test.h"

COMMAND_TEST(psync_takes_the_client_away)
{
    fake_components.psync_takes = true;
    assert_int_equal(say("psync ? -1").length, 0);
    assert_true(fake_client_is_gone(caller));
}

COMMAND_TEST(psync_may_be_refused)
{
    expect("psync ? x", "-ERR value is not an integer or out of range\r\n");
    assert_false(fake_client_is_gone(caller));
    expect("psync", "-ERR wrong number of arguments for 'psync' command\r\n");
    expect_part("info errorstats", "errorstat_ERR:count=2\r\n");
}

COMMAND_TEST(sync_takes_the_client_away)
{
    expect("sync x", "-ERR wrong number of arguments for 'sync' command\r\n");
    assert_false(fake_client_is_gone(caller));
    assert_int_equal(say("SYNC").length, 0);
    assert_true(fake_client_is_gone(caller));
}

COMMAND_TEST(replconf_is_downstreams)
{
    expect("replconf listening-port 7000", "+OK\r\n");
}

COMMAND_TEST(role_is_that_of_a_replica)
{
    static const struct {
        enum link_state state;
        const char *name;
    } rows[] = {
        {LINK_IDLE, "$7\r\nconnect\r\n"},        {LINK_CONNECTING, "$10\r\nconnecting\r\n"},
        {LINK_HANDSHAKE, "$9\r\nhandshake\r\n"}, {LINK_LOADING, "$4\r\nsync\r\n"},
        {LINK_STREAMING, "$9\r\nconnected\r\n"}, {LINK_RETRYING, "$7\r\nconnect\r\n"},
        {LINK_STOPPED, "$4\r\nnone\r\n"},
    };
    char expected[256];
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        fake_components.link.state = rows[i].state;
        snprintf(expected, sizeof(expected),
                 "*5\r\n$5\r\nslave\r\n$14\r\norigin.example\r\n:6379\r\n%s:-1\r\n", rows[i].name);
        expect("role", expected);
    }
    fake_components.has_history = true;
    fake_components.published_boundary = 4711;
    fake_components.end = 4720;
    expect_part("role", ":4711\r\n");
}

COMMAND_TEST(replicaof_points_at_another_primary)
{
    expect("replicaof other.example 7000", "+OK\r\n");
    assert_string_equal(followed, "other.example 7000");
    expect("SLAVEOF 2001:db8::1 65535", "+OK\r\n");
    assert_string_equal(followed, "2001:db8::1 65535");
    expect("replicaof [::1] 6379", "+OK\r\n");
    assert_string_equal(followed, "::1 6379");
}

COMMAND_TEST(replicaof_the_same_changes_nothing)
{
    expect("replicaof ORIGIN.example 6379", "+OK Already connected to specified master\r\n");
    assert_string_equal(followed, "");
    fake_components.link.wait.is_waiting = true; /* there is something to say to it */
    expect("replicaof origin.example 6379", "+OK\r\n");
    assert_string_equal(followed, "origin.example 6379");
    fake_components.link.wait.is_waiting = false;
    expect("replicaof origin.example 6378", "+OK\r\n");
    assert_string_equal(followed, "origin.example 6378");
}

COMMAND_TEST(replicaof_refuses)
{
    char line[400];
    char name[PRIMARY_HOST_MAX + 1];
    expect("replicaof no one", "-ERR a relay holds no data set and cannot become a primary: name "
                               "another primary, or stop the relay with SHUTDOWN\r\n");
    expect("replicaof x 0", "-ERR Invalid master port\r\n");
    expect("replicaof x 65536", "-ERR Invalid master port\r\n");
    expect("replicaof x -1", "-ERR Invalid master port\r\n");
    expect("replicaof no x", "-ERR Invalid master port\r\n");
    expect("replicaof \"\" 7000", "-ERR Invalid master host: '' names no host\r\n");
    expect("replicaof \"a b\" 7000",
           "-ERR Invalid master host: 'a b' is no host name and no address\r\n");
    expect("slaveof 127.0.0.1:6379 6379",
           "-ERR Invalid master host: '127.0.0.1:6379' is no address of IPv6 (a port goes behind a "
           "blank: HOST PORT)\r\n");
    memset(name, 'h', PRIMARY_HOST_MAX);
    name[PRIMARY_HOST_MAX] = '\0';
    snprintf(line, sizeof(line), "replicaof %s 7000", name);
    expect_part(line, "-ERR Invalid master host: 'hhh");
    assert_string_equal(followed, "");
}

COMMAND_TEST(replicaof_may_be_refused)
{
    may_follow = false;
    expect("replicaof other.example 7000", "-ERR that is ourselves\r\n");
    assert_string_equal(followed, "");
}

COMMAND_TEST(failover_is_refused_as_replicas_do)
{
    expect("failover", "-ERR FAILOVER is not valid when server is a replica.\r\n");
    expect("failover to a 1", "-ERR FAILOVER is not valid when server is a replica.\r\n");
}
