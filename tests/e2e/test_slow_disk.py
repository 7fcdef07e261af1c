# SPDX-License-Identifier: MIT
"""A disk that is slow, or does not answer: clients and replicas are served, and the stream waits if it must.

Which thread makes which call is known by a library that is loaded before the C library (slow_disk.c).
"""

import signal

import pytest

import digest
import failover
import load
import relay as relay_module
import resp
import slow_disk
import wait

SETTINGS = {
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "1mb",
    "store.repl-backlog-max-size": "4mb",
    "store.snapshot": "on-demand",
}

# What a file system may keep waiting for as long as its journal or its disk takes.
BLOCKING = {
    "create", "mkdir", "fallocate", "ftruncate", "fsync", "fdatasync", "rename", "link", "unlink", "statvfs",
}
NETWORK_THREADS = {"0", "worker"}


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
        self.relay.ini = folder / "disk" / "relay.ini"
        self.relay.environment = self.disk.environment
        self.relay.start().wait_link()
        self.replica = lab.replica(self.relay).wait_online()

    def wait_received(self):
        offset = self.origin.offset()
        wait.until("the relay has it", self.relay.offset, lambda held: held >= offset)

    def write(self, megabytes):
        load.populate(self.origin, megabytes, value_bytes=10_000)

    def refresh(self):
        before = self.relay.info("store")["snapshot_offset"]
        self.write(1)
        self.relay.client().execute_command("RELAY", "SNAPSHOT")
        wait.until("a newer RDB", lambda: self.relay.info("store")["snapshot_offset"] != before)

    def prepare_fail_over(self, lab):
        """The server that will be promoted lacks the last writes, which the relay has."""
        self.promoted = lab.replica(self.origin, name="promoted").wait_online()
        self.promoted.client().execute_command("REPLICAOF", "127.0.0.1", "1")
        load.fill(self.origin, rounds=3)
        self.wait_received()
        self.origin.kill9()

    def begin_fail_over(self):
        failover.promote(self.promoted)
        self.full_syncs = self.promoted.info()["sync_full"]
        self.relay.follow(self.promoted)

    def fail_over(self, lab):
        self.prepare_fail_over(lab)
        self.begin_fail_over()
        failover.wait_follows(self.relay, self.promoted)

    def begin_other_history(self, lab):
        self.stranger = lab.origin(name="stranger")
        load.fill(self.stranger, seed=3)
        self.relay.follow(self.stranger)

    def other_history(self, lab):
        self.begin_other_history(lab)
        failover.wait_follows(self.relay, self.stranger)


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


def waits_of_network_threads(stage, mark):
    calls = stage.disk.calls(mark)
    return [call for call in calls if call.name in BLOCKING and call.thread in NETWORK_THREADS]


def test_network_threads_make_no_call_that_waits(stage, lab):
    """Whatever the relay meets between its start and its stop: each such call has a thread of the store's own."""
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
    stage.refresh()
    digest.compare(stage.origin, [stage.replica])
    stage.fail_over(lab)
    digest.compare(stage.promoted, [stage.replica])
    stage.other_history(lab)
    digest.compare(stage.stranger, [stage.replica])
    calls = stage.disk.calls(mark)
    assert any(call.name == "create" and call.thread == "store-files" for call in calls)
    assert any(call.name == "unlink" and call.thread == "store-free" for call in calls)
    kinds = {slow_disk.kind(call.path) for call in calls if call.thread == "store-files"}
    assert {"identity", "snapshot", "segment", "note", "directory", "tail"} <= kinds
    assert not waits_of_network_threads(stage, mark)


def expect_served(stage):
    """Clients and replicas are answered while the disk is not."""
    for _ in range(3):
        assert stage.relay.client().ping()
        assert stage.relay.info("replication")["role"] == "slave"
        assert stage.relay.info("store")


# What hangs.
HELD_CALLS = {
    "create": ("create",),
    "rename": ("rename",),
    "unlink": ("unlink",),
    "mkdir": ("mkdir",),
    "fsync": ("fsync", "fdatasync"),
}


@pytest.mark.threads
@pytest.mark.parametrize("held", ["create", "rename", "unlink", "fsync"])
def test_a_refresh_on_a_disk_that_does_not_answer(stage, held):
    """The RDB waits for its file, its name, the removal of the old one; the stream does not."""
    stage.write(1)
    stage.wait_received()
    mark = stage.disk.mark()
    stage.disk.hold(*HELD_CALLS[held], part="" if held == "fsync" else "/snapshot/")
    before = stage.relay.info("store")["snapshot_offset"]
    stage.relay.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("a call hangs", lambda: stage.disk.held(mark))
    assert not {call.thread for call in stage.disk.held(mark)} & NETWORK_THREADS
    expect_served(stage)
    stage.origin.client().set("written", held)
    wait.equal("the stream flows", lambda: stage.replica.client().get("written"), held.encode())
    stage.disk.recover()
    wait.until("a newer RDB", lambda: stage.relay.info("store")["snapshot_offset"] != before)
    digest.compare(stage.origin, [stage.replica])
    assert not waits_of_network_threads(stage, mark)


