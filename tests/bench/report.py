# SPDX-License-Identifier: MIT
"""What a bench is, what comes out of it, and how that is told: a table, JSON, and a plot."""

import dataclasses
import json
import statistics

import figures
import machine
import plot

COLUMNS = {
    "cpu_s_per_gb": ("CPU s/GB", "{:.3f}"),
    "mb_s": ("MB/s", "{:.0f}"),
    "last_s": ("last has it, s", "{:.2f}"),
    "p50_us": ("p50 us", "{:.0f}"),
    "p99_us": ("p99 us", "{:.0f}"),
    "p999_us": ("p99.9 us", "{:.0f}"),
    "origin_cpu_s": ("origin CPU s", "{:.2f}"),
    "forks": ("forks", "{:.0f}"),
    "attached_s": ("attached, s", "{:.2f}"),
    "slowest": ("slowest/median", "{:.2f}"),
    "first_byte_ms": ("first byte, ms", "{:.2f}"),
    "memory_mb": ("memory MB", "{:.1f}"),
}


@dataclasses.dataclass
class Aim:
    """What a ratio is to be; of several turns the median counts."""

    what: str
    ratios: list
    aim: float
    at_least: bool = False

    @property
    def ratio(self):
        return statistics.median(self.ratios)

    @property
    def is_met(self):
        return self.ratio >= self.aim if self.at_least else self.ratio <= self.aim

    @property
    def is_far(self):
        """More than twice its aim: what CI calls a failure."""
        return self.ratio < self.aim / 2 if self.at_least else self.ratio > self.aim * 2

    def __str__(self):
        sign = ">=" if self.at_least else "<="
        least, most = min(self.ratios), max(self.ratios)
        turns = f"{least:.2f} to {most:.2f}; " if len(self.ratios) > 1 else ""
        met = "met" if self.is_met else "MISSED"
        return f"{self.what}: {self.ratio:.2f} ({turns}aim {sign} {self.aim:g}) {met}"

    def as_json(self):
        return {**dataclasses.asdict(self), "ratio": self.ratio, "is_met": self.is_met}


class Bench:
    """One comparison. run(lab, wanted) returns a Result."""

    def __init__(self, name, title, is_quick=False):
        self.name = name
        self.title = title
        self.is_quick = is_quick


@dataclasses.dataclass
class Result:
    bench: Bench
    seen: figures.Seen
    aims: list
    seconds: float = 0.0

    @property
    def figures(self):
        """{name of a set-up: its figures}"""
        return self.seen.medians()


def _columns(result):
    there = {key for figure in result.figures.values() for key in figure}
    return [key for key in COLUMNS if key in there]


def print_machine():
    there = machine.describe()
    print(f"{there['cpu']}, {there['cores']} cores, Linux {there['kernel']}, {there['openssl']}")
    print(f"TCP congestion control {there['congestion_control']}, packets of {there['loopback_mtu']} bytes", flush=True)


def print_result(result):
    columns = _columns(result)
    print(f"\n{result.bench.title}  ({result.seconds:.0f} s)")
    print(f"  {'':20}" + "".join(f"{COLUMNS[key][0]:>16}" for key in columns))
    for name, figure in result.figures.items():
        cells = (COLUMNS[key][1].format(figure[key]) if key in figure else "" for key in columns)
        print(f"  {name:20}" + "".join(f"{cell:>16}" for cell in cells))
    for aim in result.aims:
        print(f"  {aim}", flush=True)


def as_json(results):
    benches = [
        {
            "bench": result.bench.name,
            "title": result.bench.title,
            "seconds": round(result.seconds, 1),
            "figures": result.figures,
            "aims": [aim.as_json() for aim in result.aims],
        }
        for result in results
    ]
    return {"machine": machine.describe(), "benches": benches}


def finish(results, wanted):
    """Writes the files. Returns the aims that are missed by more than twice."""
    aims = [aim for result in results for aim in result.aims]
    met = sum(aim.is_met for aim in aims)
    print(f"\n{met} of {len(aims)} aims met, {sum(result.seconds for result in results):.0f} s")
    out = wanted.out
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.json").write_text(json.dumps(as_json(results), indent=1) + "\n")
        (out / "bench.svg").write_text(plot.svg(results, COLUMNS))
        print(f"{out}/bench.json, {out}/bench.svg")
    far = [aim for aim in aims if aim.is_far]
    for aim in far:
        print(f"more than twice its aim: {aim}")
    return far
