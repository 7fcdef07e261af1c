# SPDX-License-Identifier: MIT
"""The archive: every byte of the stream and RDBs, shipped by a command."""

import itertools
import random
import re
import shutil
import subprocess

import archives
import digest
import failover
import load
import process
import pytest
import relay as relays
import restored
import servers
import wait


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


def test_moments_are_restored_from_it(lab, tmp_path, kind):
    """By time and by offset, from a directory and by commands, when relay and primary are gone."""
    folder = tmp_path / "archive"
    origin, relay = begin(lab, folder, kind)
    points = []
    for number in range(8):
        if number == 3:
            relay.restart().wait_link()
        if number == 5:
            relay.restart(kill=True).wait_link()
        points.append(restored.Checkpoint(origin, relay, has_moment=number % 2 == 0))
        load.fill(origin, rounds=2, seed=100 + number)
    wait_all(origin, relay)
    last = digest.digest(origin)
    relay.stop()
    shutil.rmtree(relay.data_dir)
    random.Random(4).shuffle(points)
    for number, point in enumerate(points):
        source = archives.commands(folder) if number % 4 == 0 else folder
        where = ("--time", point.moment) if point.moment else ("--offset", point.offset)
        assert restored.digest_of(lab, kind, source, *where) == point.digest, (where, point.offset)
    assert restored.digest_of(lab, kind, folder) == last
    restored.restore(folder, "--verify")


def test_a_lost_branch_is_on_a_timeline_of_its_own(lab, tmp_path, kind):
    """Behind a failover with a rewind: it is not restored into the new one, and can be restored by itself."""
    folder = tmp_path / "archive"
    shard = failover.Shard(lab, kind, count=0, settings=archives.settings(folder))
    failover.hush(shard.old)
    common = restored.Checkpoint(shard.old, shard.relay, has_moment=True)
    failover.wait_same_offset(shard.old, [shard.next])
    shard.link.stall()
    load.fill(shard.old, rounds=4, seed=5)
    lost = restored.Checkpoint(shard.old, shard.relay, has_moment=True)
    archives.wait_archived(shard.relay, lost.offset)
    shard.fail_over()
    failover.wait_follows(shard.relay, shard.next)
    failover.hush(shard.next)
    seeds = itertools.count(6)
    while shard.next.offset() <= lost.offset:
        load.fill(shard.next, rounds=2, seed=next(seeds))
    new = restored.Checkpoint(shard.next, shard.relay, has_moment=False)
    archives.wait_archived(shard.relay, new.offset)
    assert archives.info(shard.relay)["archive_timeline"] == 2
    for where, expected in (
        ((), new),
        (("--offset", common.offset), common),
        (("--time", lost.moment), common),
        (("--history", 1), lost),
        (("--history", 2, "--offset", common.offset), common),
    ):
        assert restored.digest_of(lab, kind, folder, *where) == expected.digest, where
    assert restored.digest_of(lab, kind, folder, "--offset", lost.offset) != lost.digest
    check_whole(folder, common.offset, new.offset, timeline=2)


def test_another_history_begins_another_timeline(lab, tmp_path, kind):
    """What came last from a primary that then lost its data is archived all the same."""
    folder = tmp_path / "archive"
    origin, relay = begin(lab, folder, kind, timeout="1h")
    load.fill(origin, rounds=3, seed=2)
    before = restored.Checkpoint(origin, relay, has_moment=False)
    other = lab.origin(kind, name="other")
    load.fill(other, rounds=3, seed=9)
    relay.follow(other)
    failover.wait_follows(relay, other)
    failover.hush(other)
    wait.until("the timeline", lambda: archives.info(relay)["archive_timeline"], lambda found: found == 2)
    relay.set("archive.timeout", "200ms")
    load.fill(other, rounds=2, seed=10)
    wait_all(other, relay)
    assert restored.digest_of(lab, kind, folder, "--history", 1) == before.digest
    assert restored.digest_of(lab, kind, folder) == digest.digest(other)


def test_rdbs_are_archived_when_they_are_due(lab, tmp_path):
    """With snapshot-every the relay fetches one; a restore begins with the newest before the moment."""
    folder = tmp_path / "archive"
    origin, relay = begin(lab, folder, snapshot_every="1s")
    early = restored.Checkpoint(origin, relay, has_moment=False)
    load.fill(origin, rounds=2, seed=2)
    wait.until("another RDB", lambda: len(list(folder.glob("*.rdb.manifest"))), lambda count: count >= 2, seconds=60)
    late = restored.Checkpoint(origin, relay, has_moment=False)
    archives.wait_archived(relay, late.offset)
    for point in (early, late):
        assert restored.digest_of(lab, servers.REDIS, folder, "--offset", point.offset) == point.digest


# --- what goes wrong ---


