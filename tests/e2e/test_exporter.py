# SPDX-License-Identifier: MIT
"""INFO as redis_exporter reads it: sections by their titles, fields by their names, slaveN lines by
their form. What it reads of a replica is listed here; what a relay cannot know it leaves out.
"""

import re

import load
import servers
import wait

# Section -> fields, and what each must look like. As redis_exporter takes them (its exporter/info.go
# and the two maps of metrics): all but the last column of instance_info are numbers.
NUMBER = r"-?\d+(\.\d+)?"
FIELDS = {
    "Server": {
        "redis_version": r"\d+\.\d+\.\d+",
        "redis_mode": "standalone",
        "os": r"\S.*",
        "run_id": r"[0-9a-f]{40}",
        "process_id": r"\d+",
        "tcp_port": r"\d+",
        "uptime_in_seconds": r"\d+",
    },
    "Clients": {"connected_clients": r"\d+", "blocked_clients": r"\d+", "maxclients": r"\d+"},
    "Memory": {
        "used_memory": r"\d+",
        "used_memory_rss": r"\d+",
        "used_memory_peak": r"\d+",
        "mem_fragmentation_ratio": NUMBER,
        "total_system_memory": r"\d+",
        "maxmemory": "0",
        "maxmemory_policy": "noeviction",
    },
    "Persistence": {
        "loading": "0",
        "rdb_changes_since_last_save": "0",
        "rdb_bgsave_in_progress": "0",
        "rdb_last_save_time": r"\d+",
        "rdb_last_bgsave_status": "ok",
        "aof_enabled": "0",
        "aof_rewrite_in_progress": "0",
        "aof_rewrite_scheduled": "0",
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "ok",
    },
    "Stats": {
        "total_connections_received": r"\d+",
        "total_commands_processed": r"\d+",
        "instantaneous_ops_per_sec": r"\d+",
        "instantaneous_input_kbps": r"\d+\.\d\d",
        "instantaneous_output_kbps": r"\d+\.\d\d",
        "instantaneous_input_repl_kbps": r"\d+\.\d\d",
        "instantaneous_output_repl_kbps": r"\d+\.\d\d",
        "total_net_input_bytes": r"\d+",
        "total_net_output_bytes": r"\d+",
        "rejected_connections": r"\d+",
        "sync_full": r"\d+",
        "sync_partial_ok": r"\d+",
        "sync_partial_err": r"\d+",
        "evicted_keys": "0",
        "pubsub_channels": r"\d+",
        "pubsub_patterns": r"\d+",
        "latest_fork_usec": r"\d+",
    },
    "Replication": {
        "role": "slave",
        "master_host": r"\S+",
        "master_port": r"\d+",
        "master_link_status": "up|down",
        "master_last_io_seconds_ago": r"-?\d+",
        "master_sync_in_progress": "0|1",
        "slave_repl_offset": r"\d+",
        "slave_priority": "0",
        "slave_read_only": "1",
        "connected_slaves": r"\d+",
        "master_replid": r"[0-9a-f]{40}",
        "master_repl_offset": r"\d+",
        "second_repl_offset": r"-?\d+",
        "repl_backlog_active": "0|1",
        "repl_backlog_size": r"\d+",
        "repl_backlog_first_byte_offset": r"\d+",
        "repl_backlog_histlen": r"\d+",
    },
    "CPU": {
        "used_cpu_sys": NUMBER,
        "used_cpu_user": NUMBER,
        "used_cpu_sys_children": NUMBER,
        "used_cpu_user_children": NUMBER,
    },
    "Cluster": {"cluster_enabled": "0"},
    "Keyspace": {},
}
# Read by it, where they are there: a relay holds no keys, so it does not have them.
OF_DATA = ("expired_keys", "keyspace_hits", "used_memory_dataset")

SLAVE = re.compile(r"ip=[^,=]+,port=\d+,state=(online|wait_bgsave|send_bulk),offset=\d+,lag=\d+")


def sections(text):
    found, fields = {}, {}
    for line in text.splitlines():
        if line.startswith("# "):
            fields = found[line[2:]] = {}
        elif line:
            name, colon, value = line.partition(":")
            assert colon and name not in fields, line
            fields[name] = value
    return found


def test_fields_of_redis_exporter(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin, rounds=3)
    relay = lab.relay(origin).wait_link()
    for _ in range(2):
        lab.replica(relay, kind).wait_online()
    done = servers.cli(kind, "-p", relay.port, "INFO", "ALL")
    found = sections(done.stdout.decode())
    for title, fields in FIELDS.items():
        for name, shape in fields.items():
            assert name in found[title], f"{title} has no {name}"
            value = found[title][name]
            assert re.fullmatch(shape, value), f"{name}:{value}: expected {shape}"
    slaves = [value for name, value in found["Replication"].items() if re.match(r"slave\d", name)]
    assert len(slaves) == 2
    assert all(SLAVE.fullmatch(value) for value in slaves), slaves
    assert not any(name in fields for fields in found.values() for name in OF_DATA)


def test_rates(lab):
    """They are of the last second: of a stream that flows, and 0 when it has ended."""
    origin = lab.origin()
    relay = lab.relay(origin).wait_link()
    lab.replica(relay).wait_online()

    def flowing():
        load.populate(origin, 2)
        return relay.info("stats")

    def is_seen(stats):
        return (
            stats["instantaneous_input_repl_kbps"] > 100
            and stats["instantaneous_output_repl_kbps"] > 100
            and stats["instantaneous_input_kbps"] >= stats["instantaneous_input_repl_kbps"]
            and stats["instantaneous_ops_per_sec"] >= 1
        )

    wait.until("the stream is seen", flowing, is_seen)
    wait.until(
        "its end is seen", lambda: relay.info("stats")["instantaneous_output_repl_kbps"] < 5
    )
    memory = relay.info("memory")
    assert memory["used_memory_peak"] >= memory["used_memory"] > 0


def test_while_the_origin_is_away(lab):
    """The fields that alerts of its users go by."""
    origin = lab.origin()
    relay = lab.relay(origin).wait_link()
    origin.stop()
    relay.wait_link("down")
    found = sections(servers.cli(servers.REDIS, "-p", relay.port, "INFO", "ALL").stdout.decode())
    replication = found["Replication"]
    assert replication["master_last_io_seconds_ago"] == "-1"
    assert int(replication["master_link_down_since_seconds"]) >= 0
    assert replication["slave_repl_offset"].isdigit()
    wait.until(
        "it counts",
        lambda: int(relay.info("replication")["master_link_down_since_seconds"]) >= 1,
    )


def test_commands_of_redis_exporter(lab):
    """It asks for more than INFO; an error costs it a line in its log, a hang would cost it all."""
    relay = lab.relay(lab.origin()).wait_link()
    with relay.client() as client:
        assert client.ping()
        assert client.client_setname("redis_exporter")
        config = client.config_get("*")
        assert int(config["maxclients"]) > 0
        assert client.execute_command("LATENCY", "LATEST") == []
        assert client.slowlog_len() == 0
        assert client.slowlog_get(1) == []
        wait.equal(
            "it is the only one", lambda: [one["name"] for one in client.client_list()], ["redis_exporter"]
        )
        assert client.info("modules") == {}
