# SPDX-License-Identifier: MIT
"""TLS handshakes by the thousand, all on one thread, while a good replica streams under TLS."""

import pytest

import certificates
import handshakes
import resp
import wait
from scene import Scene

CROWD = 1000


@pytest.fixture
def papers(tmp_path):
    return certificates.for_everyone(tmp_path / "papers")


@pytest.fixture
def scene(lab, papers):
    return Scene(lab, papers.downstream("relay"), handshakes.replica_under_tls(lab, papers))


def tls_port(scene):
    return scene.relay.settings["downstream.tls-port"]


@pytest.mark.seconds(120)
def test_a_crowd_that_comes_at_once_stands_in_line(lab, scene):
    """All of them are ready in one turn of the loop, ahead of a PING: it does not wait for them."""
    clients = scene.relay.info()["connected_clients"]
    crowd = lab.closing(handshakes.Crowd(tls_port(scene), CROWD))
    asking = lab.closing(resp.Connection(scene.port))
    assert asking.command("PING") == "PONG"
    wait.until(
        "they are in",
        lambda: scene.relay.info()["connected_clients"],
        lambda count: count >= clients + CROWD,
    )
    scene.relay.pause()
    crowd.go()
    asking.send(resp.encode("PING"))
    scene.relay.resume()
    assert asking.reply() == "PONG"
    done = crowd.answered()
    assert done < CROWD, "the PING waited for every handshake"
    wait.equal("hellos that are answered", crowd.answered, CROWD, seconds=60)
    scene.keeps_up()
    crowd.close()
    scene.finish()


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_good_replica_notices_no_flood(lab, papers, scene):
    """Whole handshakes without end, and beside them hellos of clients that vanish."""
    flood = lab.keep(handshakes.Flood(tls_port(scene), papers, "client"))
    for _ in range(5):
        crowd = handshakes.Crowd(tls_port(scene), 100)
        crowd.go()
        flood.wait_some(40)
        crowd.close()
        scene.keeps_up()
    flood.stop()
    scene.finish()
