# SPDX-License-Identifier: MIT
"""RELAY, which no server has, and how redis-cli explains it."""

import pytest
import redis

import load
import psync_client
import resp
import servers
import wait


def test_replicas(lab):
    origin = lab.origin(repl_ping_replica_period="3600")  # so that a replica can have all for a while
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()

    with resp.Connection(relay.port) as client, psync_client.PsyncClient(relay.port, 4712) as slow:
        slow.handshake(version="7.4.0").full_sync()
        slow.ack()
        client.command("HELLO", 3)

        def listed():
            return {line["port"]: line for line in client.command("RELAY", "REPLICAS")}

        load.fill(origin, rounds=5, seed=2)
        wait.until("it is behind", lambda: listed()[4712]["lag_bytes"] > 0)
        wait.equal("the other is not", lambda: listed()[replica.port]["lag_bytes"], 0)
        # A key that expires may come between any two questions.
        earlier = relay.info("store")["window_end_offset"]
        line = listed()[4712]
        later = relay.info("store")["window_end_offset"]
        assert (line["version"], line["state"], line["ip"]) == (b"7.4.0", b"streaming", b"127.0.0.1")
        assert earlier <= line["offset"] + line["lag_bytes"] <= later
        assert line["addr"] == f"127.0.0.1:{slow.local_port}".encode()

        assert client.command("RELAY", "DROP", line["id"]) == "OK"
        assert slow.is_closed()
        wait.equal("who is left", lambda: set(listed()), {replica.port})
        relay.wait_log(f"id={line['id']} .*closed reason=dropped")
        wait.equal("counted", lambda: relay.info("stats")["closed_dropped"], 1)
        assert client.command("RELAY", "DROP", line["id"]) == resp.Error("ERR No such replica")

        # A real one comes back by itself, and goes on where it was.
        assert client.command("RELAY", "DROP", listed()[replica.port]["id"]) == "OK"
        wait.equal("partial resyncs", lambda: relay.syncs()[1], 1)
        replica.wait_online()


def test_snapshot_now(lab):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    before = relay.info("store")["snapshot_offset"]
    load.fill(origin, rounds=5, seed=2)
    client = relay.client()
    assert client.execute_command("RELAY", "SNAPSHOT") == b"OK"
    wait.until("a newer one", lambda: relay.info("store")["snapshot_offset"] > before)
    line = relay.info("relay")["upstream_refresh0"]
    assert (line["cause"], line["outcome"]) == ("RELAY SNAPSHOT", "complete")
    origin.kill9()
    relay.wait_link("down")
    with pytest.raises(redis.ResponseError, match="there is no stream from the primary"):
        client.execute_command("RELAY", "SNAPSHOT")


def test_store_is_a_map(lab):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    with resp.Connection(relay.port) as client:
        flat = client.command("RELAY", "STORE")
        client.command("HELLO", 3)
        store = client.command("RELAY", "STORE")
    assert store["history"] == b"current" and store["fsync"] == b"everysec"
    assert store["window_end_offset"] - store["window_first_offset"] == store["window_bytes"]
    assert store["snapshot0"]["state"] == b"complete"
    assert store["disk_total_bytes"] >= store["disk_free_bytes"] > 0
    assert [word.decode() for word in flat[::2]] == list(store)


def test_redis_cli_explains_it(lab):
    relay = lab.relay(lab.origin()).wait_link()
    done = servers.cli(servers.REDIS, "-p", relay.port, "RELAY", "HELP")
    assert b"DROP" in done.stdout and b"SNAPSHOT" in done.stdout
    done = servers.cli(servers.REDIS, "-p", relay.port, "--raw", "COMMAND", "DOCS", "relay")
    assert b"relay|drop" in done.stdout and b"replica-id" in done.stdout
    done = servers.cli(servers.REDIS, "-p", relay.port, "MONITOR")
    assert b"psync-relay: it does not support 'monitor'" in (done.stdout + done.stderr).lower()
