# SPDX-License-Identifier: MIT
"""What a full sync costs the primary's memory: over one connection, and over two.

    /usr/bin/python3 tests/bench/bench_two_channel.py [--megabytes 50] [--rdb 5] [--writes 20] [--whole]

Part 1: the RDB is written at a low rate (rdb-key-save-delay) while clients write at a high one, and no limit ends the
full sync. How much does the primary keep for the relay at most? Part 2: a link that is slower than the data set is
large, with limits that are those of redis.conf divided by ten, or with --whole the real ones and 700 MB: does the full
sync end, or is it ended by the primary, again and again?
"""

import argparse
import os
import pathlib
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import lab as lab_module  # noqa: E402
import resp  # noqa: E402
import servers  # noqa: E402

MB = 1000 * 1000
VALUE = 20_000
WRITTEN = 100_000
PIECE = 16 * 1024
LATE = 0.25  # seconds that a busy machine may be late, and are made up for
KINDS = (
    (servers.REDIS_8, {}),
    (servers.VALKEY_81, {"dual-channel-replication-enabled": "yes"}),
)
WAYS = (("one connection", "no"), ("two connections", "auto"))


class Writer:
    """SET, over and over, so many bytes a second."""

    def __init__(self, port, rate):
        self.connection = resp.Connection(port)
        self.rate = rate
        self.ending = threading.Event()
        self.written = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        words = resp.encode("SET", "written", os.urandom(WRITTEN))
        began = time.monotonic()
        while not self.ending.is_set():
            ahead = self.written / self.rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
            self.connection.send(words)
            self.connection.reply()
            self.written += WRITTEN

    def stop(self):
        self.ending.set()
        self.thread.join()


class Link:
    """So many bytes a second for all connections together, which take turns: a filter for each of them (mitm.py)."""

    def __init__(self, rate):
        self.rate = rate
        self.lock = threading.Lock()
        self.free_at = time.monotonic()

    def feed_pieces(self, data):
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            with self.lock:
                self.free_at = max(self.free_at, time.monotonic() - LATE) + len(piece) / self.rate
                wait = self.free_at - time.monotonic()
            time.sleep(max(wait, 0))
            yield piece


def fill(origin, megabytes):
    pipe = origin.client().pipeline(transaction=False)
    for number in range(megabytes * MB // VALUE):
        pipe.set(f"key:{number}", os.urandom(VALUE))
        if number % 100 == 99:
            pipe.execute()
    pipe.execute()


def is_over(relay):
    return relay.info()["master_link_status"] == "up"


def kept_for_replicas(origin):
    """The buffer that replicas share with the backlog, beyond the backlog."""
    memory = origin.info("memory")
    return max(memory["mem_clients_slaves"], memory["mem_total_replication_buffers"] - memory["mem_replication_backlog"])


def measure_kept(lab, kind, config, rdb_channel, options):
    delay_us = int(VALUE / (options.rdb * MB) * 1_000_000)
    origin = lab.origin(
        kind,
        **config,
        **{"rdb-key-save-delay": str(delay_us), "rdbcompression": "no", "repl-backlog-size": "1mb"},
    )
    fill(origin, options.megabytes)
    relay = lab.relay(origin, {"upstream.rdb-channel": rdb_channel, **SIZES})
    writer = Writer(origin.port, options.writes * MB)
    began = time.monotonic()
    most = 0
    while not is_over(relay):
        most = max(most, kept_for_replicas(origin))
        time.sleep(0.1)
    seconds = time.monotonic() - began
    writer.stop()
    for thing in (relay, origin):
        thing.stop()
    return most, seconds, writer.written


def measure_ends(lab, kind, config, rdb_channel, whole):
    megabytes, limit, seconds_max = (700, "replica 256mb 64mb 60", 300) if whole else (70, "replica 25mb 6mb 6", 60)
    origin = lab.origin(
        kind, **config, **{"rdbcompression": "no", "client-output-buffer-limit": limit, "repl-backlog-size": "1mb"}
    )
    fill(origin, megabytes)
    link = Link(5 * MB)
    mitm = lab.mitm(origin, [link] * 100)
    writer = Writer(origin.port, (2.5 if whole else 2) * MB)
    relay = lab.relay(mitm, {"upstream.rdb-channel": rdb_channel, **SIZES})
    began = time.monotonic()
    while not is_over(relay) and time.monotonic() - began < seconds_max:
        time.sleep(0.2)
    seconds = time.monotonic() - began
    ended = is_over(relay)
    syncs = relay.info()["upstream_full_syncs"]
    writer.stop()
    for thing in (relay, mitm, origin):
        thing.stop()
    return ended, syncs, seconds


SIZES = {"store.repl-backlog-size": "1gb", "store.repl-backlog-max-size": "4gb", "relay.log-level": "info"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=50, help="of data, in part 1 (default: 50)")
    parser.add_argument("--rdb", type=float, default=5, help="MB/s at which the RDB is written (default: 5)")
    parser.add_argument("--writes", type=float, default=20, help="MB/s of writes in part 1 (default: 20)")
    parser.add_argument("--whole", action="store_true", help="part 2 with 700 MB and the limits of redis.conf")
    options = parser.parse_args()
    kinds = [(kind, config) for kind, config in KINDS if servers.is_available(kind)]
    if not kinds:
        sys.exit("Redis 8 and Valkey 8.1 are not there: tests/support/setup.sh bench")
    with tempfile.TemporaryDirectory(prefix="bench-two-channel-", dir=os.environ.get("TMPDIR")) as folder:
        lab = lab_module.Lab(pathlib.Path(folder))
        try:
            print(f"{options.megabytes} MB of data, RDB at {options.rdb:g} MB/s, writes at {options.writes:g} MB/s\n")
            print(f"{'':32}{'kept at most':>14}{'written':>12}{'seconds':>10}")
            for kind, config in kinds:
                for name, value in WAYS:
                    most, seconds, written = measure_kept(lab, kind, config, value, options)
                    print(f"{kind:12}{name:20}{most / MB:11.1f} MB{written / MB:9.0f} MB{seconds:10.1f}", flush=True)
            print(f"\nwrites at {2.5 if options.whole else 2} MB/s over a link of 5 MB/s{', the limits of redis.conf' if options.whole else ''}\n")
            print(f"{'':32}{'full syncs':>14}{'seconds':>10}")
            for kind, config in kinds:
                for name, value in WAYS:
                    ended, syncs, seconds = measure_ends(lab, kind, config, value, options.whole)
                    outcome = "complete" if ended else "none complete"
                    print(f"{kind:12}{name:20}{syncs:14}{seconds:10.1f}   {outcome}", flush=True)
        finally:
            lab.close()


if __name__ == "__main__":
    main()
