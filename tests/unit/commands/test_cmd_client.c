/* SPDX-License-Identifier: MIT */
#include "commands_test.h"

#include <inttypes.h>

#include "relay/base/clock.h"

static struct client *other;

/* Two clients (7: the caller, 8) and two replicas (3, 4), of which one came by SYNC. */
static int set_up_peers(void **state)
{
    (void)state;
    open_room("", "");
    other = fake_client(8, "192.0.2.8:50001");
    fake_clock_advance(5000);
    fake_components.replicas[0] = (struct peer_status){.id = 3,
                                                       .peer = "198.51.100.3:40000",
                                                       .local = "127.0.0.1:6380",
                                                       .state = REPLICA_STREAMING,
                                                       .user = "",
                                                       .acknowledges = true,
                                                       .connected_ms = clock_ms() - 100000,
                                                       .last_ack_ms = clock_ms() - 1500};
    fake_components.replicas[1] = fake_components.replicas[0];
    fake_components.replicas[1].id = 4;
    fake_components.replicas[1].peer = "198.51.100.4:40000";
    fake_components.replicas[1].acknowledges = false;
    fake_components.replica_count = 2;
    return 0;
}

#define PEERS_TEST(name) TEST_SETUP(name, set_up_peers, tear_down)

#define IDLE_FIELDS                                                                                \
    " db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 "    \
    "obl=0 oll=0 omem=0 tot-mem=0 events=r"
#define LINE_7(command)                                                                            \
    "id=7 addr=192.0.2.7:50000 laddr=127.0.0.1:6380 fd=0 name=me age=5 idle=0 flags=N" IDLE_FIELDS \
    " cmd=" command " user=default redir=-1 resp=2 lib-name=lib lib-ver=1.2\n"
#define LINE_8                                                                                     \
    "id=8 addr=192.0.2.8:50001 laddr=127.0.0.1:6380 fd=0 name= age=5 idle=5 flags=N" IDLE_FIELDS   \
    " cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver=\n"
#define LINE_REPLICA(id, last)                                                                     \
    "id=" id " addr=198.51.100." id ":40000 laddr=127.0.0.1:6380 fd=0 name= age=100 idle=1 "       \
    "flags=S" IDLE_FIELDS " cmd=" last " user=default redir=-1 resp=2 lib-name= lib-ver=\n"

static void expect_bulk(const char *line, const char *text)
{
    char expected[4096];
    snprintf(expected, sizeof(expected), "$%zu\r\n%s\r\n", strlen(text), text);
    expect(line, expected);
}

static void name_caller(void)
{
    expect("client setname me", "+OK\r\n");
    expect("client setinfo LIB-NAME lib", "+OK\r\n");
    expect("client setinfo lib-ver 1.2", "+OK\r\n");
}

PEERS_TEST(list_shows_clients_and_replicas)
{
    name_caller();
    expect_bulk("client list",
                LINE_7("client|list") LINE_8 LINE_REPLICA("3", "psync") LINE_REPLICA("4", "sync"));
    expect_bulk("client list type normal", LINE_7("client|list") LINE_8);
    expect_bulk("client list type REPLICA", LINE_REPLICA("3", "psync") LINE_REPLICA("4", "sync"));
    expect_bulk("client list type slave", LINE_REPLICA("3", "psync") LINE_REPLICA("4", "sync"));
    expect_bulk("client list type master", "");
    expect_bulk("client list type pubsub", "");
    expect_bulk("client list id 8 4 99", LINE_8 LINE_REPLICA("4", "sync"));
    expect_bulk("client info", LINE_7("client|info"));
}

PEERS_TEST(list_in_resp3_is_text)
{
    client_session(caller)->protocol = 3;
    expect("client list type master", "=4\r\ntxt:\r\n");
    expect_part("client info", "\r\ntxt:id=7 ");
    expect_part("client info", " resp=3 ");
}

PEERS_TEST(list_refuses_what_it_does_not_know)
{
    expect("client list foo", "-ERR syntax error\r\n");
    expect("client list type", "-ERR syntax error\r\n");
    expect("client list type foo", "-ERR Unknown client type 'foo'\r\n");
    expect("client list type normal x", "-ERR syntax error\r\n");
    expect("client list id", "-ERR syntax error\r\n");
    expect("client list id 7 abc", "-ERR Invalid client ID\r\n");
    expect("client list id 0", "-ERR Invalid client ID\r\n");
}

