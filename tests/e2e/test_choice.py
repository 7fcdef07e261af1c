# SPDX-License-Identifier: MIT
"""Whose data set may replace the one that is held, and which of several servers is followed."""

import pytest

import digest
import load
import psync_client
import resp
import wait
import web
from failover import addresses, promote, syncs, wait_follows, wait_same_offset
from sentinels import address_of, sentinel_setting

STILL_SECONDS = 3  # nothing is taken meanwhile; before, a few rounds were enough


def dbsize(server):
    return server.client().dbsize()


def keeps_its_data(replica):
    """It is not given another data set for a while. Not by its keys: some expire."""
    before = replica.full_syncs()
    wait.stays("no full sync", replica.full_syncs, before.__eq__, seconds=STILL_SECONDS)
    assert dbsize(replica) > 0


def other_history(relay):
    return relay.info("relay").get("upstream_other_history")


class Left:
    """`stale` has come back empty, as a primary of its own; `good`, which was promoted, is away."""

    def __init__(self, lab, grace):
        self.stale = lab.origin(name="stale")
        load.fill(self.stale)
        self.good = lab.replica(self.stale, name="good", save="").wait_online()
        self.relay = lab.relay(
            None,
            {
                "upstream.replicaof": addresses(self.stale, self.good),
                "upstream.failover-grace": grace,
            },
            http=True,
        ).wait_link()
        self.replica = lab.replica(self.relay).wait_online()
        digest.compare(self.stale, [self.good, self.replica])
        self.stale.kill9()
        promote(self.good)
        wait_follows(self.relay, self.good)
        load.fill(self.good, rounds=3, seed=3)
        digest.compare(self.good, [self.replica])
        self.stale.start()
        assert dbsize(self.stale) == 0
        self.good.shutdown(save=True)
        self.relay.wait_log("has another history")
        if grace in ("no", "1h"):  # otherwise it may have been taken by now
            wait.equal("another history waits", lambda: other_history(self.relay), 1)

    def return_good(self):
        self.good.start()
        wait_follows(self.relay, self.good)
        load.fill(self.good, rounds=3, seed=5)
        digest.compare(self.good, [self.replica])


@pytest.mark.seconds(60)
def test_a_stale_empty_primary_is_not_taken(lab):
    left = Left(lab, "1h")
    finding = web.status(left.relay)["findings"][0]
    assert finding["name"] == "other_history"
    assert f":{left.stale.port} has another history" in finding["what"]
    assert web.metrics(left.relay)["psync_relay_link_other_history"] == 1
    assert 3500 < left.relay.info("relay")["upstream_other_history_seconds_left"] <= 3600
    left.relay.wait_log(r"has another history .* its data set is not taken for 3\d\d\d s")
    keeps_its_data(left.replica)
    assert syncs(left.stale)[2] == 0, "it was looked at, and has not forked"
    left.return_good()
    assert left.replica.full_syncs() == 1
    assert other_history(left.relay) == 0


@pytest.mark.seconds(60)
@pytest.mark.parametrize("how", ["accept", "accept-named", "replicaof", "grace"])
def test_a_wait_is_ended(lab, how):
    left = Left(lab, "3" if how == "grace" else "no")
    where = (left.stale.host, left.stale.port)
    with resp.Connection(left.relay.port) as client:
        if how == "accept":
            assert client.command("RELAY", "ACCEPT") == "OK"
        if how == "accept-named":
            assert client.command("RELAY", "ACCEPT", left.good.host, left.good.port) == resp.Error(
                "ERR the history of that server does not wait to be taken"
            )
            assert client.command("RELAY", "ACCEPT", *where) == "OK"
        if how == "replicaof":
            assert client.command("REPLICAOF", *where) == "OK"
    wait_follows(left.relay, left.stale)
    wait.equal("its keys", lambda: dbsize(left.replica), 0)
    load.fill(left.stale, rounds=2, seed=9)
    digest.compare(left.stale, [left.replica])


