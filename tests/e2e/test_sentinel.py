# SPDX-License-Identifier: MIT
"""A member of a Sentinel group: seen, never promoted, re-pointed like the others; and, the other way
round, an origin that is found by asking Sentinels."""

import time

import pytest
import redis.sentinel

import digest
import load
import resp
import servers
import wait
from failover import given, hush, promote, syncs, wait_follows, wait_same_offset
from sentinels import GROUP, Watched, address_of, sentinel_setting

# A Sentinel that has heard no hello for six seconds closes its link and opens another, but none that
# is younger than fifteen seconds.
QUIET_SECONDS = 17

# Where nobody dies: a server that a busy machine holds up for a moment is not taken for one.
NOBODY_FAILS = 10

# What Sentinels know of a replica is only told of one that is announced.
ANNOUNCED = {"upstream.replica-announced": "yes"}


def wait_switched(group):
    """Waits until the relay has another primary, and returns that and when it was first seen."""

    def look():
        info = group.relay.info("replication")
        moved = info["master_port"] != group.primary.port and info["master_link_status"] == "up"
        return moved and group.promoted() and (group.promoted(), time.time())

    return wait.until("the relay has another primary", look, seconds=40, every=0.01)


def check_group(group, new, writer=None):
    """Everybody has the new primary's data, and nobody is where he should not be."""
    wait_follows(group.relay, new)
    (other,) = [server for server in group.direct if server is not new]
    wait.equal("the other", lambda: other.info()["master_port"], new.port, seconds=30)
    other.wait_online()
    if writer:
        writer.stop()
    load.fill(new, rounds=10, seed=7)
    digest.compare(new, [other, *group.behind])
    assert given(new, group.relay) == (0, 1), "a partial sync for the relay, no full one"
    for replica in group.behind:
        info = replica.info("replication")
        assert (info["master_port"], info["master_link_status"]) == (group.relay.port, "up")
        assert "REPLICAOF" not in replica.log(), "Sentinel has never spoken to it"
    assert set(group.relay.replicas()) == {replica.port for replica in group.behind}


# Each ends the primary's reign in its way.


def crash(group):
    group.primary.kill9()


def shut_down(group):
    group.primary.shutdown()


def ask_a_sentinel(group):
    assert group.sentinels[0].ask("FAILOVER", GROUP) == "OK"


@pytest.mark.seconds(90)
@pytest.mark.parametrize("end", [crash, shut_down, ask_a_sentinel])
def test_failover_of_a_group(lab, kind, end):
    group = Watched(lab, kind)
    group.wait_known([*group.direct_ports(), group.relay.port])
    writer = lab.writer(group.primary)
    writer.wait_rounds(5)
    end(group)
    new, seen = wait_switched(group)
    told = [
        at
        for sentinel in group.sentinels
        for at, _ in sentinel.events("+slave-reconf-sent", f":{group.relay.port} ")
    ]
    assert len(told) == 1, "one Sentinel leads, and it tells the relay once"
    assert seen - told[0] < wait.limit(3), "the relay follows at once when it is told"
    leader = next(s for s in group.sentinels if s.events("+slave-reconf-sent"))
    wait.until(
        "its part of the failover is done",
        lambda: leader.events("+slave-reconf-done", f":{group.relay.port} "),
    )
    check_group(group, new, writer)
    for sentinel in group.sentinels:
        assert not sentinel.events("-failover-abort-slave-timeout")
        assert not sentinel.events("+convert-to-slave", f":{group.relay.port} ")


def pubsub_links(relay):
    """The Sentinels' subscriptions, by the name that they gave them: the connection's id."""
    with relay.client() as client:
        return {
            row["name"]: row["id"]
            for row in client.client_list()
            if row["name"].endswith("-pubsub") and row["name"].startswith("sentinel-")
        }


def heard(relay):
    """The ports of those whose hello came by, as a subscriber of the relay hears it."""
    with resp.Connection(relay.port) as listener:
        listener.command("SUBSCRIBE", "__sentinel__:hello")
        ports = set()
        while len(ports) < 3:
            ports.add(int(listener.reply()[2].split(b",")[1]))
        return ports


