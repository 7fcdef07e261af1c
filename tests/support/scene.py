# SPDX-License-Identifier: MIT
"""What an attack must not disturb: a good replica that streams, and somebody who asks PING."""

import threading
import time

import digest
import load
import resp
import wait

PING_SECONDS_MAX = 5  # the patience of a client, on a machine that is busy with the attack and more


class Pinger:
    """Asks PING on one connection, over and over, and keeps the longest time that it took."""

    def __init__(self, port):
        self.connection = resp.Connection(port)
        self.worst = 0.0
        self.count = 0
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.wait(0.02):
                start = time.monotonic()
                assert self.connection.command("PING") == "PONG"
                self.worst = max(self.worst, time.monotonic() - start)
                self.count += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def wait_some(self, count=5):
        wanted = self.count + count
        wait.until("PINGs are answered", lambda: self.count >= wanted or self.failure)

    def stop(self):
        self.stopping.set()
        self.thread.join(wait.limit(30))
        self.connection.close()

    def check(self):
        assert self.failure is None, f"PING failed: {self.failure!r}"
        assert self.worst < wait.limit(PING_SECONDS_MAX), f"a PING took {self.worst:.2f} s"


class Scene:
    """Origin, writer, relay, good replica, and somebody who asks PING.

    `attach` makes the replica of a relay; None: a plain one."""

    def __init__(self, lab, settings=None, attach=None):
        self.origin = lab.origin()
        load.fill(self.origin, rounds=5)
        self.relay = lab.relay(self.origin, {"downstream.repl-timeout": wait.setting(5), **(settings or {})})
        self.relay.wait_link()
        self.replica = (attach or lab.replica)(self.relay).wait_online()
        self.writer = lab.writer(self.origin)
        self.pinger = Pinger(self.relay.port)

    @property
    def port(self):
        return self.relay.port

    def connect(self, count=1, **options):
        return [resp.Connection(self.port, **options) for _ in range(count)]

    def keeps_up(self):
        """What the primary has now, the replica has soon."""
        self.pinger.wait_some()
        end = self.origin.offset()
        wait.until("the replica keeps up", lambda: self.replica.offset(), lambda at: at >= end)
        self.pinger.check()

    def finish(self):
        self.keeps_up()
        self.writer.stop()
        self.pinger.stop()
        self.pinger.check()
        wait.equal(
            "only the good replica is left",
            lambda: list(self.relay.replicas()),
            [self.replica.config.get("tls-port", self.replica.port)],
        )
        digest.compare(self.origin, [self.replica])
        assert self.replica.full_syncs() == 1
        assert self.replica.partial_syncs() == 0
        assert "Connection with master lost" not in self.replica.log()
        assert self.origin.info()["sync_full"] == 1
