/* SPDX-License-Identifier: MIT */
#include "commands_test.h"
#include "relay/base/clock.h"

#define ID "8e7f00112233445566778899aabbccddeeff0011"
#define OLD_ID "51ab00112233445566778899aabbccddeeff0011"
#define NO_ID "0000000000000000000000000000000000000000"

/* The text inside the reply to INFO. */
static struct bytes info(const char *line)
{
    struct bytes reply = say(line);
    assert_true(is_one_value(reply, 2));
    size_t head = bytes_find(reply, '\n') + 1;
    return bytes_first(bytes_skip(reply, head), reply.length - head - 2);
}

/* The section is made of exactly these fields, in this order. */
static void expect_fields(struct bytes text, const char *const *names, size_t count)
{
    size_t i = 0;
    text = bytes_skip(text, bytes_find(text, '\n') + 1); /* "# Section" */
    for (; text.length > 0; i++) {
        struct bytes name = bytes_first(text, bytes_find(text, ':'));
        if (i == count || !bytes_equal(name, bytes_of(names[i])))
            fail_msg("field %zu is \"%.*s\", expected \"%s\"", i, (int)name.length,
                     (const char *)name.data, i < count ? names[i] : "no more");
        text = bytes_skip(text, bytes_find(text, '\n') + 1);
    }
    assert_int_equal(i, count);
}

static void expect_text(const char *line, const char *text)
{
    struct bytes got = info(line);
    char *actual = strndup((const char *)got.data, got.length);
    assert_string_equal(actual, text);
    free(actual);
}

static void have_history(void)
{
    fake_components.has_history = true;
    assert_true(replid_parse(bytes_of(ID), &fake_components.identity.replid));
    fake_components.first = 1000;
    /* What this turn has received is not told before it is published. */
    fake_components.published_boundary = 90200;
    fake_components.published = 90210;
    fake_components.boundary = fake_components.end = 90215;
}

static void have_link_up(void)
{
    fake_components.link.state = LINK_STREAMING;
    fake_components.link.is_up = true;
    fake_components.link.last_io_ms = clock_ms() - 2500;
}

static struct peer_status replica(enum replica_state state, const char *address)
{
    return (struct peer_status){.state = state,
                                .is_online = state == REPLICA_STREAMING,
                                .address = address,
                                .listening_port = 7001,
                                .acknowledged = 90100,
                                .last_ack_ms = clock_ms() - 1200};
}

/* docs/protocol.md 5.1, while nothing is there: never connected, no history, no replicas. */
COMMAND_TEST(replication_of_a_fresh_relay)
{
    expect_text("info replication", "# Replication\r\n"
                                    "role:slave\r\n"
                                    "master_host:origin.example\r\n"
                                    "master_port:6379\r\n"
                                    "master_link_status:down\r\n"
                                    "master_last_io_seconds_ago:-1\r\n"
                                    "master_sync_in_progress:0\r\n"
                                    "slave_read_repl_offset:0\r\n"
                                    "slave_repl_offset:0\r\n"
                                    "master_link_down_since_seconds:-1\r\n"
                                    "slave_priority:0\r\n"
                                    "slave_read_only:1\r\n"
                                    "replica_announced:0\r\n"
                                    "connected_slaves:0\r\n"
                                    "upstream_chain:\r\n"
                                    "upstream_chain_complete:0\r\n"
                                    "master_failover_state:no-failover\r\n"
                                    "master_replid:" NO_ID "\r\n"
                                    "master_replid2:" NO_ID "\r\n"
                                    "master_repl_offset:0\r\n"
                                    "second_repl_offset:-1\r\n"
                                    "repl_backlog_active:0\r\n"
                                    "repl_backlog_size:1048576\r\n"
                                    "repl_backlog_first_byte_offset:0\r\n"
                                    "repl_backlog_histlen:0\r\n");
}

