# SPDX-License-Identifier: MIT
"""Settings that change while the relay runs: CONFIG SET, CONFIG REWRITE, SIGHUP, and the log's SIGUSR1."""

import json
import signal

import pytest
import redis

import digest
import load
import psync_client
import relay as relay_module
import resp
import wait


@pytest.fixture
def relay(lab):
    return lab.relay(lab.origin()).wait_link()


def get(relay, name):
    return relay.client(decode_responses=True).config_get(name)[name]


# --- each takes effect


def test_log_level_and_format(relay):
    relay.set("log-level", "error")
    relay.set("timeout", 71)
    relay.client().config_set("log-level", "info", "log-format", "json", "timeout", 72)
    end = relay.log_end()
    with pytest.raises(redis.ResponseError):
        relay.set("timeout", "never")
    with resp.Connection(relay.port) as client:
        client.send(b"*1\r\n$99999999999\r\n\xff\x01\"")  # is closed, with a line in the log
        assert client.is_closed()
    relay.set("timeout", 73)
    relay.wait_log("timeout = 73", after=end)
    lines = relay.log()[end:].splitlines()
    for line in lines:
        said = json.loads(line)
        assert set(said) == {"ts", "level", "component", "message"}, line
    rooms = {json.loads(line)["component"] for line in lines}
    assert {"relay", "downstream"} <= rooms
    assert "timeout = 71" not in relay.log()
    relay.set("log-format", "text")


def test_timeout(relay):
    with resp.Connection(relay.port) as idle:
        assert idle.command("PING") == "PONG"
        relay.set("timeout", 1)
        assert idle.is_closed()
    wait.equal("closed", lambda: relay.info("stats")["closed_idle"], 1)


def test_maxclients_down_and_up(relay):
    with resp.Connection(relay.port) as first, resp.Connection(relay.port) as second:
        assert first.command("CONFIG", "SET", "maxclients", "2") == "OK"
        assert second.command("PING") == "PONG"  # who is there stays
        with resp.Connection(relay.port) as third:
            assert third.reply() == resp.Error("ERR max number of clients reached")
        assert b"maxclients:2\r\n" in first.command("INFO", "clients")
        assert first.command("CONFIG", "SET", "maxclients", "20") == "OK"
        with resp.Connection(relay.port) as third:
            assert third.command("PING") == "PONG"


def test_timeout_of_replicas(relay):
    """Also for those that are there: one that streams, and one that still waits."""
    with psync_client.PsyncClient(relay.port) as silent:
        silent.handshake().full_sync()
        silent.ack()
        relay.set("repl-timeout", 1)
        assert silent.is_closed()
    relay.wait_log("closed reason=silent")


def test_timeout_of_the_origin(lab, relay):
    origin = next(thing for thing in lab.things if thing.name == "origin")
    origin.pause()
    relay.set("upstream.repl-timeout", 1)
    relay.wait_log("cause=silent")
    origin.resume()
    relay.wait_link()


def test_window_is_trimmed_and_grows(lab):
    origin = lab.origin()
    relay = lab.relay(origin, {"store.segment-size": "64kb"}).wait_link()
    load.populate(origin, 4)
    wait.until("it has them", lambda: relay.info("store")["window_bytes"] > 4_000_000)
    with pytest.raises(redis.ResponseError, match="repl-backlog-max-size"):
        relay.set("repl-backlog-max-size", "1mb")
    relay.client().config_set("repl-backlog-max-size", "2mb", "repl-backlog-size", "1mb")
    wait.until("trimmed", lambda: relay.info("store")["window_bytes"] < 1_200_000)
    assert relay.info("replication")["repl_backlog_size"] == 1 << 20
    relay.client().config_set("repl-backlog-size", "8mb", "repl-backlog-max-size", "9mb")
    load.populate(origin, 4)
    wait.until("grown", lambda: relay.info("store")["window_bytes"] > 4_000_000)
    replica = lab.replica(relay).wait_online()
    wait.equal("the replica has all", lambda: origin.offset() - replica.offset(), 0)


def test_fsync_and_snapshot(lab):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(
        origin,
        {
            "store.fsync": "no",
            "store.snapshot": "on-demand",
            "store.segment-size": "64kb",
            "store.repl-backlog-size": "1mb",
        },
    ).wait_link()
    with pytest.raises(redis.ResponseError, match="requires fsync"):
        relay.set("ack", "durable")
    relay.client().config_set("fsync", "always", "ack", "durable")
    load.populate(origin, 4)
    wait.until(
        "all is durable",
        lambda: relay.info("store"),
        lambda store: store["fsync"] == "always"
        and store["durable_offset"] == store["window_end_offset"] >= origin.offset() - 100,
    )
    # A segment that is being fsynced is held until that is done, and the window is trimmed with the next second.
    wait.equal("behind", lambda: relay.info("store")["snapshot_state"], "behind_window")
    assert relay.info("relay")["upstream_refreshes"] == 0
    relay.client().config_set("snapshot", "always-ready", "snapshot-min-interval", 0)
    wait.until("renewed", lambda: relay.info("relay")["upstream_refreshes"] > 0)
    wait.equal("usable", lambda: relay.info("store")["snapshot_state"], "usable")


