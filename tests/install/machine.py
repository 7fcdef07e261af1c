# SPDX-License-Identifier: MIT
"""A small Debian with systemd, booted in namespaces: for what only a service manager can tell."""

import os
import pathlib
import re
import subprocess

import wait
from process import Process

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = ROOT / "build" / "machine"
BOOT = ROOT / "tests" / "install" / "boot.sh"


def why_not():
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if not IMAGE.is_dir():
        return "there is no machine to boot (tests/support/setup.sh test)"
    return None


class Machine(Process):
    """Boots at once. Its network is ours, so that it reaches our servers and we reach it."""

    def __init__(self, directory):
        super().__init__("machine", directory)
        self.place = self.directory / "place"
        self.spawn([BOOT, "--boot", IMAGE, self.place])
        self.first = None

    def wait_booted(self):
        """None, or why this system lets it not boot."""
        try:
            wait.until("the first process, or an end", lambda: self._find_first() or not self.is_running())
            if not self.is_running():
                return f"it does not boot here: {self.log()[-500:]}"
            wait.until(
                "systemd runs",
                lambda: self.say("systemctl is-system-running", status=None),
                lambda told: told in ("running", "degraded"),
                seconds=60,
            )
        except wait.Timeout as error:
            return f"it does not boot here: {error} {self.log()[-500:]}"
        return None

    def _find_first(self):
        """unshare's only child, once it is systemd."""
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = path.read_text()
            except OSError:  # it has ended meanwhile
                continue
            match = re.match(r"(\d+) \((.*)\) \S (\d+)", text)
            if match and int(match.group(3)) == self.pid and match.group(2) == "systemd":
                self.first = int(match.group(1))
        return self.first

    def say(self, command, status=0):
        """What a shell command inside says, on both outputs."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.first), "-m", "-p", "-C", "-u", "-i", "/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
            timeout=wait.limit(120),
        )
        assert status is None or done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def path(self, inside):
        """A file of the machine, as we see it from outside."""
        return pathlib.Path(f"/proc/{self.first}/root{inside}")

    def show(self, unit, name):
        return self.say(f"systemctl show --property={name} --value {unit}")

    def end(self):
        """At once: what it holds is thrown away."""
        self.kill9()
        forget = [BOOT, "--forget", self.place]
        wait.until(
            "all its processes are gone",
            lambda: subprocess.run(forget, capture_output=True, timeout=60).returncode == 0,
            every=0.2,
        )
