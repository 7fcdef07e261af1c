# SPDX-License-Identifier: MIT
"""The data of a moment comes back, byte for byte: the digests are those that the primary had then."""

import itertools
import os
import random
import re
import resource
import signal
import subprocess
import time

import pytest

import digest
import failover
import load
import relay as relays
import restored
import servers
import wait

SETTINGS = {"store.segment-size": "64kb", "store.repl-backlog-size": "64mb", "store.snapshot": "on-demand"}


def write(origin, seed, rounds=2):
    load.fill(origin, rounds=rounds, seed=seed)


def begin(lab, kind, settings=None):
    origin = lab.origin(kind)
    write(origin, 1, rounds=20)
    relay = lab.relay(origin, {**SETTINGS, **(settings or {})}).wait_link()
    failover.hush(origin)
    return origin, relay


def test_random_offsets_and_moments(lab, kind):
    """Across a restart and a kill, beside the running relay and after its end."""
    origin, relay = begin(lab, kind)
    points = []
    for number in range(20):
        if number == 7:
            relay.restart().wait_link()
        if number == 13:
            relay.restart(kill=True).wait_link()
        points.append(restored.Checkpoint(origin, relay, has_moment=number % 2 == 0))
        write(origin, 100 + number)
    failover.wait_same_offset(origin, [relay])
    last = restored.Checkpoint(origin, relay, has_moment=False)
    draw = random.Random(8)
    draw.shuffle(points)
    for number, point in enumerate(points):
        if number == 10:
            relay.stop()
        where = ("--time", point.moment) if point.moment else ("--offset", point.offset + draw.randrange(2))
        found = restored.digest_of(lab, kind, relay, *where)
        assert found == point.digest, f"{where}: expected the data of offset {point.offset}"
    assert restored.digest_of(lab, kind, relay) == last.digest


@pytest.mark.parametrize("target_format", ["aof", "aof-legacy"])
def test_formats_that_a_server_loads(lab, kind, target_format):
    origin, relay = begin(lab, kind)
    write(origin, 2)
    point = restored.Checkpoint(origin, relay, has_moment=False)
    write(origin, 3)
    assert restored.digest_of(lab, kind, relay, "--offset", point.offset, target_format=target_format) == point.digest


def test_rdb_and_log_are_plain_copies(lab, tmp_path):
    origin, relay = begin(lab, servers.REDIS)
    write(origin, 2)
    failover.wait_same_offset(origin, [relay])
    restored.restore(relay, "--format", "rdb-and-log", target=tmp_path / "target")
    folder = tmp_path / "target" / "rdb-and-log"
    assert (folder / "dump.rdb").read_bytes() == relay.snapshots()[0].read_bytes()
    first = int(relay.snapshots()[0].stem)
    segments = sorted(relay.data_dir.glob("history-1/backlog/*.seg"), key=lambda path: int(path.stem))
    stream = b"".join(path.read_bytes() for path in segments)
    assert int(segments[0].stem) == first
    log = (folder / "stream.log").read_bytes()
    assert len(log) == origin.offset() - first
    assert stream.startswith(log[: segments[0].stat().st_size])


def test_nothing_but_commands_is_in_the_file(lab, tmp_path):
    """PING and GETACK are part of the stream, and no part of the data."""
    origin = lab.origin()
    write(origin, 1)
    relay = lab.relay(origin, SETTINGS).wait_link()
    with origin.client().client() as client:
        client.set("k", "*1\r\n$4\r\nPING\r\n")
        client.execute_command("WAIT", 1, 100)
    origin.client().publish("channel", "message")
    wait.until("a PING comes", lambda: origin.offset(), lambda offset, start=origin.offset(): offset > start)
    failover.wait_same_offset(origin, [relay])
    restored.restore(relay, target=tmp_path / "target")
    text = (tmp_path / "target/appendonlydir/appendonly.aof.1.incr.aof").read_bytes()
    assert text.startswith(b"*2\r\n$6\r\nSELECT\r\n")
    for word in (b"REPLCONF", b"GETACK", b"PUBLISH", b"\r\nPING\r\n*"):
        assert word not in text.replace(b"*1\r\n$4\r\nPING\r\n\r\n", b"")
    assert b"*1\r\n$4\r\nPING\r\n\r\n" in text  # the value


