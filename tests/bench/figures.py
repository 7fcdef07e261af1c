# SPDX-License-Identifier: MIT
"""What is read off processes, and what is made of it. Machines are shared and noisy: CPU seconds are what
we go by, set-ups take turns, of several turns the median counts, and a ratio is the median of the turns'
ratios."""

import os
import pathlib
import re
import statistics
import time

import wait

GB = 1e9
TICKS = os.sysconf("SC_CLK_TCK")


def _own_cpu_s(pid):
    """All threads of the process, by the clock that clock_getcpuclockid(3) would name."""
    return time.clock_gettime(~pid << 3 | 2)


def _children_cpu_s(pid):
    """Children that have ended and were waited for: the forks of a server."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / TICKS


def cpu_s(pid):
    return _own_cpu_s(pid) + _children_cpu_s(pid)


def anonymous_mb(pid):
    """Memory of its own; mapped files are the page cache's."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) * 1024 / 1e6


class Meter:
    """with Meter(pid) as meter: ...; meter.cpu_s"""

    def __init__(self, pid):
        self.pid = pid
        self.cpu_s = 0.0

    def __enter__(self):
        self.before = cpu_s(self.pid)
        return self

    def __exit__(self, *_):
        self.cpu_s = cpu_s(self.pid) - self.before


class Seen:
    """The turns of each set-up, in their order. The turns of one round ran in the same mood of the machine,
    so set-ups are compared turn by turn; where one has fewer turns, those that both have count."""

    def __init__(self, turns=None):
        self.turns = turns or {}  # name -> [{"cpu": 1, ...}, ...]

    def add(self, name, figure):
        self.turns.setdefault(name, []).append(figure)

    def add_sum(self, name, parts, key):
        """A set-up that nobody ran: in each turn the sum of what others have of `key`."""
        for turn in zip(*(self.turns[part] for part in parts)):
            self.add(name, {key: sum(figure[key] for figure in turn)})

    def medians(self):
        """{name: {"cpu": 1, ...}}"""
        return {
            name: {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
            for name, turns in self.turns.items()
        }

    def ratios(self, name, beside, key):
        pairs = zip(self.turns[name], self.turns[beside])
        return [ours[key] / theirs[key] for ours, theirs in pairs]


def in_turns(stages, turn, rounds, limit_s=40):
    """Seen: each stage once, and again, so that the machine's moods fall on all alike. A stage may have
    fewer turns (`rounds`), where one is enough to see; and on a slow machine all have fewer: no round
    begins after `limit_s`."""
    seen = Seen()
    started = time.monotonic()
    for number in range(rounds):
        if number > 0 and time.monotonic() - started > limit_s:
            break
        for stage in stages:
            if number < (stage.rounds or rounds):
                seen.add(stage.name, turn(stage))
    return seen


def now_ns():
    """Of the clock that the tools tell their times by."""
    return time.monotonic_ns()


def wait_for_children(server):
    """Until a server's fork has ended and its CPU seconds are the server's."""
    wait.equal(
        f"{server.name}'s forks",
        lambda: pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().strip(),
        "",
    )
