# SPDX-License-Identifier: MIT
"""`psync-relay restore`, and servers that load what it wrote."""

import datetime
import re
import time

import digest
import failover
import ports
import process
import relay
import wait

RESULT = re.compile(r"(?:history|timeline)-(\d+)(?: of \S+)?: (?:restored|all is proven for a restore) to offset (\d+)")


def moment(seconds=None):
    """A time as an operator writes it."""
    at = datetime.datetime.fromtimestamp(time.time() if seconds is None else seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def restore(source, *arguments, target=None, fails=False):
    """Runs it on the data directory of a relay, an archive, or by options that say where. Returns what it said; `fails`: what it said is wrong."""
    to = ("--to", target) if target else ()
    where = source if isinstance(source, tuple) else ("--from", getattr(source, "data_dir", source))
    done = relay.run("restore", *where, *arguments, *to, seconds=60)
    assert (done.returncode != 0) == fails, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def offset_now(source):
    """How far a restore of this moment would come; None: that is not known yet."""
    done = relay.run("restore", "--from", source.data_dir, "--verify", "--time", "now", seconds=60)
    match = RESULT.search(done.stdout)
    return int(match[2]) if match else None


def server(lab, kind, source, *arguments, target_format="aof"):
    """A server that has loaded what was restored. It is the replica of nobody, so that it expires nothing by
    itself, and holds just what it has loaded."""
    thing = lab.replica(
        lab.origin(kind, start=False, name="nobody"),
        kind,
        start=False,
        name="restored",
        appendonly="yes",
    )
    restore(source, "--format", target_format, *arguments, target=thing.directory)
    thing.start()
    wait.equal(f"{thing.name} has loaded", lambda: thing.info("persistence")["loading"], 0)
    return thing


def digest_of(lab, kind, source, *arguments, **options):
    """The digest of what was restored."""
    thing = server(lab, kind, source, *arguments, **options)
    found = digest.digest(thing)
    thing.stop()
    return found


class Served(process.Process):
    """A primary that has the data of a moment, and ends there."""

    host = "127.0.0.1"

    def __init__(self, directory, source, *arguments):
        super().__init__("served", directory)
        self.port = ports.free_port()
        self.command = [relay.PROGRAM, "restore", "--from", source.data_dir, "--serve", self.port, *arguments]

    def start(self):
        self.spawn(self.command, env=relay.SANITIZER_ENV)
        self.wait_log("serves the data of offset")
        return self

    def stop(self):
        if self.child is not None and self.is_running():
            assert self.terminate() == 0, self.log()


class Checkpoint:
    """What the primary held at an offset, which nothing moves meanwhile; and a moment at which the relay had just
    that, or None."""

    def __init__(self, origin, source, has_moment):
        failover.wait_same_offset(origin, [source])
        self.offset = origin.offset()
        self.digest = digest.digest(origin)
        assert origin.offset() == self.offset, "the primary's stream moves by itself: failover.hush() first"
        self.moment = None
        if has_moment:
            wait.equal("the time of it is known", lambda: offset_now(source), self.offset)
            self.moment = moment()
