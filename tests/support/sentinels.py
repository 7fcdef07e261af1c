# SPDX-License-Identifier: MIT
"""Real Sentinels, and one that says what it is told to."""

import pathlib
import re
import tempfile
import time

import load
import resp
import servers
import wait
from fake_primary import FakePrimary

GROUP = "mymaster"
QUORUM = 2

_EVENT = re.compile(
    r"^\d+:X (?P<time>\d+ \w+ \d+ \d+:\d+:\d+)\.(?P<ms>\d+) \S (?P<name>[+-]\S+) ?(?P<text>.*)$",
    re.MULTILINE,
)


class Sentinel(servers.Server):
    """Watches one primary. It rewrites its own file, so it is started once. Where its failover fails it
    tries again after twice `failover_seconds`; who is silent for `down_seconds` is down."""

    def __init__(
        self, kind, directory, name, primary, group=GROUP, quorum=QUORUM, failover_seconds=10,
        down_seconds=1.2, **config
    ):  # fmt: skip
        super().__init__(kind, directory, name)
        self.config = {key.replace("_", "-"): value for key, value in config.items()}
        self.password = self.config.get("requirepass")
        self.group = group
        self.lines = [
            f"sentinel monitor {group} {primary.host} {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {group} {int(wait.limit(1000 * down_seconds))}",
            f"sentinel failover-timeout {group} {int(wait.limit(1000 * failover_seconds))}",
        ]
        if primary.password:
            self.lines.append(f"sentinel auth-pass {group} {primary.password}")

    def start(self, ready=True):
        # It fsyncs its file between two looks at the group. A disk that takes two seconds for that makes it
        # distrust its clock and stand still for 30 s (TILT), so the file is in memory.
        self.memory = tempfile.TemporaryDirectory(prefix="psync-relay-sentinel-", dir="/dev/shm")
        lines = [f"port {self.port}", f"dir {self.memory.name}", "bind 127.0.0.1"]
        lines += ["protected-mode no", *self.lines]
        lines += [f"{key} {value}" for key, value in self.config.items()]
        path = pathlib.Path(self.memory.name) / "sentinel.conf"
        path.write_text("\n".join(lines) + "\n")
        self.spawn([servers.program(self.kind, "sentinel"), path])
        if ready:
            self.wait_ready()
        return self

    def ask(self, *words):
        """SENTINEL ...: rows of names and values come as dicts."""
        with resp.Connection(self.port) as connection:
            if self.password:
                connection.command("AUTH", self.password)
            reply = connection.command("SENTINEL", *words)
        if isinstance(reply, resp.Error):
            return reply
        return _rows(reply)

    def is_listened_to(self):
        """Has somebody subscribed here? Sentinels do so at servers only."""
        with resp.Connection(self.port) as connection:
            return bool(connection.command("CLIENT", "LIST", "TYPE", "pubsub"))

    def replicas(self):
        """What it knows of each, by port."""
        return {int(row["port"]): row for row in self.ask("REPLICAS", self.group)}

    def wait_met(self, port):
        """Waits until it has found this replica among the primary's."""
        wait.until(
            f"{self.name} has found the replica on port {port}",
            lambda: self.events("+slave", f":{port} "),
            seconds=30,
        )

    def events(self, name, about=""):
        """When (time.time()) it logged such an event, with the text."""
        return [
            (
                time.mktime(time.strptime(match["time"], "%d %b %Y %H:%M:%S"))
                + int(match["ms"]) / 1000,
                match["text"],
            )
            for match in _EVENT.finditer(self.log())
            if match["name"] == name and about in match["text"]
        ]


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def _rows(reply):
    if not isinstance(reply, list):
        return _text(reply)
    if reply and all(isinstance(row, list) for row in reply):
        return [
            {_text(name): _text(value) for name, value in zip(row[0::2], row[1::2])}
            for row in reply
        ]
    return [_text(value) for value in reply]


