# SPDX-License-Identifier: MIT
"""A replica moves between relays and the primary, which all serve one history: partial each time."""

import pytest

import digest
import load
import wait


def follow_partially(replica, primary):
    before = replica.partial_syncs()
    replica.follow(primary)
    wait.until(f"it continues at {primary.name}", lambda: replica.partial_syncs() > before)
    replica.wait_online()


@pytest.mark.threads
def test_moved_between_relays_and_origin(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin)
    first = lab.relay(origin, name="first").wait_link()
    second = lab.relay(origin, name="second").wait_link()
    replica = lab.replica(first, kind).wait_online()
    writer = lab.writer(origin)
    for primary in (origin, first, second, origin, second, first):
        writer.wait_rounds(5)
        follow_partially(replica, primary)
    writer.stop()
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 2, "one for each relay, none for the replica"
    assert first.syncs()[0] == 1
    assert second.syncs()[0] == 0
    assert replica.full_syncs() == 1


def test_replica_ahead_of_the_relay_is_held(lab):
    """The replica has read more from the primary than the relay has: it waits, then continues."""
    origin = lab.origin()
    load.fill(origin)
    middle = lab.mitm(origin)
    relay = lab.relay(middle).wait_link()
    replica = lab.replica(origin).wait_online()
    middle.stall()
    load.populate(origin, 1)
    wait.until("the replica is ahead", lambda: replica.offset() > relay.offset())
    before = replica.partial_syncs()
    replica.follow(relay)
    wait.stays("no full sync for it", relay.syncs, lambda syncs: syncs[0] == 0, seconds=1)
    middle.resume()
    wait.until("the replica continues", lambda: replica.partial_syncs() > before)
    digest.compare(origin, [replica.wait_online()])
    assert relay.syncs()[0] == 0


def test_relay_behind_a_relay(lab):
    origin = lab.origin()
    load.fill(origin)
    near = lab.relay(origin, name="near").wait_link()
    far = lab.relay(near, name="far").wait_link()
    replica = lab.replica(far).wait_online()
    load.fill(origin, seed=3)
    digest.compare(origin, [replica])
    far.restart(kill=True).wait_link()
    load.fill(origin, seed=4)
    digest.compare(origin, [replica])
    assert near.syncs()[0] == 1
    assert far.syncs()[0] == 0
