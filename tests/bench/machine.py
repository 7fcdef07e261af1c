# SPDX-License-Identifier: MIT
"""What the benches run on, and the network of their own that they run in.

A congestion control that paces (BBR) sets a timer for nearly every send; on loopback, where nothing has to
be paced, these cost half of everybody's CPU seconds and drown what is compared. In a network of their
own the benches choose one that does not: reno, which every network may choose.

Nor do loopback's packets of 64 KB tell anything: a sender waits until it has as much, or for an
acknowledgement, and every set-up comes 2 to 40 ms late by that. In there they are as long as a network
card's.
"""

import fcntl
import os
import pathlib
import re
import socket
import ssl
import struct
import sys

import own_world

PLAIN = "reno"
MTU = 1500
SIOCGIFMTU = 0x8921
CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")

SETTLE = f'ip link set lo mtu {MTU} up && echo {PLAIN} >{CONTROL} && exec "$@"'


def enter_own_network():
    """Begins the program anew, in there. Returns where the system has none for us."""
    if not own_world.can_run():
        print("This system gives us no network of our own (unshare -n): the benches run in the host's.")
        return
    again = [sys.executable, "-B", *sys.argv, "--network", "host"]
    command = [*own_world.command(), "sh", "-c", SETTLE, "sh", *again]
    os.execvp(command[0], command)


def loopback_mtu():
    """Of this network: /sys goes on to tell of the one that it was mounted in."""
    layout = struct.Struct("16si12x")
    with socket.socket() as any_socket:
        answer = fcntl.ioctl(any_socket, SIOCGIFMTU, layout.pack(b"lo", 0))
    return layout.unpack(answer)[1]


def describe():
    processor = re.search(r"^model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": processor.group(1) if processor else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "openssl": ssl.OPENSSL_VERSION,
        "congestion_control": CONTROL.read_text().strip(),
        "loopback_mtu": loopback_mtu(),
    }
