# SPDX-License-Identifier: MIT
"""Benches of the stream: flat out, small commands."""

import figures
import stages
from figures import GB
from report import Aim, Bench, Result

MB = 1_000_000


def flood(stage, stream_bytes, value_bytes):
    """Sends that much through the middle to all replicas, as quickly as it goes."""
    start, end, _, _ = stage.origin.ask(f"plan {stream_bytes} {value_bytes} 0", "plan")
    stage.swarm.ask(f"expect {start} {end} 0 0", "expects")
    with figures.Meter(stage.middle.pid) as meter:
        (begun,) = stage.origin.ask("go", "sent")
        done = stage.swarm.hear("done")
    delivered = (end - start) * stage.count
    return {
        "cpu_s_per_gb": meter.cpu_s / delivered * GB,
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
        return made

    def run(self, lab, wanted):
        made = self.stages(lab, wanted.quick)
        for stage in made:
            stage.attach(self.count)
            flood(stage, self.stream_bytes // 4, self.value_bytes)  # the first pays for what is made once
        seen = figures.in_turns(
            made,
            lambda stage: flood(stage, self.stream_bytes, self.value_bytes),
            wanted.rounds or (3 if wanted.quick else 5),
        )
        ratio = seen["relay"]["cpu_s_per_gb"] / seen["floor"]["cpu_s_per_gb"]
        return Result(self, seen, [Aim("CPU per GB beside the floor", ratio, self.aim)])


BENCHES = [
    Flood("stream-10", "Stream, 10 replicas, values of 1 KB, flat out", 10, 1024, 300 * MB, 1.3),
    Flood("stream-100", "Stream, 100 replicas, values of 1 KB, flat out", 100, 1024, 40 * MB, 1.3),
    Flood("small-10", "Stream, 10 replicas, commands of 50 bytes, flat out", 10, 20, 200 * MB, 1.6),
]
