# SPDX-License-Identifier: MIT
"""Replicas that run behind: what the primary does reaches them after a delay, and not before."""

import re
import time

import pytest

import digest
import failover
import load
import ports
import restored
import servers
import wait

DELAY = 2


class Port:
    """The port of a relay for replicas that run behind, as a primary."""

    def __init__(self, relay):
        self.host = "127.0.0.1"
        self.port = int(relay.settings["delayed.port"])


def begin(lab, kind, delay=DELAY, **settings):
    origin = lab.origin(kind, repl_ping_replica_period="1")
    origin.client().set("first", 1)
    relay = lab.relay(
        origin,
        {
            "store.segment-size": "64kb",
            "delayed.port": ports.free_port(),
            "delayed.delay": f"{delay}s",
            **settings,
        },
    ).wait_link()
    return origin, relay


def behind(lab, relay, kind=servers.REDIS, **config):
    return lab.replica(Port(relay), kind, name="behind", **config)


def test_what_is_written_comes_after_the_delay(lab, kind):
    origin, relay = begin(lab, kind)
    replica = behind(lab, relay, kind).wait_online()
    assert replica.client().get("first") == b"1"
    for number in range(3):
        before = time.time()
        origin.client().set("at", f"{before:.6f}")
        # When it was seen is told by the replica's own end of the poll: nothing is seen before it was sent.
        wait.equal("it comes", lambda: replica.client().get("at"), f"{before:.6f}".encode())
        assert time.time() - before >= DELAY, f"round {number}: it came too early"
    failover.hush(origin)
    digest.compare(origin, [replica])
    assert relay.syncs()[0] == 1


def test_it_is_counted_by_nobody(lab):
    origin, relay = begin(lab, servers.REDIS, **{"upstream.ack": "replicas 1"})
    behind(lab, relay).wait_online()
    with origin.client().client() as client:
        client.set("k", 1)
        assert client.execute_command("WAIT", 1, 300) == 0
    normal = lab.replica(relay).wait_online()
    with origin.client().client() as client:
        client.set("k", 2)
        assert client.execute_command("WAIT", 1, 20000) == 1
    assert normal.client().get("k") == b"2"


def test_it_moves_to_the_normal_port_and_back(lab):
    origin, relay = begin(lab, servers.REDIS, delay=600)
    normal = lab.replica(relay).wait_online()
    failover.hush(origin)
    origin.client().set("k", 1)
    failover.wait_same_offset(origin, [relay, normal])
    syncs = relay.syncs()
    # What it has is younger than the delay allows: it keeps it, and hears that we are there.
    normal.client().execute_command("REPLICAOF", "127.0.0.1", Port(relay).port)
    relay.wait_log("state=handshake->waiting cause=psync")
    wait.equal("it waits", lambda: relay.info("replication")["connected_slaves"], 1)
    origin.client().set("k", 2)
    failover.wait_same_offset(origin, [relay])
    assert normal.client().get("k") == b"1"
    assert relay.syncs() == syncs
    normal.client().execute_command("REPLICAOF", "127.0.0.1", relay.port)
    wait.equal("it goes on", lambda: normal.client().get("k"), b"2")
    full, partial, refused = relay.syncs()
    assert (full, partial, refused) == (syncs[0], syncs[1] + 1, syncs[2])


# ------------------------------------------------------------------ a mistake has happened


def listed(relay):
    """RELAY PAUSED."""
    reply = relay.client().execute_command("RELAY", "PAUSED")
    return [dict(zip((key.decode() for key in one[::2]), one[1::2])) for one in reply]


def id_of(relay, replica):
    for one in relay.client().execute_command("RELAY", "REPLICAS"):
        one = dict(zip(one[::2], one[1::2]))
        if one[b"port"] == replica.port:
            return one[b"id"]
    raise LookupError("the replica is not there")


def sent_bytes(relay, replica):
    """Newlines, of one that waits; the replies before are more than we ask for."""
    for one in relay.client().execute_command("RELAY", "REPLICAS"):
        one = dict(zip(one[::2], one[1::2]))
        if one[b"port"] == replica.port:
            return one[b"sent_bytes"]
    return 0


def pause(relay, replica):
    """Until it waits: it has been closed, and has come back."""
    assert relay.client().execute_command("RELAY", "PAUSE", id_of(relay, replica)) == b"OK"
    wait.until(
        "it comes back and waits",
        lambda: listed(relay)[0]["id"] and relay.replicas()[replica.port]["state"],
        lambda state: state == "wait_bgsave",
    )


def before_flushall(relay):
    """Where a restore would end, as an operator finds it."""
    def look():
        told = restored.restore(relay, "--verify", "--before", "FLUSHALL")
        return int(re.search(r"for a restore to offset (\d+)", told)[1])

    return wait.until("the FLUSHALL is found", look)