def test_the_selected_db_of_a_replica_with_replicas(lab, kind):
    """Its RDB says which db the stream is in; it sends no SELECT (docs/protocol.md 2.5)."""
    origin = lab.origin(kind)
    middle = lab.replica(origin, kind, name="middle").wait_online()
    failover.hush(origin)
    origin.client(db=4).set("before", 1)
    failover.wait_same_offset(origin, [middle])
    relay = lab.relay(middle, SETTINGS).wait_link()
    origin.client(db=4).set("behind", 2)
    failover.wait_same_offset(origin, [relay])
    thing = restored.server(lab, kind, relay)
    assert thing.client(db=4).get("behind") == b"2"
    assert thing.client(db=0).get("behind") is None
    assert digest.digest(thing) == digest.digest(origin)


def test_a_flushall_is_undone(lab, kind):
    origin, relay = begin(lab, kind)
    origin.client().flushall()  # an old one, which --after leaves alone
    write(origin, 2, rounds=10)
    point = restored.Checkpoint(origin, relay, has_moment=True)
    origin.client().flushall()
    write(origin, 3)
    failover.wait_same_offset(origin, [relay])
    for more in ((), ("--after", point.moment)):
        assert restored.digest_of(lab, kind, relay, "--before", "FLUSHALL", *more) == point.digest


def test_before_a_key_is_changed(lab):
    origin, relay = begin(lab, servers.REDIS)
    client = origin.client()
    client.set("precious", "gold")
    point = restored.Checkpoint(origin, relay, has_moment=False)
    pipe = client.pipeline(transaction=True)
    pipe.set("other", 1)
    pipe.delete("some", "precious")
    pipe.execute()
    write(origin, 3)
    failover.wait_same_offset(origin, [relay])
    thing = restored.server(lab, servers.REDIS, relay, "--before-key", "precious")
    assert thing.client().get("precious") == b"gold"
    assert thing.client().get("other") is None
    assert digest.digest(thing) == point.digest


def test_a_lost_branch_is_not_restored(lab, kind):
    """Behind a failover with a rewind, a moment of the lost branch has the data that was before it."""
    shard = failover.Shard(lab, kind, count=0, settings={"store.snapshot": "on-demand"})
    failover.hush(shard.old)
    common = restored.Checkpoint(shard.old, shard.relay, has_moment=True)
    failover.wait_same_offset(shard.old, [shard.next])
    shard.link.stall()
    write(shard.old, 5, rounds=4)
    lost = restored.Checkpoint(shard.old, shard.relay, has_moment=True)
    assert restored.digest_of(lab, kind, shard.relay, "--time", lost.moment) == lost.digest
    shard.fail_over()
    assert shard.next.info()["second_repl_offset"] - 1 == common.offset, "nothing was lost: this would prove nothing"
    failover.wait_follows(shard.relay, shard.next)
    failover.hush(shard.next)
    seeds = itertools.count(6)
    while shard.next.offset() <= lost.offset:
        write(shard.next, next(seeds))
    new = restored.Checkpoint(shard.next, shard.relay, has_moment=True)
    for where, expected in (
        (("--time", common.moment), common),
        (("--time", lost.moment), common),
        (("--time", new.moment), new),
        (("--offset", common.offset), common),
        ((), new),
    ):
        found = restored.digest_of(lab, kind, shard.relay, *where)
        assert found == expected.digest, where
    assert restored.digest_of(lab, kind, shard.relay, "--offset", lost.offset) != lost.digest


