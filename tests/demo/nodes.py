# SPDX-License-Identifier: MIT
"""What each server of the demo says about itself, asked of all at the same moment."""

import collections
import re
import signal
import time

import resp

ANSWER_SECONDS = 2
SECTIONS = ("persistence", "stats", "replication", "keyspace")


class Rate:
    """How fast a number grows, over the last few seconds."""

    SECONDS = 3.0

    def __init__(self):
        self.seen = collections.deque()

    def reset(self):
        self.seen.clear()

    def feed(self, value):
        now = time.monotonic()
        self.seen.append((now, value))
        while len(self.seen) > 2 and now - self.seen[1][0] >= self.SECONDS:
            self.seen.popleft()

    def per_second(self):
        """None: not long enough in sight."""
        if not self.seen:
            return None
        (start, first), (end, last) = self.seen[0], self.seen[-1]
        return (last - first) / (end - start) if end - start >= 0.5 else None


class Node:
    """One server: its process, and what its last INFO said."""

    def __init__(self, name, process, software, parent=None):
        self.name = name
        self.process = process
        self.software = software
        self.parent = parent
        self.absent = None  # why its process does not run, where that is part of the story
        self.info = {}  # empty: it did not answer
        self.stream_rate = Rate()
        self.sent_rate = Rate()
        self._connection = None
        self._lives = {}  # pid: the last INFO of that process
        self._since = 0, 0  # syncs that mark() has seen

    # --- asking

    def ask(self):
        """Sends INFO and does not wait for the answer, so that all are asked at one moment."""
        self.info, process = {}, self.process
        if self.absent or process.child is None:
            self._forget_connection()
            return False
        status = process.child.poll()
        assert status is None, f"{self.name} (pid {process.pid}) ended by itself: {_why(status)}"
        try:
            if self._connection is None:
                self._connection = resp.Connection(process.port, seconds=ANSWER_SECONDS)
            self._connection.send(resp.encode("INFO", *SECTIONS))
            return True
        except OSError:
            self._forget_connection()
            return False

    def hear(self):
        try:
            answer = self._connection.reply()
            lines = answer.decode().splitlines() if isinstance(answer, bytes) else ()
            self.info = dict(line.split(":", 1) for line in lines if ":" in line)
        except (OSError, EOFError):
            self._forget_connection()
        if self.info:
            self._lives[self.process.pid] = self.info
            self.sent_rate.feed(self.sent_bytes())
        if self.is_up():
            self.stream_rate.feed(self.offset())
        else:
            self.stream_rate.reset()

    def _forget_connection(self):
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.stream_rate.reset()
        self.sent_rate.reset()

    # --- what it said

    def state(self):
        if self.absent:
            return self.absent
        if not self.info:
            return "no answer" if self.process.pid in self._lives else "starting"
        if self.info["loading"] == "1":
            return "loading"
        if self.info["role"] == "master":
            return "serving"
        if self.info["master_sync_in_progress"] == "1":
            return "syncing"
        return "online" if self.info["master_link_status"] == "up" else "link down"

    def is_up(self):
        return self.state() in ("serving", "online")

    def offset(self):
        """Up to where it has the stream; None where it cannot be asked, or has not begun."""
        if not self.info or self.state() in ("loading", "syncing"):
            return None
        return self.number("master_repl_offset" if self.parent is None else "slave_repl_offset")

    def keys(self):
        return sum(int(re.match(r"keys=(\d+)", text)[1]) for text in self.dbs())

    def dbs(self):
        return [text for key, text in self.info.items() if re.match(r"db\d+$", key)]

    def number(self, field):
        """Of this life: since the process was started."""
        return int(self.info.get(field, 0))

    def total(self, field):
        """Of all its lives: a counter of INFO begins anew with each process."""
        return sum(int(info.get(field, 0)) for info in self._lives.values())

    def sent_bytes(self):
        """To its replicas, and to nobody else."""
        return self.total("total_net_repl_output_bytes")

    def syncs(self):
        """(full, partial) that it has made with its parent, in all its lives."""
        if self.parent is None:
            return 0, 0
        if self.parent.parent is None:  # the relay is the origin's only replica
            return self.parent.total("sync_full"), self.parent.total("sync_partial_ok")
        return self.process.full_syncs(), self.process.partial_syncs()

    def mark(self):
        self._since = self.syncs()

    def syncs_since_mark(self):
        return tuple(now - before for now, before in zip(self.syncs(), self._since))


def _why(status):
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def look(nodes):
    """Asks all, then hears all: their offsets belong to one moment, give or take a millisecond."""
    for node in [node for node in reversed(nodes) if node.ask()]:
        node.hear()
