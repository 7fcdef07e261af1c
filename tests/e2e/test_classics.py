# SPDX-License-Identifier: MIT
"""What has been thrown at every server there is, while a good replica streams: it notices nothing.

Each row of ATTACKS is a function that does its worst and returns the connections that it leaves open.
Meanwhile somebody else's PING is answered in time and the replica keeps up, also while they stay.
"""

import resource
import socket
import struct

import pytest

import load
import psync_client
import resp
import wait
from scene import Scene

REPLICA_PORT = 4711
TCP_REPAIR = 19


def vanish(connection):
    """The peer is gone and says nothing; without the right to do that, it resets."""
    try:
        connection.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except OSError:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def try_send(connection, data):
    try:
        connection.send(data)
        return True
    except OSError:
        return False


def slow_loris(scene):
    """Hundreds of commands that never end, byte by byte."""
    clients = scene.connect(300)
    said = b"*1000\r\n" + b"$1\r\nx\r\n" * 10
    for byte in said:
        for client in clients:
            try_send(client, bytes([byte]))
        scene.pinger.wait_some(1)
    return clients


def half_open(scene):
    """Peers that close one direction, or vanish, at every stage of their lives."""
    begun = resp.encode("PING") + b"*2\r\n$4\r\nEC"
    stages = (b"", begun, resp.encode("REPLCONF", "capa", "eof"), resp.encode("PSYNC", "?", -1))
    left = []
    for said in stages * 20:
        shut, gone = scene.connect(2)
        for client in (shut, gone):
            client.send(said)
        shut.socket.shutdown(socket.SHUT_WR)
        left.append(shut)
        vanish(gone)
    replica = psync_client.PsyncClient(scene.port).handshake()
    replica.full_sync()
    replica.ack()
    vanish(replica)
    return left


def flood_beyond_maxclients(scene):
    """Told so in one line each, and nobody who is in has to leave."""
    clients = scene.connect(300)
    told = 0
    for client in clients:
        if try_send(client, resp.encode("PING")):
            try:
                told += "max number of clients" in str(client.reply())
            except (OSError, EOFError):
                told += 1
    assert 200 < told < 300, told
    return clients


def flood_beyond_descriptors(scene):
    """The store's files and the link come first: what clients can take has an end before them."""
    pid = scene.relay.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (scene.relay.descriptors() + 100, most))
    clients = scene.connect(400)
    for client in clients:
        try_send(client, resp.encode("PING"))
    # The stream crosses segments meanwhile, each of which is a file.
    for _ in range(3):
        load.populate(scene.origin, 1)
        scene.keeps_up()
    scene.relay.wait_log("few open files are left")
    return clients


def absurd_offsets(scene):
    """Announced in PSYNC and in ACKs: none is believed."""
    left = []
    for replid in ("?", scene.relay.info()["master_replid"], "0" * 40):
        for offset in (-(2**63), -1, 0, 2**32, 2**63 - 1, 2**63, 2**64, 10**40):
            client = psync_client.PsyncClient(scene.port).handshake()
            client.send(resp.encode("PSYNC", replid, offset))
            left.append(client)
    client = psync_client.PsyncClient(scene.port, REPLICA_PORT).handshake()
    client.full_sync()
    for ack in (2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1, "x", "", "9" * 60):
        try_send(client, resp.encode("REPLCONF", "ACK", ack))
        try_send(client, resp.encode("REPLCONF", "ACK", 1, "FACK", ack))
    for port in (-1, 0, 65536, 2**40):
        (other,) = scene.connect()
        other.send(resp.encode("REPLCONF", "listening-port", port, "capa"))
        left.append(other)
    scene.pinger.wait_some()
    line = scene.relay.replicas().get(REPLICA_PORT)
    assert line is None or line["offset"] <= scene.relay.offset()
    return left + [client]


def psync_twice(scene):
    """And three times, and SYNC, at once or when the stream runs."""
    left = []
    psync = resp.encode("PSYNC", "?", -1)
    for said in (psync * 2, psync * 100, psync + b"SYNC\r\n", b"SYNC\r\n" * 3, b"SYNC\r\n" + psync):
        client = psync_client.PsyncClient(scene.port).handshake()
        client.send(said)
        left.append(client)
        client = psync_client.PsyncClient(scene.port).handshake()
        client.full_sync()
        client.ack()
        try_send(client, said)
        left.append(client)
    return left


def pipelined_behind_psync(scene):
    """What stands behind PSYNC is not answered: a reply would be taken for the stream."""
    left = []
    for said in (
        resp.encode("PING"),
        resp.encode("INFO") * 200,
        resp.encode("SET", "a", "b"),
        b"PING\r\n" * 100,
        b"x" * 100_000,
        resp.encode("REPLCONF", "ACK", 0) * 1000,
        b"\n" * 10_000,
    ):
        client = psync_client.PsyncClient(scene.port).handshake()
        if try_send(client, resp.encode("PSYNC", "?", -1) + said):
            left.append(client)
    return left


ATTACKS = {
    slow_loris: {},
    half_open: {},
    flood_beyond_maxclients: {"downstream.maxclients": "50"},
    flood_beyond_descriptors: {},
    absurd_offsets: {},
    psync_twice: {},
    pipelined_behind_psync: {},
}


@pytest.mark.threads
@pytest.mark.seconds(90)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_good_replica_notices_nothing(lab, attack):
    scene = Scene(lab, ATTACKS[attack])
    left = attack(scene)
    scene.keeps_up()
    for connection in left:
        connection.close()
    scene.finish()


@pytest.mark.seconds(90)
def test_ten_thousand_idle_connections(lab):
    """They cost a little memory each, and no time."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(10_000, most - 1000)
    # The relay's own limit is raised as far as it may: it needs some for its segments as well.
    settings = {"downstream.maxclients": count + 100, "store.repl-backlog-max-size": "256mb"}
    scene = Scene(lab, settings)
    before = scene.relay.rss_bytes()
    clients = scene.connect(count)
    for client in clients[::100]:
        assert client.command("PING") == "PONG"
    wait.until(
        "they are counted", lambda: scene.relay.info()["connected_clients"], lambda n: n >= count
    )
    grown = scene.relay.memory_grown(before)
    print(f"{count} idle connections: {grown} bytes, {grown // count} each")
    assert grown < count * 4096
    scene.keeps_up()
    for client in clients:
        client.close()
    scene.finish()
