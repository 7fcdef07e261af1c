# SPDX-License-Identifier: MIT
"""What a service manager hears of a relay's life (sd_notify's protocol), on a socket of the test's own."""

import os
import re
import signal
import socket

import pytest
import wait


class Manager:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.heard = []

    def listen(self):
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.heard

    def wait_for(self, pattern, after=0):
        """The position behind the first message that matches."""
        found = wait.until(
            f"the manager hears /{pattern}/",
            lambda: [i for i, told in enumerate(self.listen()) if i >= after and re.search(pattern, told)],
        )
        return found[0] + 1


@pytest.fixture
def manager(tmp_path, monkeypatch):
    path = tmp_path / "notify"
    opened = Manager(path)
    monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", str(path))
    monkeypatch.setitem(os.environ, "WATCHDOG_USEC", "60000000")
    monkeypatch.delitem(os.environ, "WATCHDOG_PID", raising=False)
    yield opened
    opened.socket.close()


def test_a_life_is_told(lab, manager):
    origin = lab.origin()
    relay = lab.relay(origin)
    ready = manager.wait_for(r"^READY=1$")
    streaming = f"^STATUS=primary 127.0.0.1:{origin.port} streaming, replicas="
    manager.wait_for(streaming + "0$", ready)
    lab.replica(relay).wait_online()
    manager.wait_for(streaming + "1$", ready)
    manager.wait_for("^WATCHDOG=1$", manager.wait_for("^WATCHDOG=1$", ready))

    relay.signal(signal.SIGHUP)
    reloading = manager.wait_for(r"^RELOADING=1\nMONOTONIC_USEC=\d+$", ready)
    manager.wait_for("^READY=1$", reloading)

    origin.kill9()
    manager.wait_for(f"^STATUS=primary 127.0.0.1:{origin.port} .*, replicas=1, cause=", reloading)
    relay.signal(signal.SIGTERM)
    manager.wait_for("^STOPPING=1$", reloading)
    assert relay.exit_status() == 0
    assert [told for told in manager.listen() if told.startswith("STOPPING")] == ["STOPPING=1\n"]


def test_who_cannot_start_is_not_ready(lab, manager, tmp_path):
    origin = lab.origin()
    first = lab.relay(origin)
    ready = manager.wait_for("^READY=1$")
    second = lab.relay(origin, name="second", settings={"relay.data-dir": first.data_dir}, start=False)
    second.start(ready=False)
    assert second.exit_status() == 1
    assert not [told for told in manager.listen()[ready:] if told.startswith("READY")]
