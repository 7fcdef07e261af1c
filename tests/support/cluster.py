# SPDX-License-Identifier: MIT
"""A real Redis Cluster on loopback: shards of one primary and one replica each."""

import random

import ports
import wait

SLOTS = 16384


class Shard:
    """A range of the slots, and who keeps it."""

    def __init__(self, primary, replica, first, last):
        self.primary = primary
        self.replica = replica
        self.first = first
        self.last = last
        self.tags = []  # hash tags whose keys belong here

    def fill(self, server=None, rounds=10, seed=1):
        """Data of several types under keys of this shard, in a single db as a cluster has it."""
        draw = random.Random(seed)
        client = (server or self.primary).client()
        for _ in range(rounds):
            pipe = client.pipeline(transaction=False)
            for tag in self.tags:
                pipe.set(f"{{{tag}}}string:{draw.randrange(50)}", draw.randbytes(200))
                pipe.rpush(f"{{{tag}}}list", *[draw.randbytes(20) for _ in range(5)])
                pipe.hset(f"{{{tag}}}hash", f"f{draw.randrange(100)}", draw.randbytes(30))
                pipe.sadd(f"{{{tag}}}set", draw.randrange(1000))
                pipe.incr(f"{{{tag}}}number")
            pipe.execute()


class Cluster:
    """`count` shards, made with commands as `redis-cli --cluster create` gives them, but quicker."""

    def __init__(self, lab, kind, count=3):
        self.servers = [
            lab.origin(
                kind,
                name=f"node-{number}",
                cluster_enabled="yes",
                cluster_node_timeout=int(wait.limit(1500)),
                cluster_port=ports.free_port(),
            )
            for number in range(2 * count)
        ]
        edges = [SLOTS * number // count for number in range(count + 1)]
        self.shards = [
            Shard(
                self.servers[number],
                self.servers[count + number],
                edges[number],
                edges[number + 1] - 1,
            )
            for number in range(count)
        ]
        self._meet()
        for shard in self.shards:
            command(shard.primary, "ADDSLOTSRANGE", shard.first, shard.last)
        self._replicate()
        self._draw_tags()

    def _meet(self):
        """Everybody meets everybody, so that nobody has to wait for gossip."""
        for epoch, server in enumerate(self.servers, 1):
            command(server, "SET-CONFIG-EPOCH", epoch)
            for other in self.servers[: epoch - 1]:
                port = other.config["cluster-port"]
                command(server, "MEET", other.host, other.port, port)
        for server in self.servers:
            wait.equal(
                f"{server.name} knows all",
                lambda server=server: info(server)["cluster_known_nodes"],
                str(len(self.servers)),
            )

    def _replicate(self):
        for shard in self.shards:
            name = command(shard.primary, "MYID")
            wait.until(
                "the replica knows its primary",
                lambda shard=shard, name=name: command(shard.replica, "REPLICATE", name),
            )
            shard.replica.wait_online()
        for server in self.servers:
            wait.equal(
                f"{server.name} sees the cluster",
                lambda server=server: info(server)["cluster_state"],
                "ok",
            )

    def _draw_tags(self):
        number = 0
        while any(len(shard.tags) < 3 for shard in self.shards):
            number += 1
            slot = command(self.servers[0], "KEYSLOT", f"{{{number}}}")
            shard = next(s for s in self.shards if s.first <= slot <= s.last)
            if len(shard.tags) < 3:
                shard.tags.append(str(number))

    def wait_failover_possible(self, shard):
        """A replica may only be elected when the other primaries know whose replica it is."""
        for server in self.servers:
            wait.equal(
                f"{server.name} knows the shard's replica",
                lambda server=server: role_seen(server, shard.replica),
                "slave",
            )


def command(server, *words):
    reply = server.client().execute_command("CLUSTER", *words)
    return reply.decode() if isinstance(reply, bytes) else reply


def info(server):
    text = server.client().execute_command("CLUSTER INFO")
    return (
        text
        if isinstance(text, dict)
        else dict(line.split(":", 1) for line in text.decode().split("\r\n") if ":" in line)
    )


def role_seen(server, of):
    """What `server` thinks that `of` is."""
    nodes = server.client().execute_command("CLUSTER NODES")
    if isinstance(nodes, bytes):
        rows = [line.split() for line in nodes.decode().splitlines()]
        flags = {row[1].split("@")[0]: row[2] for row in rows}
    else:
        flags = {address: row["flags"] for address, row in nodes.items()}
    seen = flags[f"{of.host}:{of.port}"]
    return next(role for role in ("slave", "master") if role in seen.split(","))
