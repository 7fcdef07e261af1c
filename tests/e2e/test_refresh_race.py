# SPDX-License-Identifier: MIT
"""An RDB and the stream come on two connections, and neither waits for the other."""

import os
import threading

import pytest

import crc64
import fake_primary
import psync_client
import wait
from fake_primary import REPLID

RDB = crc64.rdb([(b"key:%d" % i, b"v" * 900) for i in range(300)])
FRESH = crc64.rdb([(b"fresh:%d" % i, b"w" * 900) for i in range(300)])
PIECE = fake_primary.command("SET", "k", os.urandom(20_000))
SETTINGS = {
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "256kb",
    "store.repl-backlog-max-size": "512kb",
    "store.snapshot": "on-demand",
}


class Origin:
    """Streams on the first connection; each that fetches an RDB is handed to `fetches`."""

    def __init__(self, lab, fetches):
        self.link = None
        self.sent = 0
        self.fetches = fetches
        self.fetched = 0
        self.fake = lab.fake_primary(self._script)

    def _script(self, peer):
        peer.greet()
        if self.link is None:
            self.link = peer  # before the relay can have its answer
            peer.send_full(RDB)
            peer.hold()
        number, self.fetched = self.fetched, self.fetched + 1
        self.fetches[number](self, peer)

    def stream(self, pieces=1):
        for _ in range(pieces):
            self.link.send(PIECE)
            self.sent += len(PIECE)


def begin(lab, *fetches):
    """A relay whose window has left its only snapshot behind."""
    origin = Origin(lab, fetches)
    relay = lab.relay(origin.fake, SETTINGS).wait_link()
    origin.stream(30)
    wait.equal("all is there", relay.offset, origin.sent)
    wait.equal("none is usable", lambda: use_of(relay), "behind_window")
    return origin, relay


def use_of(relay):
    return relay.info("store")["snapshot_state"]


def ask(lab, relay, capa=("eof", "psync2")):
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake(capa=capa)
    client.send(b"PSYNC ? -1\r\n")
    return client


@pytest.mark.threads
def test_ahead_of_the_stream_waits_for_it(lab):
    """The RDB was taken of what the stalled stream has not brought yet: nobody gets it before."""

    def fetch(origin, peer):
        peer.send_full(FRESH, offset=origin.sent + 2 * len(PIECE))
        peer.hold()

    origin, relay = begin(lab, fetch)
    client = ask(lab, relay)
    wait.equal("there, and ahead", lambda: use_of(relay), "ahead_of_stream")
    line = relay.info("store")["snapshot0"]
    assert (line["usable"], line["state"]) == ("no", "complete")
    client.socket.settimeout(wait.limit(20))
    assert client.take(1) == b"\n", "it is held"
    x = line["offset"]
    origin.stream()
    wait.equal("received", relay.offset, origin.sent)
    wait.stays("not yet", lambda: use_of(relay), lambda use: use == "ahead_of_stream", seconds=0.5)
    origin.stream()
    assert client.psync_reply() == ["+FULLRESYNC", REPLID, str(x)]
    assert client.read_rdb() == FRESH
    client.ack()
    origin.stream()
    assert client.stream(len(PIECE)) == PIECE
    assert origin.fetched == 1
    assert relay.info("relay")["upstream_refresh0"]["outcome"] == "complete"


@pytest.mark.threads
def test_behind_the_window_is_fetched_once_more(lab):
    """So much is written while it comes that its stream is gone when it is complete."""
    half_way = threading.Event()
    go_on = threading.Event()

    def too_slow(origin, peer):
        peer.send(f"+FULLRESYNC {REPLID} {origin.sent}\r\n".encode())
        peer.send(b"$EOF:" + fake_primary.MARK + b"\r\n" + FRESH[:1000])
        half_way.set()
        assert go_on.wait(wait.limit(30))
        peer.send(FRESH[1000:] + fake_primary.MARK)
        peer.hold()

    def quick(origin, peer):
        peer.send_full(FRESH, offset=origin.sent)
        peer.hold()

    origin, relay = begin(lab, too_slow, quick)
    client = ask(lab, relay, capa=("psync2",))  # it cannot be given what has no length yet
    assert half_way.wait(wait.limit(20))
    x = origin.sent
    origin.stream(40)
    wait.until("left behind", lambda: relay.info("store")["window_first_offset"], lambda n: n > x)
    go_on.set()
    relay.wait_log(r"the window has left the snapshot behind while it came")
    assert client.psync_reply() == ["+FULLRESYNC", REPLID, str(origin.sent)]
    assert client.read_rdb() == FRESH
    client.ack()
    origin.stream()
    assert client.stream(len(PIECE)) == PIECE
    assert origin.fetched == 2
    info = relay.info("relay")
    assert info["upstream_refresh0"]["outcome"] == "complete"
    assert info["upstream_refresh0"]["cause"] == "a replica waits for it"
    assert info["upstream_refresh1"]["outcome"] == "behind_window"
    assert info["upstream_refresh1"]["offset"] == x
    assert info["upstream_attempts"] == 1, "the link was left alone"
