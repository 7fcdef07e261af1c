# SPDX-License-Identifier: MIT
"""The smallest users at the origin and at the Sentinels: the lines of docs/security.md are enough, and what is missing
is named."""

import re

import pytest

import digest
import documents
import load
import prose
import wait
import web
from failover import addresses, promote, syncs, wait_follows, wait_same_offset
from sentinels import GROUP

PASSWORD = "a-long-password"
ORIGIN_LINE, SENTINEL_LINE = [
    line.split()
    for language, body in prose.blocks(documents.section("docs/security", "Users at the primary and the Sentinels"))
    for line in body.splitlines()
    if line.startswith("ACL SETUSER")
]
USER = {"upstream.masteruser": "relay", "upstream.masterauth": PASSWORD}


def allow(server, line, without=()):
    client = server.client()
    client.execute_command(*[word for word in line if word not in without])


def finding(relay):
    found = {one["name"]: one for one in web.status(relay)["findings"]}
    return found.get("rights_missing")


def crash(lab, kind, without=()):
    """A primary dies with writes that its replica has not, and the relay has. Returns the promoted one, the
    relay and its replica."""
    old = lab.origin(kind, name="old")
    load.fill(old)
    link = lab.mitm(old)
    new = lab.replica(link, kind, name="new").wait_online()
    for server in old, new:
        allow(server, ORIGIN_LINE, without)
    relay = lab.relay(
        None, {**USER, "upstream.replicaof": addresses(old, new)}, http=True
    ).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    load.fill(old, rounds=3, seed=2)
    wait_same_offset(old, [new, relay, replica])
    link.bytes_per_second = 1000
    load.fill(old, rounds=30, seed=3)
    wait_same_offset(old, [relay])
    assert new.offset() < old.offset()
    old.kill9()
    promote(new)
    link.cut()
    return new, relay, replica


def test_the_origins_user_is_enough(lab, kind):
    new, relay, replica = crash(lab, kind)
    before = syncs(new)
    wait_follows(relay, new)
    gained = [after - was for was, after in zip(before, syncs(new))]
    assert gained == [0, 1, 0], "a crash costs the new primary no full sync"
    relay.client().execute_command("RELAY", "SNAPSHOT")
    wait.equal("a refresh", lambda: relay.info("relay")["upstream_refreshes"], 1)
    digest.compare(new, [replica])
    assert finding(relay) is None
    assert "NOPERM" not in relay.log()
    assert "lacks rights" not in relay.log()


def test_without_info_a_crash_costs_a_full_sync(lab):
    new, relay, _ = crash(lab, "redis-7.0", without=("+info",))
    assert "so that a failover after a crash costs a full sync" in finding(relay)["advice"]
    relay.wait_log(r'user "relay" lacks rights at 127.0.0.1:\d+: \+info \(ACL SETUSER gives them\)')
    relay.follow(new)
    wait_follows(relay, new)
    assert syncs(new)[0] == 1, "as was said"


@pytest.mark.parametrize("right", [word for word in ORIGIN_LINE if word.startswith("+")])
def test_what_is_missing_at_the_origin_is_named(lab, right):
    origin = lab.origin()
    load.fill(origin)
    allow(origin, ORIGIN_LINE, without=(right,))
    relay = lab.relay(origin, USER, http=True)
    found = wait.until("it is told", lambda: finding(relay))
    assert found["advice"].endswith(f"ACL SETUSER relay {right}")
    assert found["severity"] == ("warning" if right in ("+info",) else "problem")
    relay.wait_log(rf"lacks rights at .*: {re.escape(right)} \(")
    allow(origin, ORIGIN_LINE)
    origin.client().client_kill_filter(_type="slave")
    relay.wait_link()
    wait.until("and no more", lambda: finding(relay) is None)
    assert len(re.findall("lacks rights", relay.log())) == 1, "once"


def test_the_sentinels_user_is_enough(lab, kind):
    primary = lab.origin(kind, name="primary")
    load.fill(primary, rounds=3)
    sentinel = lab.sentinel(kind, primary)
    allow(sentinel, SENTINEL_LINE)
    sentinel.client().execute_command("ACL", "SETUSER", "default", "-@all", "+ping", "+acl")
    relay = lab.relay(None, sentinel_settings(sentinel))
    wait_follows(relay, primary)
    relay.wait_log("sentinel state=asking->listening")
    wait.stays(  # long enough for a PING
        "it listens", relay.log, lambda log: "listening->" not in log, seconds=3
    )


def sentinel_settings(sentinel):
    return {
        "upstream.sentinel": f"{GROUP} 127.0.0.1:{sentinel.port}",
        "upstream.sentinel-user": "relay",
        "upstream.sentinel-pass": PASSWORD,
    }


@pytest.mark.parametrize(
    "right", [word for word in SENTINEL_LINE if word[0] in "+&" and word != "+unsubscribe"]
)
def test_what_is_missing_at_a_sentinel_is_named(lab, right):
    primary = lab.origin(name="primary")
    sentinel = lab.sentinel("redis-7.0", primary)
    allow(sentinel, SENTINEL_LINE, without=(right,))
    relay = lab.relay(None, sentinel_settings(sentinel))
    name = "channel" if right[0] == "&" else right[1:]
    relay.wait_log(rf"sentinel .*NOPERM.*{re.escape(name)}")
