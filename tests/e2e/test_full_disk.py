# SPDX-License-Identifier: MIT
"""The disk is full: the window is shortened, then the stream waits; what is held is served."""

import os
import subprocess
import threading

import pytest

import crc64
import digest
import fake_primary
import load
import psync_client
import wait
import web

SETTINGS = {
    "store.segment-size": "1mb",
    "store.repl-backlog-size": "512mb",
    "store.repl-backlog-max-size": "1gb",
    "store.snapshot": "on-demand",
}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def free_bytes(folder):
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill_disk(folder, left):
    """Somebody else's file takes all but so many bytes; returns it."""
    hog = folder / "hog"
    hog.write_bytes(b"h" * max(0, free_bytes(folder) - left))
    return hog


def wait_disk_seen(relay):
    """The relay asks for the free space once a second."""
    folder = relay.settings["relay.data-dir"].parent
    wait.until(
        "the relay knows how much is free",
        lambda: web.status(relay)["store"]["disk_free_bytes"] - free_bytes(folder),
        lambda difference: abs(difference) < 1_000_000,
    )


def states(relay):
    """What monitors of servers look at, and our own word."""
    return (
        relay.info("persistence")["aof_last_write_status"],
        relay.info("replication")["master_link_status"],
        relay.info("relay")["upstream_state"],
    )


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.threads
def test_window_is_shortened(lab, small_disk):
    """More stream than the disk holds: the oldest goes, nobody who keeps up notices."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {**SETTINGS, "relay.data-dir": small_disk / "data"}).wait_link()
    replica = lab.replica(relay).wait_online()
    for _ in range(10):
        load.populate(origin, 4)
        digest.compare(origin, [replica])  # it keeps up: who does not is left behind by the window
    relay.wait_log(r"the disk is full: the window is shortened")
    assert relay.info()["master_link_status"] == "up"
    assert relay.info()["connected_slaves"] == 1
    assert origin.info()["sync_full"] == 1
    relay.restart(kill=True).wait_link()
    load.fill(origin, rounds=3)
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 1


def test_no_room_at_all(lab, small_disk):
    """Somebody else fills the disk: the relay stops reading, says so, serves, and goes on."""
    origin = lab.origin(client_output_buffer_limit="replica 0 0 0")
    load.fill(origin, rounds=5)
    relay = lab.relay(
        origin,
        {**SETTINGS, "relay.data-dir": small_disk / "data", "store.repl-backlog-size": "1mb"},
        http=True,
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    hog = fill_disk(small_disk, left=65536)
    end = len(relay.log())
    load.populate(origin, 8)
    relay.wait_log(r"the store has no room for more: .*No space left on device", after=end)
    assert relay.info("store")["store_last_error"]
    assert states(relay) == ("err", "down", "stalled")
    assert relay.info("replication")["master_link_down_since_seconds"] >= 0
    status = web.status(relay)
    assert not status["upstream"]["up"] and status["upstream"]["state"] == "stalled"
    findings = {finding["name"]: finding["what"] for finding in status["findings"]}
    assert "Reading from upstream has been paused" in findings["disk_trouble"]
    assert "link_down" not in findings
    held = relay.offset()
    assert held < origin.offset()
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.psync(relay.info()["master_replid"], held + 1)[0] == "+CONTINUE"
    used = cpu_seconds(relay)
    wait.stays("it is still there", relay.is_running, bool, seconds=1.5)
    used = cpu_seconds(relay) - used
    assert used < 0.5, f"{used} s of CPU in 1.5 s: a busy loop"
    hog.unlink()
    digest.compare(origin, [replica])
    relay.wait_log(r"the store has room again: reads again", after=end)
    assert relay.info("store")["store_last_error"] == ""
    assert states(relay) == ("ok", "up", "streaming")
    assert origin.info()["sync_full"] == 1


def test_no_room_for_the_rdb(lab, small_disk):
    """The RDB itself does not fit: said in the log, tried again, and served once there is room."""
    origin = lab.origin()
    load.populate(origin, 10)
    hog = fill_disk(small_disk, left=4_000_000)
    relay = lab.relay(origin, {**SETTINGS, "relay.data-dir": small_disk / "data"})
    relay.wait_log(r"cause=rdb: .*No space left on device")
    assert relay.snapshots() == []
    relay.wait_log(r"is not asked for an RDB until there is room.*: it takes \d+ bytes or more")
    assert relay.info("persistence")["rdb_last_bgsave_status"] == "err"
    wait.stays("one full sync", lambda: origin.info()["sync_full"], lambda count: count == 1, seconds=4)
    hog.unlink()
    relay.wait_link(seconds=30)
    assert origin.info()["sync_full"] == 2
    assert relay.info("persistence")["rdb_last_bgsave_status"] == "ok"
    digest.compare(origin, [lab.replica(relay).wait_online()])


def test_no_fetch_without_room(lab, small_disk):
    """A newer RDB would not fit: the primary is not asked for it, which is told; with room it is."""
    origin = lab.origin()
    load.populate(origin, 8)
    relay = lab.relay(
        origin,
        {**SETTINGS, "relay.data-dir": small_disk / "data", "store.repl-backlog-size": "1mb"},
        http=True,
    ).wait_link()
    load.fill(origin, rounds=5)
    load.populate(origin, 3)  # the window leaves the RDB behind
    wait.until("the RDB is behind", lambda: relay.info("store")["snapshot_state"] == "behind_window")
    hog = fill_disk(small_disk, left=2_000_000)
    wait_disk_seen(relay)
    replica = lab.replica(relay)
    relay.wait_log(r"no snapshot is fetched.*: there is no room on the disk for an RDB: it takes \d+ bytes")
    # It asks again every second, and tells nothing for the moment that this takes.
    wait.until("INFO tells", lambda: "no room on the disk" in relay.info("relay")["upstream_refresh_last_error"])
    wait.equal("the RDB's status", lambda: relay.info("persistence")["rdb_last_bgsave_status"], "err")
    wait.until("the page tells", lambda: "None is fetched" in str(web.status(relay)["findings"]))
    wait.stays("no other sync", lambda: origin.info()["sync_full"], lambda count: count == 1, seconds=3)
    hog.unlink()
    replica.wait_online()
    digest.compare(origin, [replica])
    assert origin.info()["sync_full"] == 2
    assert relay.info("persistence")["rdb_last_bgsave_status"] == "ok"


MEGABYTE = 1024 * 1024
OTHER = "f" * 40


def bulky(label, megabytes):
    """An RDB of a primary that has its checksums off: nobody need compute them."""
    pairs = [(b"%s:%d" % (label, i), os.urandom(16_000)) for i in range(megabytes * 66)]
    return crc64.rdb(pairs, checksum=False)


def flow(peer, megabytes):
    sent = b""
    for _ in range(megabytes):
        piece = fake_primary.command("SET", "k", os.urandom(MEGABYTE))
        peer.send(piece)
        sent += piece
    return sent


@pytest.mark.threads
def test_an_rdb_comes_before_the_window(lab, small_disk):
    """A new history does not fit beside the old window: that is shortened, and said; the RDB comes."""
    streaming = threading.Event()
    new = bulky(b"new", 15)
    sent = []

    def script(peer):
        peer.greet()
        if peer.number == 0:
            peer.send_full(crc64.rdb([(b"a", b"b")]))
            sent.append(flow(peer, 12))
            assert streaming.wait(wait.limit(60))
            return
        peer.send_full(new, 5, OTHER)
        peer.hold()

    fake = lab.fake_primary(script)
    relay = lab.relay(fake, {**SETTINGS, "relay.data-dir": small_disk / "data"}).wait_link()
    wait.until("12 MB", lambda: sent and relay.offset() == len(sent[0]))
    assert relay.info("store")["window_bytes"] == len(sent[0])
    streaming.set()
    wait.equal("the new one", lambda: relay.info("replication")["master_replid"], OTHER)
    relay.wait_log(r"the window is shortened by segment \d+\.seg, for a snapshot")
    assert fake.count == 2, "the RDB came at the first try"
    with psync_client.PsyncClient(relay.port).handshake() as client:
        assert client.full_sync() == new
    assert relay.info("store")["store_last_error"] == ""


def test_what_is_pinned_is_not_given_up_for_an_rdb(lab, small_disk):
    """A replica reads the old window: the RDB does not come, that is said, and it comes later."""
    streaming = threading.Event()
    has_read = threading.Event()  # the new history closes the reader, as replaced
    new = bulky(b"new", 15)
    sent = []

    def script(peer):
        peer.greet()
        if peer.number == 0:
            peer.send_full(crc64.rdb([(b"a", b"b")]))
            sent.append(flow(peer, 12))
            assert streaming.wait(wait.limit(60))
            return
        if peer.number > 1:
            assert has_read.wait(wait.limit(60))
        peer.send_full(new, 5, OTHER)
        peer.hold()

    fake = lab.fake_primary(script)
    relay = lab.relay(fake, {**SETTINGS, "relay.data-dir": small_disk / "data"}).wait_link()
    wait.until("12 MB", lambda: sent and relay.offset() == len(sent[0]))
    reader = lab.closing(psync_client.PsyncClient(relay.port, receive_buffer=4096)).handshake()
    assert reader.psync(fake_primary.REPLID, 1)[0] == "+CONTINUE"
    reader.chatter(lambda client: client.ack())
    streaming.set()
    relay.wait_log(r"cause=rdb: 5\.rdb\.part: cannot write: No space left on device")
    assert "No space left" in relay.info("store")["store_last_error"]
    assert reader.stream_to(len(sent[0])) == sent[0], "all that it stood before, without a hole"
    has_read.set()
    wait.equal("the new one", lambda: relay.info("replication")["master_replid"], OTHER, 30)
    assert relay.info("store")["store_last_error"] == ""
