# SPDX-License-Identifier: MIT
"""Benches of the stream: flat out, small commands, under TLS, how late it comes."""

import cipher
import figures
import stages
from figures import GB
from report import Aim, Bench, Result

MB = 1_000_000


def send(stage, stream_bytes, value_bytes, rate=0):
    """Sends that much through the middle to all replicas. Returns what was delivered, when it began, when
    it was done, and what it cost."""
    start, end, length, stamp = stage.origin.ask(f"plan {stream_bytes} {value_bytes} {rate}", "plan")
    looks_at = f"{length} {stamp}" if rate else "0 0"
    stage.swarm.ask(f"expect {start} {end} {looks_at}", "expects")
    with figures.Meter(stage.middle.pid) as meter:
        (begun,) = stage.origin.ask("go", "sent")
        done = stage.swarm.hear("done")
    return (end - start) * stage.count, begun, done, meter.cpu_s


def flood(stage, stream_bytes, value_bytes):
    """As quickly as it goes."""
    delivered, begun, done, cpu_s = send(stage, stream_bytes, value_bytes)
    return {
        "cpu_s_per_gb": cpu_s / delivered * GB,
        "mb_s": delivered / (done["last"] - begun) * 1e3,
        "memory_mb": figures.anonymous_mb(stage.middle.pid),
    }


class Flood(Bench):
    """`count` replicas, values of `value_bytes`, flat out."""

    def __init__(self, name, title, count, value_bytes, stream_bytes, aim):
        super().__init__(name, title, is_quick=True)
        self.count = count
        self.value_bytes = value_bytes
        self.stream_bytes = stream_bytes
        self.aim = aim

    def stages(self, lab, quick):
        made = [stages.floor(lab), stages.through_relay(lab)]
        if not quick:
            made += [stages.chained(lab, kind) for kind in stages.kinds()]
        for stage in made[2:]:
            stage.rounds = 3  # they take the longest, and are far from any aim
        return made

    def warmed(self, lab, wanted):
        """The first bytes pay for what is made once."""
        made = self.stages(lab, wanted.quick)
        for stage in made:
            stage.attach(self.count)
            flood(stage, self.stream_bytes // 4, self.value_bytes)
        return made

    def run(self, lab, wanted):
        made = self.warmed(lab, wanted)
        seen = figures.in_turns(
            made,
            lambda stage: flood(stage, self.stream_bytes, self.value_bytes),
            wanted.rounds or (5 if wanted.quick else 9),
            limit_s=8 if wanted.quick else 40,
        )
        ratios = seen.ratios("relay", "floor", "cpu_s_per_gb")
        return Result(self, seen, [Aim("CPU per GB beside the floor", ratios, self.aim)])


class Secured(Flood):
    """The same under TLS. What must be paid is the floor and the encrypting."""

    def stages(self, lab, quick):
        secured = stages.through_relay(lab, name="relay TLS", tls=True, reads=False)
        return [stages.floor(lab), secured]

    def run(self, lab, wanted):
        made = [*self.warmed(lab, wanted), cipher.Stage()]
        seen = figures.in_turns(
            made,
            cipher.or_else(lambda stage: flood(stage, self.stream_bytes, self.value_bytes)),
            wanted.rounds or (5 if wanted.quick else 9),
            limit_s=8 if wanted.quick else 40,
        )
        return Result(self, seen, [cipher.aim(seen, self.aim)])


class Latency(Bench):
    """How late a command comes to a replica, at a rate that all can keep."""

    SECONDS = 1

    def __init__(self, name, title, count, rate):
        super().__init__(name, title)
        self.count = count
        self.rate = rate

    def turn(self, stage):
        _, _, done, cpu_s = send(stage, self.rate * self.SECONDS, 1024, self.rate)
        return {
            "p50_us": done["p50"] / 1e3,
            "p99_us": done["p99"] / 1e3,
            "p999_us": done["p999"] / 1e3,
            "cpu_s_per_gb": cpu_s / (self.rate * self.SECONDS * self.count) * GB,
        }

    def run(self, lab, wanted):
        made = [
            stages.floor(lab),
            stages.through_relay(lab),
            stages.through_relay(lab, name="relay TLS", tls=True),
            *(stages.chained(lab, kind) for kind in stages.kinds()),
        ]
        for stage in made:
            stage.attach(self.count)
        seen = figures.in_turns(made, self.turn, wanted.rounds or 9)
        aims = [
            Aim("p50 beside the floor", seen.ratios("relay", "floor", "p50_us"), 1.5),
            Aim("p99 beside the floor", seen.ratios("relay", "floor", "p99_us"), 1.5),
        ]
        for kind in stages.kinds():
            name = f"chained {kind}"
            aims.append(Aim(f"p99 beside {name}", seen.ratios("relay", name, "p99_us"), 1))
        return Result(self, seen, aims)


BENCHES = [
    Flood("stream-10", "Stream, 10 replicas, values of 1 KB, flat out", 10, 1024, 200 * MB, 1.3),
    Flood("stream-100", "Stream, 100 replicas, values of 1 KB, flat out", 100, 1024, 30 * MB, 1.3),
    Flood("small-10", "Stream, 10 replicas, commands of 50 bytes, flat out", 10, 20, 150 * MB, 1.6),
    Secured("tls-10", "Stream under TLS, 10 replicas, values of 1 KB, flat out", 10, 1024, 100 * MB, 1.25),
    Latency("latency-10", "Latency, 10 replicas, 20 MB/s, values of 1 KB", 10, 20 * MB),
]
