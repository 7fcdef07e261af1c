# SPDX-License-Identifier: MIT
"""Replicas that may not replicate come back at once, for ever: they are told of once, and do not hammer."""

import re

import digest
import load
import resp
import servers
import wait
import web

PASSWORD = {"downstream.requirepass": "right", "relay.log-level": "info"}


def refused(relay):
    return relay.info("stats")["replicas_refused"]


def lines(relay, pattern):
    return [line for line in relay.log().splitlines() if pattern in line]


def test_no_password(lab, kind):
    """A real replica without masterauth."""
    origin = lab.origin(servers.REDIS)
    load.fill(origin)
    relay = lab.relay(origin, PASSWORD, http=True).wait_link()
    before = len(relay.log().splitlines())
    replica = lab.replica(relay, kind)
    wait.until("it has come three times", lambda: refused(relay) >= 3, seconds=30, every=0.5)
    told = lines(relay, "refused")
    assert len(told) == 1, told
    assert "it has not logged in: set masterauth on it" in told[0]
    assert len(relay.log().splitlines()) - before <= 3, "its coming and going is told as well"
    counted = relay.info("stats")["total_connections_received"]
    assert counted < 100, f"{counted} connections: it hammers"
    assert web.metrics(relay)["psync_relay_replicas_refused_total"] >= 3

    with replica.client() as client:
        client.config_set("masterauth", "right")
    replica.wait_online()
    digest.compare(origin, [replica])


def test_wrong_role(lab):
    origin = lab.origin(servers.REDIS)
    users = {"users.watcher": "monitor ocelot", "users.mirror": "replica quetzal"}
    relay = lab.relay(origin, {**PASSWORD, **users}).wait_link()
    replica = lab.replica(relay, servers.REDIS, masteruser="watcher", masterauth="ocelot")
    wait.until("it has come twice", lambda: refused(relay) >= 2, seconds=30)
    told = lines(relay, "refused")
    assert len(told) == 1, told
    assert "its user watcher has the role monitor" in told[0]
    with replica.client() as client:
        client.config_set("masteruser", "mirror")
        client.config_set("masterauth", "quetzal")
    replica.wait_online()


def test_others_wait_for_nothing(lab):
    """The pause is of the connection that was refused, and nobody else notices it."""
    relay = lab.relay(lab.origin(servers.REDIS), PASSWORD).wait_link()
    paused = [lab.closing(resp.Connection(relay.port)) for _ in range(20)]
    for connection in paused:
        connection.send(b"PSYNC ? -1\r\n")
    other = lab.closing(resp.Connection(relay.port))
    assert other.command("PING") == resp.Error("NOAUTH Authentication required.")
    assert other.command("AUTH", "right") == "OK"
    assert other.command("PING") == "PONG"
    for connection in paused:
        assert connection.reply() == resp.Error("NOAUTH Authentication required.")
        assert connection.command("AUTH", "right") == "OK"


def test_health_checks_are_not_told(lab):
    """Clients that never become replicas are for debugging."""
    relay = lab.relay(lab.origin(servers.REDIS), {"relay.log-level": "info"}, http=True).wait_link()
    before = relay.log_end()
    for _ in range(20):
        connection = resp.Connection(relay.port)
        assert connection.command("PING") == "PONG"
        connection.close()
        web.ask(relay, "/metrics")
    wait.equal("they have gone", lambda: relay.info("clients")["connected_clients"], 1)
    told = [line for line in relay.log()[before:].splitlines() if re.search("downstream|status|client|closed", line)]
    assert told == []


def test_an_unreachable_origin_is_summed_up(lab):
    """Tried thirty times and more, told once; and its end is told."""
    origin = lab.origin(servers.REDIS, start=False)
    relay = lab.relay(origin, {"relay.log-level": "info"})
    wait.until("it has tried often", lambda: relay.info("relay")["upstream_attempts"] >= 6, seconds=40)
    told = lines(relay, "upstream: link")
    assert len(told) == 2, told  # connecting, and unreachable
    assert "cause=unreachable: Connection refused" in told[1]
    origin.start()
    relay.wait_link()
    relay.wait_log(r"link state=\S+->streaming .* count=\d+ for=\d+s cause=")