COMMAND_TEST(replication_with_everything)
{
    have_history();
    have_link_up();
    fake_components.identity.earlier_count = 2;
    assert_true(replid_parse(bytes_of(OLD_ID), &fake_components.identity.earlier[0].replid));
    fake_components.identity.earlier[0].limit = 5000;
    fake_components.identity.earlier[1].limit = 4000;
    fake_components.replicas[0] = replica(REPLICA_STREAMING, "198.51.100.3");
    fake_components.replicas[1] = replica(REPLICA_CLOSING, "198.51.100.4");
    fake_components.replicas[2] = replica(REPLICA_LOADING, "2001:db8::5");
    fake_components.replicas[3] = replica(REPLICA_WAITING, "forged,state=online");
    fake_components.replica_count = 4;
    fake_components.link.chain = OLD_ID;
    fake_components.link.chain_is_complete = true;
    expect_text("info replication",
                "# Replication\r\n"
                "role:slave\r\n"
                "master_host:origin.example\r\n"
                "master_port:6379\r\n"
                "master_link_status:up\r\n"
                "master_last_io_seconds_ago:2\r\n"
                "master_sync_in_progress:0\r\n"
                "slave_read_repl_offset:90210\r\n"
                "slave_repl_offset:90200\r\n"
                "slave_priority:0\r\n"
                "slave_read_only:1\r\n"
                "replica_announced:0\r\n"
                "connected_slaves:3\r\n"
                "slave0:ip=198.51.100.3,port=7001,state=online,offset=90100,lag=1\r\n"
                "slave1:ip=2001:db8::5,port=7001,state=send_bulk,offset=90100,lag=0\r\n"
                "slave2:ip=forged?state?online,port=7001,state=wait_bgsave,offset=90100,lag=0\r\n"
                "upstream_chain:" OLD_ID "\r\n"
                "upstream_chain_complete:1\r\n"
                "master_failover_state:no-failover\r\n"
                "master_replid:" ID "\r\n"
                "master_replid2:" OLD_ID "\r\n"
                "master_repl_offset:90210\r\n"
                "second_repl_offset:5001\r\n"
                "repl_backlog_active:1\r\n"
                "repl_backlog_size:1048576\r\n"
                "repl_backlog_first_byte_offset:1001\r\n"
                "repl_backlog_histlen:89210\r\n");
}

COMMAND_TEST(replication_while_syncing)
{
    static const char *const names[] = {
        "role",
        "master_host",
        "master_port",
        "master_link_status",
        "master_last_io_seconds_ago",
        "master_sync_in_progress",
        "slave_read_repl_offset",
        "slave_repl_offset",
        "master_sync_total_bytes",
        "master_sync_read_bytes",
        "master_sync_left_bytes",
        "master_sync_perc",
        "master_sync_last_io_seconds_ago",
        "master_link_down_since_seconds",
        "slave_priority",
        "slave_read_only",
        "replica_announced",
        "connected_slaves",
        "upstream_chain",
        "upstream_chain_complete",
        "master_failover_state",
        "master_replid",
        "master_replid2",
        "master_repl_offset",
        "second_repl_offset",
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    };
    fake_components.link.state = LINK_LOADING;
    fake_components.link.sync_in_progress = true;
    fake_components.link.sync_total_bytes = 400;
    fake_components.link.sync_read_bytes = 100;
    fake_components.link.last_io_ms = clock_ms() - 3999;
    fake_components.link.down_since_ms = clock_ms() - 7000;
    expect_fields(info("info replication"), names, LENGTH_OF(names));
    expect_part("info replication", "master_sync_total_bytes:400\r\nmaster_sync_read_bytes:100\r\n"
                                    "master_sync_left_bytes:300\r\nmaster_sync_perc:25.00\r\n"
                                    "master_sync_last_io_seconds_ago:3\r\n"
                                    "master_link_down_since_seconds:7\r\n");
    /* With an end mark the length is not known before the end. */
    fake_components.link.sync_total_bytes = 0;
    expect_part("info replication", "master_sync_total_bytes:0\r\nmaster_sync_read_bytes:100\r\n"
                                    "master_sync_left_bytes:0\r\nmaster_sync_perc:0.00\r\n");
}

