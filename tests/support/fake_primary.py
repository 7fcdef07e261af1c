# SPDX-License-Identifier: MIT
"""A scripted primary: says what no real server would, or what only old ones do.

Each connection is served by `script(peer)` in a thread of its own. peer.greet() goes through the
handshake up to and including PSYNC; what follows is the script's. Everything the relay says is
kept in `said`, with the time.
"""

import socket
import threading
import time

import crc64
import ports
import resp
import wait

REPLID = "0123456789abcdef" * 2 + "01234567"
INFO = b"# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n"
ANSWERS = {"PING": b"+PONG\r\n", "INFO": b"$%d\r\n%s\r\n" % (len(INFO), INFO)}
MARK = b"m" * 20 + b"k" * 20


# What Valkey 9.1 and later write for a replica that announces a version (docs/protocol.md 7.4): the newest of these
# that it can read and the origin can write.
RDB_FORMATS = (((0,), b"REDIS0011"), ((9, 0, 0), b"VALKEY080"), ((9, 2, 0), b"VALKEY081"))


def version_of(text):
    return tuple(int(part) for part in text.split("."))


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

    def announced(self):
        """The version in its last REPLCONF version, as a tuple; (0,) when it has said none."""
        versions = [
            words[2]
            for words in self.owner.commands("REPLCONF", self.number)
            if words[1].lower() == "version"
        ]
        return version_of(versions[-1]) if versions else (0,)

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


class Choosing:
    """A Valkey of `version` (9.1.0 or later) as origin: writes the RDB in the format that the announced version
    can read, and ends the connection in the midst of it where the data needs a newer one (`needs`, a version).
    `can_info` is whether INFO is allowed. It does what Valkey 9.1.2 does (docs/protocol.md 7.4), with any version and
    without what it takes to fork."""

    def __init__(self, lab, version="9.1.0", needs=(0,), can_info=True):
        self.version = version_of(version)
        self.needs = needs
        self.rdbs = []  # (version that was announced, magic; None where it was cut off)
        self.links = []  # that stream
        info = f"# Server\r\nredis_version:7.2.4\r\nvalkey_version:{version}\r\n".encode()
        self.replies = {
            "INFO": b"$%d\r\n%s\r\n" % (len(info), info)
            if can_info
            else b"-NOPERM User relay has no permissions to run the 'info' command\r\n"
        }
        self.fake = lab.fake_primary(self._script)

    def _format(self, announced):
        return [
            magic for since, magic in RDB_FORMATS if since <= announced and since <= self.version
        ][-1]

    def _script(self, peer):
        words = peer.greet(self.replies)
        is_fetch = ["REPLCONF", "rdb-only", "1"] in self.fake.commands("REPLCONF", peer.number)
        if words[1] != "?":
            peer.send(f"+CONTINUE {REPLID}\r\n".encode())
        else:
            self._send_rdb(peer)
        if not is_fetch:
            self.links.append(peer)
        peer.hold()

    def _send_rdb(self, peer):
        announced = peer.announced()
        magic = self._format(announced)
        rdb = crc64.rdb([(b"key:%d" % i, b"v" * 900) for i in range(200)], magic=magic)
        if magic == self._format(self.needs) or announced >= self.needs:
            self.rdbs.append((announced, magic))
            peer.send_full(rdb)
            return
        self.rdbs.append((announced, None))
        peer.send(f"+FULLRESYNC {REPLID} 0\r\n$EOF:".encode() + MARK + b"\r\n" + rdb[:50_000])
        raise EOFError("the child ends: can't store key in this RDB version")
