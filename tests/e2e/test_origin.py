# SPDX-License-Identifier: MIT
"""Where the primary is: one of several candidates, a name, what REPLICAOF said; and where it is not."""

import re
import subprocess

import pytest

import digest
import load
import ports
import psync_client
import redis
import servers
import wait
from failover import addresses, given, hush, promote, syncs, wait_follows, wait_same_offset


CIRCLE = "itself|replica of"
REPLICA = "replica of|slave of"


class Nobody:
    """An address at which nobody listens."""

    name = "nobody"
    host = "127.0.0.1"

    def __init__(self):
        self.port = ports.free_port()


def wait_passed_over(relay, server, why, after=0):
    """One line of the log names the candidate and the reason."""
    relay.wait_log(rf"(?i)^.*upstream.*\b{server.port}\b.*\b({why})\b.*$", after=after)


def wait_serves(relay, replica, data):
    """What is held is served: to one that has it already, and to a new one from the beginning."""
    replica.wait_online()
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert len(client.full_sync()) > 1000
        assert client.replid == data


# Each makes a candidate that is no good, given the server that is.


def dead(lab, _):
    return Nobody()


def replica_of_another(lab, good):
    return lab.replica(good, name="wrong").wait_online()


def loading(lab, _):
    """For half a minute: longer than the test has to see it."""
    server = lab.origin(name="wrong")
    load.populate(server, 2, value_bytes=1000)
    server.shutdown(save=True)
    server.config["key-load-delay"] = "20000"
    # Else it looks at its clients only after very many bytes.
    server.config["loading-process-events-interval-bytes"] = "1024"
    server.start(ready=False)
    wait.until("it is loading", lambda: server.info("persistence")["loading"])
    return server


def with_password(lab, _):
    return lab.origin(name="wrong", requirepass="secret")


def http(lab, _):
    def script(peer):
        peer.command()
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.hold()

    return lab.fake_primary(script)


def silent(lab, _):
    return lab.fake_primary(lambda peer: peer.hold())


def lying(lab, _):
    """Says that it is a primary, and then refuses."""

    def script(peer):
        peer.greet({"INFO": b"$13\r\nrole:master\r\n\r\n"})
        peer.send(b"-ERR I am not what I said\r\n")
        peer.hold()

    return lab.fake_primary(script)


WRONG = {
    dead: "refused",
    replica_of_another: REPLICA,
    loading: "loading",
    with_password: "NOAUTH|password|authentication",
    http: "nonsense|HTTP|unexpected|reply|answer|protocol",
    silent: "silent|silence|timeout|timed out|no answer",
    lying: "I am not what I said",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda make: make.__name__)
def test_the_candidate_that_is_the_primary_is_taken(lab, wrong):
    good = lab.origin()
    load.fill(good, rounds=10)
    other = wrong(lab, good)
    relay = lab.relay(
        None, {"upstream.replicaof": addresses(other, good), "upstream.repl-timeout": wait.setting(3)}
    )
    wait_follows(relay, good)
    wait_passed_over(relay, other, WRONG[wrong])
    replica = lab.replica(relay).wait_online()
    digest.compare(good, [replica])
    assert given(good, relay) == (1, 0)
    if isinstance(other, servers.Server):
        assert f":{relay.port}" not in other.log(), "it was not even asked for a sync"


def test_another_history_is_passed_over(lab):
    """The origin is away and the other candidate knows nothing of it: what is held is kept, served,
    and continued when the origin is back."""
    origin = lab.origin(repl_ping_replica_period="3600")
    load.fill(origin)
    stranger = lab.origin(name="stranger")
    load.fill(stranger, rounds=5, seed=9)
    relay = lab.relay(None, {"upstream.replicaof": addresses(origin, stranger)})
    wait_follows(relay, origin)
    replica = lab.replica(relay).wait_online()
    held = relay.info()["master_replid"]
    wait_same_offset(origin, [relay, replica])
    origin.shutdown(save=True)
    wait_passed_over(relay, stranger, "history")
    wait_serves(relay, replica, held)
    wait.stays(
        "who is away may come back: the stranger is not asked",
        lambda: (*syncs(stranger), relay.info()["master_replid"]),
        (0, 0, 0, held).__eq__,
        seconds=4,
        every=0.2,
    )
    assert relay.info()["master_link_status"] == "down"
    origin.start()
    wait_follows(relay, origin)
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert syncs(origin) == (0, 1, 0)
    assert replica.full_syncs() == 1


