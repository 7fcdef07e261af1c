# SPDX-License-Identifier: MIT
"""Which calls a file system may keep waiting, and on which thread they are made.

    /usr/bin/python3 tests/bench/blocking.py [--all]

A relay with small segments lives through what it meets: an RDB from another relay that breaks, goes on, and is
given up for another; a stream with many segments, a replica's full and partial sync, a refresh of the RDB, INFO and the status page, a smaller window, CONFIG REWRITE, a rewind and
a new id (failover), another history (REPLICAOF), a stop. Each call is noted with its
thread (tests/support/slow_disk.c); the table has how often it was made, and the longest, on this disk.

Left out without --all: what a file system answers from memory (`stat`, `write` into the page cache, a file's
`close` that does not free it). Threads: 0 and worker carry the network; all others may wait.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import failover  # noqa: E402
import lab as lab_module  # noqa: E402
import load  # noqa: E402
import mitm  # noqa: E402
import slow_disk  # noqa: E402
import wait  # noqa: E402
import web  # noqa: E402

SETTINGS = {
    "relay.threads": "2",
    "relay.log-level": "info",
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "4mb",
    "store.repl-backlog-max-size": "8mb",
}
# Answered from memory, as a rule.
CHEAP = {"stat", "write", "pwrite", "read", "pread", "close"}


class Life:
    """One relay; each method is a step of it."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.folder = folder
        self.data = folder / "disk" / "data"
        self.data.mkdir(parents=True)
        self.disk = slow_disk.SlowDisk(folder, folder / "disk")
        self.shard = None
        self.relay = None

    def start(self):
        origin = self.lab.origin()
        load.fill(origin)
        self.origin = origin
        self.other = self.lab.replica(origin, name="other").wait_online()
        self.near = self.lab.relay(origin, SETTINGS, name="near").wait_link()
        whole = self.near.info("store")["snapshot_bytes"]
        middle = self.lab.mitm(self.near, plan=[mitm.CutAfter(whole // 3), mitm.CutAfter(whole // 3)])
        self.relay = self.lab.relay(
            middle, {**SETTINGS, "relay.data-dir": self.data}, start=False, http=True
        )
        self.relay.ini = self.folder / "disk" / "relay.ini"
        self.relay.environment = self.disk.environment
        self.relay.start().wait_link()
        assert self.relay.info("store")["rdbs_resumed"] == 2

    def another_rdb(self):
        """The beginning of an RDB is here; what comes is another."""
        other = self.lab.origin(name="unlike")
        load.populate(other, 2)
        beside = self.lab.relay(other, SETTINGS, name="beside").wait_link()
        whole = beside.info("store")["snapshot_bytes"]
        self.relay.follow(self.lab.mitm(beside, plan=[mitm.CutAfter(whole // 2)]))
        wait.until("it broke", lambda: self.relay.info("store")["partial_rdb_bytes"], lambda n: n > 0)
        self.relay.follow(self.near)
        failover.wait_follows(self.relay, self.near)
        self.relay.follow(self.origin)
        failover.wait_follows(self.relay, self.origin)

    def wait_received(self):
        offset = self.origin.offset()
        wait.until("the relay has it", self.relay.offset, lambda held: held >= offset)

    def stream(self):
        load.populate(self.origin, 2)
        self.wait_received()

    def replicas_come(self):
        self.replica = self.lab.replica(self.relay).wait_online()
        self.replica.client().execute_command("CLIENT", "KILL", "TYPE", "master")
        self.replica.wait_online()

    def refresh(self):
        before = self.relay.info("store")["snapshot_offset"]
        load.populate(self.origin, 1)
        self.relay.client().execute_command("RELAY", "SNAPSHOT")
        wait.until("a newer RDB", lambda: self.relay.info("store")["snapshot_offset"] != before)

    def looked_at(self):
        for _ in range(5):
            self.relay.info()
            web.status(self.relay)

    def smaller_window(self):
        self.relay.set("repl-backlog-size", "1mb")
        wait.until(
            "the window is smaller",
            lambda: self.relay.info("store")["window_bytes"],
            lambda size: size < 2_000_000,
        )

    def rewrite(self):
        self.relay.client().execute_command("CONFIG", "REWRITE")

    def failover(self):
        """The other becomes the primary without the last writes, which the relay has: rewind and rename."""
        self.other.client().execute_command("REPLICAOF", "127.0.0.1", "1")
        load.fill(self.origin, rounds=3)
        self.wait_received()
        self.origin.kill9()
        failover.promote(self.other)
        self.relay.follow(self.other)
        failover.wait_follows(self.relay, self.other)

    def another_history(self):
        stranger = self.lab.origin(name="stranger")
        load.fill(stranger, seed=3)
        self.relay.follow(stranger)
        failover.wait_follows(self.relay, stranger)

    def stop(self):
        self.relay.stop()

    STEPS = [
        start, another_rdb, stream, replicas_come, refresh, looked_at, smaller_window, rewrite, failover,
        another_history, stop,
    ]


def live(life):
    """{(thread, call, kind of file): (times, longest us, steps)}"""
    found = collections.defaultdict(lambda: [0, 0, []])
    for step in Life.STEPS:
        mark = life.disk.mark()
        step(life)
        for call in life.disk.calls(mark):
            row = found[(call.thread, call.name, slow_disk.kind(call.path))]
            row[0] += 1
            row[1] = max(row[1], call.us)
            name = step.__name__
            if name not in row[2]:
                row[2].append(name)
    return found


def show(found, with_all):
    print(f"{'thread':<14} {'call':<10} {'file':<14} {'times':>6} {'longest':>9}  in")
    for (thread, name, kind), (times, longest, steps) in sorted(found.items()):
        if with_all or name not in CHEAP:
            print(f"{thread:<14} {name:<10} {kind:<14} {times:>6} {longest:>6} us  {', '.join(steps)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blocking-", dir=os.environ.get("DIR")) as folder:
        lab = lab_module.Lab(pathlib.Path(folder))
        try:
            show(live(Life(lab, pathlib.Path(folder))), options.all)
        finally:
            lab.close()


if __name__ == "__main__":
    main()
