# SPDX-License-Identifier: MIT
"""What bounds all full syncs together: repl-full-sync-rate and repl-max-full-syncs."""

import datetime
import re
import subprocess

import pytest
import redis

import digest
import load
import psync_client
import relay as relay_module
import wait
import web

MEGABYTE = 1024 * 1024
RATE = 2 * MEGABYTE


def start(lab, settings=None, megabytes=8, http=False):
    origin = lab.origin()
    load.populate(origin, megabytes)
    relay = lab.relay(origin, {"downstream.repl-full-sync-rate": "2mb", **(settings or {})}, http=http)
    return origin, relay.wait_link()


SENT = re.compile(r"^(\S+) .*addr=(\S+) rdb sent bytes=(\d+) duration=([\d.]+)s", re.M)
BEGUN = re.compile(r"^(\S+) .*addr=(\S+) state=waiting->loading", re.M)


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_the_rate_holds_for_all_together(lab):
    """By the relay's own clock: two replicas on two workers are never sent more than the rate allows."""
    origin, relay = start(lab)
    replicas = [lab.replica(relay), lab.replica(relay)]
    wait.equal("RDBs sent", lambda: len(SENT.findall(relay.log())), 2, seconds=60)
    begun = [seconds(stamp) for stamp, _ in BEGUN.findall(relay.log())]
    sent = [(seconds(stamp), int(size)) for stamp, _, size, _ in SENT.findall(relay.log())]
    taken = max(stamp for stamp, _ in sent) - min(begun)
    size = sum(size for _, size in sent)
    assert size == 2 * relay.snapshots()[0].stat().st_size
    # A tenth of a second is made up for, each has a piece more, and the stamps are of whole milliseconds.
    assert size <= RATE * (taken + 0.1) + 4 * 262144, f"{size} bytes in {taken} s"
    for stamp, _, size, duration in SENT.findall(relay.log()):
        assert int(size) <= RATE * (float(duration) + 0.1) + 4 * 262144, stamp
    digest.compare(origin, replicas)


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_progress_is_told_everywhere(lab):
    origin, relay = start(lab, {"downstream.repl-full-sync-rate": "64kb"}, http=True)
    late = lab.replica(relay)
    line = wait.until("a line in INFO", lambda: relay.info("relay")["full_sync0"])
    total = relay.snapshots()[0].stat().st_size
    assert (line["port"], line["total"], line["estimated"]) == (late.port, total, "no")
    wait.until("it goes on", lambda: relay.info("relay")["full_sync0"]["bytes"],
               lambda n: n > line["bytes"])
    # Made up for a tenth of a second at most.
    wait.until("a rate", lambda: relay.info("relay")["full_sync0"]["rate"], lambda n: 0 < n < 100_000)
    row = web.status(relay)["replicas"]["list"][0]
    assert row["full_sync"]["total_bytes"] == total and not row["full_sync"]["estimated"]
    assert 0 <= row["full_sync"]["percent"] < 100 and row["full_sync"]["seconds_left"] > 0
    [entry] = relay.client().execute_command("RELAY", "REPLICAS")
    entry = dict(zip(entry[::2], entry[1::2]))
    assert entry[b"full_sync_total"] == total and entry[b"full_sync_left"] > 0
    metrics = web.metrics(relay)
    assert metrics[f'psync_relay_replica_full_sync_expected_bytes{{replica="127.0.0.1:{late.port}"}}'] == total
    relay.wait_log(r"full sync in progress bytes=\d+ total=\d+ estimated=no percent=")
    relay.set("repl-full-sync-rate", "0")
    wait.equal("full syncs", lambda: relay.info("relay")["full_syncs_in_progress"], 0)
    assert "full_sync0" not in relay.info("relay")
    digest.compare(origin, [late])


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


@pytest.mark.seconds(180)
def test_a_link_that_is_too_small_for_the_stream(lab):
    """A replica that acknowledges half of what is published, for long, has a finding; when it has all, it has not."""
    origin, relay = start(
        lab,
        {"downstream.repl-full-sync-rate": "0", "downstream.repl-stream-rate-warning": "10"},
        megabytes=1,
        http=True,
    )
    slow = lab.closing(psync_client.PsyncClient(relay.port)).handshake()
    slow.full_sync()
    slow.ack()
    acknowledged = slow.offset

    def publish(keeps_up):
        """Some more is written, and half of that is acknowledged, or all there is."""
        nonlocal acknowledged
        load.populate(origin, 1)
        before = slow.offset
        slow.stream_to(origin.offset())
        acknowledged = slow.offset if keeps_up else acknowledged + (slow.offset - before) // 2
        slow.ack(acknowledged)
        names = [finding["name"] for finding in web.status(relay)["findings"]]
        return "replica_link_too_small" in names

    wait.equal("the finding", lambda: publish(False), True, seconds=90, every=0.2)
    relay.wait_log(r"the stream does not fit its link: published=\d+ acknowledged=\d+ missing=\d+")
    wait.equal("the finding", lambda: publish(True), False, seconds=90, every=0.2)
    relay.wait_log("the stream fits its link again")


def test_congestion_control(lab):
    """One that the kernel has not is refused; one that it has is in use for the connections of replicas."""
    _, relay = start(lab, megabytes=1)
    for name in ("tcp-congestion", "upstream.tcp-congestion"):
        with pytest.raises(redis.ResponseError, match="no-such-one"):
            relay.set(name, "no-such-one")
        relay.set(name, "reno")
    replica = lab.replica(relay).wait_online()
    listed = subprocess.run(
        ["ss", "-Htin", "state", "established", f"sport = :{relay.port}"],
        capture_output=True, text=True, check=True,
    ).stdout
    ours = [line for line in listed.split("\n") if "wscale" in line]
    assert any(line.split()[0] == "reno" for line in ours), listed
    assert replica.info("replication")["master_link_status"] == "up"


def test_a_start_without_the_congestion_control_warns(lab):
    origin = lab.origin()
    settings = {"downstream.tcp-congestion": "no-such-one"}
    relay = lab.relay(origin, settings).wait_link()
    relay.wait_log(r"\[downstream\] tcp-congestion: .*no-such-one")
    checked = relay_module.run("-c", relay.ini, "--check")
    assert checked.returncode == 1 and "no-such-one" in checked.stdout + checked.stderr
