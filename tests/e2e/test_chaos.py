# SPDX-License-Identifier: MIT
"""Killed at random moments under load, again and again: nothing lost, nothing false.

`make chaos` runs it long (ROUNDS=300); in the suite it is short. A test that fails prints its seed:
CHAOS_SEED repeats the moments, the damage and the writes; what the scheduler adds is not repeated.
"""

import os
import random
import time

import pytest

import digest
import load
import psync_client
import wait

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "8"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)


def check_files(relay):
    """Between two lives: what a kill leaves behind is proven at the next start, or not at all."""
    assert not relay.is_running()
    assert relay.histories(), "a history that was served is gone"


@pytest.mark.threads
@pytest.mark.seconds(60 + ROUNDS * 10)
@pytest.mark.parametrize("fsync", ["no", "always"])
def test_kill_9_at_random_moments(lab, fsync):
    draw = random.Random(SEED)
    print(f"CHAOS_SEED={SEED}")
    origin = lab.origin(repl_backlog_size="256mb")
    load.fill(origin)
    relay = lab.relay(
        origin,
        {
            "store.segment-size": "64kb",
            "store.repl-backlog-size": "800mb",  # X stays in it: no second full sync for its sake
            "store.repl-backlog-max-size": "1gb",
            "store.fsync": fsync,
            "store.snapshot": "on-demand",
        },
    ).wait_link()
    replicas = [lab.replica(relay, name=f"replica-{n}").wait_online() for n in range(2)]
    writer = lab.writer(origin, rounds_per_second=200)
    for turn in range(ROUNDS):
        # A moment by chance; it is the moments that are tested, not a condition.
        time.sleep(draw.uniform(0.0, 0.3))
        if turn % 3 == 0:
            origin.client().set("large", draw.randbytes(3_000_000))
        relay.kill9()
        check_files(relay)
        relay.start(ready=turn % 4 != 3)
        if turn % 4 != 3:
            relay.wait_link()
            with psync_client.PsyncClient(relay.port).handshake() as client:
                client.full_sync()
                client.ack()
                assert client.stream(1) == b"*"
        if turn % 8 == 7:
            writer.stop()
            relay.wait_link()
            digest.compare(origin, replicas)
            writer = lab.writer(origin, rounds_per_second=200, seed=turn)
    writer.stop()
    relay.wait_link()
    digest.compare(origin, replicas)
    assert origin.info()["sync_full"] == 1, "the primary gave more than one full sync"
    for replica in replicas:
        assert replica.log().count("Full resync from master") == 1


@pytest.mark.seconds(120)
def test_damaged_files(lab):
    """Cut, flipped, missing: what cannot be proven is not served, and the relay goes on."""
    draw = random.Random(SEED)
    print(f"CHAOS_SEED={SEED}")
    origin = lab.origin(repl_backlog_size="64mb")
    load.fill(origin)
    relay = lab.relay(
        origin, {"store.segment-size": "64kb", "store.repl-backlog-size": "64mb"}
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    for turn in range(max(6, ROUNDS // 2)):
        load.fill(origin, rounds=15, seed=turn + 10)
        wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
        relay.kill9() if turn % 2 else relay.stop()
        # Sorted, so that a seed draws the same file again.
        files = sorted(path for path in relay.data_dir.glob("history-*/**/*") if path.is_file())
        victim = draw.choice(files)
        damage = draw.choice((cut, flip, remove))
        print(f"turn {turn}: {damage.__name__} {victim.relative_to(relay.data_dir)}")
        damage(victim, draw)
        relay.start().wait_link()
        fresh = lab.replica(relay, name=f"fresh-{turn}").wait_online()
        load.fill(origin, rounds=3, seed=turn + 50)
        digest.compare(origin, [replica, fresh])
        fresh.stop()


def cut(path, draw):
    os.truncate(path, draw.randrange(path.stat().st_size + 1))


def flip(path, draw):
    data = bytearray(path.read_bytes())
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def remove(path, _):
    path.unlink()
