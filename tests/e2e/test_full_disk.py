# SPDX-License-Identifier: MIT
"""The disk is full: the window is shortened, then the stream waits; what is held is served."""

import os
import subprocess

import pytest

import digest
import load
import psync_client
import wait

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
    load.populate(origin, 40)
    digest.compare(origin, [replica])
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
    ).wait_link()
    replica = lab.replica(relay).wait_online()
    hog = small_disk / "hog"
    with open(hog, "wb") as file:
        file.write(b"h" * max(0, free_bytes(small_disk) - 65536))
    end = len(relay.log())
    load.populate(origin, 8)
    relay.wait_log(r"the store has no room for more", after=end)
    assert relay.info("store")["store_last_error"]
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
    assert relay.info("store")["store_last_error"] == ""
    assert origin.info()["sync_full"] == 1


def test_no_room_for_the_rdb(lab, small_disk):
    """The RDB itself does not fit: said in the log, tried again, and served once there is room."""
    origin = lab.origin()
    load.populate(origin, 10)
    hog = small_disk / "hog"
    with open(hog, "wb") as file:
        file.write(b"h" * (free_bytes(small_disk) - 4_000_000))
    relay = lab.relay(origin, {**SETTINGS, "relay.data-dir": small_disk / "data"})
    relay.wait_log(r"cause=rdb: .*No space left on device")
    assert relay.snapshots() == []
    hog.unlink()
    relay.wait_link(seconds=30)
    digest.compare(origin, [lab.replica(relay).wait_online()])
