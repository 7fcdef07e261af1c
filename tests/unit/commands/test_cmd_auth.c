/* SPDX-License-Identifier: MIT */
#include "commands_test.h"

#define NOAUTH "-NOAUTH Authentication required.\r\n"
#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define TOO_MANY "-ERR too many wrong passwords came from your address, try again later\r\n"

/* No default user, and one of each role. */
static int set_up_users(void **state)
{
    (void)state;
    open_room(NULL, "");
    add_user("alice", ROLE_REPLICA, "a");
    add_user("bob", ROLE_MONITOR, "b");
    add_user("carol", ROLE_ADMIN, "c");
    return 0;
}

#define USERS_TEST(name) TEST_SETUP(name, set_up_users, tear_down)

/* ---------------------------------------------------------------- roles */

USERS_TEST(without_a_name_nobody_gets_in)
{
    expect("ping", NOAUTH);
    expect("auth a", WRONGPASS);
    expect("auth alice b", WRONGPASS);
    expect("auth dave a", WRONGPASS);
    expect("acl whoami", NOAUTH);
    expect_part("hello 3", "-NOAUTH HELLO");
    expect("auth alice a", "+OK\r\n");
    expect("acl whoami", "$5\r\nalice\r\n");
    expect("auth bob a", WRONGPASS); /* what was given stays */
    expect("acl whoami", "$5\r\nalice\r\n");
    expect("reset", "+RESET\r\n");
    expect("ping", NOAUTH);
}

static void expect_refused(const char *line, const char *user, const char *command)
{
    char reply[256];
    snprintf(reply, sizeof(reply), "-NOPERM User %s has no permissions to run the '%s' command\r\n",
             user, command);
    expect(line, reply);
}

USERS_TEST(a_replica_may_replicate)
{
    expect("auth alice a", "+OK\r\n");
    expect("ping", "+PONG\r\n");
    expect("replconf listening-port 6379", "+OK\r\n");
    expect_part("info server", "redis_version:");
    expect_refused("role", "alice", "role");
    expect_refused("client list", "alice", "client|list");
    expect_refused("CONFIG GET port", "alice", "config|get");
    expect_refused("config set port 1", "alice", "config|set");
    expect_refused("shutdown", "alice", "shutdown");
    assert_int_equal(shutdowns, 0);
    fake_components.psync_takes = true;
    say("psync ? -1");
    assert_true(fake_client_is_gone(caller));
}

USERS_TEST(a_monitor_may_look)
{
    expect("auth bob b", "+OK\r\n");
    expect("config get port", "*2\r\n$4\r\nport\r\n$4\r\n6380\r\n");
    expect_part("client list", " user=bob ");
    expect_part("role", "slave");
    expect("slowlog len", ":0\r\n");
    expect_refused("config set port 1", "bob", "config|set");
    expect_refused("client kill 192.0.2.7:50000", "bob", "client|kill");
    expect_refused("replicaof 10.0.0.1 6379", "bob", "replicaof");
    expect_refused("slaveof 10.0.0.1 6379", "bob", "slaveof");
    expect_refused("publish c m", "bob", "publish");
    expect_refused("acl users", "bob", "acl|users");
    expect_refused("acl list", "bob", "acl|list");
    expect_refused("psync ? -1", "bob", "psync");
    expect_refused("sync", "bob", "sync");
    expect_refused("replconf a b", "bob", "replconf");
    assert_string_equal(followed, "");
    assert_string_equal(settings_set, "");
    expect_part("info stats", "acl_access_denied_auth:0\r\nacl_access_denied_cmd:10\r\n");
    fake_components.replicas_refused = 0;
    expect_refused("psync ? -1", "bob", "psync");
    assert_int_equal(fake_components.replicas_refused, 1);
    assert_non_null(strstr(fake_components.refusal_cause, "its user bob has the role monitor:"));
    expect_refused("shutdown", "bob", "shutdown");
    assert_int_equal(fake_components.replicas_refused, 1);
}

USERS_TEST(an_admin_may_do_everything)
{
    expect("auth carol c", "+OK\r\n");
    expect("config set port 1", "+OK\r\n");
    expect("replicaof 10.0.0.1 6379", "+OK\r\n");
    expect("acl users", "*3\r\n$5\r\nalice\r\n$3\r\nbob\r\n$5\r\ncarol\r\n");
    /* The digest is that of "a"; what the role is enough for, and no more. */
    expect_part("acl list",
                "user alice on #ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
                " ~* &* -@all ");
    expect_part("acl list", " ~* &* +@all\r\n");
    expect_part("acl list", " +psync ");
    expect("replconf a b", "+OK\r\n");
    expect_part("client kill id 99", ":0");
    expect("auth carol x", WRONGPASS);
    expect_part("info stats", "acl_access_denied_auth:1\r\n");
    expect("config resetstat", "+OK\r\n");
    expect_part("info stats", "acl_access_denied_auth:0\r\n");
}

