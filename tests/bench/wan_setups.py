# SPDX-License-Identifier: MIT
"""How far replicas may be fed (bench_wan.py). `══` is the link between the regions.

    direct       origin ══► each replica
    chained      origin ══► a Redis replica ──► replicas
    plain, ...   origin ──► relay ══► relay ──► replicas
"""

import json
import pathlib
import subprocess
import sys

import redis

import certificates
import regions
import relay as relay_module
import tools
import wait

RELAY = {
    "relay.log-level": "info",
    "downstream.protected-mode": "no",
    "store.segment-size": "64mb",
    # A backlog that is full has the far relay fetch a newer snapshot over the link: not in the midst of this.
    "store.repl-backlog-size": "8gb",
    "store.repl-backlog-max-size": "16gb",
}

LOCAL = "127.0.0.1"
LONG_LINK = tools.FOLDER / "long_link"
FAR_REPLICAS = pathlib.Path(__file__).with_name("far_replicas.py")


class FarReplicas:
    """far_replicas.py, in the far network."""

    def __init__(self, far, place):
        program = [sys.executable, "-B", FAR_REPLICAS, *place]
        self.child = subprocess.Popen([*far, *map(str, program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, words="counters"):
        self.child.stdin.write(words + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


class FarRelay(relay_module.Relay):
    """It is looked at over the wire that is not counted."""

    host = regions.FAR_WATCH

    def client(self, **options):
        return redis.Redis(host=self.host, port=self.port, socket_timeout=wait.limit(20), **options)


class SetUp:
    """`count` replicas in the far region, and what they are fed by."""

    copies = 1  # of each byte that the origin writes, over the link

    def __init__(self, name, world):
        self.name, self.world = name, world
        self.replicas = None
        self.things = []
        self.begin()

    def begin(self):
        """What runs in the near region before anything is in the far one."""

    def keep(self, thing):
        self.things.append(thing)
        return self.world.lab.keep(thing)

    def start_far(self, count):
        """Returns when the replicas have been told to come."""
        place = self.start_middle()
        self.replicas = self.keep(FarReplicas(self.world.regions.far, place))
        self.replicas.ask(f"attach {count}")

    def start_middle(self):
        """What the replicas are attached to: (host, port)."""
        raise NotImplementedError

    def stop_far(self):
        raise NotImplementedError

    def end(self):
        for thing in reversed(self.things):
            thing.stop()
            self.world.lab.things.remove(thing)
        self.things = []

    def end_some(self, *some):
        for thing in some:
            thing.stop()
            self.things.remove(thing)
            self.world.lab.things.remove(thing)

    def start_another_over_link(self, wanted):
        """One more that is fed over the link, where this set-up can hold it back; else None."""
        return None

    def received(self):
        """Bytes of RDBs and stream that have come over the link since the far side was started, decompressed."""
        raise NotImplementedError

    def needed(self):
        """Bytes that have to come over the link once for what the far side has, after a start of it while nothing was
        written: nothing but the RDB, where the origin makes one for each start."""
        return self.world.rdb_bytes * self.copies

    def full_syncs(self):
        """Begun from the first byte of an RDB, over the link, since the far side was started."""
        raise NotImplementedError


class Direct(SetUp):
    def start_middle(self):
        return regions.NEAR, self.world.origin.port

    def stop_far(self):
        self.end_some(self.replicas)

    def start_far(self, count):
        self.copies = count
        super().start_far(count)

    def received(self):
        counters = self.replicas.ask()
        return counters["rdb_bytes"] + counters["stream_bytes"]

    def full_syncs(self):
        return self.replicas.ask()["full_syncs"]


class Chained(SetUp):
    def start_middle(self):
        origin = self.world.origin
        self.middle = self.world.far_server(f"{regions.NEAR} {origin.port}")
        self.things.append(self.middle)
        return LOCAL, self.middle.port

    def stop_far(self):
        self.end_some(self.replicas, self.middle)

    def received(self):
        return self.middle.info("stats")["total_net_repl_input_bytes"]

    def full_syncs(self):
        return self.middle.full_syncs()


class Relays(SetUp):
    near_settings, far_settings = {}, {}
    is_compressed = False

    def begin(self):
        settings = {**RELAY, "downstream.bind": f"{LOCAL} {regions.NEAR}", **self.near_settings}
        self.near = self.world.lab.relay(self.world.origin, settings, name="near")
        self.things.append(self.near)
        self.near.wait_link(seconds=120)

    def relay_in_far_region(self, name):
        settings = {**RELAY, "downstream.bind": f"{LOCAL} {regions.FAR_WATCH}", **self.far_settings}
        far = FarRelay(self.world.lab.folder(name), regions.Place(regions.NEAR, self.port_above()), name, settings)
        far.under = self.world.regions.far
        return self.keep(far).start()

    def port_above(self):
        return self.near.port

    def start_middle(self):
        self.full_syncs_before = 0
        self.full_syncs_before = self.full_syncs()
        self.middle = self.relay_in_far_region("far")
        return LOCAL, self.middle.port

    def start_another_over_link(self, wanted):
        """Full syncs may take half of what the stream leaves of the link."""
        left = wanted.mbit * 1e6 / 8 - wanted.write_mb * 1e6
        self.near.set("repl-full-sync-rate", max(int(left / 2), 500_000))
        return self.relay_in_far_region("another")

    def stop_far(self):
        self.near.set("repl-full-sync-rate", 0)
        self.end_some(self.replicas, self.middle)

    def received(self):
        info = self.middle.info("relay")
        return info["upstream_uncompressed_bytes" if self.is_compressed else "upstream_received_bytes"]

    def needed(self):
        info = self.middle.info()
        return info["snapshot_bytes"] + info["master_repl_offset"] - info["snapshot_offset"]

    def full_syncs(self):
        stats = self.near.info("stats")
        return stats["sync_full"] - stats["sync_full_resumed"] - self.full_syncs_before


class RelaysWithTls(Relays):
    def begin(self):
        papers = certificates.Papers(self.world.lab.folder("papers"))
        papers.authority("ca")
        papers.issue("ca", "relay", f"IP:{regions.NEAR}")
        self.near_settings = papers.downstream("relay")
        self.far_settings = papers.upstream("relay")
        super().begin()

    def port_above(self):
        return self.near_settings["downstream.tls-port"]


class RelaysThatCompress(Relays):
    near_settings = {"downstream.repl-compression": "zstd"}
    far_settings = {"upstream.repl-compression": "zstd"}
    is_compressed = True


SET_UPS = {
    "direct": Direct,
    "chained": Chained,
    "plain": Relays,
    "tls": RelaysWithTls,
    "zstd": RelaysThatCompress,
}
