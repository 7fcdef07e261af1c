# SPDX-License-Identifier: MIT
"""A man in the middle: a TCP proxy that counts, cuts, stalls, corrupts and refuses.

    client ──► up ──► Mitm ──► up ──► target          "up" is what the client says,
    client ◄── down ◄─ Mitm ◄── down ◄── target       "down" what the target answers.

A filter sees the bytes of one direction of one connection: feed(data) returns what goes on, and
raises Cut to send what it carries and close both sides. Filters come from `plan`: the first
connection takes the first, and so on; None (or an empty plan) lets everything pass. A filter on
a running connection is set with watch().
"""

import socket
import threading
import time

import ports
import wait


class Cut(Exception):
    """Close the connection, after these last bytes."""

    def __init__(self, last=b""):
        super().__init__()
        self.last = last


class CutAfter:
    """Lets `count` bytes pass, then cuts."""

    def __init__(self, count):
        self.left = count

    def feed(self, data):
        if len(data) >= self.left:
            raise Cut(data[: self.left])
        self.left -= len(data)
        return data


class CutAt:
    """Cuts `extra` bytes into or after the first `pattern`; cuts once, over all connections."""

    def __init__(self, pattern, extra=0):
        self.pattern = pattern
        self.extra = extra
        self.tail = b""
        self.done = threading.Event()

    def feed(self, data):
        if self.done.is_set():
            return data
        joined = self.tail + data
        at = joined.find(self.pattern)
        if at < 0:
            self.tail = joined[-(len(self.pattern) - 1) :] if len(self.pattern) > 1 else b""
            return data
        self.done.set()
        end = at + len(self.pattern) + self.extra
        raise Cut(joined[len(self.tail) : max(end, len(self.tail))])


class StallAfter:
    """Lets `count` bytes pass, then holds the rest until release()."""

    def __init__(self, count):
        self.left = count
        self.reached = threading.Event()
        self.gate = threading.Event()
        self.dead = False

    def release(self):
        self.gate.set()

    def feed_pieces(self, data):
        if self.left is not None:
            first, data = data[: self.left], data[self.left :]
            self.left -= len(first)
            yield first
            if self.left == 0:
                self.left = None
                self.reached.set()
                self.gate.wait()
        yield data


class Corrupt:
    """Flips one bit of the byte at `position`."""

    def __init__(self, position):
        self.position = position

    def feed(self, data):
        at, self.position = self.position, self.position - len(data)
        if 0 <= at < len(data):
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        return data


class Record:
    """Keeps what passes."""

    def __init__(self):
        self.said = b""

    def feed(self, data):
        self.said += data
        return data


class _Pipe:
    """One connection: two threads, one a direction."""

    def __init__(self, owner, client, target, filter_down):
        self.owner = owner
        self.ends = (client, target)
        self.filters = {"down": filter_down, "up": owner.up}
        self.count = {"down": 0, "up": 0}
        self.threads = [
            threading.Thread(target=self._pump, args=(target, client, "down"), daemon=True),
            threading.Thread(target=self._pump, args=(client, target, "up"), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def _pump(self, source, sink, direction):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                for piece in self._filtered(data, direction):
                    self.owner.flowing.wait()
                    if self.owner.bytes_per_second:
                        time.sleep(len(piece) / self.owner.bytes_per_second)
                    sink.sendall(piece)
                    self.count[direction] += len(piece)
        except Cut as cut:
            try:
                sink.sendall(cut.last)
                self.count[direction] += len(cut.last)
            except OSError:
                pass
        except OSError:
            pass
        self.close()

    def _filtered(self, data, direction):
        through = self.filters[direction]
        if through is None:
            yield data
        elif hasattr(through, "feed_pieces"):
            yield from through.feed_pieces(data)
        else:
            yield through.feed(data)

    def close(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def is_open(self):
        return self.ends[0].fileno() != -1


class Mitm:
    """Listens on its own port and passes everything to `target` (anything with host and port)."""

    def __init__(self, target, plan=(), host="127.0.0.1", port=None, up=None):
        self.target = target
        self.host = host
        self.port = port or ports.free_port()
        self.plan = list(plan)
        self.up = up  # the filter of what all clients say
        self.pipes = []
        self.flowing = threading.Event()
        self.flowing.set()
        self.bytes_per_second = 0
        self.refusing = False
        self.listener = socket.create_server((self.host, self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                target = socket.create_connection((self.target.host, self.target.port), 10)
                target.settimeout(None)
            except OSError:
                client.close()
                continue
            for end in (client, target):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pipes.append(_Pipe(self, client, target, self.plan.pop(0) if self.plan else None))

    def open_pipes(self):
        return [pipe for pipe in self.pipes if pipe.is_open()]

    def watch(self, through, direction="down"):
        """Puts a filter on every connection that is open now."""
        for pipe in self.open_pipes():
            pipe.filters[direction] = through
        return through

    def cut(self):
        """Closes all connections now; new ones are let through."""
        for pipe in self.open_pipes():
            pipe.close()

    def refuse(self):
        """Closes all connections and every new one at once."""
        self.refusing = True
        self.cut()

    def accept(self):
        self.refusing = False

    def stall(self):
        """The network goes silent; nothing is closed."""
        self.flowing.clear()

    def resume(self):
        self.flowing.set()

    def connections(self):
        return len(self.pipes)

    def wait_connections(self, count):
        wait.until(f"{count} connections through the proxy", self.connections, lambda n: n >= count)

    def stop(self):
        for pipe in self.pipes:
            for through in pipe.filters.values():
                if hasattr(through, "release"):
                    through.release()
        self.listener.close()
        self.flowing.set()
        self.cut()