def test_replicas_of_a_moment(lab, kind, tmp_path):
    """Nothing is written: several replicas get the data, and none of what came later."""
    origin, relay = begin(lab, kind)
    load.populate(origin, 3)
    write(origin, 2)
    point = restored.Checkpoint(origin, relay, has_moment=True)
    origin.client().flushall()
    failover.wait_same_offset(origin, [relay])
    served = lab.keep(restored.Served(tmp_path / "served", relay, "--before", "FLUSHALL")).start()
    for number in range(2):
        after = served.log_end()
        replica = lab.replica(served, kind, name=f"replica-{number}").wait_online()
        served.wait_log(r"replica 127\.0\.0\.1:\d+ has all of it", after=after)
        wait.equal("it has all", lambda replica=replica: digest.digest(replica), point.digest)
        assert replica.full_syncs() == 1
        replica.stop()
    in_use = relays.run("restore", "--from", relay.data_dir, "--serve", served.port)
    assert in_use.returncode == 1 and "Address already in use" in in_use.stderr
    for arguments, said in ((("--serve", "70000"), "is no port"), (("--verify", "--bind", "::1"), "--bind goes with")):
        assert said in restored.restore(relay, *arguments, fails=True)


# --- what goes wrong ---


def refused(relay, *arguments, target=None):
    """What a restore that is refused says; nothing is left of it."""
    said = restored.restore(relay, *arguments, target=target, fails=True)
    if target:
        assert not target.exists(), f"it left {list(target.iterdir())}"
    return said


def test_what_is_asked_makes_no_sense(lab, tmp_path):
    origin, relay = begin(lab, servers.REDIS)
    write(origin, 2)
    restored.Checkpoint(origin, relay, has_moment=True)
    target = tmp_path / "target"
    for arguments, said in (
        (("--time", "yesterday"), "'yesterday' is no time"),
        (("--time", "2026-02-30T00:00:00Z"), "is no time"),
        (("--time", "2999-01-01T00:00:00Z"), "is in the future"),
        (("--offset", "x"), "'x' is no number"),
        (("--offset", "1", "--time", "now"), "give one of"),
        (("--after", "now"), "--after goes with"),
        (("--format", "zip"), "'zip' is no format"),
        (("--history", "17"), "there is no such history"),
        (("--before", ""), "'' is no command"),
        (("--before", "x" * 40), "is no command"),
        (("--nonsense",), "see psync-relay restore --help"),
        (("--list",), "give one of --to TARGET"),
        (("here",), "'here' is not expected"),
    ):
        assert said in refused(relay, *arguments, target=target), arguments
    for arguments, said in (
        (("--time", "2020-01-01T00:00:00Z"), "nothing is known of 2020-01-01"),
        (("--offset", str(origin.offset() + 1000)), "is behind its end"),
        (("--before", "SWAPDB"), "there is no SWAPDB between offset"),
        (("--before-key", "no such key"), "there is no command on no such key"),
    ):
        came = refused(relay, *arguments, target=target)
        assert said in came
        assert "can be restored:\nhistory-1: from 20" in came, "the moments that can be had"
    assert "--from DIR is missing" in relays.run("restore", "--to", target).stderr
    assert "is it that of a relay?" in refused(tmp_path, "--verify")
    assert "No such file" in refused(tmp_path / "nowhere", "--verify")
    assert relays.run("restore", "--help").stdout.startswith("usage: psync-relay restore")


def test_nothing_is_overwritten(lab, tmp_path):
    origin, relay = begin(lab, servers.REDIS)
    failover.wait_same_offset(origin, [relay])
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "file").write_text("mine")
    assert "appendonlydir is there already" in restored.restore(relay, target=tmp_path, fails=True)
    assert "cannot open the directory" in restored.restore(relay, target=tmp_path / "file", fails=True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name in ("appendonlydir", "file")) == [
        "appendonlydir",
        "file",
    ]
    assert list((tmp_path / "appendonlydir").iterdir()) == []


