# SPDX-License-Identifier: MIT
"""What stands in front of two relays: HAProxy and keepalived, with the files of docs/failover.md."""

import re

import documents
import ports
import prose
import wait
from process import ROOT, Process

HAPROXY = ROOT / "build" / "servers" / "haproxy" / "usr" / "bin" / "haproxy"
KEEPALIVED = ROOT / "build" / "servers" / "keepalived" / "usr" / "bin" / "keepalived"
RECIPE = ("docs/failover", "Two relays behind one address")


def file_of(name):
    """A file of the recipe, as the document has it."""
    for language, body in prose.blocks(documents.section(*RECIPE)):
        if language in documents.FILES and documents.name_of(body) == name:
            return body
    raise LookupError(f"{RECIPE[0]}.md has no file {name} under '{RECIPE[1]}'")


class Haproxy(Process):
    """One of the recipe's files, with the addresses of these relays in it."""

    host = "127.0.0.1"
    password = None

    def __init__(self, directory, name, near, far, replace=()):
        super().__init__("haproxy", directory)
        self.port = ports.free_port()
        text = file_of(name).replace("10.0.0.9:6379", f"{self.host}:{self.port}")
        for address, relay in (("10.0.0.5", near), ("10.0.0.6", far)):
            text = text.replace(f"{address}:6380 check port 6390", f"{relay.host}:{relay.port} check port {relay.http_port}")
            text = text.replace(f"{address}:6380", f"{relay.host}:{relay.port}")
        for old, new in replace:
            assert old in text, f"{name} has no {old}"
            text = text.replace(old, new)
        assert not re.search(r"\b10\.", text), text
        self.config = self.directory / name
        self.config.write_text(text)

    def start(self):
        self.spawn([HAPROXY, "-db", "-f", self.config])
        return self

    def stop(self):
        if self.is_running():
            self.kill9()


def wait_at(relay, replica, seconds=20):
    """The replica is online at this relay."""
    wait.until(
        f"{replica.name} is at {relay.name}",
        lambda: relay.replicas().get(replica.port, {}).get("state") == "online",
        seconds=seconds,
    )
