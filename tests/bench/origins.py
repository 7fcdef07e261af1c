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


class Benchmark:
    """redis-benchmark's SETs. It wants a core for itself."""

    PIPELINE = 32
    CLIENTS = 8
    COMMAND_BYTES = len(resp.encode("SET", "key:000000000000", "v" * VALUE_BYTES))

    def __init__(self, commands):
        self.commands = commands

    def stream_bytes(self, _origin):
        return self.commands * self.COMMAND_BYTES

    def write(self, origin):
        """So many commands or a few more."""
        subprocess.run(
            [
                servers.program(servers.REDIS, "benchmark"), "-p", str(origin.port), "-t", "set",
                "-d", str(VALUE_BYTES), "-r", "1000", "-n", str(self.commands),
                "-P", str(self.PIPELINE), "-c", str(self.CLIENTS), "-q",
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )  # fmt: skip


class Script:
    """A script's SETs: the primary makes its stream by itself, and who asks for it pays next to nothing."""

    IN_FLIGHT = 4
    LUA = """
        for i = 0, 255 do
            redis.call('SET', 'key:' .. string.format('%012d', i), ARGV[1])
        end
        return 1
    """
    CALL = resp.encode("EVAL", LUA, 0, "v" * VALUE_BYTES)

    def __init__(self, calls):
        self.calls = calls

    def run(self, connection, calls):
        """`calls` times, so many of them ahead of their answers."""
        for number in range(calls + self.IN_FLIGHT):
            if number >= self.IN_FLIGHT:
                answer = connection.reply()
                assert answer == 1, answer
            if number < calls:
                connection.send(self.CALL)

    def stream_bytes(self, origin):
        """Servers replicate a script as they like. A PING may come between: the least of three counts."""
        seen = []
        with resp.Connection(origin.port) as connection:
            for _ in range(3):
                before = origin.offset()
                self.run(connection, 1)
                seen.append(origin.offset() - before)
        return min(seen) * self.calls

    def write(self, origin):
        with resp.Connection(origin.port) as connection:
            self.run(connection, self.calls)


def load(stage, writer):
    origin = stage.origin
    stream_bytes = writer.stream_bytes(origin)
    start = origin.offset()
    stage.swarm.ask(f"expect {start} {start + stream_bytes} 0 0", "expects")
    with figures.Meter(origin.pid) as at_origin, figures.Meter(stage.middle.pid) as in_middle:
        begun = figures.now_ns()
        writer.write(origin)
        done = stage.swarm.hear("done")
    figure = {
        "mb_s": stream_bytes * stage.count / (done["last"] - begun) * 1e3,
        "origin_cpu_s": at_origin.cpu_s / stream_bytes * GB,
        "forks": origin.info("stats")["total_forks"],
    }
    if stage.middle is not origin:
        figure["cpu_s_per_gb"] = in_middle.cpu_s / (stream_bytes * stage.count) * GB
    return figure


def one_replica(lab, kind):
    """What stands between a primary of a kind and one replica, and the names that are told."""
    made = {
        f"direct {kind}": stages.direct(lab, lab.origin(kind)),
        f"relay {kind}": stages.through_relay(lab, lab.origin(kind)),
        f"chained {kind}": stages.chained(lab, kind, lab.origin(kind)),
    }
    for name, stage in made.items():
        stage.name = name
    return list(made.values())


class One(Bench):
    """One replica: how quickly what is written arrives."""

    def __init__(self, name, title, writer, rounds):
        super().__init__(name, title)
        self.writer = writer
        self.rounds = rounds

    def run(self, lab, wanted):
        made = [stages.floor(lab, origin=lab.origin())]
        for kind in stages.kinds():
            made += one_replica(lab, kind)
        for stage in made:
            stage.attach(1)
        seen = figures.in_turns(
            made, lambda stage: load(stage, self.writer), wanted.rounds or self.rounds
        )
        return Result(self, seen, list(self.aims(seen)))

    @staticmethod
    def aims(seen):
        for kind in stages.kinds():
            ratios = seen.ratios(f"relay {kind}", f"direct {kind}", "mb_s")
            yield Aim(f"MB/s beside direct {kind}", ratios, 0.9, at_least=True)


class Origin(Bench):
    """What 50 replicas cost the primary, in CPU seconds for each GB that is written, and in forks."""

    WRITER = Benchmark(80_000)

    def run(self, lab, wanted):
        made = {
            "direct, 1 replica": (stages.direct(lab, lab.origin()), 1),
            "direct, 50 replicas": (stages.direct(lab, lab.origin()), 50),
            "relay, 50 replicas": (stages.through_relay(lab, lab.origin()), 50),
        }
        for name, (stage, count) in made.items():
            stage.name = name
            stage.attach(count)
        made["direct, 50 replicas"][0].rounds = 2  # far from any aim
        seen = figures.in_turns(
            [stage for stage, _ in made.values()],
            lambda stage: load(stage, self.WRITER),
            wanted.rounds or 9,
        )
        ratios = seen.ratios("relay, 50 replicas", "direct, 1 replica", "origin_cpu_s")
        return Result(self, seen, [Aim("the primary's CPU beside one direct replica", ratios, 1.1)])


BENCHES = [
    One("real-1", "A real origin, redis-benchmark, one replica", Benchmark(50_000), 15),
    One("stream-1", "A real origin that makes its own stream, one replica", Script(400), 15),
    Origin("real-50", "A real origin, redis-benchmark, 50 replicas: what the primary pays"),
]