def test_no_candidate_is_a_primary(lab):
    """All are replicas of a dead primary for a while; the one that is promoted is found."""
    origin = lab.origin()
    load.fill(origin, rounds=10)
    pair = [lab.replica(origin, name=name).wait_online() for name in ("one", "two")]
    origin.kill9()
    for server in pair:
        wait.equal("its link", lambda: server.info("replication")["master_link_status"], "down")
    relay = lab.relay(None, {"upstream.replicaof": addresses(*pair)})
    for server in pair:
        wait_passed_over(relay, server, REPLICA)
    assert relay.info()["master_link_status"] == "down"
    promote(pair[1])
    wait_follows(relay, pair[1])
    digest.compare(pair[1], [lab.replica(relay).wait_online()])


# ---- names

NAME = "primary.psync-relay.test"


class RelayWithHosts:
    """A relay that sees an /etc/hosts of its own, so that a name can move."""

    def __init__(self, lab, settings):
        self.hosts = lab.directory / "hosts"
        self.point("127.0.0.1")
        self.relay = lab.relay(None, settings, start=False)
        spawn = self.relay.spawn
        mount = f'mount --bind "{self.hosts}" /etc/hosts && exec "$0" "$@"'
        self.prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
        if subprocess.run([*self.prefix[:-1], mount, "true"], capture_output=True).returncode:
            pytest.skip("no mount namespace can be made here: a name cannot be moved")
        self.relay.spawn = lambda arguments, env=None: spawn([*self.prefix, *arguments], env)

    def point(self, address):
        """In place: the file is mounted, and a new one would not be seen."""
        self.hosts.write_text(f"127.0.0.1 localhost\n{address} {NAME}\n")


def test_names_are_resolved_anew(lab):
    """The name leads to another address after a failover, at the same port."""
    old = lab.origin(name="old", repl_ping_replica_period="3600")
    load.fill(old, rounds=10)
    new = lab.replica(old, name="new").wait_online()
    here = lab.mitm(old)
    lab.mitm(new, host="127.0.0.2", port=here.port)
    named = RelayWithHosts(lab, {"upstream.replicaof": f"{NAME} {here.port}"})
    relay = named.relay.start()
    wait_follows(relay, old, through=here)
    replica = lab.replica(relay).wait_online()
    wait_same_offset(old, [new, relay])
    old.kill9()
    promote(new)
    named.point("127.0.0.2")
    wait_follows(relay, new, through=here)
    load.fill(new, rounds=3, seed=3)
    digest.compare(new, [replica])
    assert syncs(new) == (0, 1, 0)
    assert relay.info()["master_host"] == NAME


# ---- REPLICAOF


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_replicaof_survives_a_restart(lab, kind, kill):
    """Also when the ini goes on naming the old one, which is still there."""
    old = lab.origin(kind, name="old", repl_ping_replica_period="3600")
    load.fill(old)
    new = lab.replica(old, kind, name="new").wait_online()
    relay = lab.relay(old).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    hush(old)
    wait_same_offset(old, [new, relay, replica])
    promote(new)
    relay.follow(new)
    wait_follows(relay, new)
    relay.restart(kill=kill)
    wait_follows(relay, new)
    assert old.info()["connected_slaves"] == 0
    assert given(old, relay) == (1, 0), "it has not gone back to the one in its ini"
    load.fill(new, rounds=5, seed=3)
    digest.compare(new, [replica])
    assert syncs(new) == (0, 2, 0)
    assert replica.full_syncs() == 1


