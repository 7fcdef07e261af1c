# SPDX-License-Identifier: MIT
"""A network, processes and mounts of our own, which end with the program that is started in them.

/run is of our own too: the pid file that a daemon leaves there when it is killed with its world names a process
id which is another's in the next world, and the daemon would not start there: "daemon is already running"."""

import os
import subprocess


def command():
    """What is put before a command so that it runs there. Loopback is down at first."""
    root = [] if os.getuid() == 0 else ["-r"]
    world = ["unshare", *root, "-n", "-p", "-f", "-m", "--mount-proc", "--kill-child"]
    return [*world, "sh", "-c", 'mount -t tmpfs run /run && exec "$@"', "sh"]


def can_run():
    """Whether this system lets us have them."""
    return subprocess.run([*command(), "true"], capture_output=True).returncode == 0
