# SPDX-License-Identifier: MIT
"""Wrong addresses, wrong passwords, primaries that talk nonsense, snapshots that are not whole.

Each time: the relay says clearly what is wrong, goes on trying, and serves what it holds.
"""

import pytest

import crc64
import digest
import load
import mitm
import psync_client
import resp
import servers
import wait
from fake_primary import REPLID

GOOD = crc64.rdb([(b"good", b"yes")] + [(b"key:%d" % i, b"v" * 900) for i in range(100)])
BAD = GOOD[:500] + bytes([GOOD[500] ^ 1]) + GOOD[501:]


def wait_tries(thing, count, seconds=30):
    """The relay has come that many times."""
    return wait.until("it tries again", lambda: thing.count, lambda n: n >= count, seconds=seconds)


def test_refused_connection(lab):
    origin = lab.origin(start=False)
    relay = lab.relay(origin)
    relay.wait_log(r"(?i)refused")
    assert str(origin.port) in relay.log()
    origin.start()
    relay.wait_link()


def test_unknown_host(lab):
    relay = lab.relay(None, {"upstream.replicaof": "no-such-host.invalid 6379"})
    relay.wait_log(r"no-such-host\.invalid")
    relay.wait_log(r"(?i)resolv|not known|name|lookup")
    assert relay.info()["master_link_status"] == "down"


@pytest.mark.parametrize("given", [None, "wrong"], ids=["none", "wrong"])
def test_wrong_password(lab, kind, given):
    origin = lab.origin(kind, requirepass="secret")
    relay = lab.relay(origin, {"upstream.masterauth": given} if given else {})
    relay.wait_log(r"(?i)NOAUTH|WRONGPASS|authentication|password")
    assert relay.info()["master_link_status"] == "down"
    assert origin.info()["sync_full"] == 0
    relay.stop()
    relay.settings["upstream.masterauth"] = "secret"
    relay.start().wait_link()


NONSENSE = {
    "http": b"HTTP/1.1 400 Bad Request\r\nServer: teapot\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "endless": b"x" * 1_000_000,
    "empty": b"",
    "dollar": b"$-1\r\n",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("at", ["PING", "PSYNC"])
def test_nonsense_instead_of_replies(lab, answer, at):
    def script(peer):
        if peer.number < 2:
            peer.command() if at == "PING" else peer.greet()
            peer.send(answer)
            if answer:
                peer.hold()
        else:
            peer.greet()
            peer.send_full(GOOD)
            peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary, {"upstream.repl-timeout": wait.setting(2)})
    wait_tries(primary, 3)
    relay.wait_link()
    # The scripted primary sends no PING: the link ends with repl-timeout and is made again.
    replica = lab.replica(relay)
    wait.equal("the data", lambda: replica.client().get("good"), b"yes")
    assert not primary.commands("SYNC"), "never SYNC as an answer to an answer"


REFUSALS = [
    b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-BUSY Redis is busy running a script.\r\n",
    b"-MASTERDOWN Link with MASTER is down\r\n",
    b"-NOPERM this user has no permissions to run the 'psync' command\r\n",
    b"-ERR whatever\r\n",
    b"+WHATEVER\r\n",
    b"+FULLRESYNC\r\n",
    b"+FULLRESYNC tooshort 12\r\n",
    b"+FULLRESYNC " + b"z" * 40 + b" 1\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" -5\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" 99999999999999999999999\r\n",
    b"+CONTINUE\r\n",
    b"+CONTINUE " + b"a" * 40 + b"\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" 5\r\n-ERR BGSAVE failed, replication can't continue\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" 5\r\n$-7\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" 5\r\n$12x\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" 5\r\n$EOF:short\r\n",
    b"+FULLRESYNC " + b"a" * 40 + b" 5\r\n$0\r\n",
]


@pytest.mark.parametrize("part", range(4))
def test_every_refusal_of_psync(lab, part):
    """One after the other to the same relay; then it is given a good answer and is well."""
    refusals = REFUSALS[part::4]

    def script(peer):
        peer.greet()
        if peer.number < len(refusals):
            peer.send(refusals[peer.number])
            peer.hold()
        else:
            peer.send_full(GOOD)
            peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary, {"upstream.repl-timeout": wait.setting(1)})
    wait_tries(primary, len(refusals) + 1, seconds=50)
    relay.wait_link()
    assert not primary.commands("SYNC")
    replica = lab.replica(relay)
    wait.equal("the data", lambda: replica.client().get("good"), b"yes")


def test_old_primary(lab):
    """2.8: knows no ip-address, no version, says +CONTINUE without an id, keeps its id."""
    stream = resp.encode("SELECT", 0) + resp.encode("SET", "a", "1")
    more = resp.encode("SET", "b", "2")

    def script(peer):
        asked = peer.greet(
            {
                "REPLCONF ip-address": b"-ERR Unrecognized REPLCONF option: ip-address\r\n",
                "REPLCONF version": b"-ERR Unrecognized REPLCONF option: version\r\n",
                "REPLCONF capa": b"-ERR Unrecognized REPLCONF option: capa\r\n",
            }
        )
        if peer.number == 0:
            assert asked[1:] == ["?", "-1"], asked
            peer.send(b"\n")
            peer.send_full(crc64.rdb([(b"old", b"yes")], magic=b"REDIS0006"), offset=1)
            peer.send(stream)
            while peer.wait_ack() < 1 + len(stream):
                pass
        else:
            assert asked[1:] == [REPLID, str(1 + len(stream) + 1)], asked
            peer.send(b"\n\n+CONTINUE\r\n" + more)
            peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary, {"upstream.replica-announce-ip": "127.0.0.1"})
    replica = lab.replica(relay).wait_online()
    wait.equal("the stream goes on", lambda: primary.failures or replica.client().get("b"), b"2")
    assert replica.client().get("old") == b"yes"
    assert relay.info()["master_replid"] == REPLID
    assert relay.syncs()[0] == 1


