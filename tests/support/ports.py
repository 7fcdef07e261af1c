# SPDX-License-Identifier: MIT
"""Free ports on loopback, for several test processes at once.

They lie below the kernel's range for outgoing connections, so that a server which is restarted
finds its port as it left it.
"""

import random
import socket

FIRST, LAST = 10000, 32000

_draw = random.SystemRandom()
_given = set()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    while True:
        port = _draw.randrange(FIRST, LAST)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
