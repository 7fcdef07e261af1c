# SPDX-License-Identifier: MIT
"""Two relays that name each other before the primary: one stream of the primary for both."""

import digest
import load
import wait
from failover import addresses, syncs, wait_follows, wait_same_offset


class Pair:
    """Two relays, each with a replica. Which of them follows the primary is up to them."""

    def __init__(self, lab, kind):
        self.lab, self.kind = lab, kind
        self.origin = lab.origin(kind)
        load.fill(self.origin)
        self.relays = [lab.relay(name=name, start=False) for name in ("one", "other")]
        for relay, other in (self.relays, self.relays[::-1]):
            relay.settings["upstream.replicaof"] = addresses(other, self.origin)
            relay.settings["upstream.prefer"] = "first"

    def attach(self):
        self.replicas = [self.lab.replica(relay, self.kind) for relay in self.relays]
        for replica in self.replicas:
            replica.wait_online()

    def compare(self):
        wait_same_offset(self.origin, self.relays)
        digest.compare(self.origin, self.replicas)


def streams(origin):
    return origin.info("replication")["connected_slaves"]


def test_either_takes_the_link_over(lab, kind):
    pair = Pair(lab, kind)
    first, second = pair.relays
    first.start().wait_link()
    second.start().wait_link()
    wait_follows(first, pair.origin)
    wait_follows(second, pair.origin, through=first)
    pair.attach()
    for _ in range(2):
        first.kill9()
        wait_follows(second, pair.origin)
        load.fill(pair.origin, rounds=2, seed=3)
        first.start().wait_link()
        wait_follows(first, pair.origin, through=second)
        wait.equal("streams of the primary", lambda: streams(pair.origin), 1)
        pair.compare()
        first, second = second, first
    assert syncs(pair.origin)[0] == 1, "full syncs of the primary"
    assert [replica.full_syncs() for replica in pair.replicas] == [1, 1]


def test_both_begin_at_once(lab, kind):
    """Neither waits for the other for ever, and neither follows the other round in a circle."""
    pair = Pair(lab, kind)
    for relay in pair.relays:
        relay.start()
    for relay in pair.relays:
        relay.wait_link()
    pair.attach()
    load.fill(pair.origin, rounds=2, seed=3)
    pair.compare()
    pair.origin.shutdown(save=True)
    for relay in pair.relays:
        wait.until(f"{relay.name} has lost it", lambda relay=relay: hop_of_primary(relay, pair.origin) != "up")
    pair.origin.start()
    pair.compare()


def hop_of_primary(relay, origin):
    """How the link to the primary is, as this relay or the one above it says; None: not known now."""
    info = relay.info("relay")
    hops = [info[f"upstream_hop{number}"] for number in range(info["upstream_hops"])]
    return next((hop["link"] for hop in hops if hop["port"] == origin.port), None)
