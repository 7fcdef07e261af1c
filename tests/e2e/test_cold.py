# SPDX-License-Identifier: MIT
"""A replica comes while the relay itself is still receiving its first snapshot."""

import pytest

import digest
import load
import mitm
import psync_client
import wait


@pytest.mark.threads
@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["diskless", "disk"])
def test_cut_through(lab, kind, diskless):
    """It is served the part that is there, not made to wait for the rest."""
    origin = lab.origin(kind, repl_diskless_sync=diskless)
    load.populate(origin, 4)
    hold = mitm.StallAfter(2_000_000)
    relay = lab.relay(lab.mitm(origin, plan=[hold]))
    wait.until("half the snapshot is in", hold.reached.is_set)
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    assert client.psync()[0] == "+FULLRESYNC"
    header = client.rdb_header()
    first = client.take(1_500_000)
    assert first.startswith(b"REDIS")
    assert relay.info()["master_sync_in_progress"] == 1
    assert header.startswith("EOF:") == (diskless == "yes")
    replica = lab.replica(relay, kind)
    hold.release()
    client.buffer = first + client.buffer
    rdb = client.read_rdb(header)
    relay.wait_link()
    assert relay.snapshots()[0].read_bytes() == rdb
    if diskless == "yes":
        client.socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            client.fill()  # not one byte after the mark until the first ACK
        client.socket.settimeout(wait.limit(20))
    client.ack()
    load.fill(origin, rounds=5)
    assert client.stream(10).startswith(b"*")
    digest.compare(origin, [replica.wait_online()])
    assert origin.info()["sync_full"] == 1


def test_old_replica_is_held(lab):
    """Without `capa eof` an $EOF transfer cannot be passed on: newlines, then a whole snapshot."""
    origin = lab.origin(repl_diskless_sync="yes")
    load.populate(origin, 4)
    hold = mitm.StallAfter(2_000_000)
    relay = lab.relay(lab.mitm(origin, plan=[hold]))
    wait.until("half the snapshot is in", hold.reached.is_set)
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake(capa=("psync2",))
    client.send(b"PSYNC ? -1\r\n")
    assert client.take(1) == b"\n"
    assert client.take(1) == b"\n", "kept alive once a second"
    hold.release()
    assert client.psync_reply()[0] == "+FULLRESYNC"
    header = client.rdb_header()
    assert header.isdigit()
    assert client.read_rdb(header) == relay.snapshots()[0].read_bytes()


def test_transfer_breaks_while_passed_on(lab):
    """Half a snapshot passed on and then lost: the replica is let go, never told it is whole."""
    origin = lab.origin()
    load.populate(origin, 4)
    hold = mitm.StallAfter(2_000_000)
    middle = lab.mitm(origin, plan=[hold])
    relay = lab.relay(middle)
    wait.until("half the snapshot is in", hold.reached.is_set)
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    client.psync()
    header = client.rdb_header()
    client.take(1_000_000)
    replica = lab.replica(relay)
    middle.cut()
    hold.release()
    assert client.is_closed(), f"the RDB with header {header} cannot be completed"
    relay.wait_link()
    load.fill(origin, rounds=5)
    digest.compare(origin, [replica.wait_online()])


@pytest.mark.threads
def test_many_wait_for_one_snapshot(lab):
    """Ten replicas before the relay has anything: one transfer from the primary serves them all."""
    origin = lab.origin(start=False)
    relay = lab.relay(origin)
    clients = [lab.closing(psync_client.PsyncClient(relay.port)).handshake() for _ in range(10)]
    for client in clients:
        client.send(b"PSYNC ? -1\r\n")
    origin.start()
    load.populate(origin, 1)
    for client in clients:
        assert client.psync_reply()[0] == "+FULLRESYNC"
        rdb = client.read_rdb()
        assert rdb.startswith(b"REDIS")
        client.ack()
    load.fill(origin, rounds=2)
    end = origin.offset()
    assert len({client.stream_to(end)[-2000:] for client in clients}) == 1
    info = origin.info()
    assert (info["sync_full"], info["total_forks"]) == (1, 1)
