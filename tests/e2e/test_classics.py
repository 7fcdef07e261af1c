# SPDX-License-Identifier: MIT
"""What has been thrown at every server there is, while a good replica streams: it notices nothing.

Each row of ATTACKS is a function that does its worst and returns the connections that it leaves open.
Meanwhile somebody else's PING is answered in time and the replica keeps up, also while they stay.
"""

import resource
import socket
import struct
import threading
import time

import pytest

import digest
import load
import psync_client
import resp
import wait

PING_SECONDS_MAX = 2
REPLICA_PORT = 4711
TCP_REPAIR = 19


class Pinger:
    """Asks PING on one connection, over and over, and keeps the longest time that it took."""

    def __init__(self, port):
        self.connection = resp.Connection(port)
        self.worst = 0.0
        self.count = 0
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.wait(0.02):
                start = time.monotonic()
                assert self.connection.command("PING") == "PONG"
                self.worst = max(self.worst, time.monotonic() - start)
                self.count += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def wait_some(self, count=5):
        wanted = self.count + count
        wait.until("PINGs are answered", lambda: self.count >= wanted or self.failure)

    def stop(self):
        self.stopping.set()
        self.thread.join(wait.limit(30))
        self.connection.close()

    def check(self):
        assert self.failure is None, f"PING failed: {self.failure!r}"
        assert self.worst < wait.limit(PING_SECONDS_MAX), f"a PING took {self.worst:.2f} s"


class Scene:
    """Origin, writer, relay, good replica, and somebody who asks PING."""

    def __init__(self, lab, settings=None):
        self.origin = lab.origin()
        load.fill(self.origin, rounds=5)
        self.relay = lab.relay(self.origin, {"downstream.repl-timeout": "5", **(settings or {})})
        self.relay.wait_link()
        self.replica = lab.replica(self.relay).wait_online()
        self.writer = lab.writer(self.origin)
        self.pinger = Pinger(self.relay.port)

    @property
    def port(self):
        return self.relay.port

    def connect(self, count=1, **options):
        return [resp.Connection(self.port, **options) for _ in range(count)]

    def keeps_up(self):
        """What the origin has now, the replica has soon."""
        self.pinger.wait_some()
        end = self.origin.offset()
        wait.until("the replica keeps up", lambda: self.replica.offset(), lambda at: at >= end)
        self.pinger.check()

    def finish(self):
        self.keeps_up()
        self.writer.stop()
        self.pinger.stop()
        self.pinger.check()
        wait.equal(
            "only the good replica is left",
            lambda: list(self.relay.replicas()),
            [self.replica.port],
        )
        digest.compare(self.origin, [self.replica])
        assert self.replica.full_syncs() == 1
        assert self.replica.partial_syncs() == 0
        assert "Connection with master lost" not in self.replica.log()
        assert self.origin.info()["sync_full"] == 1


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
