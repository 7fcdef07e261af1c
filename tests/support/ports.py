# SPDX-License-Identifier: MIT
"""Free ports on loopback, for several test processes at once.

They lie below the kernel's range for outgoing connections, so that a server which is restarted
finds its port as it left it. A server that is down on purpose keeps its port, too: each port that is
given is a locked byte in a file that all test processes of the user share, until the process ends.
"""

import fcntl
import os
import pathlib
import random
import socket
import tempfile

FIRST, LAST = 10000, 32000

_draw = random.SystemRandom()
_given = set()
_ledger = open(pathlib.Path(tempfile.gettempdir()) / f"psync-relay-ports.{os.getuid()}", "ab")


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reserve(port):
    try:
        fcntl.lockf(_ledger, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    except OSError:
        return False


def free_port():
    while True:
        port = _draw.randrange(FIRST, LAST)
        if port not in _given and _reserve(port) and is_free(port):
            _given.add(port)
            return port
