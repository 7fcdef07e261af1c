# SPDX-License-Identifier: MIT
"""A relay that stood still (SIGSTOP, a paused container, a snapshot of its machine) loses no healthy link."""

import time

import pytest

import digest
import load
import wait

REPL_TIMEOUT = int(wait.setting(4))  # a busy machine must not do what is tested here


@pytest.mark.threads
def test_longer_than_repl_timeout(lab):
    origin = lab.origin()
    load.fill(origin)
    timeouts = {
        "upstream.repl-timeout": str(REPL_TIMEOUT),
        "downstream.repl-timeout": str(REPL_TIMEOUT),
    }
    relay = lab.relay(origin, timeouts).wait_link()
    replicas = [lab.replica(relay).wait_online() for _ in range(2)]
    writer = lab.writer(origin)
    accepted = origin.partial_syncs(), origin.full_syncs()
    seen = relay.syncs()[1]

    relay.pause()
    time.sleep(2 * REPL_TIMEOUT + 1)  # what is tested is this time
    relay.resume()

    for replica in replicas:
        replica.wait_online()
    time.sleep(REPL_TIMEOUT)  # in which its ticks would cut what they judged by the old silence
    writer.stop()
    digest.compare(origin, replicas)
    assert (origin.partial_syncs(), origin.full_syncs()) == accepted, "the relay has reconnected"
    assert relay.syncs()[1] == seen, "a replica has reconnected"
    assert "reason=silent" not in relay.log()
