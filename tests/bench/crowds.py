# SPDX-License-Identifier: MIT
"""Benches of many replicas: thousands that are fed slowly, or hardly at all."""

import figures
import stages
import streams
from report import Aim, Bench, Result

MB = 1_000_000


def memory_bound_mb(count):
    """What the store allows: 16 MiB, and 32 KiB a replica."""
    return (16 * 1024 + 32 * count) * 1024 / 1e6


class Crowd(Bench):
    """`count` replicas behind one relay, at `rate` bytes a second each."""

    def __init__(self, name, title, count, rate, seconds):
        super().__init__(name, title)
        self.count = count
        self.rate = rate
        self.seconds = seconds

    def run(self, lab, wanted):
        stage = stages.through_relay(lab)
        begun = figures.now_ns()
        attached = stage.attach(self.count)
        stream_bytes = self.rate * self.seconds
        delivered, sent, done, cpu_s = streams.send(stage, stream_bytes, 1024, self.rate)
        memory_mb = figures.anonymous_mb(stage.middle.pid)
        slowest = done["lag_slowest"] / done["lag_middle"]
        figure = {
            "cpu_s_per_gb": cpu_s / delivered * figures.GB,
            "mb_s": delivered / (done["last"] - sent) * 1e3,
            "attached_s": (attached["last"] - begun) / 1e9,
            "p50_us": done["p50"] / 1e3,
            "p99_us": done["p99"] / 1e3,
            "slowest": slowest,
            "memory_mb": memory_mb,
        }
        seen = figures.Seen({"relay": [figure]})
        aims = [
            Aim("mean lag of the slowest beside the median's", [slowest], 2),
            Aim("memory beside its bound", [memory_mb / memory_bound_mb(self.count)], 1),
        ]
        return Result(self, seen, aims)


BENCHES = [
    Crowd("crowd-1000", "1,000 replicas at 1 MB/s each", 1000, MB, 3),
    Crowd("crowd-10000", "10,000 replicas that are all but idle: 10 KB/s each", 10000, MB // 100, 3),
]
