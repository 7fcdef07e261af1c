/* SPDX-License-Identifier: MIT */
#include "commands_test.h"
#include "relay/base/clock.h"

static void two_replicas(void)
{
    fake_components.has_history = true;
    fake_components.first = 100;
    fake_components.published = 5000;
    fake_components.replica_count = 2;
    fake_components.replicas[0] = (struct peer_status){.id = 11,
                                                       .peer = "192.0.2.1:40000",
                                                       .local = "127.0.0.1:6380",
                                                       .state = REPLICA_STREAMING,
                                                       .state_name = "streaming",
                                                       .address = "replica.example",
                                                       .listening_port = 6379,
                                                       .version = "8.0.1",
                                                       .carrier = "wss",
                                                       .is_online = true,
                                                       .acknowledges = true,
                                                       .acknowledged = 4000,
                                                       .sent_offset = 4500,
                                                       .last_ack_ms = clock_ms() - 2500,
                                                       .connected_ms = clock_ms() - 61000,
                                                       .sent_bytes = 777,
                                                       .stream_missing = 5,
                                                       .full_sync = {.is_active = true,
                                                                     .bytes = 50,
                                                                     .total = 200,
                                                                     .is_estimate = true,
                                                                     .rate = 10,
                                                                     .left_ms = 14500}};
    fake_components.replicas[1] = (struct peer_status){.id = 12,
                                                       .peer = "192.0.2.2:40000",
                                                       .local = "127.0.0.1:6380",
                                                       .state = REPLICA_WAITING,
                                                       .state_name = "waiting",
                                                       .address = "192.0.2.2",
                                                       .version = "",
                                                       .carrier = "tcp",
                                                       .acknowledges = false,
                                                       .last_ack_ms = clock_ms() + 10,
                                                       .connected_ms = clock_ms(),
                                                       .is_held = true};
}

#define FIRST                                                                                      \
    "$2\r\nid\r\n:11\r\n$4\r\naddr\r\n$15\r\n192.0.2.1:40000\r\n$2\r\nip\r\n$15\r\nreplica."       \
    "example\r\n$4\r\nport\r\n:6379\r\n$7\r\nversion\r\n$5\r\n8.0.1\r\n$7\r\ncarrier\r\n$"         \
    "3\r\nwss\r\n$5\r\nstate\r\n$9\r\n"                                                            \
    "streaming\r\n$12\r\nacknowledges\r\n$3\r\nyes\r\n$6\r\noffset\r\n:4000\r\n$11\r\nsent_"       \
    "offset\r\n:4500\r\n$9\r\nlag_bytes\r\n:1000\r\n$3\r\nlag\r\n:2\r\n$3\r\nage\r\n:61\r\n$"      \
    "10\r\n"                                                                                       \
    "sent_bytes\r\n:777\r\n$14\r\nstream_missing\r\n:5\r\n$4\r\nheld\r\n$2\r\nno\r\n"              \
    "$7\r\ndelayed\r\n$2\r\nno\r\n$6\r\npaused\r\n$2\r\nno\r\n$5\r\nlimit\r\n:-1\r\n"              \
    "$15\r\nfull_"                                                                                 \
    "sync_bytes\r\n:50\r\n$"                                                                       \
    "15\r\nfull_sync_total"                                                                        \
    "\r\n:200\r\n$19\r\nfull_sync_estimated\r\n$3\r\nyes\r\n$14\r\nfull_sync_rate\r\n:10\r\n$"     \
    "14\r\nfull_sync_left"                                                                         \
    "\r\n:15\r\n"
