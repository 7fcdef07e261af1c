# SPDX-License-Identifier: MIT
"""Full syncs over two connections: the RDB over one, and the stream over the other at the same time."""

import pytest

import digest
import load
import servers
from conftest import needs

ON = {"dual-channel-replication-enabled": "yes"}
VARIANTS = [
    pytest.param(servers.REDIS_8, {}, id="redis-8"),
    pytest.param(servers.VALKEY_81, ON, id="valkey-8.1"),
    pytest.param(servers.VALKEY, ON, id="valkey-8"),
]
variants = pytest.mark.parametrize("kind, config", VARIANTS)


@variants
def test_every_replica_ends_equal(lab, kind, config):
    """Also one that can do it itself, and asks the relay, which cannot."""
    origin = lab.origin(needs(kind), **config)
    load.fill(origin)
    writer = lab.writer(origin)
    relay = lab.relay(origin)
    replicas = [
        lab.replica(relay, kind, name=f"replica-{mode}", repl_diskless_load=mode, **config)
        for mode in ("disabled", "swapdb")
    ]
    for replica in replicas:
        replica.wait_online()
    writer.wait_rounds(50)
    writer.stop()
    digest.compare(origin, replicas)
    info = relay.info()
    assert info["upstream_rdb_channel_syncs"] == 1
    assert info["upstream_rdb_channel_refusals"] == 0
    assert origin.info()["total_forks"] == 1
