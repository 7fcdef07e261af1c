# SPDX-License-Identifier: MIT
"""Benches of the full sync: N replicas come at once, and each wants the RDB."""

import shutil

import cipher
import figures
import servers
import stages
from figures import GB
from report import Aim, Bench, Result

VALUE_BYTES = 1000
PIECE = 512 * 1024


def rewrite(path, to):
    """A file that is written in large pieces, as the relay writes, lies in the page cache in large pieces,
    and is cheaper to send: the floor shall have that as well."""
    with open(path, "rb") as old, open(to, "wb") as new:
        shutil.copyfileobj(old, new, PIECE)
    path.unlink()
    return to


def make_rdb(lab, rdb_bytes):
    """A real server with that much in it, and its RDB."""
    server = lab.origin(name="filled", rdbcompression="no")
    server.client().execute_command("DEBUG", "POPULATE", rdb_bytes // VALUE_BYTES, "key", VALUE_BYTES)
    server.client().execute_command("SAVE")
    return server, rewrite(server.directory / "dump.rdb", server.directory / "source.rdb")


def fork_once(server, count):
    """One fork for all, when all are there."""
    server.client().config_set("repl-diskless-sync-delay", 60)
    server.client().config_set("repl-diskless-sync-max-replicas", count)


def sync(stage, count, rdb_bytes):
    if isinstance(stage.middle, servers.Server):
        fork_once(stage.middle, count)
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
    """`count` replicas come at once. `tls_rounds`: turns under TLS, None: as many as others have."""

    LIMIT_S = 150  # the first round has the slow ones in it

    def __init__(self, name, count, rdb_bytes, quick_bytes=None, tls_rounds=None, has_chained=True):
        super().__init__(name, f"Full sync, {count} replicas", is_quick=quick_bytes is not None)
        self.count = count
        self.rdb_bytes = rdb_bytes
        self.quick_bytes = quick_bytes
        self.tls_rounds = tls_rounds
        self.has_chained = has_chained

    def stages(self, lab, server, rdb, quick):
        made = [stages.file_floor(lab, rdb), stages.through_relay(lab, rdb=rdb)]
        if quick:
            return made
        secured = stages.through_relay(lab, name="relay TLS", rdb=rdb, tls=True, reads=False)
        secured.rounds = self.tls_rounds
        return [*made, secured, *self.slow_stages(lab, server, rdb)]

    def slow_stages(self, lab, server, rdb):
        """One turn each is enough to see."""
        kinds = stages.kinds()
        chained = [stages.chained(lab, kind, rdb=rdb, waits=False) for kind in kinds if self.has_chained]
        made = [stages.direct(lab, server)]
        made += [stages.direct(lab, self.copy_of(lab, kind, rdb)) for kind in kinds[1:]]
        for stage in chained:
            stage.middle.wait_online(60)
        made += chained
        for stage in made:
            stage.rounds = 1
        return made

    @staticmethod
    def warm_up(stage, rdb_bytes):
        """Until a relay has the RDB, and the file was sent once. A server has its data set and forks
        each time anew: nothing is made once."""
        if not isinstance(stage.middle, servers.Server):
            sync(stage, 1, rdb_bytes)

    @staticmethod
    def copy_of(lab, kind, rdb):
        server = lab.origin(kind, start=False, name="filled", rdbcompression="no")
        (server.directory / "dump.rdb").hardlink_to(rdb)
        return server.start()

    def run(self, lab, wanted):
        server, rdb = make_rdb(lab, self.quick_bytes if wanted.quick else self.rdb_bytes)
        size = rdb.stat().st_size
        self.title += f", RDB of {size / GB:.1f} GB"
        made = self.stages(lab, server, rdb, wanted.quick)
        for stage in made:
            self.warm_up(stage, size)
        if not wanted.quick:
            made.append(cipher.Stage())
        seen = figures.in_turns(
            made,
            cipher.or_else(lambda stage: sync(stage, self.count, size)),
            wanted.rounds or 3,
            limit_s=10 if wanted.quick else self.LIMIT_S,
        )
        return Result(self, seen, list(self.aims(made, seen)))

    @staticmethod
    def aims(made, seen):
        yield Aim("CPU per GB beside sendfile", seen.ratios("relay", "floor", "cpu_s_per_gb"), 1.25)
        if cipher.NAME in seen.turns:
            yield cipher.aim(seen, 1.25)
        for stage in made:
            if stage.name.startswith("direct"):
                ratios = seen.ratios(stage.name, "relay", "last_s")
                yield Aim(f"times faster than {stage.name}", ratios, 4, at_least=True)


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
        stage.middle.wait_log("replica .*state=handshake->waiting")
        stage.middle.wait_log("link state=handshake->loading")  # what has not begun to come
        (released,) = origin.ask("release", "released")
        begun = stage.swarm.hear("attached")["begun"]
        return {"first_byte_ms": (begun - released) / 1e6}

    def run(self, lab, wanted):
        _, rdb = make_rdb(lab, self.RDB_BYTES)
        turns = [self.cold(lab, rdb) for _ in range(wanted.rounds or 5)]
        of_aim = [turn["first_byte_ms"] / 10 for turn in turns]
        return Result(self, figures.Seen({"relay": turns}), [Aim("ms to the first byte, of 10", of_aim, 1)])


BENCHES = [
    FullSync("sync-10", 10, 10**9, quick_bytes=2 * 10**8),
    FullSync("sync-50", 50, 10**9, tls_rounds=1, has_chained=False),
    FirstByte("first-byte", "A cold relay: from the RDB's first byte to a replica that waits"),
]
