# SPDX-License-Identifier: MIT
"""Debian's redis_exporter and collectd graph a relay as they graph a replica that holds data."""

import re

import pytest

import agents
import load
import wait

# What they make of a replica and not of a relay, which holds no keys, has no allocator of its own, runs no
# scripts, never forks and has no threads for input and output alone.
OF_DATA = re.compile(
    "redis_(active_defrag|allocator|aof_(current|last)_rewrite_duration|aof_last_cow|clients_in_timeout"
    "|config_io_threads|db_avg_ttl|defrag|dump_payload|expired|io_thread|keyspace|lazyfree|mem_clients"
    "|mem_fragmentation_bytes|mem_not_counted|memory_used_(dataset|lua|overhead|scripts|startup)|migrate_cached"
    "|module_fork|number_of_cached|rdb_(current|last)_bgsave_duration|rdb_last_cow|slave_expires|tracking_total"
    "|unexpected_error)_?.*"
)
OF_DATA_COLLECTD = re.compile("cache_result-.*|expired_keys|memory_lua|percent-hitratio|records-.*")

# One value for each command that was called: a replica is sent commands that write data.
BY_COMMAND_COLLECTD = re.compile("commands-.*|redis_command_cputime-.*")

PASSWORD = "a-long-password"

# How they come in: as it is open to all, with requirepass, or as a user who may only look. The last is what
# docs/security.md has an exporter do.
WAYS_IN = {
    "open": ({}, None),
    "requirepass": ({"downstream.requirepass": PASSWORD}, ("default", PASSWORD)),
    "monitor": (
        {"downstream.requirepass": PASSWORD, "users.exporter": "monitor looks-only"},
        ("exporter", "looks-only"),
    ),
}


def pair(lab, settings=None):
    """A primary with a relay, which has two replicas, and with a replica that does the same job."""
    origin = lab.origin(repl_ping_replica_period="3600")  # or its offset would grow by itself
    load.fill(origin, rounds=3)
    relay = lab.relay(origin, settings).wait_link()
    below = [lab.replica(relay, masterauth=relay.password or '""').wait_online() for _ in range(2)]
    replica = lab.replica(origin, name="of_data").wait_online()
    lab.replica(replica).wait_online()
    load.fill(origin, rounds=3, seed=3)
    wait.until("they have all", lambda: {one.offset() for one in below} == {origin.offset()})
    return origin, relay, replica


def unexplained(names, *reasons):
    return sorted(name for name in names if not any(reason.fullmatch(name) for reason in reasons))


@pytest.mark.skipif(
    not agents.EXPORTER.exists(), reason="redis_exporter could not be fetched (tests/support/setup.sh test)"
)
@pytest.mark.parametrize("way", WAYS_IN)
def test_redis_exporter(lab, way):
    settings, login = WAYS_IN[way]
    origin, relay, replica = pair(lab, settings)
    exporter, of_data = (
        lab.keep(agents.Exporter(lab.directory / f"exporter-{target.name}", target, login)).start()
        for target, login in ((relay, login), (replica, None))
    )
    found = exporter.samples()
    assert found["redis_up"] == {"": 1}
    assert found["redis_exporter_last_scrape_error"] == {'{err=""}': 0}
    assert unexplained(of_data.samples().keys() - found.keys(), OF_DATA) == []

    assert list(found["redis_master_link_up"].values()) == [1]
    assert found["redis_connected_slaves"] == {"": 2}
    assert 'role="slave"' in next(iter(found["redis_instance_info"]))
    assert found["redis_replica_resyncs_full"] == {"": 2}
    assert found["redis_net_output_bytes_total"][""] > 2 * origin.offset()
    assert found["redis_memory_used_peak_bytes"][""] >= found["redis_memory_used_bytes"][""] > 0

    before = exporter.only("redis_commands_processed_total")
    wait.until("its own scrapes are counted", lambda: exporter.only("redis_commands_processed_total") > before)
    wait.until("the offset", lambda: exporter.only("redis_slave_repl_offset") == origin.offset())
    wait.until(
        "those of the replicas",
        lambda: set(exporter.samples()["redis_connected_slave_offset_bytes"].values()) == {origin.offset()},
    )
    origin.stop()
    wait.until("the link is down", lambda: exporter.only("redis_master_link_up") == 0)
    assert "level=error" not in exporter.log()


@pytest.mark.skipif(
    not agents.COLLECTD.exists(), reason="collectd could not be fetched (tests/support/setup.sh test)"
)
def test_collectd(lab):
    _, relay, replica = pair(lab, {"downstream.requirepass": PASSWORD})
    collectd, of_data = (
        lab.keep(agents.Collectd(lab.directory / f"collectd-{target.name}", target)).start()
        for target in (relay, replica)
    )
    # Its last value of each round.
    for each in collectd, of_data:
        each.wait_log("ps_cputime-children .*(.|\n)*ps_cputime-children")
    found = collectd.values()
    assert unexplained(of_data.values().keys() - found.keys(), OF_DATA_COLLECTD, BY_COMMAND_COLLECTD) == []
    assert int(found["commands-info"]) > 0
    assert float(found["current_connections-slaves"]) == 2
    assert float(found["memory"]) > 0
    assert int(found["total_bytes-output"]) > int(found["total_bytes-input"]) > 0
    assert int(found["total_operations"]) > 0
    assert "redis plugin" not in collectd.log()
