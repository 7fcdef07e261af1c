# SPDX-License-Identifier: MIT
"""A program that stands between a relay and another server, and listens for who goes through it."""

import socket

import ports
import wait
from process import Process


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Middlebox(Process):
    host = "127.0.0.1"

    def __init__(self, name, directory):
        super().__init__(name, directory)
        self.port = ports.free_port()

    def arguments(self):
        raise NotImplementedError

    def start(self):
        self.spawn(self.arguments())
        wait.until(f"{self.name} listens", lambda: is_listening(self.port))
        return self

    def stop(self):
        if self.is_running():
            self.terminate()
