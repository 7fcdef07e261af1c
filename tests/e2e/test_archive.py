# SPDX-License-Identifier: MIT
"""The archive: every byte of the stream and RDBs, shipped by a command."""

import archives
import failover
import load
import servers


def begin(lab, folder, kind=servers.REDIS, rounds=5, **more):
    origin = lab.origin(kind)
    load.fill(origin, rounds=rounds, seed=1)
    relay = lab.relay(origin, archives.settings(folder, **more)).wait_link()
    failover.hush(origin)
    return origin, relay


def wait_all(origin, relay):
    failover.wait_same_offset(origin, [relay])
    archives.wait_archived(relay, origin.offset())


def check_whole(folder, first, end, timeline=None):
    """The pieces join, from `first` to `end`."""
    at = first
    for begin_offset, end_offset in archives.segments(folder, timeline):
        assert begin_offset == at, f"expected a piece from {at}, found {archives.segments(folder, timeline)}"
        at = end_offset
    assert at == end


def test_all_of_the_stream_is_archived(lab, tmp_path, kind):
    """In pieces that join, over a restart and a kill; nothing is left in the data directory."""
    folder = tmp_path / "archive"
    origin, relay = begin(lab, folder, kind)
    first = int(relay.snapshots()[0].stem)
    for number in range(6):
        load.fill(origin, rounds=2, seed=10 + number)
        if number == 2:
            relay.restart().wait_link()
        if number == 4:
            relay.restart(kill=True).wait_link()
    wait_all(origin, relay)
    check_whole(folder, first, origin.offset())
    found = archives.files(folder)
    assert {timeline for timeline, _, _ in found} == {1}
    assert [offset for _, offset, kind in found if kind == "rdb"] == [first]
    stream = b"".join(path.read_bytes() for path in sorted(folder.glob("*.seg")))
    segments = sorted(relay.histories()[0].glob("backlog/*.seg"), key=lambda path: int(path.stem))
    assert b"".join(path.read_bytes() for path in segments).startswith(stream)
    assert sorted(folder.glob("*.rdb"))[0].read_bytes() == relay.snapshots()[0].read_bytes()
    info = archives.info(relay)
    assert (info["archive_state"], info["archive_failures"], info["archive_gaps"]) == ("idle", 0, 0)
    assert [path.name for path in (relay.data_dir / "archive").iterdir()] == ["state"]
    assert "is not ours" not in relay.log()