def test_seen(lab, kind):
    """Known with priority 0, and a place where Sentinels meet."""
    group = Watched(lab, kind, relay_settings=ANNOUNCED, down_seconds=NOBODY_FAILS)
    group.wait_known([*group.direct_ports(), group.relay.port])
    for sentinel in group.sentinels:
        row = wait.until(
            f"{sentinel.name} has asked the relay who it is",
            lambda sentinel=sentinel: sentinel.replicas()[group.relay.port],
            lambda row: row["slave-priority"] == "0",
            seconds=30,
        )
        assert row["role-reported"] == "slave"
        assert row["ip"] == group.relay.host
        assert row["master-link-status"] == "ok"
        assert row["flags"] == "slave"
    assert heard(group.relay) == {sentinel.port for sentinel in group.sentinels}


def test_left_in_peace(lab):
    """Every Sentinel hears its own hello, too: else it would close its link after these seconds. And
    none of them has anything to correct."""
    group = Watched(lab, servers.REDIS, relay_settings=ANNOUNCED, down_seconds=NOBODY_FAILS)
    group.wait_known([*group.direct_ports(), group.relay.port])
    wait.until("each has subscribed", lambda: len(pubsub_links(group.relay)) == 3)
    links = pubsub_links(group.relay)
    marks = [sentinel.log_end() for sentinel in group.sentinels]
    wait.stays(
        "the same subscriptions",
        lambda: pubsub_links(group.relay),
        links.__eq__,
        seconds=QUIET_SECONDS,
        every=0.3,
    )
    for sentinel, mark in zip(group.sentinels, marks):
        row = sentinel.replicas()[group.relay.port]
        assert row["flags"] == "slave"
        assert row["slave-repl-offset"] != "0"
        assert str(group.relay.port) not in sentinel.log()[mark:], "no event about the relay"


def readers(group):
    """The ports that an application gets which reads from replicas, as redis-py finds them."""
    finder = redis.sentinel.Sentinel(
        [(sentinel.host, sentinel.port) for sentinel in group.sentinels], socket_timeout=wait.limit(5)
    )
    return finder, {port for _, port in finder.discover_slaves(GROUP)}


def test_readers_are_not_sent_to_the_relay(lab, kind):
    """Applications ask Sentinel for the replicas: the relay cannot serve their reads, and is not among them,
    though Sentinels know it. An operator may say otherwise, also while it runs."""
    group = Watched(lab, kind, down_seconds=NOBODY_FAILS)
    group.wait_known([*group.direct_ports(), group.relay.port])
    group.primary.client().set("handshake", "hello")
    for replica in group.direct:
        wait.equal("the write", lambda replica=replica: replica.client().get("handshake"), b"hello")
    finder, ports = readers(group)
    assert ports == set(group.direct_ports())
    reader = finder.slave_for(GROUP, socket_timeout=wait.limit(5))
    for _ in range(40):
        reader.connection_pool.disconnect()  # another replica is picked
        assert reader.get("handshake") == b"hello"
    assert group.relay.info("replication")["replica_announced"] == 0

    group.relay.set("replica-announced", "yes")
    assert group.relay.info("replication")["replica_announced"] == 1
    everybody = {*group.direct_ports(), group.relay.port}
    wait.equal("who is listed", lambda: readers(group)[1], everybody, seconds=30)


def test_never_promoted(lab, kind):
    """Where the relay is all there is, there is nobody to promote."""
    primary = lab.origin(kind, name="primary")
    relay = lab.relay(primary, dict(ANNOUNCED)).wait_link()
    sentinel = lab.sentinel(kind, primary, quorum=1, down_seconds=NOBODY_FAILS)
    wait.equal("it knows the relay", lambda: list(sentinel.replicas()), [relay.port], seconds=30)
    wait.equal(
        "its priority", lambda: sentinel.replicas()[relay.port]["slave-priority"], "0", seconds=30
    )
    assert "NOGOODSLAVE" in str(sentinel.ask("FAILOVER", GROUP))
    assert primary.info()["role"] == "master"


