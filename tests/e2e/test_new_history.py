# SPDX-License-Identifier: MIT
"""The origin has another history: until its RDB is whole the old one is served, as if nothing were."""

import threading

import pytest

import crc64
import fake_primary
import psync_client
import wait
from fake_primary import REPLID

OTHER = "f" * 40
OLD = crc64.rdb([(b"old:%d" % i, b"v" * 900) for i in range(300)])
NEW = crc64.rdb([(b"new:%d" % i, b"w" * 900) for i in range(300)])
SET = fake_primary.command("SET", "k", "v" * 500)


class Origin:
    """Each connection plays the next act; an act sends what it likes and then waits to be ended."""

    def __init__(self, lab, *acts):
        self.acts = acts
        self.peers = []
        self.ends = [threading.Event() for _ in acts]
        self.fake = lab.fake_primary(self._script)

    def _script(self, peer):
        words = peer.greet()
        if peer.number >= len(self.acts):
            return
        self.acts[peer.number](peer, words)
        self.peers.append(peer)
        assert self.ends[peer.number].wait(wait.limit(60))

    def wait_act(self, number):
        wait.until(f"act {number}", lambda: len(self.peers), lambda n: n > number)
        return self.peers[number]

    def end_act(self, number):
        self.ends[number].set()


def whole(rdb, replid, offset=0):
    def act(peer, _):
        peer.send_full(rdb, offset, replid)

    return act


def half(peer, _):
    """A new history, of which half comes."""
    peer.send(f"+FULLRESYNC {OTHER} 7000\r\n$%d\r\n".encode() % len(NEW))
    peer.send(NEW[: len(NEW) // 2])


def goes_on(peer, words):
    """The old one again."""
    assert words[:2] == ["PSYNC", REPLID]
    peer.send(b"+CONTINUE " + REPLID.encode() + b"\r\n")


def wait_half(relay):
    """As much of the new one has come as comes."""
    wait.until(
        "half of the new RDB is there",
        lambda: relay.info("store")["next_history_snapshot"]["bytes"],
        lambda count: count >= len(NEW) // 2,
    )


def expect_old_is_served(lab, relay, stream):
    """Partial from anywhere, and full: its id, its RDB, its stream."""
    info = relay.info("everything")
    assert info["master_replid"] == REPLID
    assert (info["history"], info["history_number"]) == ("current", 1)
    for offset in (0, len(SET), len(stream)):
        with psync_client.PsyncClient(relay.port).handshake() as client:
            assert client.psync(REPLID, offset + 1) == ["+CONTINUE", REPLID]
            assert client.stream_to(len(stream)) == stream[offset:]
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.full_sync() == OLD
        assert (client.replid, client.offset) == (REPLID, 0)
        client.ack()
        assert client.stream_to(len(stream)) == stream


@pytest.mark.threads
def test_old_is_served_until_the_new_is_whole(lab):
    rest = threading.Event()

    def slow(peer, words):
        half(peer, words)

        def finish():
            if rest.wait(wait.limit(60)):
                peer.send(NEW[len(NEW) // 2 :])

        threading.Thread(target=finish, daemon=True).start()

    origin = Origin(lab, whole(OLD, REPLID), slow)
    relay = lab.relay(origin.fake).wait_link()
    stream = SET * 20
    origin.wait_act(0).send(stream)
    wait.equal("received", relay.offset, len(stream))
    steady = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    steady.chatter(lambda client: client.ack())
    assert steady.psync(REPLID, 1)[0] == "+CONTINUE"
    assert steady.stream_to(len(stream)) == stream

    origin.end_act(0)
    origin.wait_act(1)
    wait_half(relay)
    expect_old_is_served(lab, relay, stream)
    wait.stays(
        "the steady one is left alone",
        lambda: relay.info("stats")["closed_replaced"],
        lambda count: count == 0,
        seconds=1.5,
    )
    assert relay.info("store")["next_history_number"] == 2

    rest.set()
    wait.equal("the new one", lambda: relay.info("replication")["master_replid"], OTHER)
    with pytest.raises((EOFError, OSError)):
        steady.take(1)
    # Its worker has closed it, and tells the thread that counts.
    wait.equal("counted", lambda: relay.info("stats")["closed_replaced"], 1)
    relay.wait_log(r"closed reason=replaced")
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.psync(REPLID, len(stream) + 1)[0] == "+FULLRESYNC", "it comes back"
        assert (client.replid, client.offset) == (OTHER, 7000)
        assert client.read_rdb() == NEW
    wait.equal("the old one is gone", lambda: [p.name for p in relay.histories()], ["history-2"])
    origin.end_act(1)


@pytest.mark.threads
def test_an_origin_that_dies_half_way_costs_the_time(lab):
    origin = Origin(lab, whole(OLD, REPLID), half, half, goes_on)
    relay = lab.relay(origin.fake).wait_link()
    stream = SET * 20
    origin.wait_act(0).send(stream)
    wait.equal("received", relay.offset, len(stream))
    steady = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    steady.chatter(lambda client: client.ack())
    assert steady.psync(REPLID, 1)[0] == "+CONTINUE"
    assert steady.stream_to(len(stream)) == stream

    origin.end_act(0)
    for act in (1, 2):
        origin.wait_act(act)
        wait_half(relay)
        expect_old_is_served(lab, relay, stream)
        origin.end_act(act)
        relay.wait_log(r"state=loading->resting")
        expect_old_is_served(lab, relay, stream)
    origin.wait_act(3)
    wait.equal("nothing is left of it", lambda: [p.name for p in relay.histories()], ["history-1"])
    relay.wait_link()
    origin.peers[3].send(SET)
    assert steady.stream(len(SET)) == SET, "the same connection, the next byte"
    expect_old_is_served(lab, relay, stream + SET)
    assert relay.info("stats")["closed_replaced"] == 0
    assert relay.info("relay")["upstream_full_syncs"] == 3
    origin.end_act(3)


def test_half_of_it_and_then_the_relay_dies(lab):
    """Killed in the middle of a new history: the old one is there at the next start."""
    origin = Origin(lab, whole(OLD, REPLID), half, goes_on)
    relay = lab.relay(origin.fake).wait_link()
    stream = SET * 20
    origin.wait_act(0).send(stream)
    wait.equal("received", relay.offset, len(stream))
    origin.end_act(0)
    origin.wait_act(1)
    wait_half(relay)
    relay.restart(kill=True)
    expect_old_is_served(lab, relay, stream)
    origin.end_act(1)
    origin.wait_act(2)
    origin.end_act(2)