def test_a_mistake_is_held_back(lab, kind):
    """Paused before it, over a restart and a kill of the relay, and run on to just before it."""
    origin, relay = begin(lab, kind, delay=6)
    replica = behind(lab, relay, kind).wait_online()
    load.fill(origin, rounds=3, seed=5)
    failover.hush(origin)
    before = digest.digest(origin)
    origin.client().flushall()
    origin.client().set("after", 1)
    pause(relay, replica)
    failover.wait_same_offset(origin, [relay])
    target = before_flushall(relay)
    full = relay.syncs()[0]
    assert full == 1

    relay.restart().wait_link()
    relay.restart(kill=True).wait_link()
    assert [one["paused"] for one in listed(relay)] == [b"paused"]
    assert relay.info("relay")["delayed_paused"] == 1
    # The delay is over long since, and it has nothing of it.
    wait.until("what came is due", lambda: relay.info("relay")["delayed_bytes"], lambda left: left == 0, seconds=30)
    wait.equal("it waits", lambda: relay.replicas()[replica.port]["state"], "wait_bgsave")
    assert replica.client().get("after") is None

    with pytest.raises(Exception, match="The target is behind the end of the stream"):
        relay.client().execute_command("RELAY", "RESUME", id_of(relay, replica), "TO", target + 10**9)
    assert relay.client().execute_command("RELAY", "RESUME", id_of(relay, replica), "TO", target) == b"OK"
    wait.equal("it stands before the FLUSHALL", replica.offset, target)
    assert digest.digest(replica) == before
    assert listed(relay)[0]["target"] == target
    assert relay.syncs()[0] == 0, "it was given a full sync"

    name = f"127.0.0.1:{replica.port}"
    assert relay.client().execute_command("RELAY", "RESUME", name) == b"OK"
    wait.equal("the rest comes", lambda: replica.client().get("after"), b"1")
    assert listed(relay) == []
    digest.compare(origin, [replica])


def test_a_time_is_a_target(lab):
    origin, relay = begin(lab, servers.REDIS, delay=600, **{"store.snapshot-min-interval": "0"})
    relay.set("delay", "1s")
    replica = behind(lab, relay).wait_online()
    relay.set("delay", "10m")
    pause(relay, replica)
    failover.hush(origin)
    origin.client().set("k", "good")
    failover.wait_same_offset(origin, [relay])
    point = restored.Checkpoint(origin, relay, has_moment=True)
    origin.client().set("k", "bad")
    failover.wait_same_offset(origin, [relay])
    client = relay.client()
    for bad, why in (("yesterday", "no time"), ("2100-01-01T00:00:00Z", "Nothing is known"), ("-1000d", "Nothing is known")):
        with pytest.raises(Exception, match=why):
            client.execute_command("RELAY", "RESUME", id_of(relay, replica), "TO", bad)
    assert client.execute_command("RELAY", "RESUME", id_of(relay, replica), "TO", point.moment) == b"OK"
    wait.equal("it runs on", lambda: replica.client().get("k"), b"good")
    with pytest.raises(Exception, match="before what the replica has"):
        client.execute_command("RELAY", "RESUME", id_of(relay, replica), "TO", 1)


def test_only_who_runs_behind_is_paused(lab):
    _origin, relay = begin(lab, servers.REDIS)
    normal = lab.replica(relay).wait_online()
    client = relay.client()
    for words, why in (
        (("PAUSE", id_of(relay, normal)), "does not run behind"),
        (("PAUSE", 99999), "No such replica"),
        (("PAUSE", "x"), "Invalid replica id"),
        (("RESUME", id_of(relay, normal)), "No such replica"),
        (("RESUME", "10.1.1.1:6379"), "No such replica"),
        (("RESUME", 1, "TO"), "syntax error"),
    ):
        with pytest.raises(Exception, match=why):
            client.execute_command("RELAY", *words)


def test_its_link_lives_while_nothing_flows(lab, kind):
    """A replica breaks a link that is silent for its repl-timeout; it then waits, and is answered when there is a byte."""
    origin, relay = begin(lab, kind, delay=1)
    replica = behind(lab, relay, kind, repl_timeout="2").wait_online()
    failover.hush(origin)
    after = relay.log_end()
    relay.wait_log("state=handshake->waiting cause=psync", after=after, seconds=30)
    # It stays there: what would end a wait is the replica, which hears newlines.
    held = id_of(relay, replica)
    began = sent_bytes(relay, replica)
    wait.until("newlines for twice its repl-timeout", lambda: sent_bytes(relay, replica), lambda sent: sent >= began + 5)
    assert id_of(relay, replica) == held
    origin.client().set("k", 1)
    wait.equal("it comes", lambda: replica.client().get("k"), b"1")
    assert relay.syncs()[0] == 1


def test_a_failover_with_a_rewind(lab, kind):
    """The branch that was lost was not due: nobody who runs behind gets a byte of it."""
    shard = failover.Shard(
        lab, kind, count=0, settings={"delayed.port": ports.free_port(), "delayed.delay": "5s", "store.segment-size": "64kb"}
    )
    replica = behind(lab, shard.relay, kind).wait_online()
    failover.hush(shard.old)
    failover.wait_same_offset(shard.old, [shard.next, shard.relay])
    shard.link.stall()
    shard.old.client().set("lost", 1)
    failover.wait_same_offset(shard.old, [shard.relay])
    shard.fail_over()
    failover.wait_follows(shard.relay, shard.next)
    shard.next.client().set("won", 1)
    wait.equal("the new branch comes", lambda: replica.client().get("won"), b"1", seconds=40)
    assert replica.client().get("lost") is None
    failover.hush(shard.next)
    digest.compare(shard.next, [replica])
    assert failover.answers(replica)[-1][2] == "partial"
