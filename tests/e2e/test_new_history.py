# SPDX-License-Identifier: MIT
"""The origin has another history: until its RDB is whole the old one is served to those who have it, and the relay
says so; who needs a full sync waits for the new one, or takes it as it comes."""

import threading
import time

import pytest

import crc64
import fake_primary
import psync_client
import wait
import web
from fake_primary import REPLID

OTHER = "f" * 40
OLD = crc64.rdb([(b"old:%d" % i, b"v" * 900) for i in range(300)])
NEW = crc64.rdb([(b"new:%d" % i, b"w" * 900) for i in range(300)])
SET = fake_primary.command("SET", "k", "v" * 500)
SERVE_OLD = {"downstream.serve-old-history": "yes"}


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


def begin_with_steady(lab, origin):
    """(relay, steady, stream): the relay has the old history, and a replica that has all of it."""
    relay = lab.relay(origin.fake, dict(SERVE_OLD)).wait_link()
    stream = SET * 20
    origin.wait_act(0).send(stream)
    wait.equal("received", relay.offset, len(stream))
    steady = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    steady.chatter(lambda client: client.ack())
    assert steady.psync(REPLID, 1)[0] == "+CONTINUE"
    assert steady.stream_to(len(stream)) == stream
    return relay, steady, stream


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
    relay, steady, stream = begin_with_steady(lab, origin)
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


def begins_a_new_one(lab, *more, settings=None):
    """(relay, origin, stream): the old history was received, and half of the RDB of a new one is there."""
    origin = Origin(lab, whole(OLD, REPLID), half, *more)
    relay = lab.relay(origin.fake, settings, http=True).wait_link()
    stream = SET * 20
    origin.wait_act(0).send(stream)
    wait.equal("received", relay.offset, len(stream))
    assert web.ask(relay, "/readyz")[0] == 200
    origin.end_act(0)
    origin.wait_act(1)
    wait_half(relay)
    return relay, origin, stream


def looks(relay):
    """(INFO, /status.json, /metrics, /readyz) of now."""
    return relay.info(), web.status(relay), web.metrics(relay), web.ask(relay, "/readyz")


def test_it_says_what_it_serves(lab):
    """As a server in a full sync; and that what it serves is old, for how long."""
    relay, origin, _ = begins_a_new_one(lab, goes_on)
    wait.until("some seconds", lambda: relay.info()["serving_old_history_since_seconds"] >= 1)
    info, status, metrics, ready = looks(relay)
    assert (info["master_link_status"], info["master_sync_in_progress"]) == ("down", 1)
    assert info["master_link_down_since_seconds"] >= 0
    assert info["serving_old_history"] == 1
    assert not status["upstream"]["up"] and status["upstream"]["old_history_seconds"] >= 1
    assert "old_history" in [finding["name"] for finding in status["findings"]]
    assert metrics["psync_relay_link_up"] == metrics["psync_relay_ready"] == 0
    assert metrics["psync_relay_old_history_seconds"] >= 1
    assert ready[0] == 503 and "old history" in ready[2]

    relay.set("serve-old-history", "yes")
    assert web.ask(relay, "/readyz")[0] == 200, "the operator has chosen to serve it"
    relay.set("serve-old-history", "no")

    origin.end_act(1)
    relay.wait_log(r"state=loading->retrying")
    relay.wait_link()
    info, status, metrics, ready = looks(relay)
    assert info["serving_old_history"] == 0 and "serving_old_history_since_seconds" not in info
    assert status["upstream"]["up"] and status["upstream"]["old_history_seconds"] is None
    assert metrics["psync_relay_link_up"] == metrics["psync_relay_ready"] == 1
    assert metrics["psync_relay_old_history_seconds"] == 0
    assert ready[0] == 200
    origin.end_act(2)


def test_newcomers_get_the_new_one_alone(lab):
    """One full sync, of the RDB as it comes; and who can go on with the old one does."""
    relay, origin, stream = begins_a_new_one(lab)
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.psync(REPLID, 1) == ["+CONTINUE", REPLID]
        assert client.stream_to(len(stream)) == stream
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.psync() == ["+FULLRESYNC", OTHER, "7000"]
        origin.peers[1].send(NEW[len(NEW) // 2 :] + SET)
        assert client.read_rdb() == NEW
        client.ack()
        assert client.stream_to(7000 + len(SET)) == SET
    assert relay.syncs()[0] == 1
    origin.end_act(1)


def test_newcomers_wait_when_the_new_one_breaks_off(lab):
    """They are kept alive until it comes again, or for repl-timeout; then what there is is better than nothing."""
    relay, origin, stream = begins_a_new_one(lab, settings={"downstream.repl-timeout": "3"})
    origin.end_act(1)
    relay.wait_log(r"state=loading->retrying")
    with psync_client.PsyncClient(relay.port).handshake() as client:
        began = time.monotonic()
        assert client.psync() == ["+FULLRESYNC", REPLID, "0"]
        assert time.monotonic() - began > 1
        assert client.read_rdb() == OLD
        client.ack()
        assert client.stream_to(len(stream)) == stream
    assert relay.info()["serving_old_history"] == 1


@pytest.mark.threads
def test_an_origin_that_dies_half_way_costs_the_time(lab):
    origin = Origin(lab, whole(OLD, REPLID), half, half, goes_on)
    relay, steady, stream = begin_with_steady(lab, origin)
    origin.end_act(0)
    for act in (1, 2):
        origin.wait_act(act)
        wait_half(relay)
        expect_old_is_served(lab, relay, stream)
        origin.end_act(act)
        relay.wait_log(r"state=loading->retrying")
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
    relay = lab.relay(origin.fake, dict(SERVE_OLD)).wait_link()
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


def link_fields(server):
    info = server.info("replication")
    return {
        "status": info["master_link_status"],
        "in progress": info["master_sync_in_progress"],
        "tells since when": "master_link_down_since_seconds" in info,
    }


def test_a_full_sync_is_told_as_a_replica_tells_it(lab, kind):
    """What Sentinels go by: neither sooner nor later than a real replica of the same origin."""
    origin = lab.origin(kind)
    origin.client().mset({f"k{number}": number for number in range(10)})
    relay, replica = lab.relay(origin).wait_link(), lab.replica(origin, kind).wait_online()
    up = {"status": "up", "in progress": 0, "tells since when": False}
    wait.equal("the relay", lambda: link_fields(relay), up)
    assert link_fields(replica) == up

    syncing = {"status": "down", "in progress": 1, "tells since when": True}
    with origin.client() as client:
        client.config_set("rdb-key-save-delay", 400_000)
        client.execute_command("DEBUG", "CHANGE-REPL-ID")
        client.client_kill_filter(_type="slave")
        wait.equal("the replica", lambda: link_fields(replica), syncing)
        wait.equal("the relay", lambda: link_fields(relay), syncing)
        client.config_set("rdb-key-save-delay", 0)
    wait.equal("the replica", lambda: link_fields(replica), up, seconds=30)
    wait.equal("the relay", lambda: link_fields(relay), up, seconds=30)