PEERS_TEST(names_are_given_and_taken)
{
    char line[200] = "client setname ";
    expect("client id", ":7\r\n");
    expect("client getname", "$-1\r\n");
    expect("client setname \"a b\"",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    expect("client setname n", "+OK\r\n");
    expect("client getname", "$1\r\nn\r\n");
    expect("client setname \"\"", "+OK\r\n");
    expect("client getname", "$-1\r\n");
    /* A longer name than there is room for is cut, not refused. */
    memset(line + strlen(line), 'n', 100);
    expect(line, "+OK\r\n");
    expect("client getname",
           "$63\r\nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
           "\r\n");
    expect("client setinfo foo bar", "-ERR Unrecognized option 'foo'\r\n");
    expect("client setinfo lib-ver \"a b\"",
           "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n");
}

static void expect_killed(const char *ids)
{
    char killed[128] = "";
    for (size_t i = 0; i < fake_components.killed_count; i++) {
        size_t length = strlen(killed);
        snprintf(killed + length, sizeof(killed) - length, "%s%" PRIu64, i > 0 ? " " : "",
                 fake_components.killed[i]);
    }
    assert_string_equal(killed, ids);
    fake_components.killed_count = 0;
}

PEERS_TEST(kill_by_filter_spares_the_caller)
{
    expect("client kill type normal", ":1\r\n");
    expect_killed("8");
    expect("client kill type replica", ":2\r\n");
    expect_killed("3 4");
    expect("client kill TYPE pubsub", ":0\r\n");
    expect("client kill type master", ":0\r\n");
    expect("client kill id 8", ":1\r\n");
    expect_killed("8");
    expect("client kill id 7", ":0\r\n");
    expect("client kill id 99", ":0\r\n");
    expect("client kill addr 198.51.100.4:40000", ":1\r\n");
    expect_killed("4");
    expect("client kill laddr 127.0.0.1:6380", ":3\r\n");
    expect_killed("8 3 4");
    expect("client kill laddr 127.0.0.1:1", ":0\r\n");
    expect("client kill user default", ":3\r\n");
    expect_killed("8 3 4");
    expect("client kill maxage 50", ":2\r\n");
    expect_killed("3 4");
    expect("client kill id 8 type replica", ":0\r\n");
    expect_killed("");
    assert_int_equal(fake_client_finished(caller), CLOSE_REASON_COUNT);
}

/* The caller hears the answer, and is closed behind it; not by downstream_kill. */
PEERS_TEST(kill_may_mean_the_caller)
{
    expect("client kill type normal skipme no", ":2\r\n");
    expect_killed("8");
    assert_int_equal(fake_client_finished(caller), CLOSE_KILLED);
}

PEERS_TEST(kill_by_address_in_the_old_form)
{
    expect("client kill 198.51.100.3:40000", "+OK\r\n");
    expect_killed("3");
    expect("client kill 198.51.100.3:1", "-ERR No such client\r\n");
    expect("client kill skipme", "-ERR No such client\r\n");
    expect_killed("");
    assert_int_equal(fake_client_finished(caller), CLOSE_REASON_COUNT);
    expect("client kill 192.0.2.7:50000", "+OK\r\n");
    expect_killed("");
    assert_int_equal(fake_client_finished(caller), CLOSE_KILLED);
}

PEERS_TEST(kill_refuses_what_it_does_not_know)
{
    expect("client kill id 0", "-ERR client-id should be greater than 0\r\n");
    expect("client kill id abc", "-ERR client-id should be greater than 0\r\n");
    expect("client kill type foo", "-ERR Unknown client type 'foo'\r\n");
    expect("client kill user nobody", "-ERR No such user 'nobody'\r\n");
    expect("client kill skipme maybe", "-ERR syntax error\r\n");
    expect("client kill id 8 foo", "-ERR syntax error\r\n");
    expect("client kill foo bar", "-ERR syntax error\r\n");
    expect("client kill maxage 0", "-ERR maxage is not an integer or out of range\r\n");
    expect_killed("");
}

PEERS_TEST(replies_are_switched)
{
    expect("client reply off", "");
    expect("ping", "");
    expect("nonsense", "");
    expect("client reply skip", "");
    expect("client reply on", "+OK\r\n");
    expect("ping", "+PONG\r\n");
    expect("client reply skip", "");
    expect("ping", "");
    expect("ping", "+PONG\r\n");
    expect("client reply maybe", "-ERR syntax error\r\n");
    expect("client reply off", "");
    expect("reset", "+RESET\r\n");
    expect("ping", "+PONG\r\n");
}

PEERS_TEST(switches_without_effect)
{
    expect("client no-evict on", "+OK\r\n");
    expect("client no-touch off", "+OK\r\n");
    expect("client no-touch maybe", "-ERR syntax error\r\n");
    expect("client capa redirect", "+OK\r\n");
    expect("client getredir", ":-1\r\n");
    expect("client unblock 5", ":0\r\n");
    expect("client unblock x", "-ERR value is not an integer or out of range\r\n");
    expect("client unblock -5 error", ":0\r\n");
    expect("client unblock 5 x", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
}