def test_repointing_transaction(lab):
    """Word by word as Sentinel sends it, pipelined: the caller's own link outlives CLIENT KILL."""
    old = lab.origin(name="old", repl_ping_replica_period="3600")
    load.fill(old, rounds=5)
    new = lab.replica(old, name="new").wait_online()
    relay = lab.relay(old).wait_link()
    replica = lab.replica(relay).wait_online()
    hush(old)
    wait_same_offset(old, [new, relay, replica])
    promote(new)
    with resp.Connection(relay.port) as bystander, resp.Connection(relay.port) as listener:
        assert bystander.command("PING") == "PONG"
        listener.command("SUBSCRIBE", "__sentinel__:hello")
        with resp.Connection(relay.port) as sentinel:
            words = (
                ("MULTI",),
                ("SLAVEOF", new.host, new.port),
                ("CONFIG", "REWRITE"),
                ("CLIENT", "KILL", "TYPE", "normal"),
                ("CLIENT", "KILL", "TYPE", "pubsub"),
                ("EXEC",),
            )
            sentinel.send(b"".join(resp.encode(*command) for command in words))
            replies = [sentinel.reply() for _ in words]
            assert replies[:-1] == ["OK", *["QUEUED"] * 4]
            assert replies[-1][0] == "OK"
            assert replies[-1][3] == 1, "the listener"
            assert replies[-1][2] >= 1, "the bystander, and not the caller"
            assert sentinel.command("PING") == "PONG"
        assert bystander.is_closed()
        assert listener.is_closed()
    wait_follows(relay, new)
    assert syncs(new) == (0, 1, 0)
    replica.wait_online()
    relay.restart(kill=True)
    wait_follows(relay, new)


# ---- the other way round: `sentinel` in the ini

# With a password that the Sentinels are not told, they cannot re-point the relay themselves.
LOCKED = {"downstream.requirepass": "not-for-sentinels"}


@pytest.mark.seconds(90)
@pytest.mark.parametrize("end", [crash, ask_a_sentinel])
def test_found_through_sentinels(lab, kind, end):
    """Asked for the address at the start, and heard when it changes."""
    group = Watched(lab, kind, relay_settings=LOCKED, relay_origin=False)
    wait_follows(group.relay, group.primary)
    for sentinel in group.sentinels:
        wait.equal(
            f"what {sentinel.name} knows of the direct ones",
            lambda sentinel=sentinel: [
                sentinel.replicas()[port]["master-link-status"] for port in group.direct_ports()
            ],
            ["ok", "ok"],
            seconds=30,
        )
        wait.until(
            "it knows the others",
            lambda sentinel=sentinel: len(sentinel.ask("SENTINELS", GROUP)) == 2,
        )
    (teller,) = [sentinel for sentinel in group.sentinels if sentinel.is_listened_to()]
    writer = lab.writer(group.primary)
    writer.wait_rounds(5)
    end(group)
    new, seen = wait_switched(group)
    # It may have found out for itself before that Sentinel had something to tell.
    for told, _ in teller.events("+switch-master"):
        assert seen - told < wait.limit(3), "it follows at once when it hears of it"
    check_group(group, new, writer)


@pytest.mark.parametrize("user", [None, "relay"], ids=["password", "user"])
def test_sentinels_that_want_a_password(lab, kind, user):
    primary = lab.origin(kind, name="primary")
    load.fill(primary, rounds=3)
    config = {"user": "relay on >open-sesame +@all allchannels"} if user else {"requirepass": "open-sesame"}
    sentinel = lab.sentinel(kind, primary, **config)
    if user:
        sentinel.client().execute_command("ACL", "SETUSER", "default", "off")
    relay = lab.relay(None, {"upstream.sentinel": sentinel_setting(sentinel)})
    relay.wait_log(rf"(?i)^.*\b{sentinel.port}\b.*(NOAUTH|NOPERM|password|authentication).*$")
    assert relay.info()["master_link_status"] == "down"
    relay.stop()
    relay.settings["upstream.sentinel-pass"] = "open-sesame"
    if user:
        relay.settings["upstream.sentinel-user"] = user
    relay.start()
    wait_follows(relay, primary)
    assert "open-sesame" not in relay.log()


class Gone:
    """A Sentinel that is not there, or will be."""

    host = "127.0.0.1"

    def __init__(self, port):
        self.port = port


# Each makes a Sentinel that is no help, given the primary, a replica of it, and the relay.


def knows_another_name(lab, primary, _, __):
    return lab.sentinel(servers.REDIS, primary, group="another")


def tells_of_a_replica(lab, _, replica, __):
    return lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(replica)})


def tells_of_the_relay_itself(lab, _, __, relay):
    return lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(relay)})


