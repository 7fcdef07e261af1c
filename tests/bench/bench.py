# SPDX-License-Identifier: MIT
"""The benches: the relay beside what people use today, and beside the least that the kernel lets anyone
pay. `make bench`, `make bench-quick`; README.md here says what the figures mean.

    /usr/bin/python3 tests/bench/bench.py [--quick] [--only NAME]... [--rounds N] [--out FOLDER]
                                        [--network own|host]
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import crowds  # noqa: E402
import machine  # noqa: E402
import origins  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import stages  # noqa: E402
import syncs  # noqa: E402
import streams  # noqa: E402

BENCHES = [*streams.BENCHES, *syncs.BENCHES, *origins.BENCHES, *crowds.BENCHES]


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, the floor alone beside")
    parser.add_argument("--only", action="append", metavar="NAME", help="a bench, or all with it in their names")
    parser.add_argument("--rounds", type=int, help="turns of each set-up")
    parser.add_argument("--out", type=pathlib.Path, help="folder for bench.json and bench.svg")
    parser.add_argument(
        "--network",
        choices=["own", "host"],
        default="own",
        help="own: one with a congestion control that does not pace (default); host: the machine's",
    )
    return parser.parse_args()


def is_named(bench, words):
    """A word is a bench's name, or part of several names."""
    names = [each.name for each in BENCHES]
    return any(word == bench.name if word in names else word in bench.name for word in words)


def run_one(bench, wanted, results):
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=wanted.scratch) as folder:
        lab = stages.Lab(pathlib.Path(folder))
        try:
            result = bench.run(lab, wanted)
        finally:
            lab.close()
    result.seconds = time.monotonic() - started
    results.append(result)
    report.print_result(result)


def main():
    wanted = options()
    if wanted.network == "own":
        machine.enter_own_network()
    if not wanted.quick and not servers.is_available(servers.REDIS):
        sys.exit("Redis 7.0 is not there: tests/support/setup.sh bench")
    wanted.scratch = servers.ROOT / "build" / "bench"
    wanted.scratch.mkdir(parents=True, exist_ok=True)
    report.print_machine()
    results = []
    for bench in BENCHES:
        named = wanted.only is None or is_named(bench, wanted.only)
        if named and (bench.is_quick or not wanted.quick):
            run_one(bench, wanted, results)
    failures = report.finish(results, wanted)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
