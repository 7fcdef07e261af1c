# SPDX-License-Identifier: MIT
"""What bounds all full syncs together: repl-full-sync-rate and repl-max-full-syncs."""

import pytest

import digest
import load
import psync_client
import wait

MEGABYTE = 1024 * 1024
RATE = 2 * MEGABYTE


def start(lab, settings=None, megabytes=8):
    origin = lab.origin()
    load.populate(origin, megabytes)
    relay = lab.relay(origin, {"downstream.repl-full-sync-rate": "2mb", **(settings or {})})
    return origin, relay.wait_link()


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_an_online_replica_goes_on_meanwhile(lab):
    """While an RDB is sent at a low rate, those that are online have all that is written."""
    origin, relay = start(lab, {"downstream.repl-full-sync-rate": "0"})
    online = lab.replica(relay, name="online").wait_online()
    relay.set("repl-full-sync-rate", "64kb")  # minutes
    late = lab.replica(relay, name="late")
    wait.equal("full syncs", lambda: relay.info("relay")["full_syncs_in_progress"], 1)
    for _ in range(3):
        load.populate(origin, 2)
        end = origin.offset()
        wait.until("the online replica has it", lambda end=end: online.offset() >= end)
    assert relay.info("relay")["full_syncs_in_progress"] == 1
    relay.set("repl-full-sync-rate", "0")
    wait.equal("full syncs", lambda: relay.info("relay")["full_syncs_in_progress"], 0)
    digest.compare(origin, [online, late])


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_one_at_a_time_in_order_of_arrival(lab):
    """Of three replicas one has its RDB at a time; the others wait with a newline each second."""
    origin, relay = start(lab, {"downstream.repl-max-full-syncs": "1"})
    relay.set("repl-full-sync-rate", "64kb")
    first = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    assert first.psync()[0] == "+FULLRESYNC"
    second = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    second.send(b"PSYNC ? -1\r\n")
    wait.equal("held", lambda: relay.info("relay")["full_syncs_held"], 1)
    third = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    third.send(b"PSYNC ? -1\r\n")
    wait.equal("held", lambda: relay.info("relay")["full_syncs_held"], 2)
    assert second.take(2) == third.take(2) == b"\n\n"

    relay.set("repl-full-sync-rate", "0")
    first.read_rdb()  # what was sent before is the beginning of it
    assert second.psync_reply()[0] == "+FULLRESYNC"
    second.close()  # in the midst of it, or not: it frees its place
    assert third.psync_reply()[0] == "+FULLRESYNC"
    third.read_rdb()
    wait.equal("full syncs", lambda: relay.info("relay")["full_syncs_in_progress"], 0)
    assert relay.info("relay")["full_syncs_held"] == 0
    assert origin.info()["sync_full"] == 1


@pytest.mark.seconds(120)
def test_three_real_replicas_one_after_the_other(lab):
    origin, relay = start(lab, {"downstream.repl-max-full-syncs": "1"}, megabytes=2)
    replicas = [lab.replica(relay) for _ in range(3)]
    most = 0

    def online():
        nonlocal most
        states = [line["state"] for line in relay.replicas().values()]
        most = max(most, states.count("send_bulk"))
        return states.count("online")

    wait.equal("online", online, 3, seconds=60)
    assert most <= 1
    digest.compare(origin, replicas)
    wait.equal("full syncs", lambda: relay.info("relay")["full_syncs_in_progress"], 0)