@pytest.mark.threads
@pytest.mark.parametrize("held", ["create", "rename", "fsync"])
def test_a_fail_over_on_a_disk_that_does_not_answer(stage, lab, held):
    """The identity of the cut and of the new id is waited for, by the stream alone."""
    stage.prepare_fail_over(lab)
    mark = stage.disk.mark()
    stage.disk.hold(*HELD_CALLS[held], part="identity")
    stage.begin_fail_over()
    wait.until("a call hangs", lambda: stage.disk.held(mark))
    assert not {call.thread for call in stage.disk.held(mark)} & NETWORK_THREADS
    expect_served(stage)
    # Another one, while the first is under way: the server is gone, and the first is followed again.
    stage.relay.follow(stage.origin)
    expect_served(stage)
    stage.relay.follow(stage.promoted)
    expect_served(stage)
    stage.disk.recover()
    failover.wait_follows(stage.relay, stage.promoted)
    load.fill(stage.promoted, rounds=2)
    digest.compare(stage.promoted, [stage.replica])
    assert stage.promoted.info()["sync_full"] == stage.full_syncs, "the relay took the RDB once more"
    assert not waits_of_network_threads(stage, mark)


def hold_new_history(stage, lab, held):
    """A new history begins, and a call that makes it hangs. Returns the mark from which the disk's calls count."""
    stage.write(1)
    stage.wait_received()
    mark = stage.disk.mark()
    stage.disk.hold(*HELD_CALLS[held], part="history-2")
    stage.begin_other_history(lab)
    wait.until("a call hangs", lambda: stage.disk.held(mark))
    return mark


@pytest.mark.threads
@pytest.mark.parametrize("held", ["mkdir", "create", "rename"])
def test_a_new_history_on_a_disk_that_does_not_answer(stage, lab, held):
    """The RDB of the new one waits in its connection; the old one is served meanwhile."""
    mark = hold_new_history(stage, lab, held)
    assert not {call.thread for call in stage.disk.held(mark)} & NETWORK_THREADS
    expect_served(stage)
    stage.disk.recover()
    failover.wait_follows(stage.relay, stage.stranger)
    digest.compare(stage.stranger, [stage.replica])
    assert not waits_of_network_threads(stage, mark)


@pytest.mark.threads
@pytest.mark.parametrize("held", ["mkdir", "create", "rename"])
def test_a_kill_while_the_disk_does_not_answer(stage, lab, held):
    """A history that was not whole costs nothing of the one before."""
    hold_new_history(stage, lab, held)
    stage.relay.kill9()
    stage.disk.recover()
    stage.relay.start()
    failover.wait_follows(stage.relay, stage.stranger)
    digest.compare(stage.stranger, [stage.replica])


@pytest.mark.threads
def test_a_stop_while_the_disk_is_slow(stage):
    """A job that is under way when the relay ends is waited for, and nothing is lost."""
    stage.write(1)
    stage.wait_received()
    before = stage.relay.info("store")["snapshot_offset"]
    mark = stage.disk.mark()
    stage.disk.delay(100, "create", "rename", "unlink", part="/snapshot/")
    stage.relay.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("a file of the RDB", lambda: any(".rdb" in call.path for call in stage.disk.calls(mark)))
    stage.relay.stop()
    stage.disk.recover()
    stage.relay.start().wait_link()
    # Until its RDB is verified none is told of.
    wait.until("the RDB is served", lambda: stage.relay.info("store").get("snapshot_offset", -1), lambda x: x >= before)
    load.fill(stage.origin, rounds=2)
    digest.compare(stage.origin, [stage.replica])


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


# --- CONFIG REWRITE


