# SPDX-License-Identifier: MIT
"""Clients that begin TLS handshakes in crowds: some finish them, some only make the server work."""

import contextlib
import resource
import select
import socket
import ssl
import threading

import resp
import wait

FIRST_BYTES = 5  # of a hello: enough to be taken for TLS, not enough to work on


def hello():
    """A client's first flight, which costs its sender nothing to say again and again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def answered(sockets):
    """How many of them have something to read, or have been closed."""
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLIN)
    return len(poll.poll(0))


class Crowd:
    """Connections whose hello is begun, and is finished by all of them at once."""

    def __init__(self, port, count):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.hello = hello()
        self.sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port), wait.limit(20))
            one.sendall(self.hello[:FIRST_BYTES])
            self.sockets.append(one)

    def go(self):
        for one in self.sockets:
            one.sendall(self.hello[FIRST_BYTES:])

    def answered(self):
        return answered(self.sockets)

    def close(self):
        for one in self.sockets:
            one.close()


class Flood:
    """Threads that shake hands whole, with a client's certificate, ask PING, and begin again.

    No session is resumed: each handshake costs what it can cost."""

    def __init__(self, port, papers, name, threads=4):
        self.port = port
        self.context = ssl.create_default_context(cafile=papers.certificate("ca"))
        self.context.load_cert_chain(papers.certificate(name), papers.key(name))
        self.counts = [0] * threads
        self.failure = None
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(threads)
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        try:
            while not self.stopping.is_set():
                self._shake()
                self.counts[number] += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def _shake(self):
        with socket.create_connection(("127.0.0.1", self.port), wait.limit(20)) as plain:
            with self.context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(resp.encode("PING"))
                assert secure.recv(100) == b"+PONG\r\n"

    @property
    def count(self):
        return sum(self.counts)

    def wait_some(self, count, seconds=60):
        wanted = self.count + count
        wait.until(
            f"{count} more handshakes",
            lambda: self.count,
            lambda done: done >= wanted or self.failure,
            seconds=seconds,
        )

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(wait.limit(30))
        assert self.failure is None, f"a handshake failed: {self.failure!r}"
