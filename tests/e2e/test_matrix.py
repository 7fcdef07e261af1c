# SPDX-License-Identifier: MIT
"""The main job: every kind of origin, transfer, replica and loading, under a running writer."""

import pytest

import digest
import load
import servers

BIG = 64 * 1024 * 1024 + 17


@pytest.mark.seconds(120)
@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["diskless", "disk"])
def test_every_replica_ends_equal(lab, kind, diskless):
    origin = lab.origin(kind, repl_diskless_sync=diskless)
    load.fill(origin)
    writer = lab.writer(origin)
    relay = lab.relay(origin)
    replicas = [
        lab.replica(relay, replica_kind, name=f"{replica_kind}-{mode}", repl_diskless_load=mode)
        for replica_kind in servers.REPLICA_KINDS[kind]
        if servers.is_available(replica_kind)
        for mode in ("disabled", "on-empty-db", "swapdb")
    ]
    for replica in replicas:
        replica.wait_online()
    writer.wait_rounds(50)
    writer.stop()
    digest.compare(origin, replicas)
    assert origin.info()["sync_full"] == 1
    assert [server["port"] for server in _replicas_of(origin)] == [relay.port]


def _replicas_of(server):
    info = server.info("replication")
    return [info[f"slave{i}"] for i in range(info["connected_slaves"])]


@pytest.mark.seconds(120)
@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["diskless", "disk"])
def test_big_values(lab, kind, diskless):
    """64 MB and more as one value: in the snapshot, in the stream, and inside a transaction."""
    origin = lab.origin(kind, repl_diskless_sync=diskless)
    client = origin.client()
    client.set("big:snapshot", b"s" * BIG)
    relay = lab.relay(origin).wait_link()
    replicas = [
        lab.replica(relay, kind, name="disk"),
        lab.replica(relay, kind, name="swapdb", repl_diskless_load="swapdb"),
    ]
    writer = lab.writer(origin)
    client.set("big:stream", b"*3\r\n$3\r\n" * (BIG // 9))
    pipe = client.pipeline(transaction=True)
    pipe.set("big:transaction", b"t" * BIG)
    pipe.append("big:transaction", b"more")
    pipe.execute()
    for replica in replicas:
        replica.wait_online()
    writer.stop()
    digest.compare(origin, replicas, seconds=60)
    assert relay.syncs()[0] == len(replicas)
    assert origin.info()["sync_full"] == 1


def test_window_crosses_many_segments(lab, kind):
    """A replica that comes late reads the snapshot and then old segments and then the hot tail."""
    origin = lab.origin(kind)
    load.fill(origin, rounds=10)
    relay = lab.relay(origin, {"store.segment-size": "64kb"}).wait_link()
    early = lab.replica(relay, kind, name="early").wait_online()
    load.populate(origin, 20)
    load.fill(origin, rounds=20, seed=5)
    late = lab.replica(relay, kind, name="late").wait_online()
    load.fill(origin, rounds=20, seed=6)
    digest.compare(origin, [early, late])
    assert origin.info()["sync_full"] == 1
    assert origin.info()["total_forks"] == 1


def test_functions_and_scripts_arrive(lab, kind):
    """What DEBUG DIGEST does not see: functions."""
    origin = lab.origin(kind)
    code = "#!lua name=%s\nredis.register_function('%s', function() return 7 end)"
    origin.client().execute_command("FUNCTION", "LOAD", code % ("first", "f1"))
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    origin.client().execute_command("FUNCTION", "LOAD", code % ("second", "f2"))
    load.fill(origin, rounds=3)
    digest.compare(origin, [replica])
    names = {library[1] for library in replica.client().execute_command("FUNCTION", "LIST")}
    assert names == {b"first", b"second"}
