# SPDX-License-Identifier: MIT
"""Archives: directories that an archive command fills."""

import re

import wait

NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}-(\d{8})-(\d{20})\.(seg|rdb)(\.manifest)?$")


def settings(folder, **more):
    """Of a relay that archives into the directory by cp, soon."""
    folder.mkdir(exist_ok=True)
    own = {key.replace("_", "-"): value for key, value in more.items()}
    return {
        "store.segment-size": "64kb",
        "store.repl-backlog-size": "64mb",
        "store.snapshot": "on-demand",
        "store.fsync": "no",  # only what is durable is shipped, and the disk of a test machine may be busy for minutes
        **{f"archive.{key}": value for key, value in {"command": f"cp %p {folder}/%f", "timeout": "200ms", **own}.items()},
    }


def files(folder):
    """[(timeline, offset, kind)] of the files with a manifest, in order; nothing else is there."""
    names = sorted(path.name for path in folder.iterdir())
    found = []
    for name in names:
        match = NAME.search(name)
        assert match, f"{name} is no name of an archive"
        if match[4]:
            assert name.removesuffix(".manifest") in names, f"{name} has no file"
            found.append((int(match[1]), int(match[2]), match[3]))
    return found


def segments(folder, timeline=None):
    """[(first, end)] of the pieces of a timeline, or of all."""
    return sorted(
        (int(match[2]), int(match[2]) + path.stat().st_size)
        for path in folder.iterdir()
        if (match := NAME.search(path.name)) and match[3] == "seg" and not match[4]
        and timeline in (None, int(match[1]))
    )


def info(relay):
    return relay.info("archive")


def wait_archived(relay, offset, seconds=30):
    """All bytes before the offset are in the archive, but for PINGs."""
    wait.until(
        f"{relay.name} has archived up to offset {offset}",
        lambda: info(relay),
        lambda found: found["archive_offset"] >= offset and found["archive_snapshot_time"] > 0,
        seconds=seconds,
    )


def commands(folder):
    """As options: the archive is what two commands say."""
    return ("--from", f"cp {folder}/%f %p", "--list-command", f"ls {folder}")
