# SPDX-License-Identifier: MIT
"""A disk that is slow, or does not answer: clients and replicas are served, and the stream waits if it must.

Which thread makes which call is known by a library that is loaded before the C library (slow_disk.c).
"""

import pytest

import digest
import load
import relay as relay_module
import slow_disk
import wait

SETTINGS = {
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "1mb",
    "store.repl-backlog-max-size": "4mb",
    "store.snapshot": "on-demand",
}

# What a file system may keep waiting for as long as its journal or its disk takes.
BLOCKING = {"create", "fallocate", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "statvfs"}
NETWORK_THREADS = {"0", "worker"}

# Written by thread 0, once for many segments.
SMALL_FILES = {"identity", "segment log", "note"}


class Stage:
    """An origin, a relay on a disk of the test's making, and a replica."""

    def __init__(self, lab, folder):
        self.data = folder / "disk" / "data"
        self.data.mkdir(parents=True)
        self.disk = slow_disk.SlowDisk(folder, folder / "disk", relay_module.sanitizer_runtimes())
        self.origin = lab.origin()
        load.fill(self.origin)
        settings = {**SETTINGS, "relay.data-dir": self.data}
        self.relay = lab.relay(self.origin, settings, start=False)
        self.relay.environment = self.disk.environment
        self.relay.start().wait_link()
        self.replica = lab.replica(self.relay).wait_online()

    def wait_received(self):
        offset = self.origin.offset()
        wait.until("the relay has it", self.relay.offset, lambda held: held >= offset)

    def write(self, megabytes):
        load.populate(self.origin, megabytes, value_bytes=10_000)


@pytest.fixture
def stage(lab, tmp_path):
    if slow_disk.compiler() is None:
        pytest.skip("no compiler for the library that slows the disk")
    made = Stage(lab, tmp_path)
    yield made
    made.disk.recover()


@pytest.mark.threads
@pytest.mark.parametrize(
    "calls",
    [("fsync", "fdatasync"), ("create", "fallocate"), ("rename", "unlink", "ftruncate")],
    ids=lambda calls: calls[0],
)
def test_a_disk_that_does_not_answer(stage, calls):
    """A call for a segment, or for one that was removed, hangs for as long as the test likes."""
    stage.write(2)
    stage.wait_received()
    mark = stage.disk.mark()
    for part in (".seg", "/trash/"):
        stage.disk.hold(*calls, part=part)
        stage.write(2)
        held = wait.until("a call hangs", lambda: stage.disk.held(mark))
        assert not {call.thread for call in held} & NETWORK_THREADS
        for _ in range(3):
            assert stage.relay.client().ping()
            assert stage.relay.info("replication")["connected_slaves"] == 1
        stage.disk.recover()
        stage.wait_received()
        mark = stage.disk.mark()
        if not set(calls) & {"rename", "unlink"}:
            break
    digest.compare(stage.origin, [stage.replica])
    assert stage.relay.syncs()[0] == 1, "the replica was given the RDB once more"


def test_network_threads_make_no_call_that_waits(stage):
    """Of those for segments, removed files and the free space: each has a thread of the store's own."""
    stage.write(2)
    mark = stage.disk.mark()
    stage.write(3)
    stage.wait_received()
    stage.relay.set("repl-backlog-size", "512kb")
    wait.until(
        "the window is smaller",
        lambda: stage.relay.info("store")["window_bytes"],
        lambda size: size < 1_000_000,
    )
    digest.compare(stage.origin, [stage.replica])
    calls = stage.disk.calls(mark)
    assert any(call.name == "create" and call.thread == "store-files" for call in calls)
    assert any(call.name == "unlink" and call.thread == "store-free" for call in calls)
    waits = [call for call in calls if call.name in BLOCKING and call.thread in NETWORK_THREADS]
    assert not [call for call in waits if slow_disk.kind(call.path) not in SMALL_FILES]


def test_a_stream_that_the_disk_holds_up_is_told(stage):
    """Nothing can be read from the primary until the next segment is made: an operator can see it."""
    stage.write(1)
    stage.wait_received()
    stage.disk.hold("create", part=".seg")
    stage.write(2)
    stage.relay.wait_log(r"the store has no room for more: the disk is slow")
    assert stage.relay.info("relay")["upstream_state"] == "stalled"
    stage.disk.recover()
    stage.relay.wait_log(r"the store has room again")
    digest.compare(stage.origin, [stage.replica])
