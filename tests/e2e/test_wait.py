# SPDX-License-Identifier: MIT
"""Confirmed writes: what a client's WAIT at the primary, and at the relay, may rely on."""

import contextlib
import threading
import time

import pytest
import redis

import digest
import load
import psync_client
import relay as relay_module
import resp
import slow_disk
import wait

NO_MS = int(wait.limit(0.25) * 1000)  # long enough for a yes; a no takes all of it
YES_MS = int(wait.limit(10) * 1000)


def write_and_wait(origin, milliseconds, numreplicas=1):
    """On one connection, as WAIT is about the writes of its own."""
    with resp.Connection(origin.port, seconds=30) as client:
        assert client.command("INCR", "confirmed") > 0
        return client.command("WAIT", numreplicas, milliseconds)


def expect(origin, answer):
    """Asks as long as it takes for a 1, and gives a 0 time to become one."""
    assert write_and_wait(origin, YES_MS if answer else NO_MS) == answer


@contextlib.contextmanager
def paused(*things):
    for thing in things:
        thing.pause()
    yield
    for thing in things:
        thing.resume()


@contextlib.contextmanager
def waiting(origin, milliseconds=YES_MS):
    """A write that waits meanwhile; afterwards answers[0] is what its WAIT said, and when."""
    answers = []

    def run():
        answers.append((write_and_wait(origin, milliseconds), time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    wait.until("it waits", lambda: origin.info("clients")["blocked_clients"] == 1)
    yield answers
    thread.join()


def start(lab, kind="redis-7.0", count=3, **settings):
    """No key of it expires: the stream stands still when nobody writes, but for PINGs."""
    origin = lab.origin(kind, name="origin")
    load.populate(origin, 1)
    relay = lab.relay(origin, {f"upstream.{key}": value for key, value in settings.items()})
    relay.wait_link()
    replicas = [lab.replica(relay, kind, name=f"replica-{n}").wait_online() for n in range(count)]
    return origin, relay, replicas


# How many of three replicas are paused: is a write confirmed?
HOLDS = {
    "received": [1, 1, 1, 1],
    "replicas 1": [1, 1, 1, 0],
    "replicas 2": [1, 1, 0, 0],
    "replicas 3": [1, 0, 0, 0],
    "replicas 4": [0, 0, 0, 0],
    "all": [1, 0, 0, 0],
}


@pytest.mark.parametrize("rule", HOLDS)
def test_a_write_is_confirmed_when_the_rule_holds(lab, rule):
    origin, _, replicas = start(lab, ack=rule)
    for stopped in (0, 3, 2, 1, 0):
        with paused(*replicas[:stopped]):
            expect(origin, HOLDS[rule][stopped])
    digest.compare(origin, replicas)


@pytest.mark.threads
def test_resumed_replica_confirms_at_once(lab, kind):
    """The WAIT that is under way is answered when the replica is back, not at the next tick or try."""
    origin, _, replicas = start(lab, kind, ack="replicas 2", count=2)
    with paused(replicas[0]):
        with waiting(origin) as answers:
            wait.stays("nobody is told yes", lambda: answers, lambda seen: not seen, seconds=0.3)
            replicas[0].resume()
            resumed = time.monotonic()
    ((answer, at),) = answers
    assert answer == 1
    assert at - resumed < wait.limit(3)


@pytest.mark.threads
@pytest.mark.parametrize("rule", ["replicas 1", "replicas 2", "all"])
def test_wait_is_a_round_trip(lab, kind, rule):
    """Not a timer's tick: far below the second in which everybody acknowledges anyway."""
    origin, _, _ = start(lab, kind, ack=rule, count=2)
    times = []
    for _ in range(15):
        started = time.monotonic()
        expect(origin, 1)
        times.append(time.monotonic() - started)
    assert sorted(times)[7] < wait.limit(0.25), times


def test_replicas_come_and_go(lab):
    """Who leaves is not counted any more, who comes is; `all` is about those who are known, until they are
    forgotten."""
    origin, relay, (first, second) = start(lab, count=2, ack="replicas 2")
    expect(origin, 1)
    second.kill9()
    wait.equal("one is left", lambda: len(relay.replicas()), 1)
    expect(origin, 0)
    third = lab.replica(relay, name="third").wait_online()
    expect(origin, 1)
    relay.set("ack", "all")
    third.pause()
    expect(origin, 0)
    with waiting(origin) as answers:
        third.kill9()
        wait.equal("it is away", lambda: known(relay), (1, 2))
        assert not answers, "it may be back in a moment"
        assert forget(relay, f"127.0.0.1:{second.port}") == 1
        assert forget(relay, f"127.0.0.1:{third.port}") == 1
    assert answers[0][0] == 1, "the ones that held it up are forgotten"
    second.start().wait_online()
    expect(origin, 1)
    for replica in (first, second):
        assert forget(relay, f"127.0.0.1:{replica.port}") == 1, "when it leaves"
        replica.kill9()
    wait.equal("nobody is left", lambda: len(relay.replicas()), 0)
    expect(origin, 0)


def known(relay):
    """(attached, away)"""
    info = relay.info("relay")
    return info["replicas_known"] - info["replicas_away"], info["replicas_away"]


def forget(relay, who):
    return relay.client().execute_command("RELAY", "FORGET", who)


def disconnect(relay):
    """All replicas at once, as when a switch goes down."""
    relay.client().execute_command("CLIENT", "KILL", "TYPE", "replica")


def test_the_first_one_back_is_not_all(lab, kind):
    origin, relay, (first, second) = start(lab, kind, ack="all", count=2)
    expect(origin, 1)
    with paused(second):
        disconnect(relay)
        first.wait_online()
        wait.equal("one is away", lambda: known(relay), (1, 1))
        with resp.Connection(relay.port) as client:
            client.command("HELLO", 3)
            (away,) = client.command("RELAY", "AWAY")
        assert away["port"] == second.port and 0 < away["forgotten_in"] <= 60
        expect(origin, 0)
    second.wait_online()
    expect(origin, 1)
    relay.set("repl-timeout", "2")
    second.kill9()
    with waiting(origin) as answers:
        pass
    assert answers[0][0] == 1, "repl-timeout has passed"


def test_all_after_a_restart(lab):
    """Nobody knows who was there, for repl-timeout or until somebody says that all are here."""
    origin, relay, replicas = start(lab, ack="all", count=1)
    expect(origin, 1)
    relay.restart(kill=True).wait_link()
    for replica in replicas:
        replica.wait_online()
    assert 0 < relay.info("relay")["replicas_unsure_seconds"] <= 60
    expect(origin, 0)
    with waiting(origin) as answers:
        assert forget(relay, "ALL") == 0
    assert answers[0][0] == 1
    relay.restart().wait_link()
    with waiting(origin) as answers:
        relay.set("repl-timeout", "1")
    assert answers[0][0] == 1


@pytest.mark.threads
def test_one_that_loads_has_nothing_yet(lab):
    origin, relay, _ = start(lab, ack="all", count=1)
    load.populate(origin, 30)
    expect(origin, 1)
    relay.client().execute_command("RELAY", "SNAPSHOT")
    loading = lab.closing(psync_client.PsyncClient(relay.port, receive_buffer=65536))
    assert loading.handshake().psync()[0] == "+FULLRESYNC"
    loading.rdb_header()
    expect(origin, 0)
    with waiting(origin) as answers:
        loading.close()
    assert answers[0][0] == 1, "it never was in sync, and is not missed"


def test_changed_at_run_time(lab, kind):
    origin, relay, replicas = start(lab, kind)
    with paused(*replicas):
        for rule in ("received", "replicas 1", "received", "all", "durable"):
            relay.set("ack", rule)
            assert relay.client().config_get("ack") == {"ack": rule}
            expect(origin, int(rule in ("received", "durable")))
        for bad in ("", "none", "replicas", "replicas 0", "replicas -1", "replicas x", "all 3"):
            with pytest.raises(redis.ResponseError):
                relay.set("ack", bad)
        assert relay.client().config_get("ack") == {"ack": "durable"}
        relay.set("ack", "replicas 3")
        with waiting(origin) as answers:
            relay.set("ack", "received")
        assert answers[0][0] == 1, "who waits is answered by the new rule"


def test_not_confirmed_is_not_lost(lab):
    """An acknowledgement that is held back does not make the primary think that the relay is away."""
    origin, relay, replicas = start(lab, ack="all", count=1)
    origin.client().config_set("repl-timeout", wait.setting(4))
    offsets = []

    def lag():
        line = origin.info()["slave0"]
        offsets.append(line["offset"])
        return line["lag"]

    with paused(*replicas):
        expect(origin, 0)
        wait.stays(
            "the primary hears of the relay",
            lag,
            lambda lag: lag <= wait.limit(3),
            seconds=wait.limit(5),
            every=0.2,
        )
        # What the replica had said before it was stopped may have come with the first of them.
        assert len(set(offsets[-8:])) == 1 and offsets[-1] < origin.offset(), "and of the same offset"
    expect(origin, 1)
    assert origin.info()["sync_full"] == 1
    assert relay.info()["master_link_status"] == "up"


def test_min_replicas_to_write(lab):
    """Goes on working under every rule: the relay is alive. When it is not, writes are refused."""
    origin, relay, replicas = start(lab, count=1, ack="replicas 1")
    client = origin.client()
    client.config_set("min-replicas-max-lag", wait.setting(3))
    client.config_set("min-replicas-to-write", 1)
    # It counts its good replicas once a second.
    wait.until("writes pass", lambda: not refuses(client))
    with paused(*replicas):
        wait.stays("writes pass", lambda: client.set("a", "1"), bool, seconds=wait.limit(5), every=0.2)
    with paused(relay):
        wait.until("writes are refused", lambda: refuses(client))
    wait.until("writes pass again", lambda: not refuses(client))
    expect(origin, 1)


def refuses(client):
    try:
        client.set("b", "2")
    except redis.ResponseError as error:
        assert str(error).startswith("NOREPLICAS"), error
        return True
    return False


# ---- durable

@contextlib.contextmanager
def syncs_held(disk):
    """Nothing reaches the disk meanwhile."""
    disk.hold("fsync", "fdatasync")
    try:
        yield
    finally:
        disk.recover()


@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_durable_is_on_disk(lab, fsync):
    """While the disk keeps us waiting, nothing is confirmed, and everything is served."""
    if slow_disk.compiler() is None:
        pytest.skip("no compiler for the library that slows the disk")
    origin = lab.origin()
    load.fill(origin, rounds=3)
    relay = lab.relay(origin, {"upstream.ack": "durable", "store.fsync": fsync}, start=False)
    runtimes = relay_module.sanitizer_runtimes()
    disk = slow_disk.SlowDisk(lab.directory, relay.data_dir.resolve(), runtimes)
    relay.environment = disk.environment
    relay.start().wait_link()
    replica = lab.replica(relay).wait_online()
    expect(origin, 1)
    with syncs_held(disk):
        expect(origin, 0)
        wait.until("the replica has it", lambda: replica.offset() >= origin.offset())
        relay.set("ack", "received")
        expect(origin, 1)
        relay.set("ack", "durable")
        expect(origin, 0)
    expect(origin, 1)


def test_waitaof_counts_only_what_is_durable(lab, valkey):
    """FACK says that bytes are on disk: only the rule that means so may send it."""
    origin, relay, _ = start(lab, valkey, count=1)

    def waitaof(milliseconds):
        with resp.Connection(origin.port, seconds=30) as client:
            client.command("INCR", "confirmed")
            return client.command("WAITAOF", 0, 1, milliseconds)

    for rule in ("received", "replicas 1", "all"):
        relay.set("ack", rule)
        expect(origin, 1)
        assert waitaof(NO_MS) == [0, 0], rule
    relay.set("ack", "durable")
    assert waitaof(YES_MS) == [0, 1]
    relay.set("ack", "received")
    assert waitaof(NO_MS) == [0, 0]


# ---- WAIT at the relay


@pytest.mark.parametrize("rule", ["replicas 1", "all"])
def test_a_new_history_confirms_nothing_by_the_old_one(lab, kind, rule):
    """The primary comes back empty, with offsets below those that the replica acknowledged before."""
    origin, relay, (replica,) = start(lab, kind, ack=rule, count=1)
    load.populate(origin, 200)
    expect(origin, 1)
    with paused(replica, relay):
        origin.kill9()
        origin.start()
        # An origin counts offsets from its first replica on; at offset 0 it takes each replica for one that has all.
        with psync_client.PsyncClient(origin.port) as tool:
            assert tool.handshake().psync()[0] == "+FULLRESYNC"
        with resp.Connection(origin.port, seconds=30) as client:
            client.command("INCR", "confirmed")
            client.send(resp.encode("WAIT", 1, int(wait.limit(2) * 1000)))
            wait.until("it waits", lambda: origin.info("clients")["blocked_clients"] == 1)
            relay.resume()
            assert client.reply() == 0
        assert relay.syncs()[0] == 1, "the replica cannot have asked again"
    replica.wait_online()
    expect(origin, 1)
    digest.compare(origin, [replica])


def ask_relay(relay, numreplicas, milliseconds):
    with resp.Connection(relay.port, seconds=30) as client:
        started = time.monotonic()
        answer = client.command("WAIT", numreplicas, milliseconds)
        return answer, time.monotonic() - started


@pytest.mark.threads
def test_wait_at_the_relay(lab):
    """How many of its own replicas have what it had published when asked. They say so once a second:
    the relay may not put a GETACK into the stream."""
    origin, relay, replicas = start(lab)
    origin.client().config_set("repl-ping-replica-period", 3600)
    # The rule is about the origin's clients and changes nothing here.
    for rule in ("received", "replicas 3"):
        relay.set("ack", rule)
        load.populate(origin, 1)
        wait.until("it has all", lambda: relay.offset() == origin.offset())
        assert ask_relay(relay, 3, YES_MS)[0] == 3
        with paused(*replicas[:2]):
            load.populate(origin, 1)
            wait.until("it has all", lambda: relay.offset() >= origin.offset())
            answer, seconds = ask_relay(relay, 1, YES_MS)
            assert answer == 1 and seconds < wait.limit(2)
            answer, seconds = ask_relay(relay, 2, NO_MS)
            assert answer == 1 and seconds >= NO_MS / 1000 * 0.9
            assert ask_relay(relay, 0, 0)[0] == 1
        assert ask_relay(relay, 3, YES_MS)[0] == 3


@pytest.mark.threads
def test_many_wait_at_the_relay(lab):
    """Each is answered when its number is there; who leaves while waiting is forgotten."""
    origin, relay, replicas = start(lab)
    with paused(*replicas):
        load.populate(origin, 1)
        wait.until("it has all", lambda: relay.offset() >= origin.offset())
        clients = [lab.closing(resp.Connection(relay.port, seconds=30)) for _ in range(12)]
        for number, client in enumerate(clients):
            # The ECHO behind it: what comes after a WAIT waits, too.
            client.send(resp.encode("WAIT", number % 3 + 1, 0) + resp.encode("ECHO", number))
        for client in clients[9:]:
            client.close()
        assert relay.client().ping()
    for number, client in enumerate(clients[:9]):
        assert client.reply() >= number % 3 + 1
        assert client.reply() == str(number).encode()
    assert relay.is_running()


def test_bad_wait_at_the_relay(lab):
    relay = lab.relay(lab.origin()).wait_link()
    with resp.Connection(relay.port) as client:
        for words in ((), ("1",), ("x", "1"), ("1", "x"), ("1", "-1"), ("1", "2", "3")):
            answer = client.command("WAIT", *words)
            assert isinstance(answer, resp.Error), (words, answer)
        assert client.command("WAIT", "0", "0") == 0
        assert client.command("PING") == "PONG"
