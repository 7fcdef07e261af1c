# SPDX-License-Identifier: MIT
"""A real cluster of three shards, a relay for each: a shard fails over, its relay finds the new one."""

import pytest

import digest
import servers
import wait
from cluster import Cluster, command
from failover import addresses, given, wait_follows


def crash(shard):
    shard.primary.kill9()


def by_hand(shard):
    """CLUSTER FAILOVER: the primary hands over, and becomes a replica of its replica."""
    command(shard.replica, "FAILOVER")


@pytest.mark.seconds(90)
@pytest.mark.parametrize("kind", [servers.REDIS])
def test_shards_fail_over(lab, kind):
    """One shard's primary dies, another's hands over, the third's stays: each relay follows its own."""
    cluster = Cluster(lab, kind)
    relays, behind = [], []
    for number, shard in enumerate(cluster.shards):
        shard.fill()
        # The replica first: which of them is the primary is for the relay to find out.
        origins = addresses(shard.replica, shard.primary)
        relay = lab.relay(None, {"upstream.replicaof": origins}, name=f"relay-{number}")
        wait_follows(relay, shard.primary)
        relays.append(relay)
        behind.append([lab.replica(relay, kind, name=f"behind-{number}-{n}") for n in range(2)])
    for relay, shard, replicas in zip(relays, cluster.shards, behind):
        for replica in replicas:
            replica.wait_online()
        shard.fill(rounds=3, seed=2)
        digest.compare(shard.primary, replicas)
    for shard in cluster.shards:
        cluster.wait_failover_possible(shard)

    quiet = given(cluster.shards[2].primary, relays[2])
    for end, shard, relay, replicas in zip((crash, by_hand), cluster.shards, relays, behind):
        end(shard)
        wait.equal(
            "the replica has taken over",
            lambda shard=shard: shard.replica.info()["role"],
            "master",
            seconds=30,
        )
        wait_follows(relay, shard.replica)
        wait.until("it may be written to", lambda shard=shard: shard.fill(shard.replica) or True)
        digest.compare(shard.replica, replicas)
        assert given(shard.replica, relay) == (0, 1)
        assert {replica.info()["master_port"] for replica in replicas} == {relay.port}
    assert given(cluster.shards[2].primary, relays[2]) == quiet == (1, 0)
    cluster.shards[2].fill(seed=3)
    digest.compare(cluster.shards[2].primary, behind[2])
