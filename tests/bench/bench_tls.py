# SPDX-License-Identifier: MIT
"""What TLS handshakes cost, and what a stream notices of a flood of them.

    /usr/bin/python3 tests/bench/bench_tls.py [--seconds 8]

All handshakes are made on the relay's first thread, which also receives the stream. Per kind of key: a
replica streams through the relay, first in quiet, then while `openssl s_time` makes whole handshakes
with a client's certificate without end, then while a thousand hellos come at once, over and over, of
clients that never go on. What the first thread spends on one handshake is its time on the processor;
what the stream notices is the time from a SET at the origin until a replica by hand has read it.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import certificates  # noqa: E402
import handshakes  # noqa: E402
import lab as lab_module  # noqa: E402
import load  # noqa: E402
import psync_client  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402
import wait  # noqa: E402

KEYS = {
    "ECDSA P-256": certificates.EC,
    "RSA 2048": ["-newkey", "rsa:2048", "-nodes"],
}
CLIENTS = 4
CROWD = 1000


class Stream:
    """SETs at the primary, one after the other, and how long each takes to the replica."""

    def __init__(self, origin, relay):
        self.origin = resp.Connection(origin.port)
        self.replica = psync_client.PsyncClient(relay.port).handshake()
        self.replica.full_sync()
        self.replica.ack()
        self.number = 0

    def one(self):
        self.number += 1
        mark = b"mark:%d\r\n" % self.number
        started = time.perf_counter()
        assert self.origin.command("SET", "key", mark.strip()) == "OK"
        while not self.replica.line().startswith(mark.strip()):
            continue
        return time.perf_counter() - started

    def measure(self, is_over):
        seconds = []
        while not is_over():
            seconds.append(self.one())
            time.sleep(0.002)
        self.replica.ack()
        return seconds


def processor_seconds(relay):
    """Of the first thread."""
    stat = pathlib.Path(f"/proc/{relay.pid}/task/{relay.pid}/schedstat").read_text()
    return int(stat.split()[0]) / 1e9


def in_quiet(_relay, _papers, stream, seconds):
    ends = time.monotonic() + seconds
    return 0, stream.measure(lambda: time.monotonic() >= ends)


def whole_handshakes(relay, papers, stream, seconds):
    command = [
        "openssl", "s_time", "-new", "-time", seconds,
        "-connect", f"127.0.0.1:{relay.settings['downstream.tls-port']}",
        "-CAfile", papers.certificate("ca"),
        "-cert", papers.certificate("client"), "-key", papers.key("client"),
    ]  # fmt: skip
    children = [
        subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(CLIENTS)
    ]
    sampled = stream.measure(lambda: all(child.poll() is not None for child in children))
    said = [child.communicate()[0].decode() for child in children]
    counts = [int(re.search(r"(\d+) connections in \d+ real", text).group(1)) for text in said]
    return sum(counts), sampled


def hellos(relay, _papers, stream, seconds):
    count = 0
    over = threading.Event()
    ends = time.monotonic() + seconds

    def run():
        nonlocal count
        while time.monotonic() < ends:
            crowd = handshakes.Crowd(relay.settings["downstream.tls-port"], CROWD)
            crowd.go()
            wait.equal("hellos that are answered", crowd.answered, CROWD, seconds=60)
            crowd.close()
            count += CROWD
        over.set()

    thread = threading.Thread(target=run)
    thread.start()
    sampled = stream.measure(over.is_set)
    thread.join()
    return count, sampled


MOODS = [("quiet", in_quiet), ("whole handshakes", whole_handshakes), ("hellos", hellos)]


def quantile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def run(lab, papers, key, seconds):
    origin = lab.origin()
    load.fill(origin, rounds=5)
    settings = {**papers.downstream("relay"), "relay.log-level": "info"}
    relay = lab.relay(origin, settings).wait_link()
    stream = Stream(origin, relay)
    stream.one()
    for name, mood in MOODS:
        before, started = processor_seconds(relay), time.monotonic()
        count, sampled = mood(relay, papers, stream, seconds)
        spent, passed = processor_seconds(relay) - before, time.monotonic() - started
        lag = "".join(f"{quantile(sampled, part) * 1000:8.2f}" for part in (0.5, 0.99, 1.0))
        costs = f"{count / passed:8.0f}{spent / count * 1e6:8.0f}" if count else " " * 16
        print(f"{key:12} {name:18}{costs}{lag}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8, help="a row (default: 8)")
    seconds = parser.parse_args().seconds
    if not servers.is_available(servers.REDIS):
        sys.exit("Redis 7.0 is not there: tests/support/setup.sh bench")
    print("handshakes a second, microseconds of the first thread each; SET to replica, milliseconds\n")
    print(f"{'':31}{'per s':>8}{'us':>8}{'p50':>8}{'p99':>8}{'max':>8}")
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
        for key in KEYS:
            certificates.EC = KEYS[key]
            home = pathlib.Path(folder) / key.split()[0]
            papers = certificates.for_everyone(home / "papers")
            lab = lab_module.Lab(home)
            try:
                run(lab, papers, key, seconds)
            finally:
                lab.close()


if __name__ == "__main__":
    main()
