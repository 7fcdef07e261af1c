# SPDX-License-Identifier: MIT
"""The primary is away: what the relay holds is served all the same."""

import pytest

import digest
import load
import psync_client
import wait


@pytest.mark.threads
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_full_and_partial_sync_without_the_origin(lab, kind, restarted):
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    early = lab.replica(relay, kind, name="early").wait_online()
    load.fill(origin, seed=3)
    wait.equal("the replica has all", lambda: origin.offset() - early.offset(), 0)
    origin.pause()  # it does not even say goodbye
    relay.client().ping()
    if restarted:
        relay.restart(kill=True)
    late = lab.replica(relay, kind, name="late").wait_online()
    digest.compare(early, [late])
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.psync(relay.info()["master_replid"], early.offset() + 1)[0] == "+CONTINUE"
    early.wait_online()
    origin.resume()
    relay.wait_link()
    load.fill(origin, rounds=10, seed=4)
    digest.compare(origin, [early, late])
    info = origin.info()
    assert info["sync_full"] == 1
    assert info["total_forks"] == 1


def test_nothing_is_put_into_the_stream(lab):
    """Upstream down, replica quiet: not one byte, not even a newline."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    client.full_sync()
    client.ack()
    origin.kill9()
    relay.wait_link("down")
    client.stream_to(relay.info()["master_repl_offset"])
    client.socket.settimeout(2.5)
    with pytest.raises(TimeoutError):
        client.fill()
