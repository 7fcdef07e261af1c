# SPDX-License-Identifier: MIT
"""The end in order: replicas are closed, what came is on disk, and nothing is done twice."""

import signal

import pytest

import digest
import load
import psync_client
import wait

REPLICAS = 100


@pytest.mark.threads
@pytest.mark.parametrize("insist", [[], [signal.SIGTERM] * 5], ids=["once", "again"])
def test_terminated_with_many_replicas(lab, insist):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    real = lab.replica(relay).wait_online()
    replicas = [psync_client.PsyncClient(relay.port) for _ in range(REPLICAS)]
    for replica in replicas:
        replica.handshake().full_sync()
    wait.equal("replicas", lambda: relay.info()["connected_slaves"], REPLICAS + 1)
    load.fill(origin, rounds=5, seed=2)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)

    relay.signal(signal.SIGTERM)
    for number in insist:
        if relay.is_running():
            relay.signal(number)
    assert relay.exit_status() == 0
    relay.check_log()
    for replica in replicas:
        assert replica.is_closed()
        replica.close()
    log = relay.log()
    assert log.count("closed reason=shutdown") >= REPLICAS + 1
    assert log.count("relay: stopping cause=SIGTERM") == 1
    assert log.rstrip().endswith("relay: stopped")

    relay.start().wait_link()
    info = relay.info()
    assert (info["upstream_full_syncs"], info["upstream_partial_syncs"]) == (0, 1)
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [real.wait_online()])
    assert relay.syncs()[0] == 0


def test_interrupted(lab):
    relay = lab.relay(lab.origin()).wait_link()
    relay.signal(signal.SIGINT)
    assert relay.exit_status() == 0
    relay.wait_log("relay: stopping cause=SIGINT")