@pytest.mark.parametrize("eof", [False, True], ids=["length", "eof"])
@pytest.mark.parametrize("wrong", ["corrupt", "truncated", "no-end", "no-magic"])
def test_bad_snapshot(lab, eof, wrong):
    """Never served to anyone as complete; fetched anew."""
    bad = {
        "corrupt": BAD,
        "truncated": GOOD[:-300],
        "no-end": GOOD[:-9] + b"\x00" * 9,
        "no-magic": b"NOTRDB" + GOOD[6:],
    }[wrong]

    def script(peer):
        peer.greet()
        if peer.number >= 2:
            peer.send_full(GOOD, offset=50, eof=eof)
            peer.hold()
        elif wrong == "truncated" and not eof:
            peer.send(f"+FULLRESYNC {REPLID} 50\r\n".encode())
            peer.send(b"$%d\r\n" % len(GOOD) + bad)  # and closes
        else:
            peer.send_full(bad, offset=50, eof=eof)
            peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary)
    replica = lab.replica(relay)
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    try:
        client.psync()
        whole = client.read_rdb()
    except (EOFError, OSError):
        whole = None
    assert whole in (None, GOOD), "a bad snapshot was passed on as a whole one"
    wait_tries(primary, 3)
    relay.wait_link()
    replica.wait_online()
    assert replica.client().get("good") == b"yes"
    relay.wait_log(r"state=loading->retrying .*cause=\w+")
    assert [path.read_bytes() for path in relay.snapshots()] == [GOOD]


def test_bad_snapshot_does_not_cost_the_old_one(lab):
    """A new history's snapshot is broken again and again: the old history goes on being served."""
    origin = lab.origin()
    load.fill(origin)
    middle = lab.mitm(origin)
    relay = lab.relay(middle).wait_link()
    early = lab.replica(relay).wait_online()
    load.fill(origin, seed=3)
    wait.equal("the replica has all", lambda: origin.offset() - early.offset(), 0)
    expected = digest.digest(early)
    old_replid = relay.info()["master_replid"]
    middle.refuse()
    origin.shutdown()
    origin.start()  # empty, another history
    load.populate(origin, 1)
    middle.plan = [mitm.Corrupt(400_000) for _ in range(3)]
    middle.accept()
    count = middle.connections()
    middle.wait_connections(count + 2)
    late = lab.replica(relay, name="late")
    wait.until(
        "the late one has the old data or already the new",
        lambda: digest.digest(late) == expected
        or late.info()["master_replid"] == origin.info()["master_replid"],
    )
    wait.until(
        "the relay took the new history",
        lambda: relay.info()["master_replid"] != old_replid,
        seconds=40,
    )
    load.fill(origin, rounds=5)
    digest.compare(origin, [early, late])


def test_rdb_without_checksum(lab):
    """rdbchecksum no: eight zeros at the end; whole by its length or its mark."""
    origin = lab.origin(rdbchecksum="no")
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1


GARBAGE_STREAM = [
    b"+PONG\r\n",
    b"*1\r\n$-5\r\nxx\r\n",
    b"*x\r\n",
    b"\x00\x01\x02",
    b"*2\r\n:1\r\n",
    b"$3\r\nfoo\r\n",
]


def test_garbage_in_the_stream(lab):
    """What is not a command is not kept: the relay goes back to the boundary and asks again. Each time
    a whole command comes first: an origin that gets nowhere is asked for all of it in the end."""
    good = resp.encode("SELECT", 0) + resp.encode("SET", "a", "1")
    step = resp.encode("PING")
    last = resp.encode("SET", "z", "26")
    asked = []

    def script(peer):
        words = peer.greet()
        asked.append(words[1:])
        if peer.number == 0:
            peer.send_full(GOOD, offset=0)
            peer.send(good)
        else:
            peer.send(f"+CONTINUE {REPLID}\r\n".encode() + step)
        if peer.number < len(GARBAGE_STREAM):
            while peer.wait_ack() < len(good) + peer.number * len(step):
                pass
            peer.send(GARBAGE_STREAM[peer.number])
            peer.hold()
        peer.send(last)
        peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary)
    replica = lab.replica(relay).wait_online()
    wait.equal("the last command", lambda: replica.client().get("z"), b"26", seconds=40)
    assert asked[1:] == [
        [REPLID, str(len(good) + number * len(step) + 1)] for number in range(len(GARBAGE_STREAM))
    ]
    assert replica.client().get("a") == b"1"


def test_replicas_are_not_disturbed_by_a_dead_origin(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    origin.kill9()
    relay.wait_link("down")
    wait.stays(
        "the replica stays connected",
        lambda: replica.info()["master_link_status"],
        lambda status: status == "up",
        seconds=2,
    )
    assert servers.cli(servers.REDIS, "-p", relay.port, "PING").stdout == b"PONG\n"