def spoil(path, at=-20):
    """Another byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_damaged_files_are_not_restored(lab, tmp_path):
    """Each is told in one message, and leaves nothing behind."""
    origin, relay = begin(lab, servers.REDIS)
    load.populate(origin, 1)
    point = restored.Checkpoint(origin, relay, has_moment=True)
    relay.stop()
    history = relay.histories()[0]
    segments = sorted(history.glob("backlog/*.seg"), key=lambda path: int(path.stem))
    target = tmp_path / "target"

    def check(path, change, said):
        before = path.read_bytes()
        change(path)
        came = refused(relay, target=target)
        assert said in came and path.name in came, came
        assert len(came.splitlines()) <= 2, came
        path.write_bytes(before)

    check(segments[2], spoil, "its checksum does not match its bytes")
    check(segments[2], lambda path: os.truncate(path, 5000), "it is shorter than it should be")
    check(segments[2], lambda path: path.unlink(), "No such file")
    check(segments[-1], lambda path: spoil(path, 10), "its checksum does not match its bytes")
    snapshot = relay.snapshots()[0]
    check(snapshot, spoil, "its checksum does not match its bytes")
    check(snapshot, lambda path: os.truncate(path, 500), "it has 500 bytes")
    identity, kept = history / "identity", history / "identity.kept"
    kept_before = kept.read_bytes()
    kept.unlink()
    check(identity, lambda path: os.truncate(path, 100), "identity")
    check(history / "tail", lambda path: os.truncate(path, 0), "tail")
    kept.write_bytes(kept_before)

    # The index of times: what is damaged costs precision, and nothing else.
    times = sorted(history.glob("times/*.times"))[0]
    records = times.stat().st_size // 32
    spoil(times, (records - 1) * 32 + 3)
    with open(times, "ab") as file:
        file.write(b"half a record")
    assert restored.digest_of(lab, servers.REDIS, relay) == point.digest
    times.write_bytes(b"x" * 320)
    assert "nothing is known of" in refused(relay, "--time", "now", target=target)
    assert restored.digest_of(lab, servers.REDIS, relay, "--offset", point.offset) == point.digest
    relay.start().wait_link()
    write(origin, 3)
    last = restored.Checkpoint(origin, relay, has_moment=True)
    assert restored.digest_of(lab, servers.REDIS, relay, "--time", last.moment) == last.digest


@pytest.mark.parametrize("is_killed", [False, True], ids=["refused", "killed"])
def test_a_write_that_fails_leaves_nothing_under_its_name(lab, tmp_path, is_killed):
    """The disk refuses in the middle; or the process is killed there, and the next restore takes its place."""
    origin, relay = begin(lab, servers.REDIS)
    load.populate(origin, 3)
    point = restored.Checkpoint(origin, relay, has_moment=False)
    target = tmp_path / "target"
    done = subprocess.run(
        [relays.PROGRAM, "restore", "--from", relay.data_dir, "--to", target],
        capture_output=True,
        text=True,
        timeout=wait.limit(60),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
        restore_signals=is_killed,  # SIGXFSZ kills; else it is ignored, and write says EFBIG
        check=False,
    )
    if is_killed:
        assert done.returncode == -signal.SIGXFSZ
        assert [path.name for path in target.iterdir()] == ["psync-relay-restore.part"]
    else:
        assert done.returncode == 1
        assert "cannot write: File too large" in done.stderr
        assert not target.exists()
    restored.restore(relay, target=target)
    assert [path.name for path in target.iterdir()] == ["appendonlydir"]
    assert restored.digest_of(lab, servers.REDIS, relay) == point.digest


def test_beside_a_relay_that_goes_on(lab):
    """Segments are sealed while it reads."""
    origin, relay = begin(lab, servers.REDIS)
    writer = lab.writer(origin)
    before = 0
    for _ in range(12):
        writer.wait_rounds(5)
        offset = int(restored.RESULT.search(restored.restore(relay, "--verify"))[2])
        assert offset >= before
        before = offset
    writer.stop()
    last = restored.Checkpoint(origin, relay, has_moment=False)
    assert restored.digest_of(lab, servers.REDIS, relay) == last.digest


REFRESHED = {
    "store.repl-backlog-size": "16mb",
    "store.snapshot": "always-ready",
    "store.snapshot-min-interval": "0",
}


def refresh(origin, relay, megabytes):
    """So many that three quarters of the backlog are behind the RDB that is there: another one is served."""
    served = relay.info("store")["snapshot_offset"]
    load.populate(origin, megabytes)

    def is_refreshed():
        store = relay.info("store")
        return store["snapshot_offset"] > served and store["snapshot_state"] == "usable"

    wait.until("another RDB is served", is_refreshed, seconds=60)
    failover.wait_same_offset(origin, [relay])


def test_across_a_refresh(lab, kind):
    """A newer RDB replaces the one before it: what was before it is refused with what can be had."""
    origin, relay = begin(lab, kind, REFRESHED)
    early = restored.Checkpoint(origin, relay, has_moment=False)
    first = relay.snapshots()[0]
    refresh(origin, relay, 13)
    late = restored.Checkpoint(origin, relay, has_moment=True)
    write(origin, 7)
    last = restored.Checkpoint(origin, relay, has_moment=False)
    assert restored.digest_of(lab, kind, relay, "--time", late.moment) == late.digest
    assert restored.digest_of(lab, kind, relay) == last.digest
    wait.until("the new one is on the disk, and the old one goes", lambda: first not in relay.snapshots())
    assert "can be restored:" in refused(relay, "--verify", "--offset", early.offset)


def test_across_a_refresh_with_what_was_replaced(lab, kind):
    """The RDB that was replaced stays, over a kill as well, as long as the backlog reaches back to it."""
    origin, relay = begin(lab, kind, {**REFRESHED, "store.snapshot-keep": "1"})
    early = restored.Checkpoint(origin, relay, has_moment=True)
    first = relay.snapshots()[0]
    refresh(origin, relay, 13)
    assert restored.digest_of(lab, kind, relay, "--time", early.moment) == early.digest
    relay.restart(kill=True).wait_link()
    wait.equal("all is proven", lambda: relay.info("store")["proof_in_progress"], 0)
    assert restored.digest_of(lab, kind, relay, "--offset", early.offset) == early.digest

    load.populate(origin, 5)
    wait.until("it goes with the backlog", lambda: first not in relay.snapshots())
    assert "can be restored:" in refused(relay, "--verify", "--offset", early.offset)
    failover.wait_same_offset(origin, [relay])
    middle = restored.Checkpoint(origin, relay, has_moment=False)
    refresh(origin, relay, 9)
    assert restored.digest_of(lab, kind, relay, "--offset", middle.offset) == middle.digest


def test_what_can_be_restored_is_told(lab):
    origin, relay = begin(lab, servers.REDIS)
    write(origin, 3)
    point = restored.Checkpoint(origin, relay, has_moment=True)
    listed = restored.restore(relay, "--list")
    assert f"id        {relay.info('replication')['master_replid']}" in listed
    assert f"offset {point.offset}\n" in listed
    assert re.search(r"restore   from 20\S+, offset \d+\n +to   20\S+, offset \d+\n$", listed)
    (relay.data_dir / "history-99").mkdir()  # as while another RDB arrives
    assert restored.restore(relay, "--list") == listed
    assert restored.restore(relay, "--verify").startswith(f"history-1: all is proven for a restore to offset {point.offset}")
    store = relay.info("store")
    # Of whole seconds: the oldest is rounded up.
    assert 0 < store["restore_oldest_time"] <= store["restore_newest_time"] <= time.time() + 1