# --- several at once


def test_all_or_none(relay):
    client = relay.client(decode_responses=True)
    before = client.config_get("*")
    for bad in ("never", "-1", "1 2", "5\r\n", "\xff"):
        with pytest.raises(redis.ResponseError):
            client.config_set("maxclients", 50, "timeout", bad)
    with pytest.raises(redis.ResponseError, match="immutable"):
        client.config_set("maxclients", 50, "data-dir", "/tmp")
    assert client.config_get("*") == before
    assert client.config_get("time*", "*-keepalive", "PORT") == {
        "timeout": "0",
        "tcp-keepalive": "300",
        "port": str(relay.port),
    }


# --- CONFIG REWRITE


def with_ini(relay, change):
    """Starts it with an ini of the test's own: the shipped one, as `change` makes it."""
    text = (relay_module.ROOT / "etc" / "psync-relay.ini").read_text()
    settings = {
        ";data-dir = /var/lib/psync-relay": f"data-dir = {relay.data_dir}",
        ";replicaof =": f"replicaof = {relay.settings['upstream.replicaof']}",
        ";bind = 127.0.0.1 -::1": "bind = 127.0.0.1",
        ";port = 6380": f"port={relay.port}",
        ";log-level = info": "log-level = debug",
    }
    for old, new in settings.items():
        assert f"\n{old}\n" in text
        text = text.replace(f"\n{old}\n", f"\n{new}\n", 1)
    text = change(text)
    relay.ini.write_text(text)
    relay.spawn([relay_module.PROGRAM, "-c", relay.ini], env=relay_module.SANITIZER_ENV)
    relay.wait_ready()
    return text


def test_rewrite_keeps_the_ini(lab):
    relay = lab.relay(lab.origin(), start=False)
    text = with_ini(
        relay, lambda text: text.replace(";sentinel-pass =", "# mine\nsentinel-pass = s3;cr=t", 1)
    )
    relay.ini.chmod(0o640)
    client = relay.client()
    client.config_set("timeout", 30, "repl-backlog-size", "512mb", "log-level", "warning")
    assert client.config_rewrite() == b"OK"
    after = relay.ini.read_text()
    expected = text.replace(";timeout = 0", "timeout = 30")
    expected = expected.replace(";repl-backlog-size = 1gb", "repl-backlog-size = 512mb")
    expected = expected.replace("log-level = debug", "log-level = warning")
    assert after == expected
    assert relay.ini.stat().st_mode & 0o7777 == 0o640
    assert [path.name for path in relay.directory.glob("*.ini*")] == [relay.ini.name]
    relay.stop()
    relay.spawn([relay_module.PROGRAM, "-c", relay.ini], env=relay_module.SANITIZER_ENV)
    relay.wait_ready()
    assert (get(relay, "timeout"), get(relay, "log-level")) == ("30", "warning")


def test_rewrite_without_an_ini(lab):
    relay = lab.relay(lab.origin(), start=False)
    words = [f"--set={key}={value}" for key, value in relay.settings.items()]
    relay.spawn([relay_module.PROGRAM, *words], env=relay_module.SANITIZER_ENV)
    relay.wait_ready()
    relay.set("timeout", 30)
    with pytest.raises(redis.ResponseError, match="The server is running without a config file"):
        relay.client().config_rewrite()
    relay.signal(signal.SIGHUP)
    relay.wait_log("there is no configuration file to reload")
    assert get(relay, "timeout") == "30"


# --- SIGHUP, SIGUSR1


def hang_up(relay, pattern, **changes):
    relay.settings.update({key.replace("__", ".").replace("_", "-"): changes[key] for key in changes})
    relay.ini.write_text(relay_module.ini_text(relay.settings))
    return relay.hang_up(pattern)


def test_hangup_takes_over_what_may_change(lab, relay):
    replica = lab.replica(relay).wait_online()
    relay.set("maxclients", 77)  # not in the ini, and so back to what it was
    said = hang_up(
        relay,
        "configuration reloaded",
        downstream__timeout=44,
        relay__threads=3,
        relay__log_level="info",
    )
    assert "[downstream] timeout = 44 before=0" in said
    assert "[relay] threads = 3 takes effect after a restart; until then 2 is used" in said
    assert "[downstream] maxclients = 10000 before=77" in said
    assert get(relay, "timeout") == "44"
    assert get(relay, "threads") == "2"
    assert relay.info()["maxclients"] == 10000
    wait.equal("replicas", lambda: set(relay.replicas()), {replica.port})


