# SPDX-License-Identifier: MIT
"""Another server becomes the primary: nobody needs a full sync but those who had what is lost."""

import os
import random
import time

import pytest

import digest
import load
import psync_client
import wait
from failover import (
    Shard,
    answers,
    given,
    hush,
    promote,
    syncs,
    wait_follows,
    wait_same_offset,
)

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "4"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
WITHOUT_PINGS = {"repl_ping_replica_period": "3600"}


def identity(server):
    info = server.info("replication")
    return info["master_replid"], info["master_replid2"], info["second_repl_offset"]


def test_promotion(lab, kind):
    """+CONTINUE with a new id: the history goes on, and everybody learns the id partially."""
    old = lab.origin(kind, name="old", **WITHOUT_PINGS)
    load.fill(old)
    new = lab.replica(old, kind, name="new", **WITHOUT_PINGS).wait_online()
    relay = lab.relay(old).wait_link()
    replicas = [lab.replica(relay, kind, name=f"replica-{n}").wait_online() for n in range(3)]
    load.fill(old, rounds=10, seed=3)
    hush(old)
    wait_same_offset(old, [new, relay, *replicas])
    first = old.info()["master_replid"]
    end = old.offset()

    promote(new)
    relay.follow(new)
    wait_follows(relay, new)
    assert syncs(new) == (0, 1, 0), "a partial sync for the relay, and nothing else"
    assert identity(relay) == (new.info()["master_replid"], first, end + 1)
    for replica in replicas:
        wait.equal(
            "it has learnt the id", lambda replica=replica: identity(replica), identity(relay)
        )
        assert answers(replica) == [(first, end + 1, "partial")]
        assert replica.full_syncs() == 1
    assert relay.syncs()[0] == 3
    load.fill(new, rounds=10, seed=4)
    digest.compare(new, replicas)

    relay.restart(kill=True).wait_link()
    assert identity(relay) == (new.info()["master_replid"], first, end + 1)
    assert syncs(new) == (0, 2, 0)
    load.fill(new, rounds=3, seed=5)
    digest.compare(new, replicas)


@pytest.mark.threads
def test_a_full_sync_under_way_is_finished(lab, kind):
    """RDB and stream up to the new id are as good as before; the replica comes back when it has loaded them."""
    old = lab.origin(kind, name="old", rdbcompression="no", **WITHOUT_PINGS)
    load.populate(old, 30)
    new = lab.replica(old, kind, name="new", **WITHOUT_PINGS).wait_online()
    small = {"store.repl-backlog-size": "1mb", "store.segment-size": "256kb"}
    relay = lab.relay(old, small).wait_link()
    bystander = lab.replica(relay, kind, name="bystander").wait_online()
    loading = lab.closing(psync_client.PsyncClient(relay.port, receive_buffer=65536))
    assert loading.handshake().psync()[0] == "+FULLRESYNC"
    length, first = int(loading.rdb_header()), loading.replid
    load.fill(old, rounds=3, seed=3)
    hush(old)
    wait_same_offset(old, [new, relay, bystander])
    end = old.offset()

    promote(new)
    relay.follow(new)
    wait_follows(relay, new)
    wait.equal("the bystander has learnt", lambda: identity(bystander), identity(relay))
    load.populate(new, 4)  # more than the window holds
    wait_same_offset(new, [relay, bystander])

    assert len(loading.take(length)) == length
    loading.stream_to(end)
    wait.stays("it loads", relay.replicas, lambda seen: loading.listening_port in seen, seconds=1.5)
    loading.ack()
    with pytest.raises(EOFError):
        loading.take(1)
    held = lambda: relay.info("replication")["repl_backlog_first_byte_offset"]
    wait.stays("what it needs is held", held, lambda first: first <= end + 1, seconds=2.5)
    again = lab.closing(psync_client.PsyncClient(relay.port, listening_port=loading.listening_port))
    assert again.handshake().psync(first, end + 1) == ["+CONTINUE", identity(relay)[0]]
    again.stream_to(new.offset())
    wait.until("no more than that", held, lambda first: first > end + 1)
    assert relay.syncs()[0] == 2, "nobody needed another full sync"


