# SPDX-License-Identifier: MIT
"""What the relay itself does with the stream, counted by callgrind: instructions for each KB that is received
and sent to ten replicas. What the kernel does is not in it. The same binary and input give the same count,
whatever else the machine is doing.

    /usr/bin/python3 tests/bench/bench_instructions.py
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import relay  # noqa: E402
import stages  # noqa: E402
import streams  # noqa: E402

REPLICAS = 10
STREAMS = (4 * streams.MB, 20 * streams.MB)  # what the two have in common is not the stream's
LOADS = [
    ("commands of 1 KB", 1024, False),
    ("commands of 50 bytes", 20, False),
    ("commands of 1 KB, TLS to the replicas", 1024, True),
]
SHOWN = 0.01  # of the whole

LINE = re.compile(r"^\s*([\d,]+) \([ \d.]+%\)\s+\S*?:(\S+)(?: \[(\S+)\])?$")


def whose(function, program):
    """Our functions and copies by their names, other libraries as a whole."""
    name = pathlib.Path(program or "").name
    if name == relay.PROGRAM.name or not name:
        return function
    if function.startswith(("__memcpy", "__memmove", "memcpy", "memmove")):
        return "copies"
    return name.split(".so")[0]


def counted(folder, tls, value_bytes, stream_bytes):
    """Counter: who -> instructions of a whole life, and how long the stream was."""
    out = folder / "callgrind.out"
    relay.Relay.under = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    lab = stages.Lab(folder)
    try:
        stage = stages.through_relay(lab, tls=tls, reads=False)
        stage.attach(REPLICAS)
        delivered = streams.send(stage, stream_bytes, value_bytes)[0]
        stage.middle.stop()
    finally:
        lab.close()
        relay.Relay.under = []
    told = subprocess.run(
        ["callgrind_annotate", "--auto=no", "--threshold=100", out],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    counts = collections.Counter()
    for line in filter(None, map(LINE.match, told.splitlines())):
        counts[whose(line[2], line[3])] += int(line[1].replace(",", ""))
    return counts, delivered // REPLICAS


def tell(title, tls, value_bytes):
    seen = []
    for stream_bytes in STREAMS:
        with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
            seen.append(counted(pathlib.Path(folder), tls, value_bytes, stream_bytes))
    (less, less_bytes), (more, more_bytes) = seen
    more.subtract(less)
    kilobytes = (more_bytes - less_bytes) / 1e3
    total = sum(more.values())
    print(f"\n{title}: {total / kilobytes:.0f} instructions for each KB of the stream")
    for who, count in more.most_common():
        if count >= total * SHOWN:
            print(f"  {who:32}{count / kilobytes:10.0f}{100 * count / total:8.0f} %", flush=True)


def main():
    for title, value_bytes, tls in LOADS:
        tell(title, tls, value_bytes)


if __name__ == "__main__":
    main()
