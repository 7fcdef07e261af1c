# SPDX-License-Identifier: MIT
"""A replica that cannot read the primary's RDB comes again and again, and harms nobody."""

import time

import digest
import load
import servers
import wait
import web
from psync_client import PsyncClient


def cannot_load(relay):
    """The finding about it, or None."""
    found = [one for one in web.status(relay)["findings"] if one["name"] == "replica_cannot_load"]
    return found[0] if found else None


def test_older_replica_loops_alone(lab, valkey):
    origin = lab.origin(valkey)
    load.fill(origin)
    relay = lab.relay(origin, http=True).wait_link()
    good = lab.replica(relay, valkey).wait_online()
    assert cannot_load(relay) is None
    old = lab.replica(relay, servers.REDIS, name="old")
    old.wait_log("Can't handle RDB format version")
    seen = relay.syncs()[0]
    wait.until("it has come again", lambda: relay.syncs()[0] > seen, seconds=45)

    # It is one replica, also where it comes again before its last connection is seen to have ended.
    told = f"The replica 127.0.0.1:{old.port} has taken"
    finding = wait.until("it is told of", lambda: cannot_load(relay), lambda one: one and told in one["what"], seconds=45)
    assert finding["severity"] == "problem"
    assert "RDB REDIS0011" in finding["what"]
    assert "this RDB is for Redis 7.2 and later, and every Valkey" in finding["advice"]
    wait.equal("the metric", lambda: web.metrics(relay)["psync_relay_replicas_cannot_load"], 1)
    assert web.metrics(relay)["psync_relay_replicas_full_syncs_unacknowledged_total"] >= 2
    assert relay.info("stats")["sync_full_unacknowledged"] >= 2
    relay.wait_log("full sync delayed by 1.0 s: the replica did not acknowledge the previous")

    load.fill(origin, seed=3)
    digest.compare(origin, [good])
    assert relay.syncs()[0] < 30, "it is slowed down"
    assert origin.info()["sync_full"] == 1


def test_a_version_that_cannot_read_it_waits(lab, valkey):
    """It has said so itself: no RDB is sent in vain before it is told of."""
    origin = lab.origin(valkey)
    relay = lab.relay(origin, http=True).wait_link()
    old = lab.closing(PsyncClient(relay.port)).handshake(version="7.0.15")
    old.send(b"PSYNC ? -1\r\n")
    finding = wait.until("it is told of", lambda: cannot_load(relay))
    assert "has version 7.0.15, which cannot read the RDB (REDIS0011)" in finding["what"]
    assert "Its next full sync starts in" in finding["advice"]
    listed = [one for one in web.status(relay)["replicas"]["list"] if one["delayed_seconds"] > 0]
    assert [one["port"] for one in listed] == [old.listening_port]
    assert not [one for one in web.status(relay)["findings"] if one["name"] == "replica_waiting"]

    # Who can read it is served meanwhile, also behind the same address and port.
    new = lab.closing(PsyncClient(relay.port, old.listening_port)).handshake(version="8.0.1")
    new.full_sync()
    wait.equal("full syncs", lambda: relay.syncs()[0], 1)

    # It is tried all the same: its rdb-version-check may be relaxed.
    assert old.psync_reply()[0] == "+FULLRESYNC"
    old.read_rdb()
    old.ack()
    wait.until("it could read it", lambda: cannot_load(relay) is None)


def test_another_behind_the_same_address_does_not_wait(lab):
    """All announce one port from one address, as behind NAT; one of them leaves each time."""
    relay = lab.relay(lab.origin(servers.REDIS)).wait_link()
    for _ in range(6):
        bad = PsyncClient(relay.port, 6379).handshake()
        bad.full_sync()
        bad.close()
        wait.until("it has gone", lambda: not relay.replicas())
    begin = time.monotonic()
    healthy = lab.closing(PsyncClient(relay.port, 6379)).handshake()
    healthy.full_sync()
    assert time.monotonic() - begin < wait.limit(3)
    healthy.ack()
    wait.equal("counted", lambda: relay.info("stats")["sync_full_unacknowledged"], 6)