/* The setting, also where more is held for those who are behind. */
COMMAND_TEST(backlog_size_is_what_was_set)
{
    have_history();
    fake_components.published = fake_components.end = 5000000;
    expect_part("info replication", "repl_backlog_size:1048576\r\n");
    expect_part("info replication", "repl_backlog_histlen:4999000\r\n");
}

COMMAND_TEST(server_has_its_fields)
{
    static const char *const names[] = {
        "redis_version",    "psync_relay_version", "redis_mode",     "os",
        "arch_bits",        "process_id",          "run_id",         "tcp_port",
        "server_time_usec", "uptime_in_seconds",   "uptime_in_days", "executable",
        "config_file",
    };
    expect_fields(info("info server"), names, LENGTH_OF(names));
    expect_part("info server", "redis_version:7.0.0\r\npsync_relay_version:" RELAY_VERSION "\r\n");
    fake_clock_advance(2 * 24 * 60 * 60 * 1000 + 1000);
    expect_part("info server", "uptime_in_seconds:172801\r\nuptime_in_days:2\r\n");
    expect_part("info server", "tcp_port:6380\r\n");
    fake_components.link.server_version = "7.2.4";
    fake_components.link.valkey_version = "8.0.1";
    expect_part("info server", "redis_version:7.2.4\r\nserver_name:valkey\r\n"
                               "valkey_version:8.0.1\r\npsync_relay_version:");
    expect_part("info server", "redis_mode:standalone\r\nserver_mode:standalone\r\n");
}

static void run_id(char out[41])
{
    struct bytes text = info("info server");
    const char *at = memmem(text.data, text.length, "run_id:", 7);
    assert_non_null(at);
    snprintf(out, 41, "%s", at + 7);
    assert_int_equal(strspn(out, "0123456789abcdef"), 40);
    assert_int_equal(at[7 + 40], '\r');
}

COMMAND_TEST(run_id_is_stable_for_the_process)
{
    char first[41];
    char again[41];
    char other[41];
    run_id(first);
    run_id(again);
    assert_string_equal(first, again);
    close_room();
    open_room("", "");
    run_id(other);
    assert_string_not_equal(first, other);
}

COMMAND_TEST(other_sections_have_their_fields)
{
    static const char *const clients[] = {"connected_clients",
                                          "cluster_connections",
                                          "maxclients",
                                          "client_recent_max_input_buffer",
                                          "client_recent_max_output_buffer",
                                          "blocked_clients",
                                          "tracking_clients"};
    static const char *const memory[] = {"used_memory",         "used_memory_human",
                                         "used_memory_rss",     "used_memory_rss_human",
                                         "used_memory_peak",    "used_memory_peak_human",
                                         "total_system_memory", "total_system_memory_human",
                                         "maxmemory",           "maxmemory_human",
                                         "maxmemory_policy",    "mem_fragmentation_ratio",
                                         "mem_allocator",       "mem_file_backed"};
    static const char *const persistence[] = {"loading",
                                              "async_loading",
                                              "rdb_changes_since_last_save",
                                              "rdb_bgsave_in_progress",
                                              "rdb_last_save_time",
                                              "rdb_last_bgsave_status",
                                              "aof_enabled",
                                              "aof_rewrite_in_progress",
                                              "aof_rewrite_scheduled",
                                              "aof_last_bgrewrite_status",
                                              "aof_last_write_status"};
    static const char *const cpu[] = {"used_cpu_sys",
                                      "used_cpu_user",
                                      "used_cpu_sys_children",
                                      "used_cpu_user_children",
                                      "used_cpu_sys_main_thread",
                                      "used_cpu_user_main_thread"};
    fake_components.counts.clients = 5;
    expect_fields(info("info clients"), clients, LENGTH_OF(clients));
    expect_part("info clients", "connected_clients:5\r\n");
    expect_part("info clients", "maxclients:10000\r\n");
    expect_fields(info("info memory"), memory, LENGTH_OF(memory));
    expect_part("info memory", "maxmemory:0\r\nmaxmemory_human:0B\r\n");
    assert_false(contains(info("info memory"), "used_memory:0\r\n"));
    assert_false(contains(info("info memory"), "used_memory_rss:0\r\n"));
    expect_fields(info("info persistence"), persistence, LENGTH_OF(persistence));
    expect_part("info persistence", "loading:0\r\n");
    expect_part("info persistence", "rdb_last_bgsave_status:ok\r\n");
    expect_part("info persistence", "aof_last_write_status:ok\r\n");
    expect_fields(info("info cpu"), cpu, LENGTH_OF(cpu));
    expect_text("info keyspace", "# Keyspace\r\n");
    expect_text("info cluster", "# Cluster\r\ncluster_enabled:0\r\n");
    expect_text("info modules", "# Modules\r\n");
    expect_text("info store", "# Store\r\nstore_histories:0\r\nwindow_holders:0\r\n"
                              "window_holders_loading:0\r\n");
}

