# SPDX-License-Identifier: MIT
"""What a WebSocket costs beside the same bytes without one: ws beside TCP, wss beside TLS.

    /usr/bin/python3 tests/bench/bench_carriers.py [--megabytes 1000] [--rounds 3]

A relay serves another one over each carrier, in turns: a full sync of the data, then a stream of as much. Told is the
processor time of both relays together, all threads, for each GB that went over the link, and of the one that sends and the one that
receives alone; the median of the rounds. Each round makes the receiving relay anew.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import certificates  # noqa: E402
import lab as lab_module  # noqa: E402
import load  # noqa: E402
import ports  # noqa: E402
import servers  # noqa: E402
import wait  # noqa: E402

CARRIERS = {"tcp": None, "ws": "tcp", "tls": None, "wss": "tls"}  # each with what it is compared with
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(relay):
    """Of all its threads, since its start."""
    fields = pathlib.Path(f"/proc/{relay.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def settings_of(carrier, near, papers):
    port = {
        "tcp": near.port,
        "tls": near.settings["downstream.tls-port"],
        "ws": near.settings["downstream.ws-port"],
        "wss": near.settings["downstream.ws-tls-port"],
    }[carrier]
    tls = papers.side("upstream", "relay", **({"tls": "yes"} if carrier == "tls" else {}))
    to = f"{carrier}://127.0.0.1:{port}/replication" if carrier.startswith("ws") else f"127.0.0.1 {port}"
    return {**tls, "relay.log-level": "info", "upstream.replicaof": to}


def one(lab, origin, near, papers, carrier, megabytes):
    """Seconds for each GB: (of the full sync, of the stream), each as (sender, receiver)."""
    before = processor_seconds(near)
    far = lab.relay(None, settings_of(carrier, near, papers), name=f"far-{carrier}")
    far.wait_link(seconds=600)
    gigabytes = near.info("store")["snapshot_bytes"] / 1e9
    sync = ((processor_seconds(near) - before) / gigabytes, processor_seconds(far) / gigabytes)
    assert far.info()["upstream_carrier"] == carrier

    starts = near.offset()
    before = processor_seconds(near), processor_seconds(far)
    load.populate(origin, megabytes)
    wait.equal("all of it is there", far.offset, origin.info("replication")["master_repl_offset"], seconds=300)
    gigabytes = (near.offset() - starts) / 1e9
    spent = processor_seconds(near) - before[0], processor_seconds(far) - before[1]
    far.stop()
    return sync, (spent[0] / gigabytes, spent[1] / gigabytes)


def run(lab, papers, megabytes, rounds):
    origin = lab.origin(repl_ping_replica_period="3600")
    load.populate(origin, megabytes)
    near = lab.relay(
        origin,
        {
            **papers.downstream("relay"),
            "downstream.ws-port": ports.free_port(),
            "downstream.ws-tls-port": ports.free_port(),
            "relay.log-level": "info",
        },
        name="near",
    ).wait_link(seconds=300)
    seen = {carrier: [] for carrier in CARRIERS}
    for _ in range(rounds):
        for carrier, results in seen.items():
            results.append(one(lab, origin, near, papers, carrier, megabytes))
    medians = {
        carrier: [[statistics.median(result[part][side] for result in results) for side in (0, 1)] for part in (0, 1)]
        for carrier, results in seen.items()
    }
    print(f"{'':6}{'full sync, CPU s/GB':>30}{'stream, CPU s/GB':>36}")
    print(f"{'':6}" + 2 * f"{'sender':>9}{'receiver':>10}{'both':>8}{'ratio':>9}")
    for carrier, beside in CARRIERS.items():
        line = f"{carrier:6}"
        for part in (0, 1):
            sender, receiver = medians[carrier][part]
            ratio = f"{(sender + receiver) / sum(medians[beside][part]):9.2f}" if beside else " " * 9
            line += f"{sender:9.2f}{receiver:10.2f}{sender + receiver:8.2f}{ratio}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not servers.is_available(servers.REDIS):
        sys.exit("Redis 7.0 is not there: tests/support/setup.sh bench")
    with tempfile.TemporaryDirectory(prefix="bench-carriers-") as folder:
        papers = certificates.for_everyone(pathlib.Path(folder) / "papers")
        lab = lab_module.Lab(pathlib.Path(folder))
        try:
            run(lab, papers, options.megabytes, options.rounds)
        finally:
            lab.close()


if __name__ == "__main__":
    main()