class Rewrites:
    """Clients that ask for a CONFIG REWRITE, whose calls for the ini hang until `end`."""

    def __init__(self, stage, call):
        self.stage, self.relay, self.disk = stage, stage.relay, stage.disk
        self.mark = self.disk.mark()
        self.disk.hold(call, part=".ini")
        self.clients = []

    def ask(self, seconds):
        """Sets `timeout` and asks; waits until the client is blocked."""
        self.relay.set("timeout", seconds)
        client = resp.Connection(self.relay.port)
        client.send(resp.encode("CONFIG", "REWRITE"))
        self.clients.append(client)
        self.wait_blocked(len(self.clients))
        return client

    def wait_blocked(self, count):
        wait.equal(
            "blocked clients", lambda: self.relay.info("clients")["blocked_clients"], count
        )

    def wait_held(self):
        return wait.until("a call for the ini hangs", lambda: self.disk.held(self.mark))


def written_timeout(relay):
    lines = [line for line in relay.ini.read_text().splitlines() if line.startswith("timeout")]
    return [line.split("=")[1].strip() for line in lines]


@pytest.mark.threads
@pytest.mark.parametrize("call", ["create", "fsync", "rename"])
def test_a_rewrite_is_told_when_it_is_on_the_disk(stage, call):
    """Who asks waits, nobody else does; who asks meanwhile gets the next one; who leaves is not missed."""
    rewrites = Rewrites(stage, call)
    relay = stage.relay
    first = rewrites.ask(31)
    held = rewrites.wait_held()
    assert {call.thread for call in held} == {"ini-writer"}
    leaves = rewrites.ask(32)
    second = rewrites.ask(33)
    leaves.close()
    rewrites.wait_blocked(2)
    with resp.Connection(relay.port) as other:
        assert other.command("PING") == "PONG"
        assert other.command("MULTI") == "OK"
        assert other.command("CONFIG", "REWRITE") == "QUEUED"
        assert other.command("PING") == "QUEUED"
        refused, pong = other.command("EXEC")
        assert isinstance(refused, resp.Error) and "outside of MULTI and EXEC" in str(refused)
        assert pong == "PONG"
    assert relay.info("replication")["connected_slaves"] == 1
    assert written_timeout(relay) == []
    stage.disk.recover()
    assert first.reply() == "OK"
    assert second.reply() == "OK"
    assert written_timeout(relay) == ["33"]
    assert [path.name for path in relay.ini.parent.glob("*.ini*")] == [relay.ini.name]
    rewrites.wait_blocked(0)


def test_an_ini_that_was_edited_meanwhile_is_kept(stage):
    rewrites = Rewrites(stage, "fsync")
    client = rewrites.ask(31)
    rewrites.wait_held()
    edited = stage.relay.ini.read_text() + "# mine\n"
    stage.relay.ini.write_text(edited)
    stage.disk.recover()
    refused = client.reply()
    assert isinstance(refused, resp.Error)
    assert "Rewriting config file" in str(refused) and "somebody else has changed it" in str(refused)
    assert stage.relay.ini.read_text() == edited
    assert client.command("CONFIG", "REWRITE") == "OK"
    assert written_timeout(stage.relay) == ["31"]
    assert "# mine" in stage.relay.ini.read_text()


def test_a_reload_waits_for_the_rewrite(stage):
    """SIGHUP reads the new ini: the old one would take back what CONFIG SET has changed."""
    rewrites = Rewrites(stage, "fsync")
    relay = stage.relay
    client = rewrites.ask(31)
    next_client = rewrites.ask(32)
    rewrites.wait_held()
    end = relay.log_end()
    relay.signal(signal.SIGHUP)
    relay.wait_log("the reload waits for CONFIG REWRITE", after=end)
    stage.disk.recover()
    assert (client.reply(), next_client.reply()) == ("OK", "OK")
    relay.wait_log("configuration reloaded", after=end)
    reloaded = relay.log()[end:].index("configuration reloaded")
    assert relay.log()[end:].index("CONFIG REWRITE changed") < reloaded
    assert relay.client(decode_responses=True).config_get("timeout") == {"timeout": "32"}
    assert written_timeout(relay) == ["32"]


def test_a_stop_waits_for_the_rewrite(stage):
    rewrites = Rewrites(stage, "rename")
    client = rewrites.ask(31)
    rewrites.wait_held()
    stage.relay.signal(signal.SIGTERM)
    stage.relay.wait_log("relay: stopping")
    assert client.is_closed()  # who asked is not told
    assert stage.relay.is_running()
    stage.disk.recover()
    assert stage.relay.exit_status() == 0
    assert written_timeout(stage.relay) == ["31"]


@pytest.mark.parametrize("call", ["create", "fsync", "rename"])
def test_a_kill_in_the_middle_leaves_the_old_ini(stage, call):
    rewrites = Rewrites(stage, call)
    before = stage.relay.ini.read_text()
    rewrites.ask(31)
    rewrites.wait_held()
    stage.relay.kill9()
    assert stage.relay.ini.read_text() == before
