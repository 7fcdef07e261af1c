# SPDX-License-Identifier: MIT
"""The set-ups that are compared: an origin, something in the middle, and replicas behind it.

    direct     origin (a real server) ──────────────────────► swarm
    chained    origin (synthetic) ──► a Redis or a Valkey ──► swarm
    relay      origin (synthetic) ──► psync-relay ──────────► swarm      plain, or TLS to the swarm
    floor      origin (synthetic) ──► fanout ───────────────► swarm      or filesend: no origin at all

What is measured is the middle; with direct it is the origin.
"""

import certificates
import lab as lab_module
import ports
import servers
import tools

RELAY = {
    "relay.log-level": "info",
    "relay.threads": "2",
    "downstream.maxclients": "10100",
    "store.segment-size": "64mb",
    "store.repl-backlog-size": "256mb",
    "store.repl-backlog-max-size": "2gb",
    "store.snapshot": "on-demand",
}


class Lab(lab_module.Lab):
    """The tests' lab, with the programs of the benches."""

    def folder(self, name):
        return self._folder(name)[1]

    def tool(self, program, *arguments):
        return self._keep(tools.Tool(program, self.folder(program), *arguments).start())


class Stage:
    """One set-up. `middle` is the process that is measured."""

    rounds = None  # turns that it takes; None: as many as the bench has

    def __init__(self, lab, name, middle, port, origin=None, tls=False, reads=True):
        self.name = name
        self.middle = middle
        self.origin = origin
        self.tls = tls
        self.count = 0
        wire = tls and ("tls" if reads else "tls-unread")
        words = [port, *([wire] if wire else [])]
        self.swarm = lab.tool("swarm", *words)

    def attach(self, count, seconds=120):
        """Brings the replicas to `count`; returns when the first, the middle, the last had its RDB."""
        more, self.count = count - self.count, count
        assert more > 0
        return self.swarm.ask(f"attach {more}", "attached", seconds)

    def drop(self):
        self.count = 0
        self.swarm.ask("drop", "dropped")


def origin_of(lab, rdb=None):
    port = ports.free_port()
    tool = lab.tool("primary", port, *([rdb] if rdb else []))
    tool.port = port
    return tool


def floor(lab, name="floor", origin=None):
    source = origin or origin_of(lab)
    port = ports.free_port()
    middle = lab.tool("fanout", port, source.port)
    return Stage(lab, name, middle, port, source)


def file_floor(lab, rdb, name="floor"):
    port = ports.free_port()
    middle = lab.tool("filesend", port, rdb)
    return Stage(lab, name, middle, port)


def tls_settings(lab):
    papers = certificates.Papers(lab.folder("papers"))
    papers.authority("ca")
    papers.issue("ca", "relay")
    return papers.downstream("relay", tls_auth_clients="no")


def through_relay(
    lab, origin=None, name="relay", tls=False, rdb=None, waits=True, reads=True, **settings
):
    """`origin`: None: a synthetic one of its own. `waits`: for the link."""
    source = origin or origin_of(lab, rdb)
    more = {key.replace("__", ".").replace("_", "-"): value for key, value in settings.items()}
    if tls:
        more.update(tls_settings(lab))
    middle = lab.relay(source, {**RELAY, **more})
    if waits:
        middle.wait_link()
    port = more["downstream.tls-port"] if tls else middle.port
    return Stage(lab, name, middle, port, source, tls, reads)


def chained(lab, kind, origin=None, rdb=None, waits=True):
    source = origin or origin_of(lab, rdb)
    middle = lab.replica(source, kind, name="chained", rdbcompression="no")
    if waits:
        middle.wait_online(60)
    return Stage(lab, f"chained {kind}", middle, middle.port, source)


def direct(lab, server):
    return Stage(lab, f"direct {server.kind}", server, server.port, server)


def kinds():
    return [kind for kind in servers.KINDS if servers.is_available(kind)]
