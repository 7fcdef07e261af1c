# SPDX-License-Identifier: MIT
"""Replicas that run behind: what the primary does reaches them after a delay, and not before."""

import time

import digest
import failover
import ports
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