COMMAND_TEST(clients_tell_the_largest_buffers)
{
    fake_components.counts.input_buffer_recent = 1024;
    fake_components.counts.output_buffer_recent = 65536;
    expect_part("info clients", "client_recent_max_input_buffer:1024\r\n"
                                "client_recent_max_output_buffer:65536\r\n");
}

/* Called, refused before they ran, and failed: as redis-server 7 tells them apart. */
COMMAND_TEST(commandstats_tell_calls_apart)
{
    expect_text("info commandstats", "# Commandstats\r\n");
    say("ping");
    say("ping");
    say("ping a b c"); /* the handler refuses it */
    say("echo");
    say("select abc");
    say("client nosuch");
    say("client getname");
    say("client kill");
    say("nonsense");
    say("get a");
    expect_text("info commandstats",
                "# Commandstats\r\n"
                "cmdstat_client|getname:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,"
                "failed_calls=0\r\n"
                "cmdstat_client|kill:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,"
                "failed_calls=0\r\n"
                "cmdstat_echo:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,"
                "failed_calls=0\r\n"
                "cmdstat_info:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,"
                "failed_calls=0\r\n"
                "cmdstat_ping:calls=3,usec=0,usec_per_call=0.00,rejected_calls=0,"
                "failed_calls=1\r\n"
                "cmdstat_select:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,"
                "failed_calls=1\r\n");
    expect_part("info errorstats", "errorstat_ERR:count=7\r\n");
}

/* What EXEC runs counts when it runs, and so do its errors. */
COMMAND_TEST(commandstats_of_a_transaction)
{
    say("multi");
    say("select abc");
    say("ping");
    expect_part("exec", "*2\r\n-ERR value is not an integer or out of range\r\n+PONG\r\n");
    expect_part("info commandstats", "cmdstat_exec:calls=1,");
    expect_part("info commandstats", "cmdstat_select:calls=1,usec=0,usec_per_call=0.00,"
                                     "rejected_calls=0,failed_calls=1\r\n");
    expect_part("info commandstats", "cmdstat_ping:calls=1,");
    expect_part("info errorstats", "errorstat_ERR:count=1\r\n");
}

/* As in redis-server: a plain INFO has neither. */
COMMAND_TEST(commandstats_and_latencystats_are_in_all)
{
    static const char *const words[] = {"", " default", " all", " everything"};
    say("ping");
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        char line[32];
        snprintf(line, sizeof(line), "info%s", words[i]);
        assert_int_equal(contains(info(line), "\r\ncmdstat_ping:calls=1,"), i >= 2);
        assert_int_equal(contains(info(line), "\r\nlatency_percentiles_usec_ping:p50=0.001,"),
                         i >= 2);
        assert_true(contains(info(line), "# Errorstats\r\n"));
    }
}

