# SPDX-License-Identifier: MIT
"""The link breaks in the worst places, by the man in the middle."""

import pytest

import digest
import load
import mitm
import wait


def cut_mid_command(client):
    client.set("cut-here", b"v" * 100_000)


def cut_mid_transaction(client):
    pipe = client.pipeline(transaction=True)
    pipe.set("before", 1)
    pipe.set("cut-here", b"v" * 1000)
    pipe.set("after", 1)
    pipe.execute()


PLACES = [
    (cut_mid_command, -4),  # inside the key
    (cut_mid_command, 3),  # inside the value's length
    (cut_mid_command, 50_000),  # inside the value
    (cut_mid_transaction, -4),
    (cut_mid_transaction, 1012),  # between two commands of the transaction
]


@pytest.mark.parametrize(
    "act, extra", PLACES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_upstream_cut(lab, kind, act, extra):
    """The relay asks again from the boundary; its replicas do not even notice."""
    origin = lab.origin(kind)
    load.fill(origin, rounds=5)
    middle = lab.mitm(origin)
    relay = lab.relay(middle).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    cut = middle.watch(mitm.CutAt(b"cut-here", extra))
    act(origin.client())
    wait.until("the link was cut", cut.done.is_set)
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    info = origin.info()
    assert (info["sync_full"], info["sync_partial_ok"], info["sync_partial_err"]) == (1, 1, 0)
    assert relay.syncs() == (1, 0, 0), "the replica stayed connected"


@pytest.mark.parametrize(
    "act, extra", PLACES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_downstream_cut(lab, act, extra):
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    middle = lab.mitm(relay)
    replica = lab.replica(middle).wait_online()
    cut = middle.watch(mitm.CutAt(b"cut-here", extra))
    act(origin.client())
    wait.until("the link was cut", cut.done.is_set)
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert relay.syncs() == (1, 1, 0)


def test_cut_and_killed_inside_a_transaction(lab):
    """The relay holds half a transaction when it is killed."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    middle = lab.mitm(origin)
    relay = lab.relay(middle).wait_link()
    replica = lab.replica(relay).wait_online()
    cut = middle.watch(mitm.CutAt(b"cut-here", 1012))
    middle.refusing = True
    cut_mid_transaction(origin.client())
    wait.until("the link was cut", cut.done.is_set)
    relay.wait_link("down")
    relay.restart(kill=True)
    middle.accept()
    relay.wait_link()
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1
    assert relay.syncs()[0] == 0


@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["diskless", "disk"])
def test_cut_inside_the_snapshot(lab, diskless):
    origin = lab.origin(repl_diskless_sync=diskless)
    load.populate(origin, 2)
    middle = lab.mitm(origin, plan=[mitm.CutAfter(700_000), mitm.CutAfter(1_500_000)])
    relay = lab.relay(middle)
    replica = lab.replica(relay)
    relay.wait_link()
    replica.wait_online()
    load.fill(origin, rounds=5)
    digest.compare(origin, [replica])
    wait.equal("half of an RDB", lambda: list(relay.data_dir.glob("**/*.part")), [])


def test_replica_killed_while_loading(lab):
    """It comes back and is served from the same snapshot; the primary hears nothing of it."""
    origin = lab.origin()
    load.populate(origin, 5)
    relay = lab.relay(origin).wait_link()
    hold = mitm.StallAfter(2_000_000)
    middle = lab.mitm(relay, plan=[hold])
    replica = lab.replica(middle)
    wait.until("half the snapshot is out", hold.reached.is_set)
    replica.kill9()
    middle.cut()
    wait.equal("the relay noticed", lambda: relay.info()["connected_slaves"], 0)
    replica.start().wait_online()
    digest.compare(origin, [replica])
    info = origin.info()
    assert (info["sync_full"], info["total_forks"]) == (1, 1)


def test_silent_upstream_is_given_up(lab):
    """No FIN, no RST, just nothing: after repl-timeout the relay goes and asks again."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    middle = lab.mitm(origin)
    relay = lab.relay(middle, {"upstream.repl-timeout": "3"}).wait_link()
    replica = lab.replica(relay).wait_online()
    middle.stall()
    relay.wait_link("down", seconds=15)
    middle.resume()
    relay.wait_link()
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1