def tells_of_a_dead_one(lab, _, __, ___):
    return lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(Gone(1))})


def talks_nonsense(lab, _, __, ___):
    return lab.fake_sentinel({name: b"HTTP/1.1 400 Bad Request\r\n\r\n" for name in ASKED})


def tells_half_an_address(lab, _, __, ___):
    return lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": b"*1\r\n$9\r\n127.0.0.1\r\n"})


def tells_no_port(lab, _, __, ___):
    return lab.fake_sentinel(
        {"GET-MASTER-ADDR-BY-NAME": b"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n99999\r\n"}
    )


def says_an_error(lab, _, __, ___):
    return lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": b"-IDONTKNOW\r\n"})


def is_silent(lab, _, __, ___):
    return lab.fake_sentinel({name: b"" for name in ASKED})


def is_endless(lab, _, __, ___):
    return lab.fake_sentinel(
        {"GET-MASTER-ADDR-BY-NAME": b"*2\r\n$400000000\r\n" + b"x" * 1_000_000}
    )


ASKED = ("PING", "AUTH", "CLIENT", "HELLO", "GET-MASTER-ADDR-BY-NAME", "SUBSCRIBE")
UNHELPFUL = [
    knows_another_name,
    tells_of_a_replica,
    tells_of_the_relay_itself,
    tells_of_a_dead_one,
    talks_nonsense,
    tells_half_an_address,
    tells_no_port,
    says_an_error,
    is_silent,
    is_endless,
]


@pytest.mark.parametrize("make", UNHELPFUL, ids=lambda make: make.__name__)
def test_the_next_sentinel_is_asked(lab, make):
    primary = lab.origin(name="primary")
    load.fill(primary, rounds=3)
    replica = lab.replica(primary).wait_online()
    relay = lab.relay(None, start=False)
    unhelpful = make(lab, primary, replica, relay)
    good = lab.sentinel(servers.REDIS, primary)
    relay.settings["upstream.sentinel"] = sentinel_setting(unhelpful, good)
    relay.start()
    relay.wait_log(rf"^.*\b{unhelpful.port}\b.*$")
    wait_follows(relay, primary)
    digest.compare(primary, [lab.replica(relay).wait_online()])


def test_a_slow_sentinel_is_heard_out(lab):
    """What it says comes byte by byte, and is right."""
    primary = lab.origin(name="primary")
    load.fill(primary, rounds=3)
    fake = lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(primary)})
    slowly = lab.mitm(fake)
    slowly.bytes_per_second = 100
    relay = lab.relay(None, {"upstream.sentinel": sentinel_setting(slowly)})
    wait_follows(relay, primary)
    digest.compare(primary, [lab.replica(relay).wait_online()])


def test_all_sentinels_are_gone_for_a_while(lab):
    """Nobody tells: what is held is served, the link that runs is left alone, and they are asked on."""
    primary = lab.origin(name="primary")
    load.fill(primary)
    sentinel = lab.sentinel(servers.REDIS, primary)
    relay = lab.relay(None, {"upstream.sentinel": sentinel_setting(sentinel)})
    wait_follows(relay, primary)
    replica = lab.replica(relay).wait_online()
    sentinel.kill9()
    relay.wait_log(rf"(?i)^.*\b{sentinel.port}\b.*(refused|closed|lost|ended).*$")
    load.fill(primary, rounds=5, seed=3)
    digest.compare(primary, [replica, lab.replica(relay, name="late").wait_online()])
    primary.pause()
    relay.restart(kill=True)
    lab.replica(relay, name="later").wait_online()
    primary.resume()
    sentinel.start()
    wait_follows(relay, primary)
    assert syncs(primary)[0] == 1, "one for the relay, and never another"


def told_by_a_fake(lab):
    """A relay that a fake Sentinel has told of `old`, and `new`, promoted already."""
    old = lab.origin(name="old", repl_ping_replica_period="3600")
    load.fill(old)
    new = lab.replica(old, name="new").wait_online()
    fake = lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(old)})
    relay = lab.relay(None, {"upstream.sentinel": sentinel_setting(fake)})
    wait_follows(relay, old)
    replica = lab.replica(relay).wait_online()
    wait.until("it listens", lambda: fake.subscribers)
    hush(old)
    wait_same_offset(old, [new, relay, replica])
    promote(new)
    return old, new, fake, relay, replica