#define SECOND                                                                                     \
    "$2\r\nid\r\n:12\r\n$4\r\naddr\r\n$15\r\n192.0.2.2:40000\r\n$2\r\nip\r\n$9\r\n192.0.2.2\r\n"   \
    "$4\r\nport\r\n:0\r\n$7\r\nversion\r\n$0\r\n\r\n$7\r\ncarrier\r\n$3\r\ntcp\r\n$"               \
    "5\r\nstate\r\n$7\r\nwaiting\r\n$12\r\n"                                                       \
    "acknowledges\r\n$2\r\nno\r\n$6\r\noffset\r\n:0\r\n$11\r\nsent_offset\r\n:0\r\n$9\r\nlag_"     \
    "bytes\r\n:-1\r\n$3\r\nlag\r\n:0\r\n$3\r\nage\r\n:0\r\n$10\r\nsent_bytes\r\n:0\r\n"            \
    "$14\r\nstream_missing\r\n:0\r\n$4\r\nheld\r\n$3\r\nyes\r\n"                                   \
    "$7\r\ndelayed\r\n$2\r\nno\r\n$6\r\npaused\r\n$2\r\nno\r\n$5\r\nlimit\r\n:-1\r\n"              \
    "$15\r\nfull_sync_bytes\r\n:-1\r\n$"                                                           \
    "15\r\nfull_sync_total\r\n:-"                                                                  \
    "1\r\n"                                                                                        \
    "$19\r\nfull_sync_estimated\r\n$2\r\nno\r\n$14\r\nfull_sync_rate\r\n:-1\r\n$14\r\nfull_sync_"  \
    "left\r\n:-1\r\n"

COMMAND_TEST(replicas_are_maps)
{
    expect("relay replicas", "*0\r\n");
    fake_clock_advance(100000);
    two_replicas();
    expect("RELAY REPLICAS", "*2\r\n*48\r\n" FIRST "*48\r\n" SECOND);
    say("hello 3");
    expect("relay replicas", "*2\r\n%24\r\n" FIRST "%24\r\n" SECOND);
    assert_true(is_one_value(say("relay replicas"), 3));
}

/* One that never acknowledges is as far as it was sent; nobody is further than the end. */
COMMAND_TEST(how_far_one_is_behind)
{
    two_replicas();
    fake_components.replicas[0].acknowledges = false;
    expect_part("relay replicas", "$9\r\nlag_bytes\r\n:500\r\n");
    fake_components.replicas[0].sent_offset = 5001;
    expect_part("relay replicas", "$9\r\nlag_bytes\r\n:0\r\n");
}

COMMAND_TEST(a_replica_is_dropped_by_its_id)
{
    two_replicas();
    expect("relay drop 12", "+OK\r\n");
    assert_int_equal(fake_components.killed_count, 1);
    assert_int_equal(fake_components.killed[0], 12);
    expect("relay drop 7", "-ERR No such replica\r\n"); /* that is a client: the caller */
    expect("relay drop 13", "-ERR No such replica\r\n");
    static const char *const nonsense[] = {"0", "-1", "x", "\"\"", "99999999999999999999"};
    for (size_t i = 0; i < LENGTH_OF(nonsense); i++) {
        char line[64];
        snprintf(line, sizeof(line), "relay drop %s", nonsense[i]);
        expect(line, "-ERR Invalid replica id: expected a number that RELAY REPLICAS shows\r\n");
    }
    expect("relay drop", "-ERR wrong number of arguments for 'relay|drop' command\r\n");
    assert_int_equal(fake_components.killed_count, 1);
}

/* Its lag is what it lacks of what it may have. */
COMMAND_TEST(one_that_runs_behind)
{
    two_replicas();
    fake_components.replicas[0].runs_behind = true;
    fake_components.replicas[0].limit = 4600;
    fake_components.replicas[0].hold = HOLD_TARGET;
    expect_part("relay replicas", "$9\r\nlag_bytes\r\n:600\r\n");
    expect_part("relay replicas", "$7\r\ndelayed\r\n$3\r\nyes\r\n$6\r\npaused\r\n$6\r\ntarget\r\n"
                                  "$5\r\nlimit\r\n:4600\r\n");
}

