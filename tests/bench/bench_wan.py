# SPDX-License-Identifier: MIT
"""An ocean in a box: two regions, a link of 100 ms, 0.1 % loss and 200 Mbit/s, and ten replicas on the far side.

    /usr/bin/python3 tests/bench/bench_wan.py [--quick] [--only SETUP]... [--rdb-mb 1000] [--write-mb 20] [--replicas 10]

One origin, a real Redis; the set-ups of wan_setups.py one after the other. Each goes through the same phases:

    sync      the far side is empty and starts, while the origin is written to: until the last replica has the RDB
    lag       all are online: how old a write is when a replica has it
    another   the same, while one more replica of the far region is sent an RDB
    cuts      the link is down for a second, ten times, and all connections over it are broken
    broken    the far side is empty and starts again, and the link is cut ten times while the RDB is on its way

The replicas are bare (far_replicas.py). README.md here says what the figures mean.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import own_world  # noqa: E402
import regions  # noqa: E402
import servers  # noqa: E402
import stages  # noqa: E402
import wait  # noqa: E402
import wan_load  # noqa: E402
import wan_report  # noqa: E402
import wan_setups  # noqa: E402

MB = 1_000_000
CUT_S = 1.0
POLL_S = 0.05
INSIDE = "PSYNC_RELAY_BENCH_WAN_INSIDE"

FULL = {"rdb_mb": 1000, "write_mb": 20.0, "replicas": 10, "cuts": 10, "lag_s": 20, "backlog_mb": 256}
QUICK = {"rdb_mb": 20, "write_mb": 1.0, "replicas": 3, "cuts": 2, "lag_s": 2, "backlog_mb": 16}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"a minute: {QUICK}")
    parser.add_argument("--only", action="append", choices=list(wan_setups.SET_UPS), metavar="SETUP")
    parser.add_argument("--rdb-mb", type=int)
    parser.add_argument("--write-mb", type=float, help="a second")
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--cuts", type=int)
    parser.add_argument("--lag-s", type=float, help="how long the lag is measured")
    parser.add_argument("--limit-s", type=float, help="how long the last replica may take (default: 5 RDBs over the link)")
    parser.add_argument("--rtt-ms", type=float, default=100)
    parser.add_argument("--loss-percent", type=float, default=0.1)
    parser.add_argument("--mbit", type=float, default=200)
    parser.add_argument("--congestion", default="bbr", help="of both regions (default: bbr)")
    parser.add_argument("--backlog-mb", type=int, help="repl-backlog-size of the origin")
    parser.add_argument("--out", type=pathlib.Path, help="folder for wan.json")
    wanted = parser.parse_args()
    for name, value in (QUICK if wanted.quick else FULL).items():
        if getattr(wanted, name) is None:
            setattr(wanted, name, value)
    if wanted.only is None:
        wanted.only = ["direct", "zstd"] if wanted.quick else list(wan_setups.SET_UPS)
    if wanted.limit_s is None:
        wanted.limit_s = 5 * wanted.rdb_mb * MB * 8 / (wanted.mbit * 1e6) + 20
    return wanted


class World:
    """The two regions, the origin with its data, and who writes."""

    def __init__(self, lab, wanted):
        self.lab, self.wanted = lab, wanted
        self.regions = lab.keep(
            regions.Regions(
                wan_setups.LONG_LINK, wanted.rtt_ms, wanted.loss_percent, wanted.mbit, wanted.congestion
            )
        )
        settings = {
            "bind": f"127.0.0.1 {regions.NEAR}",
            "rdbcompression": "no",
            "repl_backlog_size": f"{wanted.backlog_mb}mb",
            "repl_diskless_sync_delay": 1,
            "repl_ping_replica_period": 10,
        }
        self.origin = lab.origin(**settings)
        some = wan_load.values()
        keys = wan_load.fill(self.origin, some, wanted.rdb_mb)
        self.origin.client(socket_timeout=600).save()
        self.rdb_bytes = (self.origin.directory / "dump.rdb").stat().st_size
        self.writer = lab.keep(wan_load.Writer(self.origin, some, keys))
        self._fill_backlog()

    def _fill_backlog(self):
        """So that it is as large as it gets before anything is measured. There is none without a replica."""
        first = wan_setups.FarReplicas([], (wan_setups.LOCAL, self.origin.port))
        first.ask("attach 1")
        wait.until("it is online", lambda: first.ask()["online"], seconds=30)
        self.writer.set_rate(1000 * MB)
        wait.until("the backlog is full", lambda: self.offset() > self.wanted.backlog_mb * 1024 * 1024, seconds=30)
        self.write(False)
        first.stop()

    def far_server(self, primary):
        """A real Redis in the far region, for `Chained`."""
        server = self.lab.origin(
            start=False,
            name="chained",
            bind=f"{wan_setups.LOCAL} {regions.FAR_WATCH}",
            replicaof=primary,
            rdbcompression="no",
            repl_backlog_size=f"{self.wanted.backlog_mb}mb",
            repl_diskless_sync_delay=1,
        )
        server.host = regions.FAR_WATCH
        spawn = server.spawn
        server.spawn = lambda arguments, env=None: spawn([*self.regions.far, *arguments], env)
        return server.start()

    def write(self, is_on):
        self.writer.set_rate(self.wanted.write_mb * MB if is_on else 0)

    def offset(self):
        return self.origin.info("replication")["master_repl_offset"]

    # The origin's cost

    def cpu_s(self):
        """With the children that have ended."""
        fields = pathlib.Path(f"/proc/{self.origin.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.origin.pid}/clear_refs").write_text("5")

    def peak_mb(self):
        status = pathlib.Path(f"/proc/{self.origin.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / MB


def wait_for(what, probe, seconds):
    """True when it has come in time; a phase that takes too long is a result, too."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            print(f"    not within {seconds:.0f} s: {what}", flush=True)
            return False
        time.sleep(POLL_S)
    return True


