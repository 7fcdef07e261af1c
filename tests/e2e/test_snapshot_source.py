# SPDX-License-Identifier: MIT
"""snapshot-source: a newer snapshot comes from a replica of the relay, and the primary does not fork for it."""

import digest
import load
import wait
from failover import syncs, wait_same_offset

FORKS = 2
SMALL = {
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "1mb",
    "store.repl-backlog-max-size": "64mb",
    "store.snapshot": "on-demand",
    "store.snapshot-source": "replicas",
}


def fetched(relay):
    info = relay.info("relay")
    return info["upstream_refreshes"], info["snapshot_source_fallbacks"]


def outrun(origin, relay):
    """More is written than the window holds."""
    load.populate(origin, 3)
    wait_same_offset(origin, [relay])


def test_replicas_give_it_in_turn(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin)
    login = {"store.snapshot-source-user": "source", "store.snapshot-source-auth": "pw"}
    relay = lab.relay(origin, {**SMALL, **login}).wait_link()
    user = "source on >pw +ping +psync +replconf +info"
    early = [lab.replica(relay, kind, name=name, user=user).wait_online() for name in ("one", "two")]
    assert syncs(origin)[FORKS] == 1
    for number in (1, 2):
        outrun(origin, relay)
        wait_same_offset(origin, early)
        late = lab.replica(relay, kind, name=f"late-{number}", user=user).wait_online()
        wait.equal("fetched, and never from the primary", lambda: fetched(relay), (number, 0))
        assert relay.info("relay")["upstream_refresh0"]["from"] == "replica"
        load.fill(origin, rounds=2, seed=number)
        wait_same_offset(origin, [relay, *early, late])
        digest.compare(origin, [*early, late])
        late.stop()
    assert syncs(origin)[FORKS] == 1, "the primary has forked once"
    assert sum(syncs(replica)[FORKS] for replica in early) == 2
    assert relay.info("stats")["sync_partial_err"] == 0


def test_the_primary_is_asked_where_no_replica_can(lab, kind):
    """One that is writable may have other data."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin, SMALL).wait_link()
    writable = lab.replica(relay, kind, name="writable", replica_read_only="no").wait_online()
    outrun(origin, relay)
    late = lab.replica(relay, kind, name="late").wait_online()
    wait.equal("from the primary", lambda: fetched(relay), (1, 1))
    relay.wait_log("it is writable")
    wait_same_offset(origin, [relay, writable, late])
    digest.compare(origin, [late])
    assert syncs(origin)[FORKS] == 2
    assert syncs(writable)[FORKS] == 0
