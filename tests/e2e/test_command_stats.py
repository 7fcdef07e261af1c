# SPDX-License-Identifier: MIT
"""What agents graph: commandstats, latencystats, LATENCY HISTOGRAM, buffers, reads and writes, in redis-server's form."""

import re

import load
import redis
import servers
import wait

# As redis-server 7 has it, of each command that was called: name -> form of the value.
CALLS = {"calls", "usec", "usec_per_call", "rejected_calls", "failed_calls"}
PERCENTILES = {"p50", "p99", "p99.9"}


def say_all_kinds(client):
    """Calls, failed calls and rejected ones."""
    for words in (("PING",), ("PING",), ("SELECT", "abc"), ("ECHO",), ("CLIENT", "GETNAME"), ("CONFIG", "GET"), ("NONSENSE",)):
        try:
            client.execute_command(*words)
        except redis.ResponseError:
            pass


def counts(client):
    """What must be equal on every server: how often, not how long."""
    found = client.info("commandstats")
    names = ("cmdstat_ping", "cmdstat_select", "cmdstat_echo", "cmdstat_client|getname", "cmdstat_config|get")
    return {name: {key: found[name][key] for key in CALLS - {"usec", "usec_per_call"}} for name in names}


def pairs(value):
    """A map, which RESP2 sends as a flat array."""
    return dict(zip(value[::2], value[1::2]))


def histograms(client, *names):
    reply = pairs(client.execute_command("LATENCY HISTOGRAM", *names))
    return {
        name.decode() if isinstance(name, bytes) else name: {
            key.decode() if isinstance(key, bytes) else key: value for key, value in pairs(entry).items()
        }
        for name, entry in reply.items()
    }


def test_commandstats_are_those_of_a_server(lab, kind):
    origin = lab.origin(kind)
    relay = lab.relay(origin).wait_link()
    for server in (origin, relay):
        server.client().config_resetstat()
        say_all_kinds(server.client())
    assert counts(relay.client()) == counts(origin.client())
    for name, line in relay.client().info("commandstats").items():
        assert set(line) == CALLS, name
        assert line["calls"] + line["rejected_calls"] > 0, name
    for name, line in relay.client().info("latencystats").items():
        assert name.startswith("latency_percentiles_usec_")
        assert set(line) == PERCENTILES, name
        assert 0 < line["p50"] <= line["p99"] <= line["p99.9"], name
    assert relay.client().info("errorstats") == origin.client().info("errorstats")
    for section in ("all", "everything"):
        assert "cmdstat_ping" in relay.client().info(section)
    assert "cmdstat_ping" not in relay.client().info()
    relay.client().config_resetstat()
    assert "cmdstat_select" not in relay.client().info("commandstats")
    assert relay.client().info("errorstats") == {}


def test_latency_histogram_has_the_form_of_a_server(lab):
    origin = lab.origin()
    relay = lab.relay(origin).wait_link()
    for server in (origin, relay):
        server.client().config_resetstat()
        say_all_kinds(server.client())
    for server in (origin, relay):
        client = server.client()
        assert set(histograms(client, "ping", "nonsense", "client")) == {"ping", "client|getname"}
        found = histograms(client)
        assert {"ping", "select", "client|getname"} <= set(found)
        assert "echo" not in found  # it was refused before it ran
        for entry in found.values():
            assert list(entry) == ["calls", "histogram_usec"]
            buckets = pairs(entry["histogram_usec"])
            assert list(buckets) == sorted(buckets)
            assert list(buckets.values()) == sorted(set(buckets.values()))
            assert max(buckets.values()) == entry["calls"]
            assert all(limit in LIMITS for limit in buckets)
    shown = servers.cli(servers.REDIS, "-p", relay.port, "latency", "histogram", "ping")
    assert shown.returncode == 0
    assert re.match(rb"ping\ncalls\n2\nhistogram_usec\n\d+\n", shown.stdout), shown.stdout


LIMITS = [(1024 * 2**i + (8 * 2**i if i else 8) - 1) // 1000 for i in range(21)]


def test_reads_writes_and_buffers(lab):
    """Clients, replicas and the link are counted; CONFIG RESETSTAT begins anew."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    client = relay.client()

    def counters():
        stats = client.info("stats")
        return stats["total_reads_processed"], stats["total_writes_processed"]

    before = counters()
    for _ in range(20):
        client.ping()
    after = counters()
    assert after[0] - before[0] >= 21 and after[1] - before[1] >= 21

    # Nobody says anything but the replica and the link: its acknowledgements are read, ours are written.
    offset = origin.offset()
    load.fill(origin, rounds=20, seed=4)
    wait.until("the replica has it", lambda: replica.offset() > offset)
    info = client.info("everything")
    assert info["total_reads_processed"] > after[0] + 1
    client.echo("x" * 20_000)
    clients = client.info("clients")
    assert clients["client_recent_max_input_buffer"] >= 20_000
    assert clients["client_recent_max_output_buffer"] >= 20_000
    wait.until(
        "they are forgotten",
        lambda: client.info("clients"),
        lambda now: 0 < now["client_recent_max_input_buffer"] < 20_000
        and now["client_recent_max_output_buffer"] < 20_000,
    )
    client.config_resetstat()
    assert counters()[0] < info["total_reads_processed"]
