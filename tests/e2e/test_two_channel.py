# SPDX-License-Identifier: MIT
"""Full syncs over two connections: the RDB over one, and the stream over the other at the same time."""

import os
import threading

import pytest

import certificates
import digest
import load
import servers
import wait
from conftest import needs

ON = {"dual-channel-replication-enabled": "yes"}
REDIS_8 = pytest.param(servers.REDIS_8, {}, id="redis-8")
VALKEY_81 = pytest.param(servers.VALKEY_81, ON, id="valkey-8.1")
VALKEY_8 = pytest.param(servers.VALKEY, ON, id="valkey-8")
both = pytest.mark.parametrize("kind, config", [REDIS_8, VALKEY_81])
SLOW_RDB = {"rdb-key-save-delay": "20000", "rdbcompression": "no"}  # 50 keys a second


def fill(origin, keys):
    for number in range(keys):
        origin.client().set(f"key:{number}", os.urandom(20_000))


def rdb_arrives(relay):
    """Over a connection of its own."""

    def progress():
        info = relay.info()
        return info["upstream_rdb_channel"], info.get("master_sync_read_bytes", 0)

    wait.until("the RDB arrives", progress, lambda found: found[0] == 1 and found[1] > 0)


@pytest.fixture
def write(lab):
    """Writes to a server until the test ends, 1 MB/s or more where the machine can."""
    stopping = threading.Event()
    threads = []

    def begin(origin):
        def run():
            client = origin.client()
            while not stopping.wait(0.02):
                client.set("written", b"y" * 40_000)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    def end():
        stopping.set()
        for thread in threads:
            thread.join()
        threads.clear()

    begin.end = end
    yield begin
    end()


@pytest.mark.parametrize("kind, config", [REDIS_8, VALKEY_81, VALKEY_8])
def test_every_replica_ends_equal(lab, kind, config):
    """Also one that can do it itself, and asks the relay, which cannot."""
    origin = lab.origin(needs(kind), **config)
    load.fill(origin)
    writer = lab.writer(origin)
    relay = lab.relay(origin)
    replicas = [
        lab.replica(relay, kind, name=f"replica-{mode}", repl_diskless_load=mode, **config)
        for mode in ("disabled", "swapdb")
    ]
    for replica in replicas:
        replica.wait_online()
    writer.wait_rounds(50)
    writer.stop()
    digest.compare(origin, replicas)
    info = relay.info()
    assert info["upstream_rdb_channel_syncs"] == 1
    assert info["upstream_rdb_channel_refusals"] == 0
    assert origin.info()["total_forks"] == 1
    relay.client().execute_command("RELAY", "SNAPSHOT")  # a refresh needs no second connection for the stream
    wait.equal("refreshes", lambda: relay.info()["upstream_refreshes"], 1)


@pytest.mark.seconds(120)
@both
def test_output_buffer_limit(lab, kind, config, write):
    """What is written while the RDB comes is more than the primary keeps: over one connection it never ends."""
    limits = {"client-output-buffer-limit": "replica 1mb 1mb 60", "repl-backlog-size": "64kb"}
    origin = lab.origin(needs(kind), **SLOW_RDB, **limits, **config)
    fill(origin, 200)
    write(origin)
    single = lab.relay(origin, {"upstream.rdb-channel": "no"}, name="single")
    single.wait_log("cause=broken: ")
    assert single.info()["upstream_rdb_channel_refusals"] == 0
    single.stop()
    relay = lab.relay(origin)
    rdb_arrives(relay)
    replica = lab.replica(relay, kind)  # is sent the RDB as it comes
    relay.wait_link()
    assert relay.info()["upstream_full_syncs"] == 1
    assert relay.info()["upstream_rdb_channel_syncs"] == 1
    origin.client().config_set("rdb-key-save-delay", "0")
    replica.wait_online()
    write.end()
    digest.compare(origin, [replica])


@pytest.mark.seconds(120)
@both
@pytest.mark.parametrize("which", [0, 1], ids=["stream", "rdb"])
def test_a_connection_dies(lab, kind, config, which):
    """Either of them, while the RDB comes: nothing is left of it, and the next one is whole."""
    origin = lab.origin(needs(kind), **SLOW_RDB, **config)
    fill(origin, 150)
    writer = lab.writer(origin)
    mitm = lab.mitm(origin)
    relay = lab.relay(mitm)
    replica = lab.replica(relay, kind)
    rdb_arrives(relay)
    mitm.pipes[which].close()
    relay.wait_log("cause=broken: ")
    origin.client().config_set("rdb-key-save-delay", "0")
    relay.wait_link()
    replica.wait_online()
    writer.wait_rounds(10)
    writer.stop()
    digest.compare(origin, [replica])
    info = relay.info()
    assert (info["upstream_full_syncs"], info["upstream_rdb_channel_syncs"]) == (2, 1)
    assert [path.name for path in relay.histories()] == ["history-2"]


@pytest.mark.seconds(120)
@both
def test_killed_meanwhile(lab, kind, config):
    """The relay, while RDB and stream come: the next start finds nothing of it."""
    origin = lab.origin(needs(kind), **SLOW_RDB, **config)
    fill(origin, 150)
    writer = lab.writer(origin)
    relay = lab.relay(origin)
    rdb_arrives(relay)
    relay.restart(kill=True)
    origin.client().config_set("rdb-key-save-delay", "0")
    relay.wait_link()
    replica = lab.replica(relay, kind).wait_online()
    relay.restart(kill=True)
    relay.wait_link()
    writer.wait_rounds(10)
    writer.stop()
    digest.compare(origin, [replica])
    assert relay.info()["upstream_full_syncs"] == 0
    assert replica.full_syncs() == 1


@both
def test_tls_and_password(lab, kind, config, tmp_path):
    """On both connections."""
    papers = certificates.for_everyone(tmp_path / "papers")
    origin = lab.origin(
        needs(kind), requirepass="secret", **papers.server("origin"), **config
    )
    load.fill(origin, rounds=5)
    settings = {**papers.upstream("relay"), "upstream.masterauth": "secret"}
    relay = lab.relay(certificates.at(origin), settings).wait_link()
    assert relay.info()["upstream_rdb_channel_syncs"] == 1
    digest.compare(origin, [lab.replica(relay, kind).wait_online()])


@both
def test_a_primary_that_has_it_off(lab, kind, config):
    origin = lab.origin(needs(kind), repl_diskless_sync="no", **config)
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    info = relay.info()
    assert (info["upstream_full_syncs"], info["upstream_rdb_channel_syncs"]) == (1, 0)
    assert info["upstream_rdb_channel_refusals"] == 0
    digest.compare(origin, [lab.replica(relay, kind).wait_online()])


def test_a_user_without_the_right(lab):
    """The next attempt is over one connection."""
    origin = lab.origin(needs(servers.VALKEY_81), **ON)
    load.fill(origin, rounds=5)
    rights = ["on", ">secret", "+info", "+ping", "+replconf", "+psync"]
    origin.client().execute_command("ACL", "SETUSER", "relay", *rights)
    relay = lab.relay(
        origin, {"upstream.masteruser": "relay", "upstream.masterauth": "secret"}
    ).wait_link()
    info = relay.info()
    assert (info["upstream_rdb_channel_refusals"], info["upstream_rdb_channel_syncs"]) == (1, 0)
    assert info["upstream_full_syncs"] == 1
    digest.compare(origin, [lab.replica(relay, servers.VALKEY_81).wait_online()])
