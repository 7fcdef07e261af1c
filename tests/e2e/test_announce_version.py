# SPDX-License-Identifier: MIT
"""An origin that chooses the version of the RDB by the one that is announced (Valkey 9.1 and later): all
replicas get one that they can read, where the data allows it."""

import pytest

import digest
import load
import psync_client
import servers
import wait
import web
from fake_primary import Choosing

OLDEST = (7, 2, 0)


def replica(lab, relay, version=None):
    """Asks for a full sync; the caller reads it."""
    client = lab.closing(psync_client.PsyncClient(relay.port)).handshake(version=version)
    client.send(b"PSYNC ? -1\r\n")
    return client


def take_rdb(client):
    assert client.psync_reply()[0] == "+FULLRESYNC"
    rdb = client.read_rdb()
    client.ack()
    return rdb[:9]


@pytest.mark.parametrize("can_info", (True, False))
def test_what_most_can_read_while_nobody_is_known(lab, can_info):
    origin = Choosing(lab, can_info=can_info)
    relay = lab.relay(origin.fake).wait_link()
    assert origin.rdbs == [(OLDEST, b"REDIS0011")]
    for version in (None, "8.1.0", "9.1.0"):
        assert take_rdb(replica(lab, relay, version)) == b"REDIS0011"
    assert len(origin.rdbs) == 1


@pytest.mark.parametrize("can_info", (True, False))
def test_data_that_needs_more(lab, can_info):
    """The time to live of a hash's field: two attempts, and what was learned outlives a restart."""
    origin = Choosing(lab, needs=(9, 0, 0), can_info=can_info)
    relay = lab.relay(origin.fake).wait_link()
    assert origin.rdbs == [(OLDEST, None), ((9, 0, 0), b"VALKEY080")]
    relay.wait_log("its data may need a newer format, so version 9.0.0 is announced next")
    relay.restart(kill=True).wait_link()
    relay.client().execute_command("RELAY", "SNAPSHOT")
    wait.equal("fetched", lambda: origin.rdbs[2:], [((9, 0, 0), b"VALKEY080")])
    assert take_rdb(replica(lab, relay, "9.0.0")) == b"VALKEY080"


def test_one_that_cannot_read_what_is_held(lab):
    """The RDB was fetched for newer replicas only: another is fetched, once, for one that is older."""
    origin = Choosing(lab)
    relay = lab.relay(origin.fake, {"upstream.announce-version": "9.1.0"}).wait_link()
    assert origin.rdbs == [((9, 1, 0), b"VALKEY080")]
    assert take_rdb(replica(lab, relay, "9.1.0")) == b"VALKEY080"
    relay.set("announce-version", "auto")
    assert take_rdb(replica(lab, relay, "8.1.0")) == b"REDIS0011"
    assert origin.rdbs[1:] == [((8, 1, 0), b"REDIS0011")]
    assert relay.info("relay")["upstream_refresh0"]["cause"] == (
        "a replica cannot read the one that is held"
    )
    for version in (None, "8.1.0", "9.1.0"):
        assert take_rdb(replica(lab, relay, version)) == b"REDIS0011"
    assert len(origin.rdbs) == 2


def test_one_without_a_version_that_loops(lab):
    """A Redis: it announces none, fails at Valkey's own format, and is given the shared one."""
    origin = Choosing(lab)
    relay = lab.relay(origin.fake, {"upstream.announce-version": "9.1.0"}).wait_link()
    relay.set("announce-version", "auto")
    client = replica(lab, relay)
    assert take_rdb(client) == b"VALKEY080"
    client.close()
    wait.equal("another is fetched", lambda: origin.rdbs[1:], [(OLDEST, b"REDIS0011")])
    wait.equal("it is there", lambda: relay.info("relay")["upstream_refreshes"], 1)
    assert take_rdb(replica(lab, relay)) == b"REDIS0011"


def test_one_that_no_rdb_can_be_had_for_makes_no_loop(lab):
    """The data needs 9.0: the primary is not asked in vain, and it is told who cannot be served."""
    origin = Choosing(lab, needs=(9, 0, 0))
    settings = {"store.snapshot-min-interval": "0"}
    relay = lab.relay(origin.fake, settings, http=True).wait_link()
    assert len(origin.rdbs) == 2
    client = replica(lab, relay, "8.1.0")
    findings = wait.until(
        "it is told",
        lambda: {one["name"]: one for one in web.status(relay)["findings"]},
        lambda found: "rdb_version_raised" in found,
    )
    assert "8.1.0" in findings["rdb_version_raised"]["what"]
    assert "replica_cannot_load" in findings
    assert take_rdb(client) == b"VALKEY080", "it is served all the same, after a while"
    assert len(origin.rdbs) == 2


def test_a_fixed_version(lab):
    origin = Choosing(lab)
    relay = lab.relay(origin.fake, {"upstream.announce-version": "9.0.0"}).wait_link()
    assert origin.rdbs == [((9, 0, 0), b"VALKEY080")]
    replica(lab, relay, "8.1.0")
    wait.stays("it stays", lambda: len(origin.rdbs), lambda count: count == 1, seconds=2)


