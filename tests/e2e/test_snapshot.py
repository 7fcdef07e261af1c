# SPDX-License-Identifier: MIT
"""There is always a snapshot that a full sync can be served from, or one on its way."""

import threading

import pytest

import digest
import load
import mitm
import psync_client
import wait
import web

SMALL = {
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "1mb",
    "store.repl-backlog-max-size": "64mb",
}


def store(relay):
    return relay.info("store")


def link(relay):
    """What must not move while a snapshot is renewed."""
    info = relay.info("relay")
    return info["upstream_attempts"], info["upstream_full_syncs"], info["upstream_partial_syncs"]


@pytest.mark.threads
def test_renewed_before_the_window_leaves_it(lab, kind):
    """always-ready: nobody asks for it, the stream is not touched, and it is there when needed."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin, {**SMALL, "store.snapshot-min-interval": "0"}).wait_link()
    early = lab.replica(relay, kind, name="early").wait_online()
    before = link(relay)
    first = store(relay)["snapshot_offset"]
    for _ in range(6):
        load.populate(origin, 1)
        wait.until(
            "a usable snapshot",
            lambda: store(relay)["snapshot_state"],
            lambda state: state == "usable",
        )
    wait.until("renewed", lambda: store(relay)["snapshot_offset"], lambda x: x > first)
    assert link(relay) == before, "expected the link to be left alone"
    wait.equal("one file", lambda: len(relay.snapshots()), 1)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    wait.equal("the early one, too", lambda: origin.offset() - early.offset(), 0)
    # What came last may have left the one behind that was usable before it came.
    wait.equal("a usable snapshot", lambda: store(relay)["snapshot_state"], "usable")
    origin.pause()
    late = lab.replica(relay, kind, name="late").wait_online()
    digest.compare(early, [late])
    origin.resume()
    assert relay.info("stats")["sync_partial_err"] == 0


def test_min_interval(lab):
    """Nobody waits for it: no more than one in the interval, however fast the window moves."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin, {**SMALL, "store.snapshot-min-interval": "3600"}).wait_link()
    load.populate(origin, 3)
    wait.equal("the first", lambda: relay.info("relay")["upstream_refreshes"], 1)
    load.populate(origin, 4)
    wait.equal(
        "the window has left it", lambda: store(relay)["snapshot_state"], "behind_window"
    )
    wait.stays(
        "no second fetch",
        lambda: relay.info("relay")["upstream_refreshes"],
        lambda count: count == 1,
        seconds=2.5,
    )
    # Somebody waits: now it is worth it.
    replica = lab.replica(relay).wait_online()
    wait.equal("refreshes", lambda: relay.info("relay")["upstream_refreshes"], 2)
    digest.compare(origin, [replica])


@pytest.mark.threads
def test_on_demand_single_flight(lab, kind):
    """Ten replicas need it at once: one fetch, newlines for those who wait, nobody refused."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin, {**SMALL, "store.snapshot": "on-demand"}).wait_link()
    before = link(relay)
    load.populate(origin, 4)
    wait.equal("the window has left it", lambda: store(relay)["snapshot_state"], "behind_window")
    assert origin.info()["sync_full"] == 1
    origin.client().config_set("repl-diskless-sync-delay", 2)
    clients = [lab.closing(psync_client.PsyncClient(relay.port)).handshake() for _ in range(10)]
    for client in clients:
        client.send(b"PSYNC ? -1\r\n")
    rdbs = []
    for client in clients:
        assert client.psync_reply()[0] == "+FULLRESYNC"
        rdbs.append(client.read_rdb())
        client.ack()
    assert len(set(rdbs)) == 1
    assert min(client.newlines for client in clients) >= 1, "held, and told so"
    info = origin.info()
    assert info["sync_full"] == 2
    assert info["connected_slaves"] <= 2
    assert link(relay) == before
    wait.equal("gone again", lambda: origin.info()["connected_slaves"], 1)
    load.fill(origin, rounds=3, seed=8)
    end = origin.offset()
    assert len({client.stream_to(end)[-500:] for client in clients}) == 1


def test_replaced_while_it_is_read(lab):
    """Who reads the old one reads it to its end, and goes on with the stream from its X."""
    origin = lab.origin()
    load.populate(origin, 3)
    relay = lab.relay(
        origin,
        {
            **SMALL,
            "store.snapshot-min-interval": "0",
        },
    ).wait_link()
    slow = lab.closing(psync_client.PsyncClient(relay.port, receive_buffer=16384)).handshake()
    slow.chatter(lambda client: client.send(b"\n"))
    assert slow.psync()[0] == "+FULLRESYNC"
    x = slow.offset
    header = slow.rdb_header()
    old = relay.snapshots()[0].read_bytes()
    load.populate(origin, 4)
    wait.until("replaced", lambda: store(relay)["snapshot_offset"], lambda offset: offset > x)
    assert slow.read_rdb(header) == old
    slow.hush()
    slow.ack()
    end = origin.offset()
    assert slow.stream_to(end)
    assert relay.info("stats")["sync_partial_err"] == 0


def test_failed_fetch_costs_nothing(lab):
    """The second connection dies in the middle: the old snapshot and the stream stay, another try."""
    origin = lab.origin()
    load.populate(origin, 2)
    middle = lab.mitm(origin, plan=[None, mitm.CutAfter(1_000_000)])
    relay = lab.relay(middle, {**SMALL, "store.snapshot": "on-demand"}).wait_link()
    before = link(relay)
    load.populate(origin, 4)
    wait.equal("the window has left it", lambda: store(relay)["snapshot_state"], "behind_window")
    replica = lab.replica(relay)
    relay.wait_log(r"snapshot refresh .*cause=failed")
    replica.wait_online()
    load.fill(origin, rounds=3)
    digest.compare(origin, [replica])
    assert link(relay) == before


def test_outrun_is_not_repeated(lab):
    """More is written while an RDB comes than the window holds, and nobody waits: one fork in the
    interval, also after a kill; and it is told what to set."""
    origin = lab.origin(**{"rdb-key-save-delay": "100000", "rdbcompression": "no"})
    for number in range(20):  # an RDB takes two seconds
        origin.client().set(f"key:{number}", "x" * 20000)
    small = {
        "store.segment-size": "64kb",
        "store.repl-backlog-size": "256kb",
        "store.repl-backlog-max-size": "512kb",
        "store.snapshot-min-interval": "3600",
    }
    stopping = threading.Event()

    def write():
        while not stopping.wait(0.02):
            origin.client().set("written", "y" * 10_000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        expect_one_fork(lab, origin, small)
    finally:
        stopping.set()
        writer.join()


def expect_one_fork(lab, origin, settings):
    relay = lab.relay(origin, settings, http=True).wait_link()
    wait.equal(
        "it came too late",
        lambda: relay.info("relay").get("upstream_refresh0", {}).get("outcome"),
        "behind_window",
        seconds=60,
    )
    findings = {one["name"]: one for one in web.status(relay)["findings"]}
    assert "Set repl-backlog-size to " in findings["snapshot_outrun"]["advice"], findings
    relay.restart(kill=True).wait_link()
    wait.stays(
        "no second refresh: one fork for the link, one for the refresh",
        lambda: origin.info("stats")["total_forks"],
        lambda count: count == 2,
        seconds=5,
    )
    lab.replica(relay, start=False).start(ready=False)
    relay.wait_log(r"cause=a replica waits for it")