USERS_TEST(who_does_not_log_in_is_default)
{
    add_user(USER_DEFAULT, ROLE_MONITOR, NULL);
    expect("ping", "+PONG\r\n");
    expect("acl whoami", "$7\r\ndefault\r\n");
    expect_refused("shutdown", "default", "shutdown");
    expect("auth carol c", "+OK\r\n");
    expect("config set port 1", "+OK\r\n");
    expect("auth x", "+OK\r\n");
    expect_refused("shutdown", "default", "shutdown");
}

/* A role is asked for when a command is queued, and again when it is run. */
USERS_TEST(transactions_know_roles)
{
    expect("auth bob b", "+OK\r\n");
    expect("multi", "+OK\r\n");
    expect("ping", "+QUEUED\r\n");
    expect_refused("config set port 1", "bob", "config|set");
    expect("exec", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    expect("auth carol c", "+OK\r\n");
    expect("multi", "+OK\r\n");
    expect("auth alice a", "+QUEUED\r\n");
    expect("config set port 1", "+QUEUED\r\n");
    expect("exec", "*2\r\n+OK\r\n-NOPERM User alice has no permissions to run the 'config|set' "
                   "command\r\n");
    assert_string_equal(settings_set, "");
}

USERS_TEST(clients_are_known_by_user)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    fake_components.replica_count = 1;
    fake_components.replicas[0] =
        (struct peer_status){.id = 9, .peer = "192.0.2.9:1", .local = "", .user = "alice"};
    expect("auth carol c", "+OK\r\n");
    assert_true(contains(say_as(other, "auth alice a"), "+OK"));
    struct client *unauthenticated = fake_client(10, "192.0.2.10:50000");
    assert_non_null(unauthenticated);
    expect_part("client list id 7", " user=carol ");
    expect_part("client list id 8", " user=alice ");
    expect_part("client list id 9", " user=alice ");
    expect_part("client list id 10", " user=default ");
    expect("client kill user dave", "-ERR No such user 'dave'\r\n");
    expect("client kill user alice", ":2\r\n");
    assert_int_equal(fake_components.killed_count, 2);
    assert_int_equal(fake_components.killed[0], 8);
    assert_int_equal(fake_components.killed[1], 9);
}

/* ---------------------------------------------------------------- the users change */

static void change_users(void)
{
    users_fini(&users);
    add_user("alice", ROLE_REPLICA, "new");
    add_user("bob", ROLE_ADMIN, "b");
}

USERS_TEST(who_is_not_known_any_more_is_closed)
{
    struct client *bob = fake_client(8, "192.0.2.8:50000");
    struct client *carol = fake_client(9, "192.0.2.9:50000");
    struct client *nobody = fake_client(10, "192.0.2.10:50000");
    static const char *const replicating[] = {"alice", "carol", ""};
    for (size_t i = 0; i < LENGTH_OF(replicating); i++)
        fake_components.replicas[i] =
            (struct peer_status){.id = 20 + i, .peer = "", .local = "", .user = replicating[i]};
    fake_components.replica_count = LENGTH_OF(replicating);
    expect("auth alice a", "+OK\r\n");
    say_as(bob, "auth bob b");
    say_as(carol, "auth carol c");
    change_users();
    commands_on_users_changed(room);
    /* alice has another password, which concerns who comes; bob another role; carol is gone. */
    static const uint64_t closed[] = {8, 9, 21, 22};
    assert_int_equal(fake_components.killed_count, LENGTH_OF(closed));
    for (size_t i = 0; i < LENGTH_OF(closed); i++)
        assert_int_equal(fake_components.killed[i], closed[i]);
    expect("ping", "+PONG\r\n");
    assert_true(contains(say_as(nobody, "ping"), "NOAUTH"));
    assert_true(contains(say_as(nobody, "auth alice a"), "WRONGPASS"));
    assert_true(contains(say_as(nobody, "auth alice new"), "+OK"));
}

