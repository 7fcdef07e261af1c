# SPDX-License-Identifier: MIT
"""A raw RESP connection: sends what it is told byte by byte, reads RESP2 and RESP3."""

import socket

import wait


class Error(Exception):
    """An error reply, as a value: `-ERR ...` without the dash."""

    def __eq__(self, other):
        return isinstance(other, Error) and str(self) == str(other)

    __hash__ = Exception.__hash__


def encode(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words
    )


class Connection:
    """One socket with a read buffer."""

    def __init__(self, port, host="127.0.0.1", seconds=20, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(wait.limit(seconds))
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    def send(self, data):
        self.socket.sendall(data)

    def fill(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError(f"the peer closed; unread: {self.buffer[:200]!r}")
        self.buffer += data

    def take(self, count):
        pieces, have = [self.buffer], len(self.buffer)
        while have < count:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(f"the peer closed after {have} of {count} bytes")
            pieces.append(data)
            have += len(data)
        joined = b"".join(pieces)
        self.buffer = joined[count:]
        return joined[:count]

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.removesuffix(b"\r")

    def is_closed(self):
        """Reads on until the peer closes; False if it does not within the time limit."""
        try:
            while self.socket.recv(1 << 18):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def reply(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Error(rest.decode())
        if kind in b":(":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_":
            return None
        if kind in b"$=!":
            return self._bulk(int(rest), kind)
        if kind in b"*~>":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"%":
            return {self._key(self.reply()): self.reply() for _ in range(int(rest))}
        raise AssertionError(f"expected a RESP reply, came {line!r}")

    @staticmethod
    def _key(value):
        return value.decode() if isinstance(value, bytes) else value

    def _bulk(self, length, kind):
        if length == -1:
            return None
        data = self.take(length + 2)[:-2]
        return data[4:] if kind == b"=" else data

    def command(self, *words):
        self.send(encode(*words))
        return self.reply()

    def inline(self, text):
        self.send(text.encode() + b"\r\n")
        return self.reply()
