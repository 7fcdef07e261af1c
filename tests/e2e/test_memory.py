# SPDX-License-Identifier: MIT
"""Anonymous memory stays under 16 MiB plus 32 KiB a replica, whatever the window and the lag."""

import os
import selectors
import socket

import pytest

import crc64
import fake_primary
import psync_client
import relay as relay_module
import resp
import wait

MEGABYTE = 1024 * 1024
BASE = 16 * MEGABYTE
A_REPLICA = 32 * 1024

GREETING = b"".join(
    resp.encode(*words)
    for words in (
        ("PING",),
        ("REPLCONF", "listening-port", "7"),
        ("REPLCONF", "capa", "eof", "capa", "psync2"),
    )
)

# The crowd says a word now and then only, and on a slow machine a gigabyte takes a while.
PATIENT = {"downstream.repl-timeout": "3600"}

# A sanitizer's own shadow and quarantine are many times what it watches.
pytestmark = pytest.mark.skipif(
    relay_module.is_sanitized(), reason="a sanitizer's memory is not the relay's"
)


class Firehose:
    """A primary that costs nothing: a tiny RDB, then as much stream as it is told to send."""

    def __init__(self, lab):
        self.value = os.urandom(MEGABYTE)
        self.peer = None
        self.sent = 0
        self.fake = lab.fake_primary(self._script)

    def _script(self, peer):
        words = peer.greet()
        self.peer = peer  # before the relay can have its answer
        if words[1] == fake_primary.REPLID:
            peer.send(b"+CONTINUE " + fake_primary.REPLID.encode() + b"\r\n")
        else:
            peer.send_full(crc64.rdb([(b"a", b"b")]))
        peer.hold()

    def flow(self, megabytes):
        for number in range(megabytes):
            command = fake_primary.command("SET", f"key:{number}", self.value)
            self.peer.send(command)
            self.sent += len(command)


def bound(relay, replicas, what):
    used = relay.rss_bytes()
    allowed = BASE + replicas * A_REPLICA
    assert used < allowed, f"{what}: {used} bytes of anonymous memory, expected under {allowed}"


class Crowd:
    """Many bare replicas in one thread: they shake hands, and then read nothing."""

    def __init__(self, relay, count, replid=fake_primary.REPLID, offset=0):
        self.sockets = []
        for _ in range(count):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect((relay.host, relay.port))
            one.sendall(GREETING)
            self.sockets.append(one)
        self._take(lambda data: data.count(b"\r\n") == 3, "+PONG and two +OK")
        for one in self.sockets:
            one.sendall(resp.encode("PSYNC", replid, offset + 1))
        self._take(lambda data: data.startswith(b"+CONTINUE"), "+CONTINUE", peek=True)

    def _take(self, is_whole, what, peek=False):
        selector = selectors.DefaultSelector()
        seen = {}
        for one in self.sockets:
            one.setblocking(False)
            selector.register(one, selectors.EVENT_READ)
            seen[one] = b""
        while selector.get_map():
            ready = selector.select(wait.limit(20))
            assert ready, f"expected {what} for all, came {list(seen.values())[:3]}"
            for key, _ in ready:
                one = key.fileobj
                data = one.recv(64, socket.MSG_PEEK if peek else 0)
                seen[one] = data if peek else seen[one] + data
                if is_whole(seen[one]):
                    selector.unregister(one)

    def alive(self):
        for one in self.sockets:
            one.send(b"\n")

    def close(self):
        for one in self.sockets:
            one.close()


@pytest.mark.seconds(180)
def test_thousand_replicas(lab):
    hose = Firehose(lab)
    relay = lab.relay(hose.fake, {"relay.threads": "2", **PATIENT}).wait_link()
    bound(relay, 0, "alone")
    crowd = lab.closing(Crowd(relay, 1000))
    wait.equal("attached", lambda: relay.info()["connected_slaves"], 1000)
    bound(relay, 1000, "idle")
    hose.flow(64)
    wait.equal("received", lambda: relay.info()["slave_repl_offset"], hose.sent)
    bound(relay, 1000, "64 MB behind, all of them")
    crowd.alive()
    assert relay.info()["connected_slaves"] == 1000


@pytest.mark.seconds(240)
def test_window_of_several_gigabytes(lab):
    """Fifty that read nothing, and a window far larger than memory would allow."""
    hose = Firehose(lab)
    relay = lab.relay(
        hose.fake,
        {
            "store.segment-size": "64mb",
            "store.repl-backlog-size": "4gb",
            "store.repl-backlog-max-size": "8gb",
            "store.fsync": "no",
            **PATIENT,
        },
    ).wait_link()
    reader = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    assert reader.psync(fake_primary.REPLID, 1)[0] == "+CONTINUE"
    crowd = lab.closing(Crowd(relay, 50))
    for gigabyte in range(3):
        hose.flow(1024)
        wait.equal("received", lambda: relay.info()["slave_repl_offset"], hose.sent, seconds=60)
        crowd.alive()
        bound(relay, 51, f"{gigabyte + 1} GB of window")
    assert relay.info()["connected_slaves"] == 51
    assert relay.info()["repl_backlog_histlen"] == hose.sent
    assert reader.take(100).startswith(b"*3\r\n$3\r\nSET\r\n")
    relay.restart(kill=True).wait_link()
    proven = "all of it is proven, behind the link's back"
    wait.equal(proven, lambda: relay.info()["repl_backlog_histlen"], hose.sent, seconds=60)
    bound(relay, 0, "started on 3 GB")
