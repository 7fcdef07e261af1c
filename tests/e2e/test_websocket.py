# SPDX-License-Identifier: MIT
"""Replication inside a WebSocket, between two relays: ws:// and wss://, with all that a plain connection has."""

import base64
import os
import socket
import ssl

import pytest

import certificates
import digest
import load
import mitm
import ports
import wait

PATH = "/replication"


@pytest.fixture
def papers(tmp_path):
    return certificates.for_everyone(tmp_path / "papers")


def ws_settings(**more):
    return {"downstream.ws-port": ports.free_port(), **more}


def ws_url(relay, target=None, path=PATH):
    port = target.port if target else relay.settings["downstream.ws-port"]
    return f"ws://127.0.0.1:{port}{path}"


class WsPort:
    """Where a relay's WebSocket is, for a man in the middle."""

    def __init__(self, relay, key="downstream.ws-port"):
        self.host = relay.host
        self.port = relay.settings[key]


def upgrade(path=PATH, **headers):
    lines = {
        "Host": "relay.test",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "other, psync",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return f"GET {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items() if v) + "\r\n"


def answer_to(port, request, tls=None):
    """(code, all that came)"""
    with socket.create_connection(("127.0.0.1", port), timeout=wait.limit(20)) as plain:
        connection = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        connection.sendall(request.encode() if isinstance(request, str) else request)
        said = b""
        while b"\r\n\r\n" not in said or not said.startswith(b"HTTP/1.1 101"):
            more = connection.recv(1 << 16)
            if not more:
                break
            said += more
        return int(said.split()[1]), said


@pytest.mark.threads
def test_a_relay_follows_over_ws(lab):
    """With a password, a full sync of some megabytes, a stream, a refresh, and a chain behind it."""
    origin = lab.origin()
    load.populate(origin, 30)
    near = lab.relay(origin, ws_settings(**{"downstream.requirepass": "secret"}), name="near").wait_link()
    settings = {"upstream.replicaof": ws_url(near), "upstream.masterauth": "secret"}
    far = lab.relay(None, settings, name="far").wait_link()
    replica = lab.replica(far).wait_online()
    writer = lab.writer(origin)
    writer.wait_rounds(30)
    writer.stop()
    digest.compare(origin, [replica])
    far.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("it fetches a newer snapshot", lambda: far.info()["upstream_refreshes"], lambda n: n >= 1)
    assert far.info()["upstream_carrier"] == "ws"
    assert f"ws://127.0.0.1:{near.settings['downstream.ws-port']}{PATH}" in far.client().config_get("replicaof")["replicaof"]
    far.restart(kill=True)
    far.wait_link()
    load.fill(origin, rounds=3)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1


def test_wss_compression_and_a_transfer_that_breaks(lab, papers):
    """Client certificates, zstd, cuts in the RDB and in the stream: what comes goes on where it was."""
    origin = lab.origin()
    load.populate(origin, 20)
    near_settings = {
        **papers.downstream("relay"),
        "downstream.ws-tls-port": ports.free_port(),
        "downstream.repl-compression": "zstd",
    }
    near = lab.relay(origin, near_settings, name="near").wait_link()
    middle = lab.mitm(WsPort(near, "downstream.ws-tls-port"), plan=[mitm.CutAfter(1 << 20) for _ in range(5)])
    settings = {
        **papers.side("upstream", "relay"),
        "upstream.repl-compression": "zstd",
        "upstream.replicaof": f"wss://localhost:{middle.port}{PATH}",
    }
    far = lab.relay(None, settings, name="far").wait_link()
    info = far.info()
    assert info["upstream_carrier"] == "wss"
    assert info["rdbs_resumed"] >= 1
    replica = lab.replica(far).wait_online()
    writer = lab.writer(origin)
    for _ in range(3):
        after = far.log_end()
        middle.cut()
        far.wait_log("state=handshake->streaming", after=after)
    writer.stop()
    digest.compare(origin, [replica])
    assert near.info()["upstream_full_syncs"] == 1
    assert far.info()["upstream_full_syncs"] == 1


def test_anything_else_gets_an_answer_of_http(lab, papers):
    settings = {
        **papers.downstream("relay", tls_auth_clients="no"),
        **ws_settings(),
        "downstream.ws-tls-port": ports.free_port(),
    }
    relay = lab.relay(lab.origin(), settings)
    plain = relay.settings["downstream.ws-port"]
    secure = relay.settings["downstream.ws-tls-port"]
    tls = ssl.create_default_context(cafile=papers.certificate("ca"))
    for port, context in ((plain, None), (secure, tls)):
        for request, code in (
            (upgrade(), 101),
            (upgrade("/elsewhere"), 404),
            (upgrade(Upgrade=None), 426),
            (upgrade(Sec_WebSocket_Version="8"), 426),
            (upgrade(Sec_WebSocket_Protocol="chat"), 400),
            (upgrade(Sec_WebSocket_Key="short"), 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404),
            ("POST /replication HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + "x" * 100000, 413),
            ("*1\r\n$4\r\nPING\r\n\r\n", 400),
            ("GET /" + "x" * 9000, 400),
        ):
            assert answer_to(port, request, context)[0] == code, request[:80]
    assert answer_to(secure, upgrade())[0] == 400, "plain text on the port of TLS"
    hello = b"\x16\x03\x01\x02\x00" + bytes(512)
    assert answer_to(plain, hello)[0] == 400, "TLS on the plain port"
    assert relay.client().ping()


def test_a_trusted_proxy_tells_who_the_client_is(lab):
    origin = lab.origin()
    relay = lab.relay(origin, ws_settings()).wait_link()
    port = relay.settings["downstream.ws-port"]

    def shown(**headers):
        """The address under which CLIENT LIST has the client."""
        before = {client["id"] for client in relay.client().client_list()}
        with socket.create_connection(("127.0.0.1", port), timeout=wait.limit(20)) as connection:
            connection.sendall(upgrade(**headers).encode())
            assert b" 101 " in connection.recv(4096)
            new = [c for c in relay.client().client_list() if c["id"] not in before and c["addr"] != "?"]
            return new[0]["addr"]

    # In protected mode, without a password, nobody comes in from elsewhere, not even through a proxy on this machine.
    assert answer_to(port, upgrade(X_Forwarded_For="192.0.2.7"))[0] == 403
    relay.set("protected-mode", "no") if False else None
    assert shown().startswith("127.0.0.1:")
    relay.settings["downstream.protected-mode"] = "no"
    relay.restart()
    assert shown(X_Forwarded_For="192.0.2.7").startswith("127.0.0.1:"), "nobody is trusted"
    relay.set("trusted-proxies", "127.0.0.0/8 10.0.0.0/8")
    assert shown(X_Forwarded_For="192.0.2.7") == "192.0.2.7:0"
    assert shown(X_Forwarded_For="6.6.6.6, 192.0.2.7, 10.1.2.3") == "192.0.2.7:0"
    assert shown(X_Forwarded_For="[2001:db8::7]:4000") == "[2001:db8::7]:0"
    assert answer_to(port, upgrade(X_Forwarded_For="nobody"))[0] == 400
