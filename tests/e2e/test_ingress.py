# SPDX-License-Identifier: MIT
"""A relay behind nginx and HAProxy, which end TLS and forward a WebSocket, by the recipes of docs/operations.md."""

import pytest

import certificates
import digest
import ingresses
import load
import ports
import proxies
import wait


@pytest.fixture(params=ingresses.KINDS)
def make_ingress(request, lab, tmp_path, papers):
    program, kind = ingresses.KINDS[request.param]
    if not program.exists():
        pytest.skip(f"{request.param} could not be fetched (tests/support/setup.sh test)")
    return lambda relay: lab.keep(kind(tmp_path / "ingress", relay, papers)).start()


@pytest.fixture
def papers(tmp_path):
    return certificates.for_everyone(tmp_path / "papers")


def test_a_relay_is_reached_through_an_ingress(lab, make_ingress, papers):
    """With a password and compression; the ingress is restarted while the stream flows and while an RDB is on its way; then
    the way out goes through a proxy as well."""
    origin = lab.origin()
    load.populate(origin, 20)
    near = lab.relay(
        origin,
        {
            "downstream.ws-port": ports.free_port(),
            "downstream.requirepass": "secret",
            "downstream.trusted-proxies": "127.0.0.1",
            "downstream.repl-compression": "lz4",
        },
        name="near",
    ).wait_link()
    ingress = make_ingress(near)
    socks = lab.closing(proxies.Socks())
    far = lab.relay(
        None,
        {
            "upstream.replicaof": ingress.url(),
            "upstream.masterauth": "secret",
            "upstream.tls-ca-cert-file": papers.certificate("ca"),
            "upstream.repl-compression": "lz4",
        },
        name="far",
    ).wait_link()
    assert far.info()["upstream_carrier"] == "wss"
    replica = lab.replica(far).wait_online()
    writer = lab.writer(origin)
    for _ in range(3):
        after = far.log_end()
        ingress.stop()
        far.wait_log("state=streaming->retrying", after=after)
        ingress.start()
        far.wait_log("state=handshake->streaming", after=after)
    far.set("proxy", socks.url)
    after = far.log_end()
    ingress.stop()
    ingress.start()
    far.wait_log("state=handshake->streaming", after=after)
    writer.stop()
    digest.compare(origin, [replica])
    assert ("localhost", ingress.port) in socks.asked
    assert far.info()["upstream_full_syncs"] == 1
    lines = near.client().execute_command("RELAY", "REPLICAS")
    assert len(lines) == 1 and lines[0][lines[0].index(b"carrier") + 1] == b"ws", lines


def test_who_is_no_websocket_gets_an_answer_through_it(lab, make_ingress, papers):
    import http.client
    import ssl

    near = lab.relay(lab.origin(), {"downstream.ws-port": ports.free_port()})
    ingress = make_ingress(near)
    tls = ssl.create_default_context(cafile=papers.certificate("ca"))
    connection = http.client.HTTPSConnection("localhost", ingress.port, context=tls, timeout=wait.limit(20))
    connection.request("GET", "/replication")
    assert connection.getresponse().status == 426
    connection.close()