class Watched:
    """What the Sentinels watch: a primary, two replicas of it, the relay, three replicas behind it."""

    def __init__(
        self, lab, kind, count=3, relay_settings=None, relay_origin=True, failover_seconds=5, down_seconds=1.2
    ):
        self.primary = lab.origin(kind, name="primary")
        load.fill(self.primary, rounds=20)
        self.direct = [
            lab.replica(self.primary, kind, name=f"direct-{n}").wait_online() for n in range(2)
        ]
        self.relay = lab.relay(
            self.primary if relay_origin else None, dict(relay_settings or {}), start=False
        )
        if relay_origin:
            self._start_relay(lab, kind)
        # A Sentinel sees at once who is there when it starts, and looks again only ten seconds later.
        # Where each votes for itself (a busy disk holds up their ballots) none wins: the next time they do
        # not all begin at once.
        self.sentinels = [
            lab.sentinel(
                kind, self.primary, name=f"sentinel-{n}", failover_seconds=failover_seconds + 2 * n,
                down_seconds=down_seconds,
            )  # fmt: skip
            for n in range(count)
        ]
        if not relay_origin:
            self.relay.settings["upstream.sentinel"] = sentinel_setting(*self.sentinels)
            self._start_relay(lab, kind)

    def _start_relay(self, lab, kind):
        self.relay.start().wait_link()
        own = {"masterauth": self.relay.password} if self.relay.password else {}
        self.behind = [
            lab.replica(self.relay, kind, name=f"behind-{n}", **own).wait_online() for n in range(3)
        ]

    def wait_known(self, ports):
        """Every Sentinel knows the others and these replicas, no more. It asks every ten seconds. The relay is
        not listed, unless it is to be announced; that a Sentinel knows it is in its log."""
        others = len(self.sentinels) - 1
        if self.relay.port in ports and not self.is_announced():
            ports = [port for port in ports if port != self.relay.port]
            for sentinel in self.sentinels:
                sentinel.wait_met(self.relay.port)
        for sentinel in self.sentinels:
            wait.equal(
                f"the replicas that {sentinel.name} knows",
                lambda sentinel=sentinel: sorted(sentinel.replicas()),
                sorted(ports),
                seconds=30,
            )
            wait.until(
                f"{sentinel.name} knows the others",
                lambda sentinel=sentinel: len(sentinel.ask("SENTINELS", sentinel.group)),
                lambda count: count == others,
            )

    def is_announced(self):
        return self.relay.settings.get("upstream.replica-announced") == "yes"

    def direct_ports(self):
        return [server.port for server in self.direct]

    def promoted(self):
        """The direct replica that has become the primary; None before."""
        roles = {server: server.info("replication")["role"] for server in self.direct}
        return next((server for server, role in roles.items() if role == "master"), None)


def sentinel_setting(*sentinels, group=GROUP):
    """What `sentinel` in the relay's ini is given."""
    return " ".join([group, *(f"{thing.host}:{thing.port}" for thing in sentinels)])


class FakeSentinel(FakePrimary):
    """Answers as the test says: `answers` maps "GET-MASTER-ADDR-BY-NAME" or "SUBSCRIBE" to bytes or to
    a function that returns them; everything else is +OK. publish() is heard by all that subscribed.
    """

    name = "fake-sentinel"

    def __init__(self, answers):
        super().__init__(self._serve_peer)
        self.answers = answers
        self.subscribers = []

    def _serve_peer(self, peer):
        try:
            self._converse(peer)
        finally:
            self._forget(peer)

    def _forget(self, peer):
        self.subscribers = [other for other in self.subscribers if other is not peer]

    def _converse(self, peer):
        while True:
            words = peer.command()
            if not words:
                continue
            name = words[1 if words[0].upper() == "SENTINEL" else 0].upper()
            answer = self.answers.get(name, self._usual)
            if callable(answer):
                answer = answer(peer, name, words[1:])
            if answer:
                peer.send(answer)

    def _usual(self, peer, name, words):
        """As a real one answers, also that who has subscribed hears another PONG."""
        if name in ("SUBSCRIBE", "UNSUBSCRIBE"):
            self._forget(peer)
            if name == "SUBSCRIBE":
                self.subscribers.append(peer)
            counts = range(1, 9) if name == "SUBSCRIBE" else range(len(words) - 1, -1, -1)
            return b"".join(push(name.lower(), word, count) for word, count in zip(words, counts))
        if name == "PING":
            return push("pong", "") if peer in self.subscribers else b"+PONG\r\n"
        return b"+OK\r\n"

    def publish(self, channel, text):
        for peer in self.subscribers:
            try:
                peer.send(push("message", channel, text))
            except OSError:
                pass  # it has just gone


def push(*words):
    """An array of bulks and, where a number is given, integers."""
    parts = [
        b":%d\r\n" % word
        if isinstance(word, int)
        else b"$%d\r\n%s\r\n" % (len(word), word.encode())
        for word in words
    ]
    return b"*%d\r\n" % len(words) + b"".join(parts)


def address_of(thing):
    """The reply to GET-MASTER-ADDR-BY-NAME that names it."""
    return push(thing.host, str(thing.port))
