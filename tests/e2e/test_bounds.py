# SPDX-License-Identifier: MIT
"""What one connection can make the relay hold, and for how long: before it has authenticated, and after."""

import socket
import ssl
import time

import pytest

import certificates
import load
import resp
import wait

PASSWORD = "sesame"
KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE
STRANGER_SECONDS = 10


@pytest.fixture
def relay(lab):
    """With a password, and a good replica that is well afterwards too."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    thing = lab.relay(origin, {"downstream.requirepass": PASSWORD}).wait_link()
    replica = lab.replica(thing, masterauth=PASSWORD).wait_online()
    yield thing
    load.fill(origin, rounds=5, seed=3)
    wait.until("the replica keeps up", lambda: replica.offset() >= origin.offset())
    assert replica.full_syncs() == 1
    assert "Connection with master lost" not in replica.log()


def friend(relay, **options):
    connection = resp.Connection(relay.port, **options)
    assert connection.command("AUTH", PASSWORD) == "OK"
    return connection


def pour(connection, piece, bytes_max):
    """Sends over and over, reading nothing, until the relay takes no more; what it took, in bytes."""
    connection.socket.settimeout(1)
    taken = 0
    try:
        while taken < bytes_max:
            taken += connection.socket.send(piece)
    except OSError:
        pass
    return taken


# --- strangers -----------------------------------------------------------------------------------


def test_who_does_not_authenticate_has_ten_seconds(lab, relay, tmp_path):
    """Whatever it says meanwhile; and those who have, stay."""
    papers = certificates.Papers(tmp_path / "papers")
    papers.authority("ca")
    papers.issue("ca", "relay")
    papers.issue("ca", "client")
    settings = {**papers.downstream("relay"), "downstream.requirepass": PASSWORD}
    secured = lab.relay(lab.origin(name="other"), settings, name="secured")

    context = ssl.create_default_context(cafile=papers.certificate("ca"))
    context.load_cert_chain(papers.certificate("client"), papers.key("client"))
    start = time.monotonic()
    known = friend(relay)
    silent, refused, trickling = (resp.Connection(relay.port) for _ in range(3))
    tls = context.wrap_socket(
        socket.create_connection(("127.0.0.1", secured.settings["downstream.tls-port"])),
        server_hostname="localhost",
    )
    assert "NOAUTH" in str(refused.command("PING"))
    trickling.send(b"*2\r\n$4\r\nAU")
    for stranger in (silent, refused, trickling):
        assert stranger.is_closed()
    tls.settimeout(wait.limit(20))
    assert tls.recv(1) == b""
    assert time.monotonic() - start >= STRANGER_SECONDS
    for thing, count in ((relay, 3), (secured, 1)):
        wait.equal("counted", lambda thing=thing: thing.info("stats")["closed_unauthenticated"], count)
    relay.wait_log("closed reason=unauthenticated .*: it did not authenticate in time")
    assert known.command("PING") == "PONG"


LONG = {
    "many arguments": (b"*11\r\n", "unauthenticated multibulk length"),
    "a long argument": (b"*2\r\n$4\r\nAUTH\r\n$8193\r\n", "unauthenticated bulk length"),
    "a long line": (b"AUTH " + b"x" * 9 * KILOBYTE, "too big inline request"),
    "a long number": (b"*" + b"1" * 9 * KILOBYTE, "too big mbulk count string"),
}


@pytest.mark.parametrize("what", LONG)
def test_what_a_stranger_may_not_say(relay, what):
    said, words = LONG[what]
    with resp.Connection(relay.port) as stranger:
        stranger.send(said)
        assert stranger.reply() == resp.Error(f"ERR Protocol error: {words}")
        assert stranger.is_closed()


def test_the_longest_password_can_be_said(lab):
    longest = "p" * 4000
    relay = lab.relay(lab.origin(), {"downstream.requirepass": longest})
    with resp.Connection(relay.port) as client:
        words = ("HELLO", 3, "AUTH", "default", longest, "SETNAME", "me")
        client.send(resp.encode(*words) + resp.encode("ECHO", "x" * 60 * KILOBYTE))
        assert client.reply()["proto"] == 3
        assert len(client.reply()) == 60 * KILOBYTE


def test_strangers_are_cheap(relay):
    """Hundreds of them, each with as much as it can get in: half a command, or refusals that it does
    not read."""
    before = relay.rss_bytes()
    half = b"*2\r\n$4\r\nAUTH\r\n$8000\r\n" + b"x" * 7990
    strangers = [resp.Connection(relay.port, receive_buffer=4096) for _ in range(200)]
    for stranger in strangers:
        stranger.send(half)
    readers = [resp.Connection(relay.port, receive_buffer=4096) for _ in range(20)]
    for reader in readers:
        pour(reader, b"x\r\n" * 1000, 64 * KILOBYTE)
    assert relay.client().ping()
    grown = relay.memory_grown(before)
    print(f"{len(strangers) + len(readers)} strangers: {grown} bytes")
    assert grown < (len(strangers) + len(readers)) * 32 * KILOBYTE
    for stranger in strangers + readers:
        stranger.close()


# --- those who have authenticated ----------------------------------------------------------------


@pytest.mark.parametrize("command", [("INFO",), ("COMMAND", "DOCS"), ("CONFIG", "GET", "*")])
def test_replies_that_nobody_reads(relay, command):
    """What waits is a megabyte and one reply; then the client is not read from either."""
    before = relay.rss_bytes()
    piece = resp.encode(*command) * 1000
    with friend(relay, receive_buffer=4096) as client:
        taken = pour(client, piece, 64 * MEGABYTE)
        assert taken < 64 * MEGABYTE
        assert relay.client().ping()
        assert relay.memory_grown(before) < 8 * MEGABYTE
        # Whoever reads again gets all of it, in order.
        client.socket.settimeout(wait.limit(20))
        whole, rest = divmod(taken, len(resp.encode(*command)))
        for _ in range(min(whole, 200)):
            assert client.reply()


def test_long_replies_at_once_have_an_end(relay):
    """Sixteen megabytes of them, from commands that run together, are more than anybody is given."""
    others = [friend(relay) for _ in range(500)]
    before = relay.rss_bytes()
    with friend(relay) as client:
        client.send(resp.encode("MULTI") + resp.encode("CLIENT", "LIST") * 256)
        assert [client.reply() for _ in range(257)] == ["OK"] + ["QUEUED"] * 256
        client.send(resp.encode("EXEC"))
        assert client.is_closed()
    wait.equal("counted", lambda: relay.info("stats")["closed_overflow"], 1)
    assert relay.memory_grown(before) < 32 * MEGABYTE
    for other in others:
        other.close()


def test_a_subscriber_that_does_not_read(relay):
    """Is closed when more than a megabyte waits; the others hear everything."""
    before = relay.rss_bytes()
    deaf = [friend(relay, receive_buffer=4096) for _ in range(3)]
    good = friend(relay)
    for subscriber in (*deaf, good):
        assert subscriber.command("SUBSCRIBE", "news")[2] == 1
    message = "n" * 32 * KILOBYTE
    count = 0
    with friend(relay) as speaker:
        heard = 4
        while heard > 1 and count < 2000:
            heard = speaker.command("PUBLISH", "news", message)
            assert len(good.reply()[2]) == len(message)
            count += 1
    assert heard == 1, "those who do not read were not closed"
    assert relay.memory_grown(before) < 3 * 4 * MEGABYTE
    wait.equal("closed", lambda: relay.info("stats")["closed_overflow"], len(deaf))
    for subscriber in (*deaf, good):
        subscriber.close()


def test_subscriptions_have_an_end(relay):
    with friend(relay) as client:
        client.command("HELLO", 3)
        for kind in ("SUBSCRIBE", "PSUBSCRIBE"):
            for number in range(256):
                assert isinstance(client.command(kind, f"channel-{number}"), list)
            assert isinstance(client.command(kind, "one-more"), resp.Error)
            assert isinstance(client.command(kind, "x" * 513), resp.Error)


@pytest.mark.parametrize("size, count", [(10, 256), (60 * KILOBYTE, 4)])
def test_a_queue_of_commands_has_an_end(relay, size, count):
    """256 commands, or 256 KB; and one more spoils it."""
    before = relay.rss_bytes()
    with friend(relay) as client:
        assert client.command("MULTI") == "OK"
        for _ in range(count):
            assert client.command("ECHO", "e" * size) == "QUEUED"
        for _ in range(100):
            refusal = client.command("ECHO", "e" * size)
            assert "holds at most 256 commands with 262144 bytes" in str(refusal)
        assert "EXECABORT" in str(client.command("EXEC"))
    assert relay.memory_grown(before) < 4 * MEGABYTE


def test_a_command_of_the_greatest_length(relay):
    before = relay.rss_bytes()
    with friend(relay) as client:
        assert len(client.command("ECHO", "x" * 65_000)) == 65_000
        client.send(b"*1\r\n$65536\r\n")
        assert client.reply() == resp.Error("ERR Protocol error: invalid bulk length")
        assert client.is_closed()
    with friend(relay) as client:
        client.send(b"*1025\r\n")
        assert client.reply() == resp.Error("ERR Protocol error: invalid multibulk length")
    assert relay.memory_grown(before) < 4 * MEGABYTE
