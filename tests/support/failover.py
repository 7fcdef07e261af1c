# SPDX-License-Identifier: MIT
"""Promotions, and what they cost: who was given which kind of sync, as the servers themselves say.

A Shard is what fails over: a primary, a replica of it that can be held back, a relay, and replicas
behind the relay.
"""

import re

import digest
import load
import wait

_OUTCOME = re.compile(
    r"Trying a partial resynchronization \(request (?P<replid>\w+):(?P<offset>\d+)\)"
    r"|(?P<partial>Successful partial resynchronization)"
    r"|(?P<full>Full resync from (?:master|primary))"
)


def addresses(*things):
    """What `replicaof` is given for these candidates."""
    return ", ".join(f"{thing.host} {thing.port}" for thing in things)


def promote(server):
    """Makes a replica a primary, as an operator or a Sentinel does."""
    server.config.pop("replicaof", None)
    server.client().execute_command("REPLICAOF", "NO", "ONE")


def syncs(server):
    """(full, partial accepted) that a real server has given, and its forks."""
    info = server.info()
    return info["sync_full"], info["sync_partial_ok"], info["total_forks"]


def given(server, replica, after=0):
    """(full, partial) syncs that a real server gave to the replica with that port, by its log. It says
    who asks, and whom it continues; everybody else gets a full sync."""
    log = server.log()[after:]
    name = rf"\S+:{replica.port}\b"
    asked = len(re.findall(rf"Replica {name} asks for synchronization", log))
    partial = len(re.findall(rf"Partial resynchronization request from {name} accepted", log))
    return asked - partial, partial


def answers(replica, after=0):
    """[(id, first offset wanted, "full" or "partial")]: what a real replica asked for and got."""
    found, asked = [], None
    for match in _OUTCOME.finditer(replica.log(), after):
        if match["replid"]:
            asked = match["replid"], int(match["offset"])
        elif asked:
            found.append((*asked, "partial" if match["partial"] else "full"))
            asked = None
    return found


def hush(primary):
    """From here on nothing goes into its stream by itself: no PING, and no DEL of what has expired. For
    a failover that shall lose nothing: one who looks at offsets and then promotes is too late."""
    primary.client().config_set("repl-ping-replica-period", 3600)
    primary.client().execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)


def wait_same_offset(primary, things):
    for thing in things:
        wait.until(
            f"{thing.name} at {primary.name}'s offset",
            lambda thing=thing: (thing.offset(), primary.offset()),
            lambda pair: pair[0] == pair[1],
        )


def wait_follows(relay, primary, seconds=30, through=None):
    """The relay streams from this server (by the address of `through`), under its id. The id is asked
    for each time: a server may draw a new one for its first replica."""

    def state():
        info = relay.info("replication")
        replid = primary.info("replication")["master_replid"]
        return info["master_port"], info["master_link_status"], info["master_replid"] == replid

    expected = (through or primary).port, "up", True
    wait.equal(f"{relay.name} follows {primary.name}", state, expected, seconds=seconds)


class Shard:
    """old: the primary. next: its replica, behind link. relay, and `replicas` behind it, each with a
    proxy of its own in `links`."""

    def __init__(self, lab, kind, told="candidates", count=3, settings=None):
        self.lab = lab
        self.told = told
        self.old = lab.origin(kind, name="one")
        load.fill(self.old)
        self.link = lab.mitm(self.old)
        self.next = lab.replica(self.link, kind, name="two").wait_online()
        origins = (self.old, self.next) if told == "candidates" else (self.old,)
        self.relay = lab.relay(
            None, {"upstream.replicaof": addresses(*origins), **(settings or {})}
        ).wait_link()
        self.links = [lab.mitm(self.relay) for _ in range(count)]
        self.replicas = [
            lab.replica(link, kind, name=f"replica-{number}")
            for number, link in enumerate(self.links)
        ]
        for replica in self.replicas:
            replica.wait_online()
        # From here on everybody has something in common: else only a full sync could help.
        load.fill(self.old, rounds=3, seed=2)
        wait_same_offset(self.old, [self.next, self.relay, *self.replicas])

    def fail_over(self):
        """Ends the primary in the hard way, promotes its replica; the relay is told, or finds it."""
        self.old.kill9()
        if self.next.is_paused:
            self.next.resume()
        promote(self.next)
        self.link.cut()
        if self.told == "command":
            self.relay.follow(self.next)

    def swap(self):
        """The promoted one is the primary now, and the old one comes back, empty, as its replica."""
        self.link.stop()
        self.old, self.next = self.next, self.old
        self.link = self.lab.mitm(self.old)
        self.next.config["replicaof"] = f"{self.link.host} {self.link.port}"
        self.next.start().wait_online()

    def compare(self):
        digest.compare(self.old, self.replicas)
