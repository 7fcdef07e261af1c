# SPDX-License-Identifier: MIT
"""What the relay acknowledges, and when."""

import threading
import time

import crc64
import load
import resp
import wait
from fake_primary import MARK, REPLID


ATTEMPTS = 3


def test_wait_at_the_origin(lab, kind):
    """WAIT counts the relay, and does not have to wait for the next second to do so."""
    origin = lab.origin(kind)
    relay = lab.relay(origin).wait_link()
    lab.replica(relay, kind).wait_online()
    client = origin.client()
    times = []
    for number in range(10):
        client.set("key", number)
        started = time.monotonic()
        assert client.wait(1, int(wait.limit(5) * 1000)) == 1
        times.append(time.monotonic() - started)
    assert sorted(times)[5] < wait.limit(0.3), f"GETACK is answered at once: {times}"


def test_origin_sees_no_lag(lab):
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    load.fill(origin, rounds=5, seed=3)
    end = origin.offset()
    wait.until(
        "the primary's view of the relay",
        lambda: origin.info()["slave0"],
        lambda line: line["offset"] >= end and line["lag"] <= 1,
    )
    line = origin.info()["slave0"]
    assert line["port"] == relay.port
    assert line["state"] == "online"


def test_ack_only_at_boundaries(lab):
    """Half a command, an open MULTI: the acknowledged offset stays before them."""
    rdb = crc64.rdb([(b"k", b"v")])
    whole = resp.encode("SELECT", 0) + resp.encode("SET", "a", "1")
    pieces = [
        (whole, len(whole)),
        (resp.encode("SET", "half", "x" * 100)[:50], 0),
        (resp.encode("SET", "half", "x" * 100)[50:], len(resp.encode("SET", "half", "x" * 100))),
        (resp.encode("MULTI"), 0),
        (resp.encode("SET", "b", "2"), 0),
        (
            resp.encode("EXEC"),
            len(resp.encode("MULTI") + resp.encode("SET", "b", "2") + resp.encode("EXEC")),
        ),
    ]
    seen = []

    def script(peer):
        peer.greet()
        peer.send_full(rdb, offset=1000)
        offset = 1000
        assert peer.wait_ack() == offset
        for data, advance in pieces:
            peer.send(data)
            offset += advance
            ack = peer.wait_ack()
            while ack < offset:  # said before the piece came
                ack = peer.wait_ack()
            # Two more: what the piece must not have moved is not moved by the next second either.
            seen.append((offset, [peer.wait_ack(), peer.wait_ack()][1]))
        peer.hold()

    primary = lab.fake_primary(script)
    lab.relay(primary)
    wait.until(
        "all pieces acknowledged", lambda: primary.failures or len(seen) == len(pieces), seconds=40
    )
    assert [ack for _, ack in seen] == [offset for offset, _ in seen]


def test_getack_inside_a_value_is_data(lab):
    """GETACK is a command of the stream, not a pattern in it; and may come in any pieces."""
    getack = resp.encode("REPLCONF", "GETACK", "*")
    trap = resp.encode("SET", "trap", getack * 100)
    sent = 0
    after_trap, after_getack, wrong = [], [], []

    def measure(peer, pieces, times):
        """How long after the pieces the next acknowledgement comes. One that was under way would come at once."""
        nonlocal sent
        peer.wait_ack()
        for piece in pieces:
            peer.send(piece)
            sent += len(piece)
        started = time.monotonic()
        offset = peer.wait_ack()
        times.append(time.monotonic() - started)
        if offset > sent:
            wrong.append((offset, sent))

    def script(peer):
        peer.greet()
        peer.send_full(crc64.rdb(), offset=0)
        for _ in range(ATTEMPTS):
            measure(peer, [trap], after_trap)
        for _ in range(ATTEMPTS):
            measure(peer, [bytes([byte]) for byte in getack], after_getack)
        while peer.wait_ack() < sent:
            pass
        done.set()
        peer.hold()

    done = threading.Event()
    primary = lab.fake_primary(script)
    lab.relay(primary)
    wait.until("all is answered", lambda: primary.failures or done.is_set(), seconds=40)
    # A machine that stands still for a moment spoils an attempt, not all of them.
    assert max(after_trap) > 0.5, f"a value that speaks of GETACK was taken for one: {after_trap}"
    assert min(after_getack) < 0.4, f"GETACK is answered at once: {after_getack}"
    assert not wrong


def test_ack_each_second(lab):
    def script(peer):
        peer.greet()
        peer.send_full(crc64.rdb(), offset=7)
        peer.hold()

    primary = lab.fake_primary(script)
    lab.relay(primary)
    wait.until("five acknowledgements", primary.acks, lambda acks: len(acks) >= 5, seconds=15)
    times = [at for at, _ in primary.acks()]
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    assert gaps[len(gaps) // 2] < wait.limit(1.3), gaps
    assert {offset for _, offset in primary.acks()} == {7}


def test_eof_mark_in_pieces(lab):
    """The mark byte by byte; no stream until the first ACK, and early ACKs are lost."""
    rdb = crc64.rdb([(b"key", b"m" * 50 + MARK[:39])])  # data that looks like the mark, nearly
    stream = resp.encode("SELECT", 0) + resp.encode("SET", "after", "the mark")
    acks = []

    def script(peer):
        peer.greet()
        peer.send(f"\n\n+FULLRESYNC {REPLID} 100\r\n".encode())
        for byte in b"$EOF:" + MARK + b"\r\n":
            peer.send(bytes([byte]))
        for byte in rdb + MARK:
            peer.send(bytes([byte]))
        acks.extend(peer.wait_ack() for _ in range(3))  # two are lost
        peer.send(stream)
        peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary)
    replica = lab.replica(relay).wait_online()
    wait.equal("the stream arrives", lambda: replica.client().get("after"), b"the mark")
    assert acks == [100, 100, 100]
    assert replica.client().get("key") == b"m" * 50 + MARK[:39]
    first_acks = [at for at, _ in primary.acks()][:2]
    assert first_acks[1] - first_acks[0] < wait.limit(5)


def test_handshake_as_real_servers_expect_it(lab):
    """One option a command, PSYNC alone, nothing but ACKs after it."""

    def script(peer):
        peer.greet()
        peer.send_full(crc64.rdb(), offset=7)
        peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(
        primary,
        {"upstream.replica-announce-ip": "10.1.2.3", "upstream.replica-announce-port": "6399"},
    )
    relay.wait_link()
    wait.until("two acknowledgements", lambda: len(primary.acks()) >= 2)
    said = [words for _, _, words in primary.said]
    lowered = [[word.lower() for word in words] for words in said]
    assert lowered[0] == ["ping"]
    assert ["replconf", "listening-port", "6399"] in lowered
    assert ["replconf", "ip-address", "10.1.2.3"] in lowered
    assert any(words[:5] == ["replconf", "capa", "eof", "capa", "psync2"] for words in lowered)
    assert ["replconf", "version", "7.2.0"] in lowered, "what most replicas can read, while none is known"
    at = lowered.index(["psync", "?", "-1"])
    assert all(words[:2] == ["replconf", "ack"] for words in lowered[at + 1 :])