def stays_with(relay, primary):
    wait.stays(
        "it is not told to go anywhere",
        lambda: relay.info("replication")["master_port"],
        primary.port.__eq__,
    )


def test_told_where_to_go(lab):
    """+switch-master alone, of this group and no other, moves the relay."""
    old, new, fake, relay, replica = told_by_a_fake(lab)
    move = f"{old.host} {old.port} {new.host} {new.port}"
    fake.publish("+switch-master", f"another {move}")
    stays_with(relay, old)
    fake.answers["GET-MASTER-ADDR-BY-NAME"] = b""  # asking would not tell
    fake.publish("+switch-master", f"{GROUP} {move}")
    wait_follows(relay, new)
    fake.answers["GET-MASTER-ADDR-BY-NAME"] = address_of(new)
    load.fill(new, rounds=3, seed=3)
    digest.compare(new, [replica])
    assert syncs(new) == (0, 1, 0)


@pytest.mark.parametrize("text", ["", GROUP, f"{GROUP} a b c d", f"{GROUP} 127.0.0.1 1 127.0.0.1"])
def test_told_nonsense(lab, text):
    """It goes nowhere, and comes back to listen: to that Sentinel, as there is no other."""
    old, new, fake, relay, replica = told_by_a_fake(lab)
    fake.publish("+switch-master", text)
    stays_with(relay, old)
    wait.until("it listens again", lambda: fake.subscribers)
    fake.answers["GET-MASTER-ADDR-BY-NAME"] = address_of(new)
    fake.publish("+switch-master", f"{GROUP} {old.host} {old.port} {new.host} {new.port}")
    wait_follows(relay, new)
    load.fill(new, rounds=3, seed=3)
    digest.compare(new, [replica])
    assert syncs(new) == (0, 1, 0)


# Of the quickest of three Sentinels; all three must have forgotten a replica within it.
FAILOVER_SECONDS = 12


def follows(replica):
    return replica.info("replication")["master_port"]


def forget(group):
    """SENTINEL RESET, one after the other: the next when this one knows everybody again who is to be known."""
    for sentinel in group.sentinels:
        assert sentinel.ask("RESET", GROUP) == 1
        wait.until(
            f"{sentinel.name} knows the others again",
            lambda sentinel=sentinel: len(sentinel.ask("SENTINELS", GROUP)),
            lambda count: count == len(group.sentinels) - 1,
            seconds=30,
        )


@pytest.mark.seconds(180)
def test_a_known_replica_behind_the_relay(lab):
    """Sentinels move it back after their failover-timeout; once they have forgotten it they leave it there, also
    longer than that, and in a failover."""
    group = Watched(lab, servers.REDIS, failover_seconds=FAILOVER_SECONDS, down_seconds=NOBODY_FAILS)
    group.wait_known([*group.direct_ports(), group.relay.port])
    stays, moved = group.direct
    moved.follow(group.relay)
    wait.equal("it is behind the relay", lambda: follows(moved), group.relay.port)
    wait.equal("moved back", lambda: follows(moved), group.primary.port, seconds=60)
    assert any(sentinel.events("+fix-slave-config", f":{moved.port} ") for sentinel in group.sentinels)
    for sentinel in group.sentinels:
        wait.equal(
            f"{sentinel.name} has seen it, and has nothing more to correct",
            lambda sentinel=sentinel: sentinel.replicas()[moved.port]["master-port"],
            str(group.primary.port),
            seconds=30,
        )

    moved.follow(group.relay)
    moved.wait_online()
    forget(group)
    group.wait_known([stays.port, group.relay.port])
    # It asks every ten seconds, and then gives it the time of a failover.
    wait.stays(
        "it is left behind the relay",
        lambda: follows(moved),
        lambda port: port == group.relay.port,
        seconds=FAILOVER_SECONDS + 4 + 15,
        every=0.2,
    )
    assert group.sentinels[0].ask("FAILOVER", GROUP) == "OK"
    wait.until("the other is promoted", lambda: stays.info()["role"] == "master", seconds=30)
    wait_follows(group.relay, stays)
    load.fill(stays, rounds=5, seed=9)
    wait.equal("still behind the relay", lambda: follows(moved), group.relay.port)
    moved.wait_online()
    digest.compare(stays, [moved, *group.behind])