def have_all(setup, world, behind=0):
    """Is each replica online, and has all but `behind` bytes of what was written until now?"""
    end = world.offset() - behind
    counters = setup.replicas.ask()
    return counters["online"] == counters["count"] and counters["offset_min"] >= end


def catch_up(setup, world, seconds):
    """Nothing is written until all have all."""
    world.write(False)
    return wait_for("all replicas have all", lambda: have_all(setup, world), seconds)


def sync(setup, world, figures):
    wanted = world.wanted
    world.write(True)
    link, written, cpu = world.regions.bytes(), world.writer.written.value, world.cpu_s()
    begun = time.monotonic_ns()
    setup.start_far(wanted.replicas)

    def loaded():
        return len(setup.replicas.ask()["loaded_ns"]) == wanted.replicas

    is_loaded = wait_for("the last replica has its RDB", loaded, wanted.limit_s)
    seconds = (time.monotonic_ns() - begun) / 1e9
    figures["written_mb_s"] = (world.writer.written.value - written) / MB / seconds
    figures["origin_cpu_s_per_gb"] = (world.cpu_s() - cpu) / ((world.writer.written.value - written) / 1e9)
    if is_loaded:
        times = setup.replicas.ask()["loaded_ns"]
        figures["first_s"], figures["last_s"] = ((moment - begun) / 1e9 for moment in (times[0], times[-1]))
        is_loaded = catch_up(setup, world, wanted.limit_s)
    counters = setup.replicas.ask()
    delivered = counters["rdb_bytes"] + counters["stream_bytes"]
    figures["link_mb"] = (world.regions.bytes() - link) / MB
    figures["link_per_delivered"] = (world.regions.bytes() - link) / max(delivered, 1)
    figures["link_per_received"] = (world.regions.bytes() - link) / max(setup.received(), 1)
    return is_loaded