def test_earlier_ids_are_kept_with_their_limits(lab):
    """Three promotions later, whoever comes with the first id is still continued up to its limit."""
    servers = [lab.origin(name="one", **WITHOUT_PINGS)]
    load.fill(servers[0])
    servers.append(lab.replica(servers[0], name="two", **WITHOUT_PINGS).wait_online())
    relay = lab.relay(servers[0]).wait_link()
    sleeper = lab.replica(relay, name="sleeper").wait_online()
    load.fill(servers[0], rounds=3, seed=3)
    hush(servers[0])
    wait_same_offset(servers[0], [relay, sleeper])
    sleeper.shutdown(save=True)
    limits = []
    for turn in range(3):
        old, new = servers[turn % 2], servers[1 - turn % 2]
        load.fill(old, rounds=3, seed=10 + turn)
        hush(old)
        wait_same_offset(old, [new, relay])
        limits.append((old.info()["master_replid"], old.offset()))
        promote(new)
        relay.follow(new)
        wait_follows(relay, new)
        old.follow(new)
        old.wait_online()
    load.fill(new, rounds=3, seed=20)
    wait_same_offset(new, [relay])
    relay.restart(kill=True).wait_link()
    now = new.info()["master_replid"]
    assert len({now, *(replid for replid, _ in limits)}) == 4
    for replid, end in limits:
        with psync_client.PsyncClient(relay.port).handshake() as client:
            assert client.psync(replid, end + 1) == ["+CONTINUE", now]
            client.stream_to(relay.offset())
        with psync_client.PsyncClient(relay.port).handshake() as client:
            assert client.psync(replid, end + 2)[:2] == ["+FULLRESYNC", now]
    before = relay.syncs()[0]
    sleeper.start().wait_online()
    assert [answer[0::2] for answer in answers(sleeper)] == [(limits[0][0], "partial")]
    assert relay.syncs()[0] == before
    digest.compare(new, [old, sleeper])
    assert given(servers[0], relay)[0] == 1, "the very first sync was the only full one"
    assert given(servers[1], relay)[0] == 0


def fail_over(primary, replicas, *words):
    """A replica that is up here is online there with its first acknowledgement, up to a second later."""
    wait.equal(
        "their states",
        lambda: [primary.info()[f"slave{n}"]["state"] for n in range(replicas)],
        ["online"] * replicas,
    )
    primary.client().execute_command("FAILOVER", *words)


