# SPDX-License-Identifier: MIT
"""One child process with its log: started, asked to end, killed, stopped and continued, by pid.

The child dies with us, however we end, so a broken test run leaves nothing behind.
"""

import ctypes
import os
import pathlib
import re
import signal
import subprocess

import wait

ROOT = pathlib.Path(__file__).resolve().parents[2]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program, a folder to work in, and a log that grows over restarts."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "log"
        self.child = None
        self.is_paused = False

    def spawn(self, arguments, env=None):
        assert not self.is_running(), f"{self.name} runs already"
        self.is_paused = False
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [str(argument) for argument in arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def exit_status(self, seconds=20):
        """Waits for the end; a signal that ended it is a negative number."""
        try:
            return self.child.wait(wait.limit(seconds))
        except subprocess.TimeoutExpired:
            raise wait.Timeout(
                f"expected {self.name} to end within {wait.limit(seconds):.0f}s"
            ) from None

    def signal(self, number):
        self.child.send_signal(number)

    def terminate(self, seconds=20):
        if not self.is_running():
            return self.child.returncode if self.child else None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.exit_status(seconds)
        except wait.Timeout:
            self.kill9()
            raise

    def kill9(self):
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.child.wait()

    def pause(self):
        """Stops the process in its tracks; its sockets stay open."""
        self.signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self):
        self.signal(signal.SIGCONT)
        self.is_paused = False

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, seconds=20, after=0):
        """Waits for a line that matches; `after` is a position from log_end()."""
        regex = re.compile(pattern, re.MULTILINE)
        return wait.until(
            f"{self.name} logs /{pattern}/",
            lambda: regex.search(self.log(), after),
            seconds=seconds,
        )

    def log_end(self):
        return len(self.log())

    def rss_bytes(self):
        """Memory of its own. Mapped files (our segments) are the page cache's and not counted."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
