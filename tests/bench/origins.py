# SPDX-License-Identifier: MIT
"""Benches with a real origin: what it pays for its replicas, and what comes of it at the other end."""

import subprocess

import figures
import resp
import servers
import stages
from figures import GB
from report import Aim, Bench, Result

VALUE_BYTES = 1000
PIPELINE = 32
CLIENTS = 8
COMMAND_BYTES = len(resp.encode("SET", "key:000000000000", "v" * VALUE_BYTES))


def write(origin, commands):
    """redis-benchmark's SETs, that many or a few more."""
    subprocess.run(
        [
            servers.program(servers.REDIS, "benchmark"), "-p", str(origin.port), "-t", "set",
            "-d", str(VALUE_BYTES), "-r", "1000", "-n", str(commands), "-P", str(PIPELINE),
            "-c", str(CLIENTS), "-q",
        ],
        stdout=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip


def load(stage, commands):
    origin = stage.origin
    start = origin.offset()
    stage.swarm.ask(f"expect {start} {start + commands * COMMAND_BYTES} 0 0", "expects")
    with figures.Meter(origin.pid) as at_origin, figures.Meter(stage.middle.pid) as in_middle:
        begun = figures.now_ns()
        write(origin, commands)
        done = stage.swarm.hear("done")
    stream_bytes = commands * COMMAND_BYTES
    figure = {
        "mb_s": stream_bytes * stage.count / (done["last"] - begun) * 1e3,
        "origin_cpu_s": at_origin.cpu_s / stream_bytes * GB,
        "forks": origin.info("stats")["total_forks"],
    }
    if stage.middle is not origin:
        figure["cpu_s_per_gb"] = in_middle.cpu_s / (stream_bytes * stage.count) * GB
    return figure


def direct(lab, kind, count, name):
    stage = stages.direct(lab, lab.origin(kind))
    stage.name = name
    stage.attach(count)
    return stage


def through_relay(lab, kind, count, name):
    stage = stages.through_relay(lab, lab.origin(kind), name=name)
    stage.attach(count)
    return stage


def chained(lab, kind, count, name):
    stage = stages.chained(lab, kind, lab.origin(kind))
    stage.name = name
    stage.attach(count)
    return stage


class One(Bench):
    """One replica: how quickly what is written arrives."""

    COMMANDS = 160_000

    def run(self, lab, wanted):
        made = [
            direct(lab, servers.REDIS, 1, "direct"),
            through_relay(lab, servers.REDIS, 1, "relay"),
            chained(lab, servers.REDIS, 1, "chained"),
        ]
        seen = figures.in_turns(made, lambda stage: load(stage, self.COMMANDS), wanted.rounds or 3)
        ratios = seen.ratios("relay", "direct", "mb_s")
        return Result(self, seen, [Aim("MB/s beside direct", ratios, 0.9, at_least=True)])


class Origin(Bench):
    """What 50 replicas cost the origin, in CPU seconds for each GB that is written, and in forks."""

    COMMANDS = 80_000

    def run(self, lab, wanted):
        made = [
            direct(lab, servers.REDIS, 1, "direct, 1 replica"),
            direct(lab, servers.REDIS, 50, "direct, 50 replicas"),
            through_relay(lab, servers.REDIS, 50, "relay, 50 replicas"),
        ]
        seen = figures.in_turns(made, lambda stage: load(stage, self.COMMANDS), wanted.rounds or 3)
        ratios = seen.ratios("relay, 50 replicas", "direct, 1 replica", "origin_cpu_s")
        return Result(self, seen, [Aim("the origin's CPU beside one direct replica", ratios, 1.1)])


BENCHES = [
    One("real-1", "A real origin, redis-benchmark, one replica"),
    Origin("real-50", "A real origin, redis-benchmark, 50 replicas: what the origin pays"),
]