@pytest.mark.parametrize("target", ["named", "any"])
def test_relay_refuses_to_be_promoted(lab, kind, target):
    """FAILOVER picks the relay: it says no, the primary stays what it is, and all continue."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replicas = [lab.replica(relay, kind, name=f"replica-{n}").wait_online() for n in range(2)]
    before = origin.info()["master_replid"]
    where = ("TO", relay.host, relay.port) if target == "named" else ()
    fail_over(origin, 1, *where)
    origin.wait_log("rejected psync request", seconds=30)
    wait.equal("its state", lambda: origin.info()["master_failover_state"], "no-failover")
    assert origin.info()["role"] == "master"
    assert identity(origin)[1] == before, "it has changed its id, as servers do"
    wait_follows(relay, origin)
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, replicas)
    assert syncs(origin) == (1, 1, 1)
    assert [replica.full_syncs() for replica in replicas] == [1, 1]
    assert relay.syncs()[0] == 2


def test_coordinated_failover_to_another(lab, kind):
    """FAILOVER TO a real replica under load: the relay leaves the demoted one for the new primary."""
    shard = Shard(lab, kind)
    shard.next.follow(shard.old)  # without the proxy: FAILOVER knows it by its address
    shard.next.wait_online()
    writer = lab.writer(shard.old)
    fail_over(shard.old, 2, "TO", shard.next.host, shard.next.port)
    wait.equal("the new one's role", lambda: shard.next.info()["role"], "master")
    wait_follows(shard.relay, shard.next)
    writer.stop()
    load.fill(shard.next, rounds=10, seed=3)
    digest.compare(shard.next, [shard.old, *shard.replicas])
    assert given(shard.next, shard.relay)[0] == 0
    assert [replica.full_syncs() for replica in shard.replicas] == [1, 1, 1]


@pytest.mark.parametrize("told", ["candidates", "command"])
def test_promoted_replica_is_behind(lab, kind, told):
    """The new primary never saw the last bytes. The relay takes them back instead of syncing fully;
    of its replicas only those that had executed them are given a new data set, and by the relay."""
    shard = Shard(lab, kind, told)
    absent, *others = shard.replicas
    load.fill(shard.old, rounds=5, seed=3)
    # Not a PING more: the absent one would have it, and the next primary not.
    hush(shard.old)
    wait_same_offset(shard.old, [shard.next, *shard.replicas])
    shard.links[0].refuse()
    shard.link.stall()
    load.fill(shard.old, rounds=20, seed=4)
    wait_same_offset(shard.old, [shard.relay, *others])
    lost_end = shard.relay.offset()
    before = shard.relay.syncs()[0]
    marks = {replica: replica.log_end() for replica in shard.replicas}
    stream = lab.closing(psync_client.PsyncClient(shard.relay.port)).handshake()
    assert stream.psync(shard.old.info()["master_replid"], lost_end + 1)[0] == "+CONTINUE"

    shard.fail_over()
    end = shard.next.info()["second_repl_offset"] - 1
    assert end < lost_end, "the promoted replica was not behind: this would prove nothing"
    assert absent.offset() <= end
    wait_follows(shard.relay, shard.next)
    assert stream.is_closed(), "who had the lost bytes must come back"
    assert syncs(shard.next) == (0, 1, 0)
    assert identity(shard.relay)[2] == end + 1
    shard.links[0].accept()
    load.fill(shard.next, rounds=10, seed=5)
    digest.compare(shard.next, shard.replicas)
    assert [answer[2] for answer in answers(absent, marks[absent])] == ["partial"]
    for replica in others:
        assert [answer[2] for answer in answers(replica, marks[replica])] == ["full"]
    assert shard.relay.syncs()[0] == before + len(others)
    assert syncs(shard.next) == (0, 1, 0), "the relay's own snapshot has been enough"

    shard.relay.restart(kill=True)
    wait_follows(shard.relay, shard.next)
    load.fill(shard.next, rounds=3, seed=6)
    digest.compare(shard.next, shard.replicas)
    assert syncs(shard.next) == (0, 2, 0), "what was taken back stays so over a restart"


def test_rewound_while_a_replica_loads(lab):
    """One that is in the middle of its snapshot when the end is cut off: it is served on, or anew."""
    shard = Shard(lab, "redis-7.0", count=1)
    load.populate(shard.old, 20)
    wait_same_offset(shard.old, [shard.next])
    shard.link.stall()
    load.fill(shard.old, rounds=5, seed=3)
    link = lab.mitm(shard.relay)
    link.bytes_per_second = 5_000_000
    late = lab.replica(link, name="late")
    wait.until("it is loading", lambda: link.pipes and link.pipes[-1].count["down"] > 100_000)
    shard.fail_over()
    wait_follows(shard.relay, shard.next)
    link.bytes_per_second = 0
    late.wait_online()
    load.fill(shard.next, rounds=5, seed=4)
    digest.compare(shard.next, [late, *shard.replicas])
    assert syncs(shard.next) == (0, 1, 0)


def hold_back(shard, draw):
    """By chance: how far behind the next primary is when it is promoted."""
    way = draw.choice(("not", "throttled", "stalled", "stopped"))
    if way == "throttled":
        shard.link.bytes_per_second = draw.choice((20_000, 100_000, 500_000))
    elif way == "stalled":
        shard.link.stall()
    elif way == "stopped":
        shard.next.pause()
    for link in shard.links:
        link.bytes_per_second = draw.choice((0, 0, 50_000, 500_000))
    return way


@pytest.mark.threads
@pytest.mark.seconds(60 + ROUNDS * 15)
@pytest.mark.parametrize("told", ["candidates", "command"])
def test_chaos_of_failovers(lab, kind, told):
    """Crashes at random moments under load, again and again, the promoted one mostly behind."""
    draw = random.Random(f"{SEED} {kind} {told}")
    print(f"CHAOS_SEED={SEED}")
    shard = Shard(lab, kind, told, settings={"store.snapshot": "on-demand"})
    for turn in range(ROUNDS):
        before = syncs(shard.next)
        marks = {replica: replica.log_end() for replica in shard.replicas}
        writer = lab.writer(shard.old, rounds_per_second=100, seed=turn)
        way = hold_back(shard, draw)
        # A moment by chance; it is the moments that are tested, not a condition.
        time.sleep(draw.uniform(0.0, 0.6))
        ahead = shard.relay.offset()
        shard.fail_over()
        end = shard.next.info()["second_repl_offset"] - 1
        print(f"turn {turn}: {way}, {ahead - end} bytes lost")
        wait_follows(shard.relay, shard.next)
        writer.stop()
        for link in shard.links:
            link.bytes_per_second = 0
        load.fill(shard.next, rounds=5, seed=turn + 100)
        digest.compare(shard.next, shard.replicas)
        gained = [after - was for was, after in zip(before, syncs(shard.next))]
        assert gained == [0, 1, 0], "one partial sync for the relay, and no fork"
        for replica, mark in marks.items():
            for _, offset, outcome in answers(replica, mark):
                assert outcome == ("partial" if offset <= end + 1 else "full"), (offset, end)
        shard.swap()