COMMAND_TEST(stats_tell_the_counts)
{
    fake_components.counts = (struct downstream_counts){.connections_received = 11,
                                                        .connections_rejected = 12,
                                                        .commands = 13,
                                                        .sync_full = 14,
                                                        .sync_partial_ok = 15,
                                                        .sync_partial_err = 16,
                                                        .sync_full_resumed = 19,
                                                        .sync_full_unacknowledged = 17,
                                                        .replicas_refused = 18,
                                                        .sent_bytes = 17000,
                                                        .replica_sent_bytes = 16000,
                                                        .received_bytes = 18,
                                                        .reads = 20,
                                                        .writes = 30};
    fake_components.counts.closed[CLOSE_LAGGED] = 19;
    fake_components.link.received_bytes = 2000;
    fake_components.link.reads = 400;
    fake_components.link.writes = 5;
    expect("nonsense", "-ERR unknown command 'nonsense', with args beginning with: \r\n");
    expect_part("set a b", "-READONLY ");
    expect_part("info stats", "# Stats\r\n"
                              "total_connections_received:11\r\n"
                              "total_commands_processed:13\r\n"
                              "instantaneous_ops_per_sec:0\r\n"
                              "total_net_input_bytes:2018\r\n"
                              "total_net_output_bytes:17000\r\n"
                              "total_net_repl_input_bytes:2000\r\n"
                              "total_net_repl_output_bytes:16000\r\n"
                              "instantaneous_input_kbps:0.00\r\n"
                              "instantaneous_output_kbps:0.00\r\n"
                              "instantaneous_input_repl_kbps:0.00\r\n"
                              "instantaneous_output_repl_kbps:0.00\r\n"
                              "rejected_connections:12\r\n"
                              "replicas_refused:18\r\n"
                              "sync_full:14\r\n"
                              "sync_partial_ok:15\r\n"
                              "sync_partial_err:16\r\n"
                              "sync_full_resumed:19\r\n"
                              "sync_full_unacknowledged:17\r\n"
                              "evicted_keys:0\r\n"
                              "pubsub_channels:0\r\n"
                              "pubsub_patterns:0\r\n"
                              "latest_fork_usec:0\r\n"
                              "total_forks:0\r\n"
                              "total_error_replies:2\r\n"
                              "total_reads_processed:420\r\n"
                              "total_writes_processed:35\r\n"
                              "acl_access_denied_auth:0\r\n"
                              "acl_access_denied_cmd:0\r\n"
                              "acl_access_denied_key:0\r\n"
                              "acl_access_denied_channel:0\r\n"
                              "closed_ended:0\r\n");
    expect_part("info stats", "closed_lagged:19\r\n");
    expect_text("info errorstats",
                "# Errorstats\r\nerrorstat_ERR:count=1\r\nerrorstat_READONLY:count=1\r\n");
}

