# SPDX-License-Identifier: MIT
"""What is read off processes, and what is made of it. Machines are shared and noisy: CPU seconds are what
we go by, set-ups take turns, and of several turns the median counts."""

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


def medians(turns):
    """[{"cpu": 1, ...}, ...] of one set-up, as one."""
    return {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}


def in_turns(stages, turn, rounds, limit_s=40):
    """{name: medians}: each stage once, and again, so that the machine's moods fall on all alike. A stage
    may have fewer turns (`rounds`), where one is enough to see; and on a slow machine all have fewer: no
    round begins after `limit_s`."""
    seen = {stage.name: [] for stage in stages}
    started = time.monotonic()
    for number in range(rounds):
        if number > 0 and time.monotonic() - started > limit_s:
            break
        for stage in stages:
            if number < (stage.rounds or rounds):
                seen[stage.name].append(turn(stage))
    return {name: medians(turns) for name, turns in seen.items()}


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
