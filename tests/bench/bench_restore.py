# SPDX-License-Identifier: MIT
"""What a restore costs beside `cp` of the same files.

    /usr/bin/python3 tests/bench/bench_restore.py [--megabytes 200] [--rounds 5] [--folder build/bench]

Half of it is in the RDB, half in the stream behind it, once as values of 10 KB and once as small ones of 100 bytes. Both
read from the page cache, and both end with what they wrote on the disk: `cp` is followed by `sync` of its target.
They take turns; a ratio is made of two turns of one round, and the median of these is what counts.
"""

import argparse
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import lab as lab_module  # noqa: E402
import relay as relay_module  # noqa: E402
import wait  # noqa: E402

SETTINGS = {
    "store.segment-size": "64mb",
    "store.repl-backlog-size": "8gb",
    "store.repl-backlog-max-size": "8gb",
    "store.snapshot": "on-demand",
    "relay.log-level": "info",
}
PIPELINE_BYTES = 2_000_000


def write(server, megabytes, value_bytes, seed):
    client = server.client()
    draw = random.Random(seed)
    left = megabytes * 1_000_000 // value_bytes
    while left > 0:
        pipe = client.pipeline(transaction=False)
        for number in range(min(left, PIPELINE_BYTES // value_bytes)):
            pipe.set(f"key:{seed}:{left - number}", draw.randbytes(value_bytes))
        left -= len(pipe)
        pipe.execute()


def history(folder, megabytes, value_bytes):
    """A data directory that a relay has left."""
    lab = lab_module.Lab(folder)
    try:
        origin = lab.origin(client_output_buffer_limit="replica 0 0 0")
        write(origin, megabytes // 2, value_bytes, 1)
        relay = lab.relay(origin, SETTINGS).wait_link()
        write(origin, megabytes // 2, value_bytes, 2)
        wait.until("all is there", lambda: origin.offset() - relay.offset(), lambda left: left <= 0, seconds=300)
        relay.stop()
        return relay.data_dir
    finally:
        lab.close()


def timed(function, *arguments):
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def copy(files, target):
    target.mkdir()
    subprocess.run(["cp", *files, target], check=True)
    subprocess.run(["sync", *target.iterdir(), target], check=True)


def restore(data_dir, target):
    subprocess.run(
        [relay_module.PROGRAM, "restore", "--from", data_dir, "--to", target], check=True, stdout=subprocess.DEVNULL
    )


def compare(folder, options, value_bytes):
    data_dir = history(folder, options.megabytes, value_bytes)
    files = [*data_dir.glob("history-*/snapshot/*.rdb"), *data_dir.glob("history-*/backlog/*.seg")]
    size = sum(path.stat().st_size for path in files) / 1e6
    target = folder / "target"
    turns = []
    for _ in range(options.rounds + 1):
        turn = []
        for function, source in ((copy, files), (restore, data_dir)):
            turn.append(timed(function, source, target))
            shutil.rmtree(target)
        turns.append(turn)
    turns = turns[1:]  # the first fills the page cache
    copied, restored = (statistics.median(column) for column in zip(*turns))
    ratios = [one / other for one, other in turns]
    print(
        f"{value_bytes:>7} {size:>8.0f} {size / copied:>9.0f} {size / restored:>9.0f} "
        f"{statistics.median(ratios):>7.2f}  {min(ratios):.2f}..{max(ratios):.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"{'value':>7} {'MB':>8} {'cp MB/s':>9} {'restore':>9} {'ratio':>7}  smallest..largest (aim: 0.8)")
    for value_bytes in (10_000, 100):
        with tempfile.TemporaryDirectory(prefix="restore-", dir=options.folder) as folder:
            compare(pathlib.Path(folder).resolve(), options, value_bytes)


if __name__ == "__main__":
    main()