/* requirepass, set where there was none: the replicas that are there are not cut off. */
USERS_TEST(a_password_for_default_closes_nobody)
{
    users_fini(&users);
    add_user(USER_DEFAULT, ROLE_ADMIN, NULL);
    fake_components.replicas[0] =
        (struct peer_status){.id = 9, .peer = "", .local = "", .user = ""};
    fake_components.replica_count = 1;
    expect("ping", "+PONG\r\n");
    users_fini(&users);
    add_user(USER_DEFAULT, ROLE_ADMIN, "sesame");
    commands_on_users_changed(room);
    assert_int_equal(fake_components.killed_count, 0);
    expect("ping", NOAUTH);
    expect("auth sesame", "+OK\r\n");
}

/* ---------------------------------------------------------------- guessing */

static void guess_wrong(int count)
{
    for (int i = 0; i < count; i++)
        expect("auth carol x", WRONGPASS);
}

USERS_TEST(after_ten_wrong_ones_the_answer_waits)
{
    guess_wrong(10);
    expect("auth carol x", "");
    assert_true(client_is_blocked(caller));
    assert_int_equal(fake_loop_next_timer_ms(loop), 1000);
    fake_loop_pass(loop, 999);
    expect_heard(caller, "");
    fake_loop_pass(loop, 1);
    expect_heard(caller, WRONGPASS);
    assert_false(client_is_blocked(caller));
    /* A right one waits as well, or the time would tell. */
    expect("auth carol c", "");
    assert_true(client_is_blocked(caller));
    fake_loop_pass(loop, 1000);
    expect_heard(caller, "+OK\r\n");
    expect("acl whoami", "$5\r\ncarol\r\n");
    expect_part("info errorstats", "errorstat_WRONGPASS:count=11\r\n");
    expect_part("info stats", "acl_access_denied_auth:11\r\n");
}

USERS_TEST(more_connections_are_no_way_round)
{
    struct client *others[6];
    guess_wrong(10);
    for (uint64_t i = 0; i < LENGTH_OF(others); i++)
        others[i] = fake_client(10 + i, "192.0.2.7:50001");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(say_as(others[i], "auth carol x").length, 0);
        assert_true(client_is_blocked(others[i]));
    }
    for (size_t i = 3; i < LENGTH_OF(others); i++)
        assert_view(say_as(others[i], "auth carol c"), TOO_MANY);
    /* One that leaves does not make the queue shorter. */
    fake_client_leaves(others[0]);
    assert_view(say_as(others[5], "hello 3 auth carol c"), TOO_MANY);
    fake_loop_pass(loop, 2000);
    expect_heard(others[1], WRONGPASS);
    expect_heard(others[2], "");
    fake_loop_pass(loop, 1000);
    expect_heard(others[2], WRONGPASS);
}

USERS_TEST(other_addresses_do_not_wait)
{
    struct client *other = fake_client(8, "192.0.2.8:50000");
    guess_wrong(10);
    assert_true(contains(say_as(other, "auth carol c"), "+OK"));
    assert_true(contains(say_as(other, "ping"), "+PONG"));
}

USERS_TEST(hello_waits_too)
{
    guess_wrong(10);
    expect("hello 3 auth bob b setname me", "");
    assert_int_equal(client_session(caller)->protocol, 2);
    fake_loop_pass(loop, 1000);
    struct bytes heard = fake_client_heard(caller);
    assert_true(bytes_starts(heard, "%7\r\n"));
    assert_true(is_one_value(heard, 3));
    expect("client getname", "$2\r\nme\r\n");
    /* A bad name is told at once, and costs nothing. */
    expect("hello 3 auth bob b setname \"a b\"",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
}

USERS_TEST(in_a_transaction_nobody_waits)
{
    expect("auth carol c", "+OK\r\n");
    expect("multi", "+OK\r\n");
    for (int i = 0; i < 11; i++)
        expect("auth carol x", "+QUEUED\r\n");
    expect_part("exec", WRONGPASS TOO_MANY);
    assert_false(client_is_blocked(caller));
}

USERS_TEST(who_waits_when_the_users_change_is_denied)
{
    guess_wrong(10);
    expect("auth alice a", "");
    change_users();
    commands_on_users_changed(room);
    fake_loop_pass(loop, 1000);
    expect_heard(caller, WRONGPASS);
}

USERS_TEST(what_was_wrong_is_forgotten)
{
    guess_wrong(10);
    fake_loop_pass(loop, 10 * 1000);
    guess_wrong(10);
    expect("auth carol x", "");
    assert_true(client_is_blocked(caller));
    fake_client_leaves(caller); /* the room closes with nobody waiting */
}