COMMAND_TEST(a_replica_is_paused_and_resumed)
{
    expect("relay pause 12", "+OK\r\n");
    assert_int_equal(fake_components.paused, 12);
    expect("relay pause x",
           "-ERR Invalid replica id: expected a number that RELAY REPLICAS shows\r\n");
    expect("relay resume 12", "+OK\r\n");
    assert_int_equal(fake_components.resumed.id, 12);
    assert_false(fake_components.has_until);
    expect("relay resume 10.0.0.1:7000", "+OK\r\n");
    assert_int_equal(fake_components.resumed.id, 0);
    assert_int_equal(fake_components.resumed.port, 7000);
    expect("relay resume 12 to 4711", "+OK\r\n");
    assert_true(fake_components.has_until);
    assert_int_equal(fake_components.until, 4711);
    expect("relay resume 12 at 4711", "-ERR syntax error\r\n");
    expect("relay resume 12 to", "-ERR syntax error\r\n");
    fake_components.hold_error = "ERR No such replica";
    expect("relay pause 12", "-ERR No such replica\r\n");
    expect("relay resume 12", "-ERR No such replica\r\n");
}

COMMAND_TEST(a_time_is_an_offset)
{
    two_replicas();
    fake_components.came =
        (struct time_answer){.entry = {.offset = 4000, .wall_us = clock_wall_us() - 60000000}};
    expect("relay resume 12 to -1min", "+OK\r\n");
    assert_int_equal(fake_components.until, 4000);
    fake_components.has_until = false;
    expect("relay resume 12 to -61s", "-ERR Nothing is known of that time\r\n");
    expect("relay resume 12 to 2100-01-01T00:00:00Z", "-ERR Nothing is known of that time\r\n");
    expect_part("relay resume 12 to yesterday", "-ERR 'yesterday' is no time");
    assert_false(fake_components.has_until);
}

COMMAND_TEST(those_that_are_paused_are_listed)
{
    expect("relay paused", "*0\r\n");
    fake_components.hold_count = 1;
    fake_components.holds[0] = (struct hold_status){.id = 12,
                                                    .address = "10.0.0.1",
                                                    .port = 7000,
                                                    .kind = HOLD_TARGET,
                                                    .until = 900,
                                                    .offset = 700,
                                                    .is_current = true};
    expect("relay paused",
           "*1\r\n*12\r\n$2\r\nid\r\n:12\r\n$2\r\nip\r\n$8\r\n10.0.0.1\r\n$4\r\nport\r\n:7000\r\n"
           "$6\r\npaused\r\n$6\r\ntarget\r\n$6\r\noffset\r\n:700\r\n$6\r\ntarget\r\n:900\r\n");
    fake_components.holds[0].is_current = false;
    expect_part("relay paused", "$6\r\noffset\r\n:-1\r\n$6\r\ntarget\r\n:-1\r\n");
}

#define AWAY                                                                                       \
    "$2\r\nid\r\n:9\r\n$4\r\naddr\r\n$15\r\n192.0.2.3:40000\r\n$2\r\nip\r\n$9\r\n192.0.2.3\r\n"    \
    "$4\r\nport\r\n:6379\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$6\r\noffset\r\n:4711\r\n$"            \
    "3\r\nlag\r\n"                                                                                 \
    ":1\r\n$12\r\nforgotten_in\r\n:59\r\n"

COMMAND_TEST(one_that_is_away_is_listed)
{
    fake_clock_advance(100000);
    two_replicas();
    fake_components.known = (struct known_counts){.attached = 1, .away = 1, .unsure_ms = 1500};
    fake_components.away[0] = (struct known_status){.id = 9,
                                                    .peer = "192.0.2.3:40000",
                                                    .address = "192.0.2.3",
                                                    .listening_port = 6379,
                                                    .version = "7.2.4",
                                                    .acknowledged = 4711,
                                                    .heard_ms = clock_ms() - 1900,
                                                    .left_ms = 58100};
    expect("relay away", "*1\r\n*16\r\n" AWAY);
    say("hello 3");
    expect("relay away", "*1\r\n%8\r\n" AWAY);
    assert_true(is_one_value(say("relay away"), 3));
    fake_components.known.away = 0;
    expect("relay away", "*0\r\n");
    fake_components.known.away = 1;
    expect_part("info relay", "\r\nreplicas_known:2\r\n");
    expect_part("info relay", "\r\nreplicas_away:1\r\n");
    expect_part("info relay", "\r\nreplicas_unsure_seconds:2\r\n");
}