@pytest.mark.seconds(60)
@pytest.mark.parametrize("told", ["rdb", "promoted"])
def test_the_primary_of_another_shard_is_never_taken(lab, told):
    """It was there while ours flowed: with keys of its own, or promoted from a primary that we do not know."""
    ours = lab.origin(name="ours")
    load.fill(ours)
    other = lab.origin(name="other")
    load.fill(other, rounds=3, seed=7)
    if told == "promoted":
        first, other = other, lab.replica(other, name="promoted").wait_online()
        promote(other)
        first.stop()
    relay = lab.relay(
        None, {"upstream.replicaof": addresses(ours, other), "upstream.failover-grace": "1"}
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    digest.compare(ours, [replica])
    wait.until("both are up for a while", lambda: other.info()["uptime_in_seconds"] > 3)
    ours.kill9()
    relay.wait_log(r"has another history .* its data set is not taken by itself")
    keeps_its_data(replica)
    assert relay.info("relay")["upstream_other_history_seconds_left"] == -1
    with resp.Connection(relay.port) as client:
        assert client.command("RELAY", "ACCEPT") == "OK"
    wait_follows(relay, other)
    digest.compare(other, [replica])


def test_without_the_right_to_ask(lab):
    """INFO is refused: the history is known from the answer to PSYNC, and the RDB is not taken."""
    user = "relay on >pw +psync +replconf +ping"
    stale = lab.origin(name="stale", user=user)
    good = lab.origin(name="good", user=user)
    load.fill(good)
    relay = lab.relay(
        None,
        {
            "upstream.replicaof": addresses(good, stale),
            "upstream.masteruser": "relay",
            "upstream.masterauth": "pw",
        },
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    digest.compare(good, [replica])
    good.shutdown(save=True)
    relay.wait_log(r"cause=declined: it has another history")
    keeps_its_data(replica)
    good.start()
    wait_follows(relay, good)
    load.fill(good, rounds=2, seed=3)
    digest.compare(good, [replica])
    assert syncs(stale)[2] <= 3, "once a backoff, not once a round"


def test_what_a_sentinel_told_is_remembered(lab):
    """The ini names a server that has come back empty; the Sentinels are gone, and the relay starts again."""
    old = lab.origin(name="old")
    load.fill(old)
    new = lab.replica(old, name="new").wait_online()
    fake = lab.fake_sentinel({"GET-MASTER-ADDR-BY-NAME": address_of(old)})
    setting = sentinel_setting(fake)
    relay = lab.relay(old, {"upstream.sentinel": setting}).wait_link()
    replica = lab.replica(relay).wait_online()
    digest.compare(old, [new, replica])
    wait.until("it listens", lambda: fake.subscribers)
    promote(new)
    old.kill9()
    fake.answers["GET-MASTER-ADDR-BY-NAME"] = address_of(new)
    fake.publish("+switch-master", f"mymaster {old.host} {old.port} {new.host} {new.port}")
    wait_follows(relay, new)
    note = relay.data_dir / "origin"
    wait.until(
        "it is noted",
        lambda: note.read_text(),
        lambda text: f" {new.port}\n" in text and text.endswith("told-by sentinel\n"),
    )
    old.start()
    fake.answers["GET-MASTER-ADDR-BY-NAME"] = b""
    relay.restart(kill=True)
    wait_follows(relay, new)
    load.fill(new, rounds=2, seed=3)
    digest.compare(new, [replica])

    # Where that one is stale now: nothing of it is taken before a Sentinel has answered.
    relay.stop()
    new.kill9()
    (new.directory / "dump.rdb").unlink(missing_ok=True)
    new.start()
    assert dbsize(new) == 0
    relay.start()
    relay.wait_log(r"passed_over: it has another history")
    keeps_its_data(replica)
    assert syncs(new)[2] == 0


def test_relays_as_candidates(lab, kind):
    """A far relay with two near ones: one is followed, and the other when that one dies."""
    origin = lab.origin(kind)
    load.fill(origin)
    near = [lab.relay(origin, name=f"near-{number}").wait_link() for number in range(2)]
    far = lab.relay(None, {"upstream.replicaof": addresses(*near)}, name="far").wait_link()
    replica = lab.replica(far, kind).wait_online()
    assert far.info()["master_port"] == near[0].port
    chain = [near[0].info("server")["run_id"], origin.info("server")["run_id"]]
    told = far.info("replication")
    assert (told["upstream_chain"], told["upstream_chain_complete"]) == (",".join(chain), 1)
    load.fill(origin, rounds=2, seed=2)
    wait_same_offset(origin, [*near, far, replica])
    near[0].stop()
    load.fill(origin, rounds=2, seed=3)
    wait_follows(far, origin, through=near[1])
    digest.compare(origin, [replica])
    near[0].start()
    near[0].wait_link()
    wait.stays("it stays", lambda: far.info()["master_port"], near[1].port.__eq__)
    assert replica.full_syncs() == 1
    assert origin.info()["sync_full"] == 2


def test_relays_that_are_candidates_of_each_other(lab):
    """Each has the primary and the other: none follows what follows it, and both are back with the primary."""
    origin = lab.origin()
    load.fill(origin)
    way = lab.mitm(origin)
    first = lab.relay(None, start=False, name="first")
    second = lab.relay(
        None, {"upstream.replicaof": addresses(origin, first)}, start=False, name="second"
    )
    first.settings["upstream.replicaof"] = addresses(way, second)
    for relay in (first, second):
        relay.start()
        relay.wait_link()
    replica = lab.replica(first).wait_online()
    load.fill(origin, rounds=2, seed=2)
    wait_same_offset(origin, [first, second, replica])
    way.refuse()
    wait_follows(first, origin, through=second)
    load.fill(origin, rounds=2, seed=3)
    digest.compare(origin, [replica])
    mark = second.log_end()
    origin.shutdown(save=True)
    second.wait_log(r"passed_over: it follows this relay", after=mark)
    assert second.info()["master_link_status"] == "down"
    origin.start()
    wait_follows(second, origin)
    load.fill(origin, rounds=2, seed=4)
    digest.compare(origin, [replica])
    assert replica.full_syncs() == 1


def test_a_replica_that_looks_like_the_origin(lab):
    """It comes from the primary's address and announces its port: the relay keeps its origin."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    with psync_client.PsyncClient(relay.port, listening_port=origin.port).handshake() as twin:
        twin.full_sync()
        before = relay.info("relay")["upstream_partial_syncs"]
        origin.client().execute_command("CLIENT", "KILL", "TYPE", "replica")
        wait.until("it is back", lambda: relay.info("relay")["upstream_partial_syncs"] > before)
        load.fill(origin, rounds=2, seed=3)
        digest.compare(origin, [replica])
