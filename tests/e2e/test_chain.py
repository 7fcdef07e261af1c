# SPDX-License-Identifier: MIT
"""Relays behind relays: what has died at the root is seen at the far end, and where."""

import wait
import web

PERIOD = 1  # repl-ping-replica-period: the relays learn it


def chain(lab):
    """(origin, [near, middle, far]); the middle one logs in at the near one as a replica may, and no more."""
    origin = lab.origin(repl_ping_replica_period=str(PERIOD))
    near = lab.relay(origin, {"users.replicas": "replica secret", "users.default": "admin nopass"}, http=True)
    login = {"upstream.masteruser": "replicas", "upstream.masterauth": "secret"}
    middle = lab.relay(near.wait_link(), login, name="middle", http=True)
    far = lab.relay(middle.wait_link(), name="far", http=True)
    return origin, [near, middle, far.wait_link()]


def hops(relay):
    """Where each link goes and how it is: our own, then those above."""
    return [(hop["port"], hop["link"]) for hop in web.status(relay)["upstream"]["hops"]]


def findings(relay):
    return {finding["name"]: finding["what"] for finding in web.status(relay)["findings"]}


def ports(origin, relays, *links):
    """What the far one should say: its own link first."""
    to = [relays[1].port, relays[0].port, origin.port]
    return list(zip(to, links))


def test_a_dead_root_is_seen_at_the_far_end(lab):
    origin, relays = chain(lab)
    far = relays[-1]
    well = ports(origin, relays, "up", "up", "up")
    wait.equal("the far one knows those above it", lambda: hops(far), well, seconds=30)
    wait.until(
        "it knows how often the root is heard",
        lambda: web.status(far)["upstream"]["ping_period_seconds"],
        lambda period: period < PERIOD + 1,
    )
    wait.equal("all is well", lambda: findings(far), {})
    wait.equal("it is ready", lambda: web.ask(far, "/readyz?max-silence=5s")[0], 200)

    origin.kill9()
    down = ports(origin, relays, "up", "up", "down")
    wait.equal("which link is down", lambda: hops(far), down, seconds=30)
    said = wait.until("a finding says it", lambda: findings(far).get("hop_down"), seconds=30)
    assert f":{relays[0].port} above this one" in said and f":{origin.port} (down)" in said, said
    assert far.info()["master_link_status"] == "up", "its own is"
    assert far.info()["upstream_hop2"]["link"] == "down"
    assert far.info()["upstream_hops"] == 3
    assert web.metrics(far)["psync_relay_hops_down"] == 1
    wait.equal("it is not ready", lambda: web.ask(far, "/readyz?max-silence=5s")[0], 503)
    assert web.status(far)["upstream"]["root_silence_seconds"] >= 5

    origin.start()
    wait.equal("the link is up again", lambda: hops(far), well, seconds=40)
    wait.equal("all is well again", lambda: findings(far), {}, seconds=30)
    wait.equal("it is ready again", lambda: web.ask(far, "/readyz?max-silence=5s")[0], 200)


def test_a_silent_root_is_seen_at_the_far_end(lab):
    """It is paused: all links are up, and nothing comes any more."""
    origin, relays = chain(lab)
    for relay in relays:
        wait.until(
            f"{relay.name} knows how often the root is heard",
            lambda relay=relay: web.status(relay)["upstream"]["ping_period_seconds"],
            lambda period: period < PERIOD + 1,
            seconds=30,
        )
    origin.pause()
    for relay in relays:
        said = wait.until("a finding", lambda relay=relay: findings(relay).get("stream_silent"), seconds=30)
        assert said.startswith("Nothing has arrived from 127.0.0.1:"), said
        assert relay.info()["master_link_status"] == "up"
    assert web.metrics(relays[-1])["psync_relay_stream_silence_seconds"] >= 2 * PERIOD
    origin.resume()
    for relay in relays:
        wait.equal("it is heard again", lambda relay=relay: findings(relay), {})


def test_a_server_above_is_not_asked(lab):
    """Its silence is all that there is."""
    origin = lab.origin()
    replica = lab.replica(origin, name="middle").wait_online()
    relay = lab.relay(replica, http=True).wait_link()
    wait.stays("it is the only one", lambda: hops(relay), lambda now: now == [(replica.port, "up")], seconds=7)
