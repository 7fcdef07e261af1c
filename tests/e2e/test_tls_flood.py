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


def tls_replica(lab, papers, relay):
    return lab.replica(certificates.at(relay), **papers.server("replica"))


@pytest.mark.seconds(120)
def test_a_crowd_that_comes_at_once_stands_in_line(lab, papers):
    """All of them are ready in one turn of the loop, ahead of a PING: it does not wait for them."""
    settings = papers.downstream("relay")
    relay = lab.relay(lab.origin(), settings).wait_link()
    before = relay.info()["connected_clients"]
    crowd = lab.closing(handshakes.Crowd(settings["downstream.tls-port"], CROWD))
    asking = lab.closing(resp.Connection(relay.port))
    assert asking.command("PING") == "PONG"
    wait.until(
        "they are in",
        lambda: relay.info()["connected_clients"],
        lambda count: count >= before + CROWD,
    )
    relay.pause()
    crowd.go()
    asking.send(resp.encode("PING"))
    relay.resume()
    assert asking.reply() == "PONG"
    assert crowd.answered() < CROWD, "the PING waited for every handshake"
    wait.equal("hellos that are answered", crowd.answered, CROWD, seconds=60)


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_good_replica_notices_no_flood(lab, papers):
    """Whole handshakes without end, and beside them hellos of clients that vanish."""
    settings = papers.downstream("relay")
    port = settings["downstream.tls-port"]
    scene = Scene(lab, settings, lambda relay: tls_replica(lab, papers, relay))
    flood = lab.keep(handshakes.Flood(port, papers, "client"))
    for _ in range(5):
        crowd = handshakes.Crowd(port, 100)
        crowd.go()
        flood.wait_some(40)
        crowd.close()
        scene.keeps_up()
    flood.stop()
    scene.finish()
