# SPDX-License-Identifier: MIT
"""A replica that cannot read the origin's RDB comes again and again, and harms nobody."""

import digest
import load
import servers
import wait


def test_older_replica_loops_alone(lab, valkey):
    origin = lab.origin(valkey)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    good = lab.replica(relay, valkey).wait_online()
    old = lab.replica(relay, servers.REDIS, name="old")
    old.wait_log("Can't handle RDB format version")
    seen = relay.syncs()[0]
    wait.until("it has come again", lambda: relay.syncs()[0] > seen, seconds=45)
    load.fill(origin, seed=3)
    digest.compare(origin, [good])
    assert relay.syncs()[0] < 30, "it is slowed down"
    assert origin.info()["sync_full"] == 1
