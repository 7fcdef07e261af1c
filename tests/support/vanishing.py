# SPDX-License-Identifier: MIT
"""An origin, a relay and a replica on a host each, of which one vanishes while the stream flows.

Run by tests/e2e/test_vanished.py in a network, processes and mounts of its own, which is the relay's host:

    python3 vanishing.py FOLDER origin|replica

    origin 10.0.1.2 ──── 10.0.1.1 relay 10.0.2.1 ──── 10.0.2.2 replica

A host vanishes when its end of the wire goes down: nothing is refused and nothing answered, and the other
end's own neighbours are as they were. Ends with 0 when the relay has told it from a silent peer, and all
went on where it was when the host was there again.
"""

import pathlib
import subprocess
import sys

import digest
import lab
import servers
import wait

REPL_TIMEOUT = 30  # a third of it is what the relay waits for an answer of TCP

ADDRESSES = {"origin": ("10.0.1.1", "10.0.1.2"), "replica": ("10.0.2.1", "10.0.2.2")}


class Host:
    """A network with one wire to ours."""

    def __init__(self, name):
        self.here, self.there = ADDRESSES[name]
        self.wire = f"to-{name}"
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.holder.stdout.readline()
        self.prefix = ["nsenter", "-t", self.holder.pid, "-n"]
        self._join(number=self.here.split(".")[2])

    def _join(self, number):
        """Each end knows the other's hardware address for good, so that nobody asks for it in vain and learns
        at once that there is no way."""
        near, far = f"02:00:00:00:0{number}:01", f"02:00:00:00:0{number}:02"
        run("ip", "link", "add", self.wire, "address", near, "type", "veth",
            "peer", "name", "eth0", "address", far, "netns", self.holder.pid)  # fmt: skip
        run("ip", "address", "add", f"{self.here}/24", "dev", self.wire)
        run("ip", "link", "set", self.wire, "up")
        run("ip", "neighbor", "add", self.there, "lladdr", far, "dev", self.wire)
        run(*self.prefix, "ip", "address", "add", f"{self.there}/24", "dev", "eth0")
        run(*self.prefix, "ip", "link", "set", "lo", "up")
        self.come_back()
        run(*self.prefix, "ip", "neighbor", "add", self.here, "lladdr", near, "dev", "eth0")

    def vanish(self):
        run(*self.prefix, "ip", "link", "set", "eth0", "down")

    def come_back(self):
        run(*self.prefix, "ip", "link", "set", "eth0", "up")

    def place(self, server):
        """Starts a server on this host, by its address."""
        spawn = server.spawn
        server.spawn = lambda arguments, env=None: spawn([*self.prefix, *arguments], env)
        server.host = server.config["bind"] = self.there
        return server.start()

    def stop(self):
        self.holder.kill()
        self.holder.wait()


def run(*command):
    subprocess.run(list(map(str, command)), check=True)


def origin_vanishes(hosts, origin, relay, _replica):
    mark = relay.log_end()
    hosts["origin"].vanish()
    relay.wait_link("down", seconds=2 * REPL_TIMEOUT)
    relay.wait_log(r"state=streaming->\S+ .*cause=broken: Connection timed out", after=mark)
    cli = (servers.program(servers.REDIS, "cli"), "-h", origin.host, "-p", origin.port)
    run(*hosts["origin"].prefix, *cli, "SET", "written", "meanwhile")
    hosts["origin"].come_back()
    relay.wait_link(seconds=REPL_TIMEOUT)
    info = relay.info("relay")
    assert (info["upstream_full_syncs"], info["upstream_partial_syncs"]) == (1, 1), info


def replica_vanishes(hosts, _origin, relay, replica):
    hosts["replica"].vanish()
    relay.wait_log("replica .* closed reason=vanished", seconds=2 * REPL_TIMEOUT)
    hosts["replica"].come_back()
    wait.until("it is back", lambda: relay.replicas()[replica.port]["state"] == "online", seconds=2 * REPL_TIMEOUT)
    assert (replica.full_syncs(), relay.info("stats")["closed_silent"]) == (1, 0)


VANISHING = {"origin": origin_vanishes, "replica": replica_vanishes}


def main(folder, vanishing):
    run("ip", "link", "set", "lo", "up")
    world = lab.Lab(folder)
    try:
        hosts = {name: world.keep(Host(name)) for name in ADDRESSES}
        origin = hosts["origin"].place(world.origin(start=False))
        settings = {
            "downstream.bind": f"127.0.0.1 {hosts['replica'].here}",
            "downstream.protected-mode": "no",
            "downstream.repl-timeout": REPL_TIMEOUT,
            "upstream.repl-timeout": REPL_TIMEOUT,
        }
        relay = world.relay(origin, settings).wait_link()
        replica = world.origin(start=False, name="replica", replicaof=f"{hosts['replica'].here} {relay.port}")
        hosts["replica"].place(replica).wait_online()
        writer = world.writer(origin)
        wait.until("it has some of the stream", replica.offset)
        VANISHING[vanishing](hosts, origin, relay, replica)
        writer.wait_rounds(5)
        writer.stop()
        digest.compare(origin, [replica])
    finally:
        for name, tail in world.logs(200):
            print(f"--- log of {name}\n{tail}")
        world.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