def refused(source, *arguments, target=None):
    said = restored.restore(source, *arguments, target=target, fails=True)
    if target:
        assert not target.exists(), f"it left {list(target.iterdir())}"
    return said


def test_a_damaged_archive_is_told(lab, tmp_path):
    """Each in one message, and nothing is left under its final name."""
    folder, target = tmp_path / "archive", tmp_path / "target"
    origin, relay = begin(lab, folder)
    for seed in range(3):
        load.fill(origin, rounds=3, seed=20 + seed)
        wait_all(origin, relay)
    relay.stop()
    segments = sorted(folder.glob("*.seg"))
    snapshot = next(folder.glob("*.rdb"))
    assert len(segments) >= 3

    def check(path, change, said, source=folder):
        before = path.read_bytes()
        change(path)
        came = refused(source, target=target)
        assert said in came, came
        path.write_bytes(before)

    def spoil(path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def cut(path):
        path.write_bytes(path.read_bytes()[:-7])

    check(segments[1], spoil, "its checksum does not match its bytes")
    check(segments[1], cut, "bytes, and its manifest says")
    check(snapshot, spoil, "its checksum does not match its bytes")
    check(snapshot, cut, "bytes, and its manifest says", archives.commands(folder))
    path = segments[1]
    kept = path.rename(tmp_path / "kept")
    assert "No such file" in refused(folder, target=target)
    assert "exit status 1" in refused(archives.commands(folder), target=target)
    kept.rename(path)

    # A manifest that is damaged, or lies, or is not there: the bytes of its file are missing.
    manifest = folder / (segments[1].name + ".manifest")
    text = manifest.read_text()
    other = (folder / (segments[2].name + ".manifest")).read_text()
    for wrong, said in (
        (text[:-9], "it is cut off"),
        (text.replace("length ", "length 1"), "its checksum does not match its content"),
        (other, "it is the manifest of another file"),
        (None, "are missing in the archive"),
    ):
        manifest.write_text(wrong) if wrong is not None else manifest.unlink()
        done = relays.run("restore", "--from", folder, "--verify")
        assert done.returncode == 1 and said in done.stderr, done.stderr
        assert "are missing in the archive" in done.stderr
        manifest.write_text(text)
    restored.restore(folder, "--verify")

    # Files of another relay are beside it, and told apart by their names.
    assert "there is no such timeline" in refused(folder, "--history", "9", "--verify")
    assert "no file of a relay" in refused(folder, "--system", "nobody", "--verify")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "is it that of a relay?" in refused(empty, "--verify")


def test_a_command_that_fails(lab, tmp_path):
    """It is told, and run again until it works; CONFIG SET may not change it, SIGHUP may."""
    folder = tmp_path / "archive"
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho one >&2\necho the tape is full >&2\nexit 3\n")
    script.chmod(0o700)
    origin, relay = begin(lab, folder, command=f"{script} %p %f")
    wait.until("it fails twice", lambda: archives.info(relay)["archive_failures"], lambda count: count >= 2)
    info = archives.info(relay)
    assert info["archive_state"] == "retrying"
    assert "exit status 3: the tape is full" in info["archive_last_error"]
    assert "the tape is full" in relay.log()
    with pytest.raises(Exception, match="can't set protected config"):
        relay.set("command", f"cp %p {folder}/%f")
    relay.settings["archive.command"] = f"cp %p '{folder}/%f'"
    relay.ini.write_text(relays.ini_text(relay.settings))
    relay.hang_up("configuration reloaded")
    wait_all(origin, relay)
    relay.wait_log("shipping works again")
    assert archives.info(relay)["archive_last_error"] == ""
    assert restored.digest_of(lab, servers.REDIS, folder) == digest.digest(origin)


def test_a_command_that_hangs_is_ended(lab, tmp_path):
    """After command-timeout, with all that it has started; and when the relay ends."""
    folder = tmp_path / "archive"
    mark = tmp_path / "hang"
    mark.touch()
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\n[ -e {mark} ] && sleep 1000\ncp "$1" "{folder}/$2"\n')
    script.chmod(0o700)
    origin, relay = begin(lab, folder, command=f"{script} %p %f", command_timeout="500ms")
    wait.until("it was ended", lambda: archives.info(relay)["archive_last_error"], lambda text: "took too long" in text)
    relay.restart().wait_link()
    mark.unlink()
    wait_all(origin, relay)
    assert restored.digest_of(lab, servers.REDIS, folder) == digest.digest(origin)


def test_a_kill_ships_the_same_again(lab, tmp_path, kind):
    """Between the command's end and the note of it: the same name comes with the same bytes, and nothing is lost."""
    folder, seen = tmp_path / "archive", tmp_path / "seen"
    seen.mkdir()
    script = tmp_path / "script"
    script.write_text(
        f'#!/bin/sh\nif [ -e "{folder}/$2" ]; then cmp "$1" "{folder}/$2" || touch "{seen}/other"; touch "{seen}/again"; fi\n'
        f'cp "$1" "{folder}/$2.part" && mv "{folder}/$2.part" "{folder}/$2"\nwhile [ ! -e {seen}/again ]; do sleep 0.1; done\n'
    )
    script.chmod(0o700)
    origin, relay = begin(lab, folder, kind, command=f"{script} %p %f")
    wait.until("the file is there, and the command hangs", lambda: list(folder.glob("*.rdb")))
    relay.restart(kill=True).wait_link()
    load.fill(origin, rounds=2, seed=3)
    wait_all(origin, relay)
    assert (seen / "again").exists() and not (seen / "other").exists()
    assert {timeline for timeline, _, _ in archives.files(folder)} == {1}
    assert restored.digest_of(lab, kind, folder) == digest.digest(origin)


def test_a_command_that_lies_is_found(lab, tmp_path):
    """It says 0 and has not written: a restore cannot know before it looks, and --verify looks."""
    folder = tmp_path / "archive"
    count = tmp_path / "count"
    script = tmp_path / "script"
    script.write_text(
        f'#!/bin/sh\necho >>{count}\n[ "$(wc -l <{count})" = 5 ] && exit 0\ncp "$1" "{folder}/$2"\n'
    )
    script.chmod(0o700)
    origin, relay = begin(lab, folder, command=f"{script} %p %f")
    for seed in range(3):
        load.fill(origin, rounds=3, seed=20 + seed)
        wait_all(origin, relay)
    said = refused(folder, "--verify")
    assert "No such file" in said or "are missing in the archive" in said, said


def test_the_environment_of_a_command(lab, tmp_path):
    """Clean, with none of our descriptors, and nothing to read."""
    folder, seen = tmp_path / "archive", tmp_path / "seen"
    script = tmp_path / "script"
    script.write_text(
        f'#!/bin/sh\n[ -e {seen} ] || {{ env; echo "input:$(cat | wc -c)"; ls -l /proc/self/fd; }} >{seen} 2>&1\n'
        f'cp "$1" "{folder}/$2"\n'
    )
    script.chmod(0o700)
    origin = lab.origin()
    relay = lab.relay(origin, archives.settings(folder, command=f"{script} %p %f"), start=False)
    relay.environment = {"SECRET": "hunter2"}
    relay.start().wait_link()
    load.fill(origin, rounds=1, seed=1)
    wait.until("a file", lambda: archives.files(folder))
    text = seen.read_text()
    assert "SECRET" not in text and "PATH=/usr/local/sbin" in text and "HOME=" in text
    assert "input:0" in text
    listed = [line.split(" ")[-3] for line in text.splitlines() if " -> " in line]
    assert set(listed) <= {"0", "1", "2", "3"}, text


# --- a full backlog ---

SMALL = {"store.repl-backlog-size": "256kb", "store.repl-backlog-max-size": "512kb"}


def begin_small(lab, folder, **more):
    """The command does not work yet."""
    origin = lab.origin()
    load.fill(origin, rounds=2, seed=1)
    door = folder.parent / "door"
    relay = lab.relay(
        origin, {**archives.settings(folder, command=f"sh -c '[ -e {door} ] && cp \"$1\" {folder}/\"$2\"' sh %p %f", **more), **SMALL}
    ).wait_link()
    failover.hush(origin)
    return origin, relay, door


def test_a_full_backlog_leaves_a_gap(lab, tmp_path):
    folder = tmp_path / "archive"
    origin, relay, door = begin_small(lab, folder)
    load.populate(origin, 3)
    failover.wait_same_offset(origin, [relay])
    door.touch()
    wait.until("the gap is told", lambda: archives.info(relay)["archive_gaps"], lambda count: count >= 1)
    load.fill(origin, rounds=1, seed=2)
    wait.until(
        "the archive goes on", lambda: archives.info(relay), lambda info: info["archive_offset"] >= origin.offset()
    )
    assert "are missing: the backlog has given them up" in relay.log()
    listed = relays.run("restore", "--from", folder, "--list")
    assert "gap: offsets" in listed.stdout, listed.stdout + listed.stderr


def test_a_full_backlog_stops_the_stream(lab, tmp_path):
    """With on-full = stop: nothing is read, nothing is lost, and it goes on when the command works."""
    folder = tmp_path / "archive"
    origin, relay, door = begin_small(lab, folder, on_full="stop")
    load.populate(origin, 3)
    end = origin.offset()
    relay.wait_log("not reading from the primary until it has")
    assert relay.offset() < end
    door.touch()
    failover.wait_same_offset(origin, [relay])
    wait_all(origin, relay)
    assert archives.info(relay)["archive_gaps"] == 0
    assert restored.digest_of(lab, servers.REDIS, folder) == digest.digest(origin)


# --- afterwards ---


def test_a_relay_begins_from_the_archive(lab, tmp_path, kind):
    """Its disk is lost: another one costs the primary no full sync."""
    folder = tmp_path / "archive"
    origin, relay = begin(lab, folder, kind)
    load.fill(origin, rounds=5, seed=2)
    wait_all(origin, relay)
    relay.stop()
    shutil.rmtree(relay.data_dir)
    load.fill(origin, rounds=1, seed=3)
    full = origin.info()["sync_full"]
    restored.restore(folder, "--format", "data-dir", target=relay.data_dir)
    assert [path.name for path in relay.data_dir.iterdir()] == ["history-1"]
    assert "there is a history in it already" in restored.restore(
        folder, "--format", "data-dir", target=relay.data_dir, fails=True
    )
    relay.start().wait_link()
    failover.wait_same_offset(origin, [relay])
    replica = lab.replica(relay, kind).wait_online()
    wait.equal("the data", lambda: digest.digest(replica), digest.digest(origin))
    assert origin.info()["sync_full"] == full
    wait_all(origin, relay)  # under names of its own
    assert restored.digest_of(lab, kind, folder) == digest.digest(origin)


def test_prune_leaves_what_a_restore_needs(lab, tmp_path):
    folder = tmp_path / "archive"
    origin, relay = begin(lab, folder, snapshot_every="1s")
    load.fill(origin, rounds=2, seed=2)
    wait.until("another RDB", lambda: len(list(folder.glob("*.rdb.manifest"))), lambda count: count >= 2, seconds=60)
    load.fill(origin, rounds=2, seed=3)
    wait_all(origin, relay)
    relay.stop()
    before = sorted(path.name for path in folder.iterdir())
    assert relays.run("archive", "prune", "--from", folder, "--keep", "7d").stdout == ""
    said = relays.run("archive", "prune", "--from", folder, "--keep", "0s").stdout.split()
    assert said and sorted(path.name for path in folder.iterdir()) == before
    done = relays.run("archive", "prune", "--from", folder, "--keep", "0s", "--remove-command", "rm %p")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(set(before) - set(said))
    assert len(list(folder.glob("*.rdb"))) == 1
    assert restored.digest_of(lab, servers.REDIS, folder) == digest.digest(origin)
    assert "timeline-1" in relays.run("archive", "list", "--from", folder).stdout
    for arguments, text in ((("prune", "--from", folder), "--keep TIME is missing"), (("eat",), "say list or prune")):
        wrong = relays.run("archive", *arguments)
        assert wrong.returncode == 1 and text in wrong.stderr


# --- recipes ---

RECIPES = ("A directory", "Compressed", "Encrypted")


def recipe(name, replaced):
    """The settings of a recipe in docs/archive.md, as they are written there, but for the paths."""
    text = (process.ROOT / "docs" / "archive.md").read_text()
    section = text.split("\n## Recipes\n")[1].split("\n## ")[0]
    paragraph = next(part for part in re.split(r"\n\n(?=[A-Z])", section) if part.strip().startswith(name))
    found = dict(re.findall(r"^    ([a-z-]+) = (.*)$", paragraph, re.M))
    for before, after in replaced.items():
        found = {key: value.replace(before, str(after)) for key, value in found.items()}
    return found


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(lab, tmp_path, name, request):
    folder, secret, keys = tmp_path / "archive", tmp_path / "pass", tmp_path / "keys"
    if shutil.which({"Compressed": "zstd", "Encrypted": "gpg"}.get(name, "cp")) is None:
        pytest.skip("its program is not installed")
    secret.write_text("a long phrase\n")
    keys.mkdir(mode=0o700)
    if name == "Encrypted":  # gpg leaves an agent behind
        end = ["gpgconf", "--homedir", keys, "--kill", "all"]
        request.addfinalizer(lambda: subprocess.run(end, check=False))
    paths = {"/etc/psync-relay/archive.pass": secret, "/etc/psync-relay/gnupg": keys, "/archive": folder}
    settings = recipe(name, paths)
    own = {key.replace("-", "_"): value for key, value in settings.items()}
    origin, relay = begin(lab, folder, **own)
    load.fill(origin, rounds=2, seed=7)
    wait_all(origin, relay)
    assert archives.info(relay)["archive_failures"] == 0, relay.log()
    source = ("-c", relay.ini) if "restore-command" in settings else folder
    assert restored.digest_of(lab, servers.REDIS, source) == digest.digest(origin)
    assert not list(folder.glob("*.part"))
    if "remove-command" in settings and name != "Encrypted":  # of which each run takes a second
        done = relays.run("archive", "prune", "-c", relay.ini, "--keep", "0s")
        assert done.returncode == 0, done.stderr
        assert restored.digest_of(lab, servers.REDIS, source) == digest.digest(origin)
