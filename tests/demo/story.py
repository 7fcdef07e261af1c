# SPDX-License-Identifier: MIT
"""What the demo tells, chapter by chapter. Each ends with a check, and its line says what was seen."""

import digest
import load
import servers
import view
import wait
from nodes import Node

BULK_MB = 32
ROUNDS_PER_SECOND = 40
ORIGIN = {
    # The relay is away for seconds, and the origin must remember that long.
    "repl_backlog_size": "64mb",
    "dbfilename": "origin.rdb",
}
RELAY = {
    "relay.log-level": "info",
    "store.segment-size": "8mb",
}


class Mismatch(AssertionError):
    """Something was seen that should not be."""


def check(what, came, expected):
    if came != expected:
        raise Mismatch(f"expected {what}: {expected!r}\n  came: {came!r}")


def short_version(kind):
    """redis-7.0 as people write it."""
    return kind.replace("-", " ")


class Story:
    def __init__(self, lab, stage):
        self.lab = lab
        self.stage = stage
        self.origin = self.relay = self.writer = None
        self.replicas = []
        has_valkey = servers.is_available(servers.VALKEY)
        self.kinds = (servers.REDIS, servers.VALKEY if has_valkey else servers.REDIS)

    def tell(self):
        self.origin_starts()
        self.relay_attaches()
        self.five_attach()
        self.relay_is_killed()
        self.origin_is_away()
        self.origin_comes_back()
        self.all_is_equal()
        self.costs()

    # --- chapters

    def origin_starts(self):
        stage = self.stage
        stage.chapter(
            "A primary, with data and a writer",
            "An ordinary Redis: every data type, several databases, and an application that "
            "writes to it all the time.",
        )
        server = self.lab.origin(servers.REDIS, **ORIGIN)
        self.origin = self._node("origin", server, short_version(server.kind))
        load.populate(server, BULK_MB)
        load.fill(server)
        self.writer = self.lab.writer(server, rounds_per_second=ROUNDS_PER_SECOND)
        stage.look()
        check("no full sync, no fork so far", self._origin_cost(), (0, 0))
        keys, dbs = self.origin.keys(), len(self.origin.dbs())
        stage.done(f"Origin: {keys} keys in {dbs} databases, written to all the time", 3)

    def relay_attaches(self):
        stage = self.stage
        stage.chapter(
            "The relay attaches to it",
            "To the primary it is one more replica. It keeps the RDB and the stream on disk, "
            "and loads nothing.",
            1.5,
        )
        process = self.lab.relay(self.origin.process, RELAY)
        self.relay = self._node("relay", process, "psync-relay", self.origin)
        stage.until("the relay's link", self.relay.state, "online")
        self._wait_current()
        check("(full syncs, forks) of the primary", self._origin_cost(), (1, 1))
        size = view.size(self.origin.sent_bytes())
        stage.done(f"Relay attached: the primary made 1 full sync, 1 fork, sent {size}", 2.5)

    def five_attach(self):
        stage = self.stage
        stage.chapter(
            "Five replicas attach to the relay",
            "All at once, and each needs a full sync. The relay gives it to them; the primary does "
            "not notice.",
            1.5,
        )
        self._attach(5)
        check("(full syncs, forks) of the primary", self._origin_cost(), (1, 1))
        check("replicas of the primary", self.origin.number("connected_slaves"), 1)
        check("full syncs by the relay", self.relay.total("sync_full"), 5)
        stage.done("5 replicas attached: the primary has 1 replica, 1 full sync, 1 fork", 3.5)

    def relay_is_killed(self):
        stage, relay = self.stage, self.relay
        stage.chapter(
            "The relay is killed, and started again",
            "kill -9, while the writer goes on. The relay finds all it had on its disk: everybody "
            "goes on where it stopped, with a partial sync.",
            1.5,
        )
        self._mark()
        pid = relay.process.pid
        relay.process.kill9()
        relay.absent = "killed"
        stage.now(f"kill -9 {pid}: it is gone, and the primary writes on")
        stage.until("the replicas' links", self._states, ["link down"] * 5)
        stage.hold(2.5)
        stage.picture()
        relay.process.start()
        relay.absent = None
        stage.now(f"started again as pid {relay.process.pid}")
        stage.until("relay and replicas", self._states_below, ["online"] * 6)
        self._wait_current()
        check("(full, partial) syncs of each", self._since_mark(), [(0, 1)] * 6)
        check("(full syncs, forks) of the primary", self._origin_cost(), (1, 1))
        stage.done("Relay killed and back: all 6 went on with a partial sync, 0 full syncs", 3.5)

    def origin_is_away(self):
        stage, relay = self.stage, self.relay
        stage.chapter(
            "The primary is shut down, and a sixth replica joins",
            "What the relay holds it can give away without the primary: the RDB, and all of the "
            "stream since then.",
            1.5,
        )
        before = relay.total("sync_full")
        status = self.origin.process.shutdown(save=True)
        check("exit status of the primary", status, 0)
        self.origin.absent = "shut down"
        stage.now("SHUTDOWN SAVE: the primary is gone; the writer gets errors, and tries on")
        stage.until("the relay's link", relay.state, "link down")
        stage.hold(2)
        stage.now("replica 6 starts, with no data at all")
        self._attach(1)
        first, last = self.replicas[0], self.replicas[-1]
        stage.until("replica 6's offset", last.offset, first.offset())
        wait.equal(
            "replica 6's DEBUG DIGEST",
            lambda: digest.digest(last.process),
            digest.digest(first.process),
        )
        check("syncs of replica 6", last.syncs(), (1, 0))
        check("full syncs by the relay meanwhile", relay.total("sync_full") - before, 1)
        check("the primary still away", self.origin.process.is_running(), False)
        stage.done("Origin shut down: replica 6 got its full sync from the relay", 3.5)

    def origin_comes_back(self):
        stage = self.stage
        stage.chapter(
            "The primary comes back",
            "It has read its RDB and begins a new replication id. The relay goes on under the new "
            "one and takes everybody along.",
            1.5,
        )
        self._mark()
        self.origin.process.start()
        self.origin.absent = None
        stage.now(f"started again as pid {self.origin.process.pid}")
        stage.until("relay and replicas", self._states_below, ["online"] * 7)
        stage.until("replication ids that are there", self._replids, 1)
        stage.until("relay and replicas", self._states_below, ["online"] * 7)
        self._wait_current()
        since = self._since_mark()
        check("full syncs of each", [full for full, _ in since], [0] * 7)
        check("(full syncs, forks) of the primary in all", self._origin_cost(), (1, 1))
        count = sum(partial for _, partial in since)
        stage.done(f"Origin back: {count} partial syncs, 0 full syncs, 0 forks", 3.5)

    def all_is_equal(self):
        stage = self.stage
        stage.chapter(
            "Do they all hold the same?",
            "The writer stops. DEBUG DIGEST is a checksum over all keys, types, and values of all "
            "databases.",
        )
        self.writer.stop()
        stage.now("the writer has stopped; the last keys expire")
        stage.hold(2)
        processes = [node.process for node in self.replicas]
        digest.compare(self.origin.process, processes)
        values = [digest.digest(node.process) for node in (self.origin, *self.replicas)]
        stage.look()
        nodes = [self.origin, *self.replicas]
        table = view.digests(stage.paint, nodes, values)
        check("different digests", len(set(values)), 1)
        check("full syncs of each in all", [node.syncs()[0] for node in self._below()], [1] * 7)
        check("(full syncs, forks) of the primary in all", self._origin_cost(), (1, 1))
        stage.done(f"{len(nodes)} servers, one digest: no write was lost, none came twice", 1)
        stage.say("", *table)

    def costs(self):
        stage = self.stage
        stage.say("", *view.costs(stage.paint, self.origin, self.relay, self.replicas))
        note = (
            "Both are measured: what the relay gave, the primary would have had to give.",
            "(Replicas that come together may share a fork. The sixth could not have come.)",
        )
        stage.say("", *(stage.paint("quiet", f" {line}") for line in note))

    # --- their parts

    def _node(self, name, process, software, parent=None):
        node = Node(name, process, software, parent)
        self.stage.nodes.append(node)
        self.stage.look()
        return node

    def _attach(self, count):
        """That many new replicas, started together, until they stream."""
        new = []
        for _ in range(count):
            index = len(self.replicas)
            kind = self.kinds[index % 2]
            name = f"replica {index + 1}"
            process = self.lab.replica(
                self.relay.process, kind, start=False, name=name.replace(" ", "-")
            ).start(ready=False)
            self.replicas.append(self._node(name, process, short_version(kind), self.relay))
            new.append(self.replicas[-1])
        self.stage.until(
            "the new replicas", lambda: [node.state() for node in new], ["online"] * count
        )

    def _mark(self):
        self.stage.look()
        for node in self._below():
            node.mark()

    def _below(self):
        return [self.relay, *self.replicas]

    def _since_mark(self):
        return [node.syncs_since_mark() for node in self._below()]

    def _states(self):
        return [node.state() for node in self.replicas]

    def _states_below(self):
        return [node.state() for node in self._below()]

    def _replids(self):
        return len({node.info.get("master_replid") for node in self.stage.nodes})

    def _origin_cost(self):
        return self.origin.total("sync_full"), self.origin.total("total_forks")

    def _wait_current(self):
        """What the primary has now, all have soon."""
        end = self.origin.offset()
        self.stage.until(
            f"offset {end} reached by all",
            lambda: [(node.offset() or 0) >= end for node in self._below()],
            [True] * len(self._below()),
        )