def test_replicas_of_a_relay_behind(lab):
    """What they can read is told up the chain, and each relay fetches another RDB once."""
    origin = Choosing(lab)
    fixed = {"upstream.announce-version": "9.1.0"}
    near = lab.relay(origin.fake, fixed, name="near").wait_link()
    far = lab.relay(near, fixed, name="far").wait_link()
    assert origin.rdbs == [((9, 1, 0), b"VALKEY080")]
    for relay in near, far:
        relay.set("announce-version", "auto")
    assert take_rdb(replica(lab, far, "8.1.0")) == b"REDIS0011"
    assert origin.rdbs[1:] == [((8, 1, 0), b"REDIS0011")]
    assert near.info("relay")["upstream_announced_version"] == "8.1.0"
    assert take_rdb(replica(lab, near, "8.1.0")) == b"REDIS0011"
    assert len(origin.rdbs) == 2


def test_a_relay_behind_keeps_any_rdb(lab):
    """It announces what its replicas could read, and is given what there is; that is no failure."""
    origin = Choosing(lab, needs=(9, 0, 0))
    near = lab.relay(origin.fake, name="near", http=True).wait_link()
    far = lab.relay(near, name="far").wait_link()
    assert take_rdb(replica(lab, far, "9.0.0")) == b"VALKEY080"
    for _ in range(3):
        refreshes = far.info("relay")["upstream_refreshes"]
        far.client().execute_command("RELAY", "SNAPSHOT")
        wait.equal(
            "another", lambda: far.info("relay")["upstream_refreshes"], refreshes + 1, seconds=15
        )
    assert near.info("stats")["sync_full_unacknowledged"] == 0
    assert "replica_cannot_load" not in [one["name"] for one in web.status(near)["findings"]]
    assert len(origin.rdbs) == 2


# ---------------------------------------------------------------- Valkey 9.1 itself

USER = {"upstream.masteruser": "link", "upstream.masterauth": "a-long-password"}


def give_rights(origin, can_info):
    """A user that replicates, with or without the right that tells the relay which server this is."""
    rights = ["+psync", "+replconf", "+ping", *(["+info"] if can_info else [])]
    words = ["ACL", "SETUSER", USER["upstream.masteruser"], "on", ">" + USER["upstream.masterauth"]]
    origin.client().execute_command(*words, *rights)


def holds(relay, magic):
    """Waits until the RDB that it serves is of this format."""

    def served():
        offset = relay.info("store")["snapshot_offset"]
        try:
            return [path.read_bytes()[:9] for path in relay.data_dir.glob(f"history-*/snapshot/{offset}.rdb")]
        except FileNotFoundError:
            return []

    wait.equal(f"the RDB of {relay.name}", served, [magic])


def test_replicas_of_three_releases(lab, valkey_91):
    origin = lab.origin(valkey_91)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replicas = [
        lab.replica(relay, kind).wait_online()
        for kind in servers.REPLICA_KINDS[valkey_91]
        if servers.is_available(kind)
    ]
    load.fill(origin, rounds=3, seed=2)
    digest.compare(origin, replicas)
    assert origin.info()["sync_full"] == 1


@pytest.mark.parametrize("can_info", (True, False))
def test_a_hash_field_with_a_time_to_live(lab, valkey_91, can_info):
    """A refresh and a first sync cost one attempt more, and no other; who is too old for the data is told of."""
    origin = lab.origin(valkey_91)
    give_rights(origin, can_info)
    load.fill(origin)
    relay = lab.relay(origin, {**USER, "store.snapshot-min-interval": "0"}, http=True).wait_link()
    holds(relay, b"REDIS0011")
    origin.client().hset("session", "token", "secret")
    origin.client().execute_command("HEXPIRE", "session", "3600", "FIELDS", "1", "token")
    forks = origin.info()["total_forks"]
    relay.client().execute_command("RELAY", "SNAPSHOT")
    relay.wait_log("its data may need a newer format, so version 9.0.0 is announced next")
    relay.wait_log("snapshot refresh state=loading->idle cause=failed")
    relay.client().execute_command("RELAY", "SNAPSHOT")
    holds(relay, b"VALKEY080")
    assert origin.info()["total_forks"] == forks + 2
    replica = lab.replica(relay, valkey_91).wait_online()
    digest.compare(origin, [replica])
    assert replica.client().execute_command("HTTL", "session", "FIELDS", "1", "token")[0] > 3000

    far = lab.relay(origin, {**USER}, name="second").wait_link(seconds=45)
    holds(far, b"VALKEY080")
    lab.closing(psync_client.PsyncClient(relay.port)).handshake(version="8.1.0").send(b"PSYNC ? -1\r\n")
    wait.until(
        "it is told",
        lambda: [one["name"] for one in web.status(relay)["findings"]],
        lambda found: "replica_cannot_load" in found,
    )
