# SPDX-License-Identifier: MIT
"""One test's servers, relays, proxies and writers: made here, ended here, their logs shown here."""

import fake_primary
import load
import mitm
import relay
import sentinels
import servers


class Lab:
    """Everything a test starts; close() ends it, last first."""

    def __init__(self, directory):
        self.directory = directory
        self.things = []
        self.names = {}

    def _folder(self, name):
        number = self.names[name] = self.names.get(name, 0) + 1
        name = name if number == 1 else f"{name}-{number}"
        return name, self.directory / name

    def _keep(self, thing):
        self.things.append(thing)
        return thing

    def origin(self, kind=servers.REDIS, start=True, name="origin", **config):
        name, folder = self._folder(name)
        server = self._keep(servers.Server(kind, folder, name, **config))
        return server.start() if start else server

    def replica(self, primary, kind=servers.REDIS, start=True, name="replica", **config):
        """A real server that replicates from `primary` (a relay, a proxy, a primary)."""
        config.setdefault("replicaof", f"{primary.host} {primary.port}")
        return self.origin(kind, start, name, **config)

    def relay(self, origin=None, settings=None, start=True, name="relay", http=False):
        name, folder = self._folder(name)
        thing = self._keep(relay.Relay(folder, origin, name, settings, http))
        return thing.start() if start else thing

    def mitm(self, target, plan=(), **where):
        return self._keep(mitm.Mitm(target, plan, **where))

    def fake_primary(self, script):
        return self._keep(fake_primary.FakePrimary(script))

    def sentinel(self, kind, primary, name="sentinel", **config):
        name, folder = self._folder(name)
        return self._keep(sentinels.Sentinel(kind, folder, name, primary, **config)).start()

    def fake_sentinel(self, answers):
        return self._keep(sentinels.FakeSentinel(answers))

    def writer(self, origin, **options):
        return self._keep(load.Writer(origin, **options)).start()

    def keep(self, thing):
        """Has stop() called at the end."""
        return self._keep(thing)

    def closing(self, thing):
        """Has close() called at the end."""
        thing.stop = thing.close
        return self._keep(thing)

    def logs(self, lines=40):
        """The tail of every log, for a test that failed."""
        return [
            (thing.name, "\n".join(thing.log().splitlines()[-lines:]))
            for thing in self.things
            if hasattr(thing, "log_path")
        ]

    def close(self):
        failures = []
        for thing in reversed(self.things):
            try:
                thing.stop()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
                if hasattr(thing, "kill9"):
                    thing.kill9()
        if failures:
            raise failures[0]
