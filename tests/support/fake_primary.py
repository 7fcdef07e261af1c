# SPDX-License-Identifier: MIT
"""A scripted primary: says what no real server would, or what only old ones do.

Each connection is served by `script(peer)` in a thread of its own. peer.greet() goes through the
handshake up to and including PSYNC; what follows is the script's. Everything the relay says is
kept in `said`, with the time.
"""

import socket
import threading
import time

import ports
import resp
import wait

REPLID = "0123456789abcdef" * 2 + "01234567"
INFO = b"# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n"
ANSWERS = {"PING": b"+PONG\r\n", "INFO": b"$%d\r\n%s\r\n" % (len(INFO), INFO)}
MARK = b"m" * 20 + b"k" * 20


class Peer:
    """One accepted connection."""

    def __init__(self, owner, connection, number):
        self.owner = owner
        self.socket = connection
        self.number = number  # of the connection, from 0
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def _line(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.removesuffix(b"\r")

    def _bulk(self):
        length = int(self._line()[1:])
        while len(self.buffer) < length + 2:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        word, self.buffer = self.buffer[:length], self.buffer[length + 2 :]
        return word.decode()

    def command(self):
        """The next command as a list of words; [] for an empty line."""
        line = self._line()
        words = (
            [self._bulk() for _ in range(int(line[1:]))]
            if line[:1] == b"*"
            else line.decode().split()
        )
        self.owner.said.append((time.monotonic(), self.number, words))
        return words

    def greet(self, replies=None):
        """Answers until PSYNC (or SYNC) comes, and returns that command. `replies` maps a command
        ("PING", "REPLCONF capa") to another answer than the good one."""
        replies = replies or {}
        while True:
            words = self.command()
            if not words:
                continue
            name = words[0].upper()
            if name in ("PSYNC", "SYNC"):
                return words
            known = replies.get(" ".join([name, *words[1:2]]), replies.get(name))
            self.send(known or ANSWERS.get(name, b"+OK\r\n"))

    def send_full(self, rdb, offset=0, replid=REPLID, eof=False):
        self.send(f"+FULLRESYNC {replid} {offset}\r\n".encode())
        if eof:
            self.send(b"$EOF:" + MARK + b"\r\n" + rdb + MARK)
        else:
            self.send(b"$%d\r\n" % len(rdb) + rdb)

    def wait_ack(self):
        """Reads on until an ACK comes, and returns its offset."""
        while True:
            words = self.command()
            if [word.upper() for word in words[:2]] == ["REPLCONF", "ACK"]:
                return int(words[2])

    def hold(self):
        """Listens until the relay closes."""
        while True:
            self.command()


class FakePrimary:
    """Listens, and runs the script for each connection."""

    host = "127.0.0.1"

    def __init__(self, script):
        self.script = script
        self.port = ports.free_port()
        self.said = []
        self.failures = []
        self.count = 0
        self.peers = []
        self.listener = socket.create_server((self.host, self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, connection, self.count)
            self.count += 1
            self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            self.script(peer)
        except (EOFError, OSError):
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(error)
        peer.close()

    def commands(self, name, number=None):
        """The commands of that name, of one connection or of all."""
        return [
            words
            for _, peer, words in list(self.said)
            if words and words[0].upper() == name and number in (None, peer)
        ]

    def acks(self, number=None):
        """(time, offset) of each acknowledgement."""
        return [
            (at, int(words[2]))
            for at, peer, words in list(self.said)
            if [word.upper() for word in words[:2]] == ["REPLCONF", "ACK"]
            and number in (None, peer)
        ]

    def wait_connections(self, count, seconds=20):
        return wait.until(
            f"the relay has come {count} times", lambda: self.count, lambda n: n >= count, seconds
        )

    def stop(self):
        self.listener.close()
        for peer in self.peers:
            peer.close()
        assert not self.failures, f"the scripted primary failed: {self.failures!r}"


def command(*words):
    """Stream bytes."""
    return resp.encode(*words)
