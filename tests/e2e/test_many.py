# SPDX-License-Identifier: MIT
"""Many replicas at once: the primary sees one."""

import pytest

import digest
import load
import psync_client
import servers
import wait

COUNT = 20


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_twenty_replicas_at_once(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin, {"relay.threads": "4"})
    writer = lab.writer(origin)
    kinds = [k for k in servers.REPLICA_KINDS[kind] if servers.is_available(k)]
    replicas = [
        lab.replica(relay, kinds[number % len(kinds)], start=False, name=f"replica-{number}")
        for number in range(COUNT)
    ]
    for replica in replicas:
        replica.start(ready=False)
    for replica in replicas:
        replica.wait_ready()
        replica.wait_online(60)
    writer.wait_rounds(20)
    writer.stop()
    digest.compare(origin, replicas, seconds=60)

    info = origin.info()
    assert info["connected_slaves"] == 1
    assert info["sync_full"] == 1
    assert info["total_forks"] == 1
    wait.equal("replicas", lambda: set(relay.replicas()), {replica.port for replica in replicas})
    assert relay.info()["connected_slaves"] == COUNT
    wait.equal("full syncs", lambda: relay.syncs()[0], COUNT)


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_replicas_come_and_go(lab):
    """Raw replicas connect, sync, read and vanish at every stage; others stream undisturbed."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {"relay.threads": "4"}).wait_link()
    writer = lab.writer(origin)
    steady = lab.replica(relay).wait_online()
    full, *_ = relay.syncs()
    for turn in range(30):
        clients = [psync_client.PsyncClient(relay.port) for _ in range(4)]
        clients[0].close()
        clients[1].handshake().close()
        clients[2].handshake().psync()
        clients[2].close()
        clients[3].handshake().full_sync()
        clients[3].ack()
        clients[3].stream(1000)
        replid, offset = clients[3].replid, clients[3].offset
        clients[3].close()
        with psync_client.PsyncClient(relay.port).handshake() as again:
            assert again.psync(replid, offset + 1)[0] == "+CONTINUE", turn
            again.stream(1000)
    writer.stop()
    digest.compare(origin, [steady])
    wait.equal("full syncs", lambda: relay.syncs()[0], full + 60)
    wait.equal("only the steady replica is left", lambda: list(relay.replicas()), [steady.port])
    assert origin.info()["sync_full"] == 1