def lags_of(setup, seconds, is_over=lambda: False):
    """(p50, p99) in ms of what comes within `seconds`, or until it is over."""
    setup.replicas.ask("lags")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not is_over():
        time.sleep(POLL_S)
    lags = sorted(setup.replicas.ask("lags")["lags"])
    if not lags:
        return None
    return lags[len(lags) // 2], lags[len(lags) * 99 // 100]


def lag(setup, world, figures):
    wanted = world.wanted
    world.write(True)
    time.sleep(1)  # of the load before it is measured
    figures["lag_ms"] = lags_of(setup, wanted.lag_s)
    loaded = len(setup.replicas.ask()["loaded_ns"])
    setup.replicas.ask("guest")
    figures["lag_another_ms"] = lags_of(
        setup, wanted.lag_s, lambda: len(setup.replicas.ask()["loaded_ns"]) > loaded
    )
    setup.replicas.ask("drop")
    limited = setup.start_another_over_link(wanted)
    if limited is not None:
        figures["lag_another_link_ms"] = lags_of(setup, wanted.lag_s)
        setup.end_some(limited)


def cuts(setup, world, figures):
    if not catch_up(setup, world, world.wanted.limit_s):
        return
    came, offset, full_syncs = setup.received(), world.offset(), setup.full_syncs()
    world.write(True)
    seconds = []
    for _ in range(world.wanted.cuts):
        began = time.monotonic()
        world.regions.cut(CUT_S)
        behind = int(world.wanted.write_mb * MB)  # a second's
        if not wait_for("all are back", lambda: have_all(setup, world, behind), world.wanted.limit_s / 2):
            break
        seconds.append(time.monotonic() - began - CUT_S)
    if not catch_up(setup, world, world.wanted.limit_s):
        return
    figures["cuts"] = len(seconds)
    figures["cut_s"] = sum(seconds) / max(len(seconds), 1)
    figures["cut_full_syncs"] = setup.full_syncs() - full_syncs
    figures["cut_twice_bytes"] = setup.received() - came - (world.offset() - offset) * setup.copies


def broken_sync(setup, world, figures):
    wanted = world.wanted
    world.write(False)
    setup.stop_far()
    on_link = world.rdb_bytes * setup.copies * figures["link_per_received"]
    began = time.monotonic()
    setup.start_far(wanted.replicas)

    def loaded():
        return len(setup.replicas.ask()["loaded_ns"]) == wanted.replicas

    for number in range(wanted.cuts):
        before = world.regions.bytes()
        part = on_link / (wanted.cuts + 1)
        wait_for(
            f"a part of the RDB before cut {number + 1}",
            lambda before=before, part=part: world.regions.bytes() - before >= part or loaded(),
            wanted.limit_s,
        )
        if loaded():
            break
        world.regions.cut(CUT_S)
        figures["broken_cuts"] = number + 1
    if wait_for("the last replica has its RDB", loaded, 2 * wanted.limit_s):
        figures["broken_s"] = time.monotonic() - began
        if catch_up(setup, world, wanted.limit_s):
            figures["broken_full_syncs"] = setup.full_syncs()
            figures["broken_twice_bytes"] = setup.received() - setup.needed()


def measure(setup, world):
    figures = {}
    wait.equal("forks of the origin", lambda: world.origin.info("persistence")["rdb_bgsave_in_progress"], 0)
    world.forget_peak()
    if sync(setup, world, figures):
        lag(setup, world, figures)
        cuts(setup, world, figures)
        broken_sync(setup, world, figures)
    world.write(False)
    figures["origin_peak_mb"] = world.peak_mb()
    return figures


def run(lab, wanted):
    world = World(lab, wanted)
    wan_report.print_world(world)
    results = {}
    for name in wanted.only:
        world.write(False)
        began = time.monotonic()
        setup = wan_setups.SET_UPS[name](name, world)
        try:
            results[name] = measure(setup, world)
        finally:
            setup.end()
        wan_report.print_setup(name, results[name], time.monotonic() - began)
    return wan_report.finish(results, world)


def main():
    wanted = options()
    if not servers.is_available(servers.REDIS):
        sys.exit("Redis 7.0 is not there: tests/support/setup.sh bench")
    if INSIDE not in os.environ:
        if not own_world.can_run() or os.getuid() != 0:
            sys.exit("two network namespaces are needed: this has to be run by root, where unshare(1) is allowed")
        again = [sys.executable, "-B", *sys.argv]
        os.environ[INSIDE] = "1"
        os.execvp("unshare", own_world.command() + again)
    regions.run("ip", "link", "set", "lo", "up")
    scratch = servers.ROOT / "build" / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-wan-", dir=scratch) as folder:
        lab = stages.Lab(pathlib.Path(folder))
        try:
            is_met = run(lab, wanted)
        finally:
            lab.close()
    sys.exit(0 if is_met else 1)


if __name__ == "__main__":
    main()
