# SPDX-License-Identifier: MIT
"""A disk that is slow at what a test names, and the list of what each thread has asked of it (slow_disk.c)."""

import collections
import os
import pathlib
import re
import shutil
import subprocess

SOURCE = pathlib.Path(__file__).with_name("slow_disk.c")

Call = collections.namedtuple("Call", "thread name us path")

# What a path stands for, the first that fits.
KINDS = [
    (r"/trash(/|$)", "removed file"),
    (r"\.seg", "segment"),
    (r"\.rdb", "snapshot"),
    (r"/spare", "spare segment"),
    (r"/identity", "identity"),
    (r"/segments\.\d+$", "segment log"),
    (r"/tail$", "tail"),
    (r"/clean", "clean mark"),
    (r"/(origin|refresh|versions)(\.new)?$", "note"),
    (r"\.ini", "ini"),
    (r"/(backlog|snapshot|history-\d+|data)/?\.*$", "directory"),
]


def compiler():
    """None: there is none."""
    return shutil.which(os.environ.get("CC", "cc").split()[-1])


def kind(path):
    for pattern, name in KINDS:
        if re.search(pattern, path):
            return name
    return path.rsplit("/", 1)[-1]


class SlowDisk:
    """Has its place in the environment of one process; delays nothing until it is told to."""

    def __init__(self, folder, under, behind=()):
        """`behind`: libraries that must be loaded before this one (relay.sanitizer_runtimes)."""
        self.library = folder / "slow_disk.so"
        self.log = folder / "calls"
        self.rules = folder / "rules"
        command = [compiler(), "-O1", "-shared", "-fPIC", "-o", self.library, SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        self.environment = {
            "LD_PRELOAD": ":".join([*map(str, behind), str(self.library)]),
            "SLOW_DISK_UNDER": str(under),
            "SLOW_DISK_LOG": str(self.log),
            "SLOW_DISK_RULES": str(self.rules),
        }

    def delay(self, milliseconds, *calls, part=""):
        """From now on those calls (`*`: each) take so long, for paths that `part` is in."""
        lines = "".join(f"{call} {milliseconds} {part}\n" for call in calls)
        beside = self.rules.with_suffix(".new")
        beside.write_text(lines)
        beside.rename(self.rules)

    def hold(self, *calls, part=""):
        """From now on those calls wait until `recover`: a disk that does not answer."""
        self.delay(-1, *calls, part=part)

    def held(self, after=0):
        """The calls that were made to wait since."""
        return [call for call in self.calls(after) if call.name.startswith("hold:")]

    def recover(self):
        self.rules.unlink(missing_ok=True)

    def mark(self):
        """A place in the list of calls, for `calls`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def calls(self, after=0):
        """What was asked since; what is under way is not in it yet."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(after)
            rows = [line.rstrip("\n").split("\t") for line in log if line.endswith("\n")]
        return [Call(thread, name, int(us), path) for thread, name, us, path in rows]
