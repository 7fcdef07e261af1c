# SPDX-License-Identifier: MIT
"""Between relays an RDB that breaks goes on where it broke (docs/protocol.md 2.7)."""

import re
import shutil

import pytest

import certificates
import digest
import load
import mitm
import wait

CUTS = 100


def rdb_bytes(relay):
    return relay.info("store")["snapshot_bytes"]


def came_down(middle):
    """Bytes that the far side has got, over all connections."""
    return sum(pipe.count["down"] for pipe in middle.pipes)


def near_relay(lab, megabytes, settings=None):
    """(origin, the relay next to it)"""
    origin = lab.origin()
    load.populate(origin, megabytes)
    return origin, lab.relay(origin, settings, name="near").wait_link()


def compare(lab, origin, far):
    replica = lab.replica(far, name="last").wait_online()
    load.fill(origin, rounds=3)
    digest.compare(origin, [replica])


def test_a_hundred_cuts_cost_no_byte_twice(lab):
    origin, near = near_relay(lab, 60)
    whole = rdb_bytes(near)
    middle = lab.mitm(near, plan=[mitm.CutAfter(whole // CUTS) for _ in range(CUTS)])
    far = lab.relay(middle, name="far").wait_link(seconds=120)
    came = came_down(middle)
    assert middle.connections() > CUTS
    assert came <= 1.02 * whole, f"{came} bytes came of an RDB of {whole}"
    info = far.info("store")
    assert info["rdbs_resumed"] >= CUTS - 1
    assert info["partial_rdb_state"] == "none"
    assert near.info("stats")["sync_full_resumed"] == info["rdbs_resumed"]
    assert origin.info()["sync_full"] == 1
    compare(lab, origin, far)
    wait.equal("nothing is left of it", lambda: list(far.data_dir.glob("partial*")), [])


def held_far(lab, near, at, settings=None):
    """(the relay far away, the way to it, its hold): `at` bytes of its RDB have come, and no more do."""
    hold = mitm.StallAfter(at)
    middle = lab.mitm(near, plan=[hold])
    far = lab.relay(middle, settings, name="far")
    wait.until("a part has come", hold.reached.is_set)
    return far, middle, hold


def note_bytes(far):
    """What the note on the disk says; 0: there is none."""
    note = far.data_dir / "partial"
    try:
        return int(note.read_text().splitlines()[1].split(":")[3])
    except FileNotFoundError:
        return 0


def cut(middle, hold):
    """Breaks what is held; nothing more of it comes."""
    middle.cut()
    hold.release()


@pytest.mark.parametrize("killed", ["far", "near"])
def test_a_kill_of_either_side_costs_no_byte_twice(lab, killed):
    origin, near = near_relay(lab, 30)
    whole = rdb_bytes(near)
    far, middle, hold = held_far(lab, near, whole // 2)
    wait.until("the part is noted", lambda: note_bytes(far), lambda noted: noted > whole // 3)
    if killed == "far":
        far.kill9()
        cut(middle, hold)
        far.start()
    else:
        near.kill9()
        cut(middle, hold)
        near.start()
    far.wait_link(seconds=60)
    assert far.info("store")["rdbs_resumed"] == 1
    came = came_down(middle)
    assert came <= 1.02 * whole, f"{came} bytes came of an RDB of {whole}"
    compare(lab, origin, far)


def test_a_restart_in_the_middle_goes_on(lab):
    origin, near = near_relay(lab, 10)
    whole = rdb_bytes(near)
    far, middle, hold = held_far(lab, near, whole // 2, {"store.fsync": "everysec"})
    far.stop()
    cut(middle, hold)
    far.start().wait_link()
    assert far.info("store")["rdbs_resumed"] == 1
    compare(lab, origin, far)


def test_a_corrupt_half_is_noticed_at_the_resume(lab):
    """A bit of what lies on the disk has changed: it is read at the start, and nothing is built on it."""
    origin, near = near_relay(lab, 10)
    whole = rdb_bytes(near)
    far, middle, hold = held_far(lab, near, whole // 2)
    wait.until("the part is noted", lambda: note_bytes(far), lambda noted: noted > whole // 3)
    far.kill9()
    cut(middle, hold)
    with (far.data_dir / "partial.rdb").open("r+b") as file:
        file.seek(whole // 4)
        byte = file.read(1)
        file.seek(whole // 4)
        file.write(bytes([byte[0] ^ 1]))
    far.start().wait_link()
    assert "do not match their checksum: it is fetched anew" in far.log()
    assert far.info("store")["rdbs_resumed"] == 0
    assert near.info("stats")["sync_full_resumed"] == 0
    compare(lab, origin, far)


def test_another_snapshot_begins_anew(lab):
    """The near relay loses all that it has while the far one is away: the far one asks, and gets another."""
    origin, near = near_relay(lab, 10)
    whole = rdb_bytes(near)
    far, middle, hold = held_far(lab, near, whole // 2)
    middle.refusing = True
    cut(middle, hold)
    wait.equal("it is kept", lambda: far.info("store")["partial_rdb_state"], "ready")
    near.stop()
    for history in near.histories():
        shutil.rmtree(history)
    load.fill(origin, rounds=2)
    near.start().wait_link()
    middle.accept()
    far.wait_link()
    assert far.info("store")["rdbs_resumed"] == 0
    assert near.info("stats")["sync_full_resumed"] == 0
    compare(lab, origin, far)


def test_a_snapshot_that_was_replaced_is_kept_for_who_was_sent_it(lab):
    origin, near = near_relay(lab, 10)
    whole = rdb_bytes(near)
    far, middle, hold = held_far(lab, near, whole // 2)
    middle.refusing = True
    cut(middle, hold)
    wait.equal("kept", lambda: near.info("store")["kept_snapshots"], 1)
    first = near.info("store")["snapshot_offset"]
    load.fill(origin, rounds=2)
    near.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("replaced", lambda: near.info("store")["snapshot_offset"], lambda x: x > first)
    wait.until(
        "its disk space is told", lambda: near.info("store")["kept_snapshot_bytes"], lambda size: size == whole
    )
    middle.accept()
    far.wait_link()
    assert far.info("store")["rdbs_resumed"] == 1
    assert far.info("store")["snapshot_offset"] == first
    compare(lab, origin, far)


def test_what_the_kernel_had_is_sent_again(lab):
    """All of the RDB has left the near relay, and its end has not come: it breaks, and another takes its place."""
    origin, near = near_relay(lab, 2)
    whole = rdb_bytes(near)
    far, middle, hold = held_far(lab, near, whole - 100_000)
    middle.refusing = True
    cut(middle, hold)
    wait.equal("kept", lambda: near.info("store")["kept_snapshots"], 1)
    first = near.info("store")["snapshot_offset"]
    load.fill(origin, rounds=2)
    near.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("replaced", lambda: near.info("store")["snapshot_offset"], lambda x: x > first)
    middle.accept()
    far.wait_link()
    assert far.info("store")["rdbs_resumed"] == 1
    compare(lab, origin, far)


def test_a_server_hears_nothing_of_it(lab, kind):
    """Its RDB breaks, and begins anew, in the words of a replica; the log says how far it got."""
    origin = lab.origin(kind, repl_diskless_sync="no")
    load.populate(origin, 4)
    record = mitm.Record()
    middle = lab.mitm(origin, plan=[mitm.CutAfter(2_000_000)], up=record)
    far = lab.relay(middle, name="far").wait_link()
    replica = lab.replica(far, kind).wait_online()
    assert middle.connections() >= 2
    assert b"rdb-resume" not in record.said and b"psync-relay" not in record.said
    assert record.said.count(b"PSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n") == 2
    info = far.info("store")
    assert (info["rdbs_resumed"], info["partial_rdb_state"]) == (0, "none")
    assert re.search(r"broken: .* of the RDB", far.log()), "how far it got"
    digest.compare(origin, [replica])


def test_under_tls(lab, tmp_path):
    papers = certificates.for_everyone(tmp_path / "papers")
    origin = lab.origin()
    load.populate(origin, 20)
    near = lab.relay(origin, papers.downstream("relay"), name="near").wait_link()
    whole = rdb_bytes(near)
    middle = lab.mitm(certificates.at(near), plan=[mitm.CutAfter(whole // 5) for _ in range(5)])
    far = lab.relay(middle, papers.upstream("relay"), name="far").wait_link()
    came = came_down(middle)
    assert far.info("store")["rdbs_resumed"] >= 4
    assert came <= 1.02 * whole, f"{came} bytes came of an RDB of {whole}"
    compare(lab, origin, far)


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_while_the_near_relay_receives_it_itself(lab, diskless):
    """Cut-through, with an end mark and with a length: the part is compared with what has come so far."""
    origin = lab.origin(repl_diskless_sync=diskless)
    load.populate(origin, 10)
    whole = 10_000_000
    above = mitm.StallAfter(whole // 2)
    near = lab.relay(lab.mitm(origin, plan=[above]), name="near")
    wait.until("half of it is at the near relay", above.reached.is_set)
    middle = lab.mitm(near, plan=[mitm.CutAfter(whole // 4), mitm.CutAfter(whole // 8)])
    far = lab.relay(middle, name="far")
    wait.until(
        "it has gone on twice", lambda: far.info("store")["rdbs_resumed"], lambda count: count == 2
    )
    above.release()
    far.wait_link()
    assert far.info("store")["rdbs_resumed"] == 2
    assert origin.info()["sync_full"] == 1
    compare(lab, origin, far)


def test_a_relay_in_between_is_killed(lab):
    """Of three relays that pass one RDB on, the one in the middle is killed: it goes on, and so does the last."""
    origin, top = near_relay(lab, 30)
    whole = rdb_bytes(top)
    near, way, hold = held_far(lab, top, whole // 2)
    far = lab.relay(near, name="last-relay")
    wait.until("the part is noted", lambda: note_bytes(near), lambda noted: noted > whole // 3)
    wait.until("also there", lambda: note_bytes(far), lambda noted: noted > whole // 3)
    near.kill9()
    cut(way, hold)
    near.start()
    near.wait_link(seconds=60)
    far.wait_link(seconds=60)
    assert near.info("store")["rdbs_resumed"] == 1
    assert far.info("store")["rdbs_resumed"] >= 1
    assert origin.info()["sync_full"] == 1
    compare(lab, origin, far)


def test_a_refresh_goes_on(lab):
    """The second connection breaks; the link is not touched."""
    origin, near = near_relay(lab, 10)
    origin.client().set("cut-here", 1)
    middle = lab.mitm(near)
    far = lab.relay(middle, name="far").wait_link()
    near.client().execute_command("RELAY", "SNAPSHOT")
    first = far.info("store")["snapshot_offset"]
    wait.until("the near one is new", lambda: near.info("store")["snapshot_offset"], lambda x: x > first)
    through = mitm.CutAt(b"cut-here")
    middle.plan = [through] * 100  # also for the connections by which a relay asks how its parent is
    before = far.info("relay")["upstream_attempts"]
    far.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("it broke", through.done.is_set)
    wait.until("it came whole", lambda: far.info("store")["snapshot_offset"], lambda x: x > first)
    assert far.info("store")["rdbs_resumed"] == 1
    assert far.info("relay")["upstream_refreshes"] == 1
    assert far.info("relay")["upstream_attempts"] == before, "the link was left alone"
    compare(lab, origin, far)
