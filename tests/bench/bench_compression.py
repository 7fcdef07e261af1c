# SPDX-License-Identifier: MIT
"""What compression saves and costs: ratio, CPU beside the libraries themselves, 1 and 50 replicas, a trickle's latency.

    /usr/bin/python3 tests/bench/bench_compression.py [--megabytes 64] [--replicas 50]

One stream comes from a scripted primary, flat out; the replicas discard what they get. The relay with no replica is what
receiving and storing costs; what a replica adds to that is compressing and sending. Beside it: the library alone, in
this process, on the same bytes in pieces of 64 KiB. The RDB is of a real Redis with `rdbcompression no`.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import pathlib
import random
import selectors
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import compression  # noqa: E402
import lab as lab_module  # noqa: E402
import psync_client  # noqa: E402
import resp  # noqa: E402
import wait  # noqa: E402

PIECE = 64 * 1024
SETTINGS = ("no", "lz4", "zstd")
TRICKLE, TRICKLE_SECONDS = 400, 0.003


def session(draw):
    return json.dumps(
        {
            "user_id": draw.randrange(10**7),
            "name": draw.choice(["alice", "bob", "carol", "dave"]),
            "ip": ".".join(["10", *(str(draw.randrange(256)) for _ in range(3))]),
            "ts": 1760000000 + draw.randrange(10**6),
            "token": f"{draw.getrandbits(128):032x}",
            "roles": ["reader", "writer"][: draw.randrange(1, 3)],
        }
    )


def json_sets(draw):
    return resp.encode("SET", f"session:{draw.randrange(10**6)}", session(draw))


def counters(draw):
    return resp.encode("HINCRBY", f"stats:{draw.randrange(50000)}", draw.choice(["hits", "miss", "bytes"]), 1)


def stream_of(command, megabytes):
    draw = random.Random(7)
    block = b"".join(command(draw) for _ in range(20000))
    whole = bytearray()
    while len(whole) < megabytes * 1_000_000:
        whole += block
        block = b"".join(command(draw) for _ in range(20000))
    return bytes(whole)


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def library_s(setting, stream):
    """CPU of the library alone for the same pieces, with the checksums that the relay's have: a frame each (zstd), or
    flushed (LZ4)."""
    source = ctypes.create_string_buffer(stream, len(stream))
    place = ctypes.addressof(source)
    if setting == "lz4":
        writer = compression.Lz4Writer()
        update = compression.lz4().LZ4F_compressUpdate

        def compress(start, length):
            update(writer.context, writer.out, compression.OUT, place + start, length, None)
            compression.lz4().LZ4F_flush(writer.context, writer.out, compression.OUT, None)

    else:
        writer = compression.ZstdWriter(1)

        def compress(start, length):
            compression.zstd().ZSTD_compress2(writer.context, writer.out, compression.OUT, place + start, length)

    began = time.process_time()
    for start in range(0, len(stream), PIECE):
        compress(start, min(PIECE, len(stream) - start))
    return time.process_time() - began


def drain(port, count, setting, ready):
    """`count` replicas in a process of their own; they discard the stream."""
    capa = ("eof", "psync2") if setting == "no" else ("eof", "psync2", setting)
    looks = selectors.DefaultSelector()
    for _ in range(count):
        replica = psync_client.PsyncClient(port)
        replica.handshake(capa=capa)
        replica.full_sync()
        replica.ack()
        looks.register(replica.socket, selectors.EVENT_READ)
    ready.set()
    buffer = bytearray(1 << 20)
    while True:
        for key, _ in looks.select():
            if key.fileobj.recv_into(buffer) == 0:
                return


def flood(lab, stream, setting, count):
    """CPU seconds for each GB of the stream, and the ratio."""
    go = multiprocessing.Event()

    def script(peer):
        words = peer.greet()
        assert words[0].upper() == "PSYNC"
        peer.send_full(compression.small_rdb(10))
        while not go.wait(0.05):
            pass
        for start in range(0, len(stream), 1 << 20):
            peer.send(stream[start : start + (1 << 20)])
        peer.hold()

    settings = {"downstream.repl-compression": setting, "relay.log-level": "warning"}
    settings["store.segment-size"] = "64mb"
    relay = lab.relay(lab.fake_primary(script), settings).wait_link()
    ready = multiprocessing.Event()
    drainer = multiprocessing.Process(target=drain, args=(relay.port, count, setting, ready), daemon=True)
    drainer.start()
    assert ready.wait(60)
    before = cpu_s(relay.child.pid)
    go.set()
    wait.equal("all has come", relay.offset, len(stream), seconds=120)

    def sent():
        return min([line["sent"] for line in sent_lines(relay)], default=len(stream))

    wait.until("all has been sent", sent, lambda offset: offset >= len(stream), seconds=120)
    used = cpu_s(relay.child.pid) - before
    info = relay.info()
    drainer.terminate()
    drainer.join()
    relay.stop()
    ratio = info["replicas_compression_ratio"]
    return used / len(stream) * 1e9, ratio


def sent_lines(relay):
    """How far each replica has been sent, by what was compressed, or by the bytes that have gone."""
    info = relay.info()
    lines = [info[f"slave{number}"] for number in range(info["connected_slaves"])]
    if any("repl_uncompressed_bytes" in line for line in lines):
        return [{"sent": line["repl_uncompressed_bytes"]} for line in lines]
    total = info["total_net_repl_output_bytes"]
    return [{"sent": total // len(lines)} for _ in lines]


def rdb_ratio(lab, setting):
    origin = lab.origin(rdbcompression="no")
    draw = random.Random(3)
    pipe = origin.client().pipeline(transaction=False)
    for number in range(100_000):
        pipe.set(f"session:{number}", session(draw))
    pipe.execute()
    near = lab.relay(origin, {"downstream.repl-compression": setting}, name="near").wait_link()
    far = lab.relay(near, {"upstream.repl-compression": setting}, name="far").wait_link()
    info = far.info()
    return info["upstream_uncompressed_bytes"] / info["upstream_compressed_bytes"]


def trickle(lab, setting):
    """Milliseconds from the primary's write to the replica's read: median and 99th percentile."""
    capa = ("eof", "psync2") if setting == "no" else ("eof", "psync2", setting)
    peers = []

    def script(peer):
        peer.greet()
        peer.send_full(compression.small_rdb(10))
        peers.append(peer)
        peer.hold()

    relay = lab.relay(
        lab.fake_primary(script), {"downstream.repl-compression": setting, "relay.log-level": "warning"}
    ).wait_link()
    replica = psync_client.PsyncClient(relay.port)
    replica.handshake(capa=capa)
    replica.full_sync()
    replica.ack()
    samples = []
    for number in range(TRICKLE):
        time.sleep(TRICKLE_SECONDS)
        began = time.perf_counter()
        peers[0].send(resp.encode("INCR", f"counter:{number}"))
        assert replica.socket.recv(1 << 16)
        samples.append((time.perf_counter() - began) * 1000)
    relay.stop()
    samples = sorted(samples[20:])
    return statistics.median(samples), samples[int(len(samples) * 0.99)]


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--megabytes", type=int, default=64)
    options.add_argument("--replicas", type=int, default=50)
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_module.Lab(pathlib.Path(folder))
        try:
            run(lab, options)
        finally:
            lab.close()


def run(lab, options):
    for name, command in (("JSON of 180 bytes", json_sets), ("counters of 50 bytes", counters)):
        stream = stream_of(command, options.megabytes)
        print(f"{name}: {len(stream) / 1e6:.0f} MB of stream; CPU seconds of the relay for each GB")
        base, _ = flood(lab, stream, "no", 0)
        print(f"  {'received and stored, no replica':34} {base:6.2f}")
        for setting in SETTINGS:
            one, ratio = flood(lab, stream, setting, 1)
            many, _ = flood(lab, stream, setting, options.replicas)
            line = f"  {setting:5} 1 replica {one:6.2f}, {options.replicas} replicas {many:6.2f}"
            if setting == "no":
                print(line, flush=True)
                continue
            alone = library_s(setting, stream) / len(stream) * 1e9
            print(
                f"{line}; ratio {ratio:.2f}; {setting} alone {alone:.2f}; a replica adds {(one - base) / alone:.2f} times"
                f" that; {options.replicas} contexts would take {options.replicas * alone:.0f}",
                flush=True,
            )
    print("RDB of JSON values, rdbcompression no: " + ", ".join(f"{s} {rdb_ratio(lab, s):.2f}" for s in ("lz4", "zstd")))
    print("a command each 3 ms, ms until the replica has it (median, 99 %):")
    for setting in SETTINGS * 2:
        print("  {:5} {:.3f} {:.3f}".format(setting, *trickle(lab, setting)), flush=True)


if __name__ == "__main__":
    main()