def test_hangup_refuses_an_ini_as_a_whole(relay):
    said = hang_up(
        relay,
        "the running settings are unchanged",
        downstream__timeout=44,
        store__fsync="perhaps",
        relay__nosuch=1,
    )
    assert "fsync = perhaps: expected one of" in said
    assert "[relay] nosuch: unknown setting" in said
    assert get(relay, "timeout") == "0"
    assert relay.client().ping()
    del relay.settings["store.fsync"], relay.settings["relay.nosuch"]
    hang_up(relay, "configuration reloaded")
    assert get(relay, "timeout") == "44"
    relay.ini.unlink()
    end = relay.log_end()
    relay.signal(signal.SIGHUP)
    relay.wait_log("cannot open the configuration file", after=end)
    assert get(relay, "timeout") == "44"


def test_hangup_knows_what_was_given_by_set(lab):
    """Also a secret, which nobody finds in the command line any more."""
    origin = lab.origin(requirepass="g3heim")
    relay = lab.relay(origin, start=False)
    relay.ini.write_text(relay_module.ini_text(relay.settings))
    words = ["--set", "upstream.masterauth=g3heim", "--set", "downstream.timeout=9"]
    relay.spawn([relay_module.PROGRAM, "-c", relay.ini, *words], env=relay_module.SANITIZER_ENV)
    relay.wait_ready()
    relay.wait_link()
    said = hang_up(relay, "configuration reloaded", downstream__timeout=10)
    assert "after a restart" not in said and "timeout" not in said
    assert get(relay, "timeout") == "9"
    assert relay.client().config_rewrite() == b"OK"
    assert "masterauth" not in relay.ini.read_text()


def test_log_file_is_opened_again(lab):
    relay = lab.relay(lab.origin(), start=False)
    path = relay.directory / "relay.log"
    relay.settings["relay.log-file"] = path
    relay.start().wait_link()
    for number, name in ((signal.SIGUSR1, "SIGUSR1"), (signal.SIGHUP, "SIGHUP")):
        path.rename(relay.directory / f"rotated-{name}")
        relay.signal(number)
        wait.until("a new one", lambda: f"log file reopened cause={name}" in path.read_text())
    rotated = (relay.directory / "rotated-SIGHUP").read_text()
    assert "cause=SIGUSR1" in rotated
    assert "read again" not in rotated, "SIGUSR1 reads nothing"


def segments_of(relay):
    return sorted(path.stat().st_size for path in relay.data_dir.glob("history-*/backlog/*.seg"))


def test_a_window_smaller_than_a_segment_is_set_with_smaller_segments(lab):
    """Without a restart, and without a replica that loses its link."""
    origin = lab.origin(client_output_buffer_limit='"replica 0 0 0"')
    relay = lab.relay(
        origin, {"store.segment-size": "4mb", "store.repl-backlog-size": "16mb"}
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    client = relay.client()
    with pytest.raises(redis.ResponseError, match=r"segment-size'\) - .*; that is 4mb: set both in one CONFIG SET"):
        client.config_set("repl-backlog-size", "1mb")
    client.config_set("repl-backlog-size", "1mb", "segment-size", "128kb")
    assert client.config_get("segment-size") == {"segment-size": str(128 * 1024)}
    writes = origin.client()
    for number in range(800):
        writes.set(f"key {number % 10}", "x" * 10000)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    wait.until("only small ones", lambda: segments_of(relay), lambda sizes: max(sizes) <= 128 * 1024)
    wait.until("a window of 1 MB", lambda: len(segments_of(relay)), lambda count: 8 <= count <= 11)
    # And larger ones again, which a restart finds beside the small.
    client.config_set("repl-backlog-size", "8mb", "segment-size", "2mb")
    for number in range(200):
        writes.set(f"key {number % 10}", "y" * 10000)
    wait.until("a large one", lambda: segments_of(relay), lambda sizes: max(sizes) == 2 * 1024 * 1024)
    wait.equal("the replica has all", lambda: origin.offset() - replica.offset(), 0)
    assert replica.full_syncs() == 1
    relay.restart(kill=True)  # with the 4 MB of its ini
    replica.wait_online()
    writes.set("last", 1)
    wait.equal("the replica has it", lambda: origin.offset() - replica.offset(), 0)
    assert replica.full_syncs() == 1
    digest.compare(origin, [replica])
