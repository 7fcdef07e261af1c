# SPDX-License-Identifier: MIT
"""The primary ends a full sync by closing the connection: why, and what to set, is told."""

import os
import signal
import threading

import pytest

import wait
import web

SLOW_RDB = {"rdb-key-save-delay": "20000", "rdbcompression": "no"}  # 50 keys a second


def fill(origin, keys):
    for number in range(keys):
        origin.client().set(f"key:{number}", os.urandom(20_000))


def cut_off(relay):
    found = {one["name"]: one for one in web.status(relay)["findings"]}
    return found.get("full_sync_cut_off")


@pytest.fixture
def write(lab):
    """Writes to a server until the test ends, 1 MB/s or more."""
    stopping = threading.Event()
    threads = []

    def begin(origin):
        def run():
            client = origin.client()
            while not stopping.wait(0.02):
                client.set("written", b"y" * 40_000)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield begin
    stopping.set()
    for thread in threads:
        thread.join()


def test_output_buffer_limit(lab, kind, write):
    """The limit is read, and what this RDB at this rate needs is named; with that it works."""
    origin = lab.origin(
        kind,
        **{
            **SLOW_RDB,
            "client-output-buffer-limit": "replica 1mb 1mb 60",
            "repl-backlog-size": "64kb",
        },
    )
    fill(origin, 300)
    write(origin)
    relay = lab.relay(origin, http=True)
    found = wait.until("it is told", lambda: cut_off(relay))
    assert found["severity"] == "problem"
    assert "client-output-buffer-limit for replicas is 1.0 MB, or 1.0 MB for 60 s" in found["what"]
    assert found["advice"].startswith("That limit ended it. This RDB at this rate needs at least ")
    relay.wait_log("cause=broken: .*exceeded its client-output-buffer-limit for replicas")
    # As it is advised.
    advised = found["advice"].split('client-output-buffer-limit "')[1].rstrip('"')
    assert 2_000_000 < int(advised.split()[1]) < 200_000_000
    origin.client().config_set("client-output-buffer-limit", advised)
    relay.follow(origin)  # ends the wait
    relay.wait_link()
    wait.until("and no more", lambda: cut_off(relay) is None)


def test_child_dies(lab, kind):
    """Nothing is written meanwhile: it is not the limit, whatever that is."""
    origin = lab.origin(
        kind, **{**SLOW_RDB, "client-output-buffer-limit": "replica 1mb 1mb 60"}
    )
    fill(origin, 200)
    relay = lab.relay(origin, http=True)
    wait.until("it comes", lambda: relay.info("replication").get("master_sync_read_bytes", 0) > 0)
    (child,) = wait.until("its child", lambda: children(origin.child.pid))
    os.kill(child, signal.SIGKILL)
    found = wait.until("it is told", lambda: cut_off(relay))
    assert "It was not that limit: its child could not write the RDB" in found["advice"]
    relay.wait_log("cause=broken: .*of the RDB .*its child could not write the RDB")
    relay.wait_link()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]
