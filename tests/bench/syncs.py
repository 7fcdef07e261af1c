# SPDX-License-Identifier: MIT
"""Benches of the full sync: N replicas come at once, and each wants the RDB."""

import shutil

import figures
import servers
import stages
from figures import GB
from report import Aim, Bench, Result

VALUE_BYTES = 1000
PIECE = 256 * 1024


def rewrite(path, to):
    """A file that is written in large pieces, as the relay writes, lies in the page cache in large pieces,
    and is cheaper to send: the floor shall have that as well."""
    with open(path, "rb") as old, open(to, "wb") as new:
        shutil.copyfileobj(old, new, PIECE)
    path.unlink()
    return to


def make_rdb(lab, rdb_bytes):
    """A real server with that much in it, and its RDB."""
    server = lab.origin(name="filled", rdbcompression="no", repl_diskless_sync_delay=60)
    server.client().execute_command("DEBUG", "POPULATE", rdb_bytes // VALUE_BYTES, "key", VALUE_BYTES)
    server.client().execute_command("SAVE")
    return server, rewrite(server.directory / "dump.rdb", server.directory / "source.rdb")


def sync(stage, count, rdb_bytes):
    if isinstance(stage.middle, servers.Server):  # one fork for all, when all are there
        stage.middle.client().config_set("repl-diskless-sync-max-replicas", count)
    with figures.Meter(stage.middle.pid) as meter:
        begun = figures.now_ns()
        loaded = stage.attach(count)
        if isinstance(stage.middle, servers.Server):
            figures.wait_for_children(stage.middle)
    stage.drop()
    delivered = rdb_bytes * count
    return {
        "cpu_s_per_gb": meter.cpu_s / delivered * GB,
        "mb_s": delivered / (loaded["last"] - begun) * 1e3,
        "last_s": (loaded["last"] - begun) / 1e9,
        "memory_mb": figures.anonymous_mb(stage.middle.pid),
    }


class FullSync(Bench):
    def __init__(self, name, count, rdb_bytes, quick_bytes, direct_rounds):
        super().__init__(name, f"Full sync, {count} replicas", is_quick=quick_bytes is not None)
        self.count = count
        self.rdb_bytes = rdb_bytes
        self.quick_bytes = quick_bytes
        self.direct_rounds = direct_rounds

    def stages(self, lab, server, rdb, quick):
        made = [stages.file_floor(lab, rdb), stages.through_relay(lab, rdb=rdb)]
        if not quick:
            made += [stages.direct(lab, server)]
            for kind in stages.kinds()[1:]:
                made += [stages.direct(lab, self.copy_of(lab, kind, rdb))]
        for stage in made[2:]:
            stage.rounds = self.direct_rounds
        return made

    @staticmethod
    def copy_of(lab, kind, rdb):
        server = lab.origin(
            kind, start=False, name="filled", rdbcompression="no", repl_diskless_sync_delay=60
        )
        (server.directory / "dump.rdb").hardlink_to(rdb)
        return server.start()

    def run(self, lab, wanted):
        server, rdb = make_rdb(lab, self.quick_bytes if wanted.quick else self.rdb_bytes)
        size = rdb.stat().st_size
        self.title += f", RDB of {size / GB:.1f} GB"
        made = self.stages(lab, server, rdb, wanted.quick)
        seen = figures.in_turns(
            made,
            lambda stage: sync(stage, self.count, size),
            wanted.rounds or 3,
            limit_s=10 if wanted.quick else 40,
        )
        aims = [Aim("CPU per GB beside sendfile", seen.ratios("relay", "floor", "cpu_s_per_gb"), 1.25)]
        for stage in made:
            if stage.name.startswith("direct"):
                ratios = seen.ratios(stage.name, "relay", "last_s")
                aims.append(Aim(f"times faster than {stage.name}", ratios, 4, at_least=True))
        return Result(self, seen, aims)


class FirstByte(Bench):
    """A replica waits at a relay that has nothing yet: how long after the origin has sent the first byte
    of its RDB is it there?"""

    RDB_BYTES = 64 * 10**6

    def __init__(self, name, title):
        super().__init__(name, title, is_quick=False)

    @staticmethod
    def cold(lab, rdb):
        origin = stages.origin_of(lab, rdb)
        origin.say("hold")
        stage = stages.through_relay(lab, origin, waits=False)
        stage.swarm.say("attach 1")
        stage.middle.wait_log("replica .*state=greeting->waiting")
        stage.middle.wait_log("link state=greeting->loading")  # what has not begun to come
        (released,) = origin.ask("release", "released")
        begun = stage.swarm.hear("attached")["begun"]
        return {"first_byte_ms": (begun - released) / 1e6}

    def run(self, lab, wanted):
        _, rdb = make_rdb(lab, self.RDB_BYTES)
        turns = [self.cold(lab, rdb) for _ in range(wanted.rounds or 5)]
        of_aim = [turn["first_byte_ms"] / 10 for turn in turns]
        return Result(self, figures.Seen({"relay": turns}), [Aim("ms to the first byte, of 10", of_aim, 1)])


BENCHES = [
    FullSync("sync-10", 10, 10**9, 2 * 10**8, 2),
    FullSync("sync-50", 50, 10**9, None, 1),
    FirstByte("first-byte", "A cold relay: from the RDB's first byte to a replica that waits"),
]