COMMAND_TEST(relay_tells_of_upstream)
{
    fake_components.link.attempts = 4;
    fake_components.link.full_syncs = 1;
    fake_components.link.partial_syncs = 2;
    fake_components.link.refreshes = 3;
    fake_components.link.last_refresh_count = 2;
    fake_components.link.last_refreshes[0] = (struct link_refresh_report){
        .began_ms = clock_ms(), .cause = "a replica waits", .outcome = "running"};
    fake_components.link.last_refreshes[1] = (struct link_refresh_report){
        .began_ms = clock_ms() - 70000, .cause = "the window", .outcome = "complete", .offset = 9};
    fake_components.link.refresh_error = "the primary is silent";
    fake_components.link.announced_version = 0x080100;
    fake_components.link.acknowledged = 90200;
    fake_components.link.received_bytes = 99000;
    fake_components.link.carrier = "wss";
    fake_components.link.compression = CODEC_LZ4;
    fake_components.link.compressed_bytes = 1000;
    fake_components.link.uncompressed_bytes = 2250;
    fake_components.link.compression_errors = 2;
    fake_components.link.has_rdb_channel = true;
    fake_components.link.rdb_channel_syncs = 5;
    fake_components.link.rdb_channel_refusals = 6;
    fake_components.counts.compressed_bytes = 500;
    fake_components.counts.uncompressed_bytes = 2000;
    fake_components.link.last_error = "refused\r\nforged:1";
    fake_components.counts.replicas_waiting = 6;
    fake_components.counts.full_syncs = 2;
    fake_components.counts.full_syncs_held = 3;
    expect_text("info relay", "# Relay\r\n"
                              "upstream_state:connecting\r\n"
                              "upstream_attempts:4\r\n"
                              "upstream_full_syncs:1\r\n"
                              "upstream_partial_syncs:2\r\n"
                              "upstream_rdb_channel:1\r\n"
                              "upstream_rdb_channel_syncs:5\r\n"
                              "upstream_rdb_channel_refusals:6\r\n"
                              "upstream_refreshes:3\r\n"
                              "upstream_refresh_failures:0\r\n"
                              "upstream_refresh0:age=0,outcome=running,offset=0,"
                              "from=upstream,cause=a replica waits\r\n"
                              "upstream_refresh1:age=70,outcome=complete,offset=9,"
                              "from=upstream,cause=the window\r\n"
                              "snapshot_source_fallbacks:0\r\n"
                              "snapshot_source_missing:0\r\n"
                              "upstream_refresh_last_error:the primary is silent\r\n"
                              "upstream_announced_version:8.1.0\r\n"
                              "upstream_received_bytes:99000\r\n"
                              "upstream_carrier:wss\r\n"
                              "upstream_compression:lz4\r\n"
                              "upstream_compressed_bytes:1000\r\n"
                              "upstream_uncompressed_bytes:2250\r\n"
                              "upstream_compression_ratio:2.25\r\n"
                              "upstream_compression_errors:2\r\n"
                              "replicas_compressed_bytes:500\r\n"
                              "replicas_uncompressed_bytes:2000\r\n"
                              "replicas_compression_ratio:4.00\r\n"
                              "ack:received\r\n"
                              "upstream_acknowledged_offset:90200\r\n"
                              "upstream_last_error:refused  forged:1\r\n"
                              "upstream_other_history:0\r\n"
                              "upstream_stream_silence_seconds:0\r\n"
                              "upstream_ping_period_seconds:0\r\n"
                              "upstream_hops:1\r\n"
                              "upstream_hop0:host=origin.example,port=6379,link=down,silence=0\r\n"
                              "upstream_root_silence_seconds:0\r\n"
                              "serving_old_history:0\r\n"
                              "replicas_waiting:6\r\n"
                              "full_syncs_in_progress:2\r\n"
                              "full_syncs_held:3\r\n"
                              "delayed_seconds:0\r\ndelayed_replicas:0\r\ndelayed_paused:0\r\n"
                              "delayed_offset:-1\r\ndelayed_bytes:0\r\n"
                              "replicas_known:0\r\n"
                              "replicas_away:0\r\n"
                              "replicas_unsure_seconds:0\r\n");
    fake_components.link.sync_progress = (struct progress_view){
        .is_active = true, .bytes = 5, .total = 50, .percent = 10, .rate = 9, .left_ms = 5000};
    fake_components.link.refresh_progress =
        (struct progress_view){.is_active = true, .bytes = 5, .percent = -1, .left_ms = -1};
    expect_part("info relay", "\r\nupstream_sync_progress:bytes=5,total=50,estimated=no,"
                              "percent=10.00,rate=9,left=5\r\n"
                              "upstream_refresh_progress:bytes=5,total=-1,estimated=no,"
                              "percent=-1,rate=0,left=-1\r\n");
    fake_components.ack = (struct ack_rule){.policy = ACK_REPLICAS, .replicas = 3};
    expect_part("info relay", "\r\nack:replicas 3\r\n");
    fake_components.link.wait = (struct link_wait){
        .is_waiting = true, .host = "other", .port = 7, .replid = OLD_ID, .left_ms = 1001};
    expect_part("info relay", "upstream_other_history:1\r\n"
                              "upstream_other_history_host:other\r\n"
                              "upstream_other_history_port:7\r\n"
                              "upstream_other_history_replid:" OLD_ID "\r\n"
                              "upstream_other_history_seconds_left:2\r\n");
    fake_components.link.wait.left_ms = -1;
    expect_part("info relay", "upstream_other_history_seconds_left:-1\r\n");
    fake_components.above = (struct hops){
        .count = 1,
        .at = {{.to = {.host = "::1", .port = 7}, .link = HOP_SYNC, .silence_ms = 31999}}};
    expect_part("info relay", "upstream_hops:2\r\n");
    expect_part("info relay", "upstream_hop1:host=::1,port=7,link=sync,silence=31\r\n"
                              "upstream_root_silence_seconds:31\r\n");
}

