# SPDX-License-Identifier: MIT
"""Clients that send what no client should: told so, closed, and nobody else notices."""

import os

import pytest

import digest
import load
import psync_client
import resp
import wait

MEGABYTE = 1024 * 1024


@pytest.fixture
def scene(lab):
    """A primary, a relay and a good replica, that are well afterwards too."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin, {"downstream.repl-timeout": wait.setting(5)}).wait_link()
    replica = lab.replica(relay).wait_online()
    yield relay
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert replica.full_syncs() == 1
    assert "Connection with master lost" not in replica.log()
    assert origin.info()["sync_full"] == 1
    wait.equal("replicas", lambda: relay.info()["connected_slaves"], 1)


WRONG = {
    "negative-count": b"*-7\r\n",
    "count-not-a-number": b"*abc\r\n",
    "enormous-count": b"*2147483647\r\n",
    "count-overflow": b"*99999999999999999999999\r\n",
    "negative-bulk": b"*1\r\n$-7\r\n",
    "bulk-not-a-number": b"*1\r\n$x\r\n",
    "enormous-bulk": b"*1\r\n$999999999999\r\n",
    "bulk-overflow": b"*1\r\n$99999999999999999999999\r\n",
    "no-dollar": b"*1\r\n:5\r\n",
    "unbalanced-quotes": b'ECHO "x\r\n',
}


@pytest.mark.parametrize("name", WRONG)
def test_protocol_errors(scene, name):
    with resp.Connection(scene.port) as client:
        client.send(resp.encode("PING") + WRONG[name])
        assert client.reply() == "PONG", "what came before is answered"
        if name in ("negative-count", "enormous-count"):
            # Real servers ignore the first and refuse the second; both is good for either.
            client.send(resp.encode("PING"))
        reply = client.reply()
        if reply == "PONG":
            return
        assert isinstance(reply, resp.Error) and "rotocol error" in str(reply), reply
        assert client.is_closed()


def test_garbage(scene):
    for seed in range(20):
        with resp.Connection(scene.port) as client:
            try:
                client.send(os.urandom(20_000) + b"\r\n" + bytes([seed]) * 5000)
                client.send(b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n")
            except OSError:
                pass


def test_http_request(scene):
    """A browser, or an attacker through one: closed before its headers are taken for commands."""
    with resp.Connection(scene.port) as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: localhost:6379\r\nContent-Length: 10\r\n\r\nSHUTDOWN\r\n"
        )
        assert client.is_closed()
    assert scene.client().ping(), "the body of the request was taken for a command"


def test_hundred_megabytes_without_a_newline(scene):
    before = scene.rss_bytes()
    with resp.Connection(scene.port) as client:
        with pytest.raises(OSError):
            for _ in range(100):
                client.send(b"x" * MEGABYTE)
            client.reply()
            raise ConnectionError
    assert scene.memory_grown(before) < 8 * MEGABYTE


def test_too_big_inline_is_told(scene):
    with resp.Connection(scene.port) as client:
        client.send(b"x" * (70 * 1024))
        try:
            reply = client.reply()
            assert "too big inline request" in str(reply), reply
        except ConnectionError:
            pass


def test_many_big_commands(scene):
    """Before a client has said who it is, it may not make the relay hold megabytes for it."""
    before = scene.rss_bytes()
    clients = [resp.Connection(scene.port) for _ in range(20)]
    for client in clients:
        try:
            client.send(b"*2\r\n$4\r\nECHO\r\n$500000000\r\n" + b"x" * 3 * MEGABYTE)
        except OSError:
            pass
    assert scene.client().ping()
    assert scene.memory_grown(before) < 100 * MEGABYTE
    for client in clients:
        client.close()


def test_half_a_command_for_ever(scene):
    """It costs a connection and nothing else."""
    clients = [resp.Connection(scene.port) for _ in range(50)]
    for number, client in enumerate(clients):
        command = resp.encode("REPLCONF", "capa", "eof")
        client.send(command[: 1 + number % (len(command) - 1)])
    assert scene.client().ping()
    for number, client in enumerate(clients):
        command = resp.encode("REPLCONF", "capa", "eof")
        client.send(command[1 + number % (len(command) - 1) :])
        assert client.reply() == "OK"
        client.close()


def test_reads_no_replies(scene):
    """Asks for INFO for ever and reads nothing: the relay stops reading it, or closes it."""
    before = scene.rss_bytes()
    with resp.Connection(scene.port, receive_buffer=4096) as client:
        client.socket.settimeout(1)
        with pytest.raises(OSError):
            for _ in range(10_000):
                client.send(resp.encode("INFO") * 100)
        assert scene.client().ping()
        assert scene.memory_grown(before) < 64 * MEGABYTE


def test_replica_that_talks_nonsense(scene):
    """In place of its ACKs."""
    for nonsense in (
        b"*-1\r\n*x\r\n",
        resp.encode("SET", "a", "b"),
        os.urandom(5000),
        b"\n" * 5000,
    ):
        with psync_client.PsyncClient(scene.port, 4711).handshake() as client:
            client.full_sync()
            try:
                client.send(nonsense)
            except OSError:
                pass
    wait.until("they are gone", lambda: 4711 not in scene.replicas())
    info = scene.info()
    assert info["master_link_status"] == "up"
    wait.equal("full syncs", lambda: scene.syncs()[0], 5)


def test_acks_that_lie(scene):
    """An ACK beyond the end is not believed."""
    with psync_client.PsyncClient(scene.port, 4711).handshake() as client:
        client.full_sync()
        client.ack()
        client.ack(2**62)
        client.send(resp.encode("REPLCONF", "ACK", "-5"))
        client.send(resp.encode("REPLCONF", "ACK", "x"))
        wait.until("listed or closed", lambda: scene.client().ping())
        line = scene.replicas().get(4711)
        assert line is None or line["offset"] <= scene.info()["master_repl_offset"]


def test_wrong_psync(scene):
    for replid, offset in (
        ("x" * 40, 1),
        ("?", 5),
        ("short", 1),
        ("é" * 20, -1),
        ("?", 2**63 - 1),
        ("a" * 40, -7),
    ):
        with psync_client.PsyncClient(scene.port).handshake() as client:
            words = client.psync(replid, offset)
            assert words[0] == "+FULLRESYNC" or words[0].startswith("-"), (replid, offset, words)


def test_silent_replica_is_closed(scene):
    """Online and not one ACK for repl-timeout: gone, with the reason in the log."""
    with psync_client.PsyncClient(scene.port, 4711).handshake() as client:
        client.full_sync()
        client.ack()
        end = scene.log_end()
        assert client.is_closed()
        scene.wait_log(r"(?i)timeout|silent|no ack", after=end - 2000 if end > 2000 else 0)


def test_thousand_connections(scene):
    clients = [resp.Connection(scene.port) for _ in range(1000)]
    for client in clients:
        client.send(resp.encode("PING"))
    assert {client.reply() for client in clients} == {"PONG"}
    for client in clients:
        client.close()
    wait.until(
        "their descriptors are closed", lambda: scene.info()["connected_clients"], lambda n: n < 10
    )