COMMAND_TEST(replicas_are_forgotten_by_id_or_address)
{
    static const struct {
        const char *word;
        struct known_who who;
        const char *address;
    } rows[] = {
        {"12", {.id = 12}, ""},
        {"ALL", {.is_anybody = true}, ""},
        {"192.0.2.3", {.has_port = false}, "192.0.2.3"},
        {"192.0.2.3:6379", {.has_port = true, .port = 6379}, "192.0.2.3"},
        {"replica.example:0", {.has_port = true}, "replica.example"},
        {"2001:db8::7", {.has_port = false}, "2001:db8::7"},
        {"[2001:db8::7]:6379", {.has_port = true, .port = 6379}, "2001:db8::7"},
        {"[2001:db8::7]", {.has_port = false}, "2001:db8::7"},
    };
    fake_components.forgets = 3;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char line[64];
        snprintf(line, sizeof(line), "relay forget %s", rows[i].word);
        expect(line, ":3\r\n");
        assert_int_equal(fake_components.forgotten.is_anybody, rows[i].who.is_anybody);
        assert_int_equal(fake_components.forgotten.id, rows[i].who.id);
        assert_int_equal(fake_components.forgotten.has_port, rows[i].who.has_port);
        assert_int_equal(fake_components.forgotten.port, rows[i].who.port);
        assert_string_equal(fake_components.forgotten_address, rows[i].address);
    }
    static const char *const nonsense[] = {"\"\"",     "0:x",   "1.2.3.4:99999",
                                           "1.2.3.4:", ":6379", "[]:1"};
    for (size_t i = 0; i < LENGTH_OF(nonsense); i++) {
        char line[64];
        snprintf(line, sizeof(line), "relay forget %s", nonsense[i]);
        expect_part(
            line, "-ERR Invalid replica: expected an id, an ip or an ip:port that RELAY REPLICAS");
    }
    fake_components.forgets = 0;
    expect("relay forget 13", "-ERR No such replica\r\n");
    expect("relay forget all", ":0\r\n");
    expect_part("relay help", "FORGET <replica-id | ip | ip:port | ALL>");
}

COMMAND_TEST(a_snapshot_is_asked_for)
{
    expect("relay snapshot", "+OK\r\n");
    assert_int_equal(fake_components.refreshes_asked, 1);
    fake_components.refresh_schedule_refusal = "one is being fetched already";
    expect("relay snapshot",
           "-ERR cannot fetch a newer snapshot now: one is being fetched already\r\n");
}

COMMAND_TEST(another_history_is_accepted)
{
    expect("relay accept", "+OK\r\n");
    assert_int_equal(fake_components.acceptances, 1);
    assert_int_equal(fake_components.accepted.port, 0);
    expect("relay accept [::1] 6379", "+OK\r\n");
    assert_string_equal(fake_components.accepted.host, "::1");
    assert_int_equal(fake_components.accepted.port, 6379);
    fake_components.acceptance_refusal = "no other history waits to be taken";
    expect("relay accept", "-ERR no other history waits to be taken\r\n");
    expect("relay accept host", "-ERR syntax error\r\n");
    expect("relay accept host 1 2", "-ERR syntax error\r\n");
    expect("relay accept host 0", "-ERR Invalid master port\r\n");
    assert_int_equal(fake_components.acceptances, 3);
}

COMMAND_TEST(the_store_is_a_map)
{
    expect("relay store", "*2\r\n$15\r\nstore_histories\r\n:0\r\n");
    say("hello 3");
    fake_components.has_history = true;
    expect("relay store", "%1\r\n$15\r\nstore_histories\r\n:1\r\n");
}

COMMAND_TEST(relay_explains_itself)
{
    expect_part("relay help", "DROP replica-id");
    expect_part("relay help", "SNAPSHOT");
    expect("relay nosuch", "-ERR unknown subcommand 'nosuch'. Try RELAY HELP.\r\n");
    expect("relay", "-ERR wrong number of arguments for 'relay' command\r\n");
    expect_part("command docs relay|drop", "replica-id");
    expect_part("monitor", "-ERR this is psync-relay: it does not support 'monitor'");
}
