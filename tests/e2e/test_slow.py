# SPDX-License-Identifier: MIT
"""Replicas that do not keep up cost disk, not memory, and nobody else's time."""

import hashlib
import time

import pytest

import load
import psync_client
import wait
from failover import hush

MEGABYTE = 1024 * 1024


@pytest.mark.threads
@pytest.mark.seconds(180)
def test_reads_nothing_for_a_minute(lab):
    """As a replica that loads a huge snapshot: a newline each second, and not one byte read."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {"store.repl-backlog-size": "1gb"}).wait_link()
    writer = lab.writer(origin, rounds_per_second=30)
    slow = lab.closing(psync_client.PsyncClient(relay.port, receive_buffer=65536)).handshake()
    slow.full_sync()
    slow.chatter(lambda client: client.send(b"\n"))
    quick = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    quick.full_sync()
    quick.ack()
    seen = hashlib.sha256()
    start = quick.offset
    skip = slow.offset - start  # both snapshots are the same one, or one is later
    assert skip == 0, "one snapshot serves both"
    memory_before = relay.rss_bytes()

    ends = time.monotonic() + 62
    while time.monotonic() < ends:
        load.populate(origin, 1)
        end = origin.offset()
        seen.update(quick.stream_to(end))
        quick.ack()
        time.sleep(0.25)  # no more than the window holds
    writer.stop()

    grown = relay.memory_grown(memory_before)
    assert grown < 16 * MEGABYTE, f"{grown} bytes more memory for a replica that does not read"
    assert relay.info()["connected_slaves"] == 2
    slow.hush()
    late = slow.stream(quick.offset - start)
    assert hashlib.sha256(late).digest() == seen.digest(), "the slow one gets the very same stream"
    slow.ack()
    assert relay.syncs()[2] == 0


def test_laggard_is_cut_by_name(lab):
    """With a small window the one that stands still is let go; the disk stays bounded."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(
        origin,
        {
            "store.segment-size": "256kb",
            "store.repl-backlog-size": "1mb",
            "store.repl-backlog-max-size": "4mb",
            "store.snapshot": "on-demand",
        },
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    slow = lab.closing(psync_client.PsyncClient(relay.port, 4711, receive_buffer=16384)).handshake()
    slow.full_sync()
    slow.ack()
    for _ in range(30):
        load.populate(origin, 1)  # no more at a time than the good one can follow
        end = origin.offset()
        wait.until("the good one follows", lambda end=end: replica.offset() >= end)
    wait.equal("replicas left", lambda: list(relay.replicas()), [replica.port])
    assert slow.is_closed(), "expected the relay to close the replica that fell out of the window"
    wait.equal("the other has all", lambda: origin.offset() - replica.offset(), 0)
    relay.wait_log(r"(?i)replica.*(closed|reason=)")
    assert origin.info()["sync_full"] == 1
    snapshots = sum(path.stat().st_size for path in relay.snapshots())
    wait.until(
        "the window on disk is bounded",
        lambda: relay.disk_bytes() - snapshots,
        lambda n: n < 6 * MEGABYTE,
    )


def test_window_is_told_truly(lab):
    """What INFO says about the backlog is what a replica can have, to the byte."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(
        origin,
        {
            "store.segment-size": "64kb",
            "store.repl-backlog-size": "1mb",
            "store.repl-backlog-max-size": "8mb",
        },
    ).wait_link()
    load.populate(origin, 5)
    hush(origin)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    info = relay.info("replication")
    first, end = info["repl_backlog_first_byte_offset"], info["master_repl_offset"]
    assert info["repl_backlog_active"] == 1
    assert info["repl_backlog_histlen"] == end - first + 1
    assert end == origin.offset()
    assert 1 < first < end - MEGABYTE + 200_000
    for offset, answer in (
        (first, "+CONTINUE"),
        (end + 1, "+CONTINUE"),
        (first - 1, "+FULLRESYNC"),
    ):
        with psync_client.PsyncClient(relay.port).handshake() as client:
            words = client.psync(info["master_replid"], offset)
            assert words[0] == answer, f"asked for {offset} of {first}..{end}, came {words}"
            if answer == "+CONTINUE":
                assert client.stream_to(end)[:1] in (b"*", b"", b"$") or offset == first