def test_replicaof_replaces_all_candidates(lab):
    origin, other = lab.origin(), lab.origin(name="other")
    load.fill(origin, rounds=5)
    load.fill(other, rounds=5, seed=4)
    relay = lab.relay(None, {"upstream.replicaof": addresses(origin, Nobody())})
    wait_follows(relay, origin)
    relay.follow(other)
    wait_follows(relay, other)
    other.pause()
    other_id = relay.info()["master_replid"]
    relay.restart(kill=True)
    wait.stays("it waits for the one", lambda: relay.info()["master_port"], other.port.__eq__)
    assert relay.info()["master_replid"] == other_id
    other.resume()
    wait_follows(relay, other)
    assert given(origin, relay)[0] == 1


@pytest.mark.parametrize(
    "words, why",
    [
        (("NO", "ONE"), ".{10}"),
        (("127.0.0.1", "notaport"), "(?i)invalid master port|integer"),
        (("127.0.0.1", "70000"), "(?i)invalid master port"),
        (("127.0.0.1", "-1"), "(?i)invalid master port"),
    ],
    ids=str,
)
def test_bad_replicaof_is_refused(lab, words, why):
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    with pytest.raises(redis.ResponseError, match=why):
        relay.client().execute_command("REPLICAOF", *words)
    wait_follows(relay, origin)
    load.fill(origin, rounds=3, seed=3)
    digest.compare(origin, [replica])
    assert relay.info()["role"] == "slave"
    assert syncs(origin) == (1, 0, 1), "the link was left alone"


# ---- itself, and its own


def itself(lab, relay):
    return relay


def itself_by_another_way(lab, relay):
    return lab.mitm(relay)


def its_replica(lab, relay):
    return lab.replica(relay, name="own").wait_online()


def replica_of_its_replica(lab, relay):
    return lab.replica(its_replica(lab, relay), name="own-2").wait_online()


@pytest.mark.parametrize(
    "circle", [itself, itself_by_another_way, its_replica, replica_of_its_replica]
)
def test_never_in_a_circle(lab, circle):
    """Pointed at itself or at one of its own: it says so, serves what it holds, and can go back."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    target = circle(lab, relay)
    held = relay.info()["master_replid"]
    wait_same_offset(origin, [relay, replica])
    mark = relay.log_end()
    try:
        relay.follow(target)
    except redis.ResponseError as refusal:
        assert re.search(CIRCLE, str(refusal)), refusal
    else:
        wait_passed_over(relay, target, CIRCLE, after=mark)
    wait_serves(relay, replica, held)
    wait.stays("its history", lambda: relay.info()["master_replid"], held.__eq__)
    assert not lab_is_circle(relay, target)
    relay.follow(origin)
    wait_follows(relay, origin)
    load.fill(origin, rounds=5, seed=3)
    digest.compare(origin, [replica])
    assert syncs(origin)[0] == 1
    assert replica.full_syncs() == 1


def lab_is_circle(relay, target):
    info = relay.info("replication")
    return info["master_port"] == target.port and info["master_link_status"] == "up"


def test_own_replica_among_the_candidates(lab):
    """It would be the first to answer; it is passed over, and taken once it is a primary."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(None, start=False)
    own = lab.replica(relay, name="own", start=False)
    relay.settings["upstream.replicaof"] = addresses(own, relay, origin)
    relay.start()
    wait_follows(relay, origin)
    own.start().wait_online()
    wait_same_offset(origin, [relay, own])
    origin.kill9()
    wait_passed_over(relay, own, CIRCLE)
    wait_passed_over(relay, relay, CIRCLE)
    own.wait_online()
    promote(own)
    wait_follows(relay, own)
    load.fill(own, rounds=3, seed=3)
    digest.compare(own, [lab.replica(relay).wait_online()])
    assert syncs(own) == (0, 1, 0)
