# SPDX-License-Identifier: MIT
"""Two regions and a long link between them: this network namespace is the near one, another is the far one.

    near 10.77.0.1 ════ the link: delay, loss, rate; counted and cut ════ 10.77.0.2 far
         10.78.0.1 ──── a wire for whoever watches: neither slow nor counted ──── 10.78.0.2

netem makes the link where the kernel has it. Else long_link.c delays and loses packets, and tbf limits the rate, or
long_link does that too. `made_by` says which.
"""

import pathlib
import subprocess
import time

NEAR, FAR = "10.77.0.1", "10.77.0.2"
NEAR_WATCH, FAR_WATCH = "10.78.0.1", "10.78.0.2"
DEVICE, WATCH = "wan0", "watch0"
MTU = 1500
CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def run(*command, check=True):
    return subprocess.run(list(map(str, command)), check=check, capture_output=True, text=True)


class Place:
    """Where something is reached, for whoever replicates from it."""

    def __init__(self, host, port):
        self.host, self.port = host, port


class Regions:
    """Needs root in a network namespace of its own (own_world.py). `rtt_ms`, `loss_percent`, `mbit` a second."""

    def __init__(self, program, rtt_ms=100, loss_percent=0.1, mbit=200, congestion=None):
        self.program = program
        self.rtt_ms, self.loss_percent, self.mbit = rtt_ms, loss_percent, mbit
        self.forwarder = None
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.holder.stdout.readline()
        self.far = ["nsenter", "-t", str(self.holder.pid), "-n"]
        self.sides = ([], self.far)
        self._set_up_wire(WATCH, NEAR_WATCH, FAR_WATCH)
        self.made_by = self._by_netem() or self._by_forwarder()
        for side in self.sides:
            run(*side, "ip", "link", "set", "lo", "up")
            if congestion is not None:
                run(*side, "sh", "-c", f"echo {congestion} >{CONTROL}")
            # The link holds 2.5 MB on its way; TCP counts twice that for what it keeps.
            run(*side, "sysctl", "-qw", "net.ipv4.tcp_wmem=4096 65536 16777216", "net.ipv4.tcp_rmem=4096 131072 16777216")

    def _set_up_wire(self, device, near, far):
        run("ip", "link", "add", device, "type", "veth", "peer", "name", device, "netns", self.holder.pid)
        self._address(device, near, far)

    def _address(self, device, near, far):
        for side, address in zip(self.sides, (near, far), strict=True):
            run(*side, "ip", "address", "add", f"{address}/24", "dev", device)
            run(*side, "ip", "link", "set", device, "mtu", MTU, "up")

    def queue_bytes(self):
        """What stands before the limited link at most: what it has on its way in one round trip."""
        return int(self.mbit * 1e6 / 8 * self.rtt_ms / 1000)

    def _by_netem(self):
        self._set_up_wire(DEVICE, NEAR, FAR)
        what = ["delay", f"{self.rtt_ms / 2}ms", "loss", f"{self.loss_percent}%", "rate", f"{self.mbit}mbit"]
        limit = self.queue_bytes() * 3 // 2 // MTU * 2
        done = [
            run(*side, "tc", "qdisc", "add", "dev", DEVICE, "root", "netem", *what, "limit", limit, check=False)
            for side in self.sides
        ]
        if all(one.returncode == 0 for one in done):
            return "netem"
        run("ip", "link", "delete", DEVICE)
        return None

    def _has_tbf(self):
        run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        done = run("tc", "qdisc", "add", "dev", "probe0", "root", *self._tbf(), check=False)
        run("ip", "link", "delete", "probe0")
        return done.returncode == 0

    def _tbf(self):
        return ["tbf", "rate", f"{self.mbit}mbit", "burst", "32kb", "limit", self.queue_bytes()]

    def _by_forwarder(self):
        has_tbf = self._has_tbf()
        rate = 0 if has_tbf else int(self.mbit * 1e6 / 8)
        words = [DEVICE, self.holder.pid, self.rtt_ms * 500, int(self.loss_percent * 10_000), rate, self.queue_bytes()]
        self.forwarder = subprocess.Popen(
            [str(self.program), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.forwarder.stdout.readline() == b"ready\n", "long_link could not make its devices"
        self._address(DEVICE, NEAR, FAR)
        if has_tbf:
            for side in self.sides:
                run(*side, "tc", "qdisc", "add", "dev", DEVICE, "root", *self._tbf())
        return f"a forwarder of packets (long_link.c) for delay and loss, {'tbf' if has_tbf else 'and'} for the rate"

    def bytes(self):
        """Over the link so far, both directions, with the headers of IP and TCP, as the near end has sent and received."""
        line = next(line for line in pathlib.Path("/proc/net/dev").read_text().splitlines() if f"{DEVICE}:" in line)
        fields = line.partition(":")[2].split()
        return int(fields[0]) + int(fields[8])

    def cut(self, seconds):
        """The link is down, and whoever guards it has forgotten its connections, as a firewall or a tunnel does that was
        restarted: both ends are told that theirs are broken."""
        for side in self.sides:
            run(*side, "ip", "link", "set", DEVICE, "down")
        for side, other in zip(self.sides, (FAR, NEAR), strict=True):
            run(*side, "ss", "-K", "dst", other)
        time.sleep(seconds)
        for side in self.sides:
            run(*side, "ip", "link", "set", DEVICE, "up")

    def stop(self):
        for process in (self.forwarder, self.holder):
            if process is not None:
                process.stdin.close()
                process.kill()
                process.wait()
