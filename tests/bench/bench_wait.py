# SPDX-License-Identifier: MIT
"""What a confirmed write costs: SET and WAIT 1 at the origin, one after the other.

    /usr/bin/python3 tests/bench/bench_wait.py [--writes 1000]

Five set-ups with an origin of their own, in turns, so that the machine's moods fall on all alike:
a direct replica; a chained Redis replica (it acknowledges for itself, whatever is behind it); and the
relay with `received`, `replicas 1` and `replicas 2`, where the last two mean what WAIT says.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import lab as lab_module  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

VALUE = b"v" * 100
TURNS = 20


def direct(lab, origin):
    lab.replica(origin).wait_online()


def chained(lab, origin):
    middle = lab.replica(origin, name="chained").wait_online()
    lab.replica(middle).wait_online()


def through_relay(rule):
    def make(lab, origin):
        relay = lab.relay(origin, {"upstream.ack": rule, "relay.log-level": "info"}).wait_link()
        for _ in range(2):
            lab.replica(relay).wait_online()

    return make


SET_UPS = [
    ("direct replica", "it has it", direct),
    ("chained Redis replica", "the middle has it", chained),
    ("relay, received", "the relay has it", through_relay("received")),
    ("relay, replicas 1", "a replica behind it has it", through_relay("replicas 1")),
    ("relay, replicas 2", "both replicas behind it have it", through_relay("replicas 2")),
]


def measure(connection, writes):
    """Seconds of each SET with its WAIT, sent together as an application would."""
    seconds = []
    for number in range(writes):
        words = resp.encode("SET", f"key:{number % 1000}", VALUE) + resp.encode("WAIT", 1, 5000)
        started = time.perf_counter()
        connection.send(words)
        assert connection.reply() == "OK"
        assert connection.reply() == 1, "not confirmed within five seconds"
        seconds.append(time.perf_counter() - started)
    return seconds


def quantile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def run(lab, writes):
    samples = {name: [] for name, _, _ in SET_UPS}
    connections = {}
    for name, _, make in SET_UPS:
        origin = lab.origin()
        make(lab, origin)
        connections[name] = resp.Connection(origin.port)
        measure(connections[name], 20)  # the first ones pay for what is made once
    for _ in range(TURNS):
        for name, connection in connections.items():
            samples[name] += measure(connection, max(writes // TURNS, 1))
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writes", type=int, default=1000, help="a set-up (default: 1000)")
    writes = parser.parse_args().writes
    if not servers.is_available(servers.REDIS):
        sys.exit("Redis 7.0 is not there: tests/support/setup.sh bench")
    with tempfile.TemporaryDirectory(prefix="bench-wait-") as folder:
        lab = lab_module.Lab(pathlib.Path(folder))
        try:
            samples = run(lab, writes)
        finally:
            lab.close()
    print(f"SET and WAIT 1 on loopback, {writes} writes each, milliseconds\n")
    print(f"{'':24}{'p50':>8}{'p99':>8}{'max':>8}   a 1 means")
    for name, meaning, _ in SET_UPS:
        figures = [quantile(samples[name], part) * 1000 for part in (0.5, 0.99, 1.0)]
        print(f"{name:24}" + "".join(f"{figure:8.2f}" for figure in figures) + f"   {meaning}")


if __name__ == "__main__":
    main()