COMMAND_TEST(relay_tells_since_when_it_serves_an_old_history)
{
    fake_components.link.old_history_since_ms = clock_ms() - 7500;
    expect_part("info relay", "serving_old_history:1\r\nserving_old_history_since_seconds:7\r\n");
}

COMMAND_TEST(the_run_id_is_told_to_others)
{
    char line[64];
    snprintf(line, sizeof(line), "\r\nrun_id:%s\r\n", commands_run_id(room));
    assert_int_equal(strlen(commands_run_id(room)), 40);
    expect_part("info server", line);
}

/* The titles of the sections, in order, blank-separated. */
static void expect_sections(const char *line, const char *titles)
{
    struct bytes text = info(line);
    char found[256] = "";
    for (; text.length > 0; text = bytes_skip(text, bytes_find(text, '\n') + 1)) {
        if (!bytes_starts(text, "# "))
            continue;
        struct bytes title = bytes_skip(bytes_first(text, bytes_find(text, '\r')), 2);
        size_t length = strlen(found);
        snprintf(found + length, sizeof(found) - length, "%s%.*s", length > 0 ? " " : "",
                 (int)title.length, (const char *)title.data);
    }
    assert_string_equal(found, titles);
}

#define DEFAULT                                                                                    \
    "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace " \
    "Relay Store Archive"
#define ALL                                                                                        \
    "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats "     \
    "Latencystats Cluster Keyspace Relay Store Archive"

/* Valkey's fields tell of each side, and a line of each file. */
COMMAND_TEST(certificates_are_told_of)
{
    expect_text("INFO tls", "");
    int64_t now_s = clock_wall_us() / 1000000;
    certificates = (struct tls_certificates){
        .count = 3,
        .at = {{"upstream", "tls-cert-file", 1, now_s + 500, "/CN=link", "0A"},
               {"upstream", "tls-ca-cert-file", 2, now_s - 60, "/O=x,/CN=ca", "0B"},
               {"downstream", "tls-cert-file", 1, now_s + 90, "/CN=relay", "0C"}},
    };
    expect_text("INFO tls",
                "# TLS\r\n"
                "tls_server_cert_serial:0C\r\ntls_server_cert_expires_in_seconds:90\r\n"
                "tls_client_cert_serial:0A\r\ntls_client_cert_expires_in_seconds:500\r\n"
                "tls_ca_cert_serial:0B\r\ntls_ca_cert_expires_in_seconds:-60\r\n"
                "tls_certificate0:section=upstream,setting=tls-cert-file,expires_in_seconds=500,"
                "serial=0A,subject=/CN=link\r\n"
                "tls_certificate1:section=upstream,setting=tls-ca-cert-file,expires_in_seconds=-60,"
                "serial=0B,subject=/O=x,/CN=ca\r\n"
                "tls_certificate2:section=downstream,setting=tls-cert-file,expires_in_seconds=90,"
                "serial=0C,subject=/CN=relay\r\n");
}

COMMAND_TEST(sections_are_chosen)
{
    expect_sections("info", DEFAULT);
    expect_sections("INFO Default", DEFAULT);
    expect_sections("info ALL", ALL);
    expect_sections("info everything", ALL);
    expect_sections("info all server", ALL);
    expect_sections("info keyspace SERVER keyspace", "Server Keyspace");
    expect_sections("info server nonsense", "Server");
    expect("info nonsense", "$0\r\n\r\n");
    /* As real servers do: an empty line between two sections, none at the end. */
    expect_text("info cluster keyspace", "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n");
    client_session(caller)->protocol = 3;
    expect("info nonsense", "=4\r\ntxt:\r\n");
    expect("info keyspace", "=16\r\ntxt:# Keyspace\r\n\r\n");
}
