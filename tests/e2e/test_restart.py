# SPDX-License-Identifier: MIT
"""The relay ends, in order or not, at every stage: nobody is given a full sync for it."""

import pytest

import digest
import load
import mitm
import wait


@pytest.mark.threads
@pytest.mark.parametrize("kill", [False, True], ids=["sigterm", "kill-9"])
def test_no_full_sync_after_restart(lab, kind, kill):
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replicas = [lab.replica(relay, kind).wait_online() for _ in range(2)]
    writer = lab.writer(origin)
    for turn in range(1, 5):
        writer.wait_rounds(10)
        relay.restart(kill=kill).wait_link()
        wait.equal("replicas continued", lambda: relay.syncs()[:2], (0, 2))
        assert origin.info()["sync_partial_ok"] == turn
    writer.stop()
    digest.compare(origin, replicas)
    assert origin.info()["sync_full"] == 1
    assert origin.info()["total_forks"] == 1
    for replica in replicas:
        assert replica.full_syncs() == 1


@pytest.mark.parametrize("fsync", ["no", "everysec", "always"])
def test_kill_in_a_flood(lab, fsync):
    """Killed while megabytes arrive: what it comes back with fits what origin and replica have."""
    origin = lab.origin(repl_backlog_size="256mb")
    load.fill(origin, rounds=5)
    relay = lab.relay(origin, {"store.fsync": fsync, "store.segment-size": "64kb"}).wait_link()
    replica = lab.replica(relay).wait_online()
    for turn in range(4):
        pipe = origin.client().pipeline(transaction=turn % 2 == 0)
        for number in range(200):
            pipe.set(f"flood:{number}", bytes([turn + 65]) * 50_000)
        start = relay.offset()
        pipe.execute()
        wait.until("some of it is in", relay.offset, lambda offset: offset > start or turn % 2 == 0)
        relay.restart(kill=True).wait_link()
    load.fill(origin, rounds=2, seed=9)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1
    assert relay.syncs()[0] == 0


def test_snapshot_is_still_served_after_kill(lab):
    """A new replica after the kill gets its full sync from what the relay already has on disk."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    load.fill(origin, seed=3)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    relay.restart(kill=True).wait_link()
    replica = lab.replica(relay).wait_online()
    digest.compare(origin, [replica])
    info = origin.info()
    assert (info["sync_full"], info["total_forks"]) == (1, 1)


@pytest.mark.parametrize("kill", [False, True], ids=["sigterm", "kill-9"])
def test_ended_while_greeting(lab, kill):
    origin = lab.origin()
    load.fill(origin)
    hold = mitm.StallAfter(3)
    middle = lab.mitm(origin, plan=[hold])
    relay = lab.relay(middle)
    wait.until("the handshake has begun", hold.reached.is_set)
    relay.restart(kill=kill).wait_link()
    replica = lab.replica(relay).wait_online()
    digest.compare(origin, [replica])


@pytest.mark.parametrize("kill", [False, True], ids=["sigterm", "kill-9"])
@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["diskless", "disk"])
def test_ended_while_loading(lab, kill, diskless):
    """Half a snapshot is never served, and does not stay on disk for ever."""
    origin = lab.origin(repl_diskless_sync=diskless)
    load.populate(origin, 2)
    hold = mitm.StallAfter(1_000_000)
    middle = lab.mitm(origin, plan=[hold])
    relay = lab.relay(middle)
    wait.until("half the snapshot is in", hold.reached.is_set)
    wait.equal("it loads", lambda: relay.info()["master_sync_in_progress"], 1)
    relay.restart(kill=kill).wait_link()
    replica = lab.replica(relay).wait_online()
    load.fill(origin, rounds=5)
    digest.compare(origin, [replica])
    wait.equal("half of an RDB", lambda: list(relay.data_dir.glob("**/*.part")), [])
    wait.equal("histories", lambda: len(relay.histories()), 1)


@pytest.mark.threads
def test_ended_while_replicas_load(lab):
    """Killed in the middle of a full sync downstream: the replica comes again and gets all."""
    origin = lab.origin()
    load.populate(origin, 5)
    relay = lab.relay(origin).wait_link()
    hold = mitm.StallAfter(1_000_000)
    middle = lab.mitm(relay, plan=[hold])
    replica = lab.replica(middle)
    wait.until("half the snapshot is out", hold.reached.is_set)
    relay.kill9()
    hold.release()
    relay.start().wait_link()
    replica.wait_online()
    load.fill(origin, rounds=5)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1


def wait_one_history(*servers):
    """All speak of the same replication id (the primary takes a new one for its first replica)."""
    wait.until(
        "one replid",
        lambda: [server.info("replication")["master_replid"] for server in servers],
        lambda ids: len(set(ids)) == 1,
    )


def test_origin_restarted_with_its_data(lab, kind):
    """Redis and Valkey keep their history in the RDB: the relay continues, and so does everyone."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    load.fill(origin, seed=3)
    old_replid = relay.info()["master_replid"]
    assert origin.shutdown(save=True) == 0
    wait.equal("link", lambda: relay.info()["master_link_status"], "down")
    origin.start()
    relay.wait_link()
    load.fill(origin, seed=4)
    digest.compare(origin, [replica.wait_online()])
    wait_one_history(origin, relay, replica)
    info = relay.info()
    assert info["master_replid"] != old_replid
    assert info["master_replid2"] == old_replid
    assert origin.info()["sync_full"] == 0
    assert relay.syncs()[0] == 1, "the replica was not given a second full sync"


def test_origin_restarted_without_its_data(lab, kind):
    """A new history: the relay takes it over whole, and leads its replicas there."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    load.fill(origin, seed=3)
    origin.shutdown(save=False)
    origin.start()
    load.fill(origin, rounds=5, seed=4)
    wait_one_history(origin, relay, replica)
    load.fill(origin, rounds=5, seed=5)
    digest.compare(origin, [replica.wait_online()])
    assert origin.info()["sync_full"] == 1
    wait.equal("old histories are removed", lambda: len(relay.histories()), 1)


def test_origin_killed_and_behind(lab):
    """The primary comes back older than the relay: what it forgot, the replicas forget too."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    wait.equal("no child saves", lambda: origin.info()["rdb_bgsave_in_progress"], 0)
    origin.client().save()
    load.fill(origin, seed=3)
    wait.equal("the replica has all", lambda: origin.offset() - replica.offset(), 0)
    origin.kill9()
    origin.start()
    wait_one_history(origin, relay, replica)
    load.fill(origin, rounds=5, seed=5)
    digest.compare(origin, [replica.wait_online()])
