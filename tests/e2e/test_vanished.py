# SPDX-License-Identifier: MIT
"""A host that has vanished says nothing, not even that it refuses."""

import pathlib
import socket
import subprocess

import pytest

import failover
import own_world
import ports
import vanishing
import wait
from sentinels import address_of, sentinel_setting

# One after the other they would take a second and a half each.
MANY = 10


class Hole:
    """Something that listens and answers nothing, with connections that fill its queue."""

    host = "127.0.0.1"

    def __init__(self, port, backlog, fillers):
        self.port = port
        self.sockets = [socket.socket() for _ in range(1 + fillers)]
        self.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sockets[0].bind(("127.0.0.1", port))
        self.sockets[0].listen(backlog)
        for filler in self.sockets[1:]:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))

    def stop(self):
        for each in self.sockets:
            each.close()


def lose_first(lab, backlog, fillers):
    """A relay with two candidates. The first one is dead, and what stands in its place answers nothing; the
    second one, its replica, is promoted. Returns the relay and the second one."""
    first = lab.origin(name="first")
    second = lab.replica(first, name="second").wait_online()
    candidates = failover.addresses(first, second)
    relay = lab.relay(None, {"upstream.replicaof": candidates}).wait_link()
    wait.equal("both have the same", lambda: relay.offset() - second.offset(), 0)
    first.kill9()
    lab.keep(Hole(first.port, backlog, fillers))
    failover.promote(second)
    return relay, second


def test_a_vanished_candidate_holds_up_nobody(lab):
    """Connections to a socket whose queue is full hang, as those to a host that is gone. With the default
    settings the next one is asked long before repl-timeout."""
    relay, second = lose_first(lab, backlog=0, fillers=3)
    failover.wait_follows(relay, second, seconds=20)
    assert second.info()["sync_full"] == 0, "it goes on with a partial resync"


def test_a_candidate_that_accepts_and_is_silent_is_left(lab):
    """A process that is stopped: the kernel accepts for it, and nothing answers."""
    relay, second = lose_first(lab, backlog=50, fillers=0)
    failover.wait_follows(relay, second, seconds=30)
    assert "cause=silent: it does not answer" in relay.log()


def vanished(lab, count):
    return [lab.keep(Hole(ports.free_port(), backlog=0, fillers=3)) for _ in range(count)]


def test_candidates_are_connected_to_beside_those_that_have_vanished(lab):
    """The one that goes on with the stream is the last of the list."""
    first = lab.origin(name="first")
    second = lab.replica(first, name="second").wait_online()
    candidates = failover.addresses(first, *vanished(lab, MANY), second)
    relay = lab.relay(None, {"upstream.replicaof": candidates}).wait_link()
    wait.equal("both have the same", lambda: relay.offset() - second.offset(), 0)
    failover.promote(second)
    first.kill9()
    failover.wait_follows(relay, second, seconds=10)
    assert second.info()["sync_full"] == 0, "it goes on with a partial resync"
    assert f"connecting to 127.0.0.1:{second.port} as well" in relay.log()


def test_sentinels_are_connected_to_beside_those_that_have_vanished(lab):
    origin = lab.origin()
    told = lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(origin)})
    setting = sentinel_setting(*vanished(lab, MANY), told)
    relay = lab.relay(None, {"upstream.sentinel": setting})
    relay.wait_link(seconds=10)


@pytest.mark.seconds(200)
@pytest.mark.skipif(not own_world.can_run(), reason="this system gives us no network of our own (unshare -n)")
@pytest.mark.parametrize("host", vanishing.VANISHING)
def test_a_host_vanishes_in_the_middle_of_the_stream(tmp_path, host):
    """It is noticed long before repl-timeout, told from a peer that is silent, and its return is a partial resync."""
    scene = subprocess.run(
        [*own_world.command(), "/usr/bin/python3", "-B", pathlib.Path(vanishing.__file__), tmp_path, host],
        capture_output=True,
        text=True,
        timeout=wait.limit(180),
    )
    assert scene.returncode == 0, scene.stdout + scene.stderr
