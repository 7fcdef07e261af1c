# SPDX-License-Identifier: MIT
"""Replicas in the far region, bare, in one process: they discard what they get, acknowledge once a second, and come back
with a partial resync when their connection breaks, as real ones do. Run by bench_wan.py in the far network:

    python3 far_replicas.py HOST PORT          says a JSON object for each line that it is told

    attach COUNT     that many more
    guest            one more, whose lags do not count
    counters         what has happened so far, of all together
    lags             {"lags": [...]}: how old each stamp (bench_wan.py) was on its arrival, in ms, since the last time that
                     this was asked
    drop             the last one is gone
"""

import json
import selectors
import socket
import sys
import time

STAMP = b"@stamp:"
DIGITS = 20
EDGE = len(STAMP) + DIGITS - 1
MARK_BYTES = 40
GREETING = "PING\r\nREPLCONF listening-port {}\r\nREPLCONF capa eof capa psync2\r\n"
RETRY_S = 0.2
SILENCE_S = 20  # repl-timeout: twice what a primary is silent
BUFFER = memoryview(bytearray(1 << 20))

looks = selectors.DefaultSelector()


class Replica:
    """One replica over all its connections."""

    def __init__(self, place, number, counts=True):
        self.place, self.counts = place, counts
        self.port = 10_000 + number
        self.replid, self.offset = "?", -1  # of the stream, once there is an RDB
        self.loaded_ns = None
        self.full_syncs = self.partial_syncs = 0
        self.rdb_bytes = self.stream_bytes = 0
        self.advanced = 0  # of the stream, by offsets: what came once
        self.lags = []
        self.retry_at = 0.0
        self.socket = None

    # A connection

    def connect(self, now):
        self.retry_at = now + RETRY_S
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(self.place)
        self.take = self.take_line
        self.line, self.replies, self.edge = b"", 0, b""
        self.is_greeted = False
        self.heard_at = now
        looks.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def close(self):
        if self.socket is not None:
            looks.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def on_event(self, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.socket.sendall(GREETING.format(self.port).encode())
                self.is_greeted = True
                looks.modify(self.socket, selectors.EVENT_READ, self)
            if events & selectors.EVENT_READ:
                count = self.socket.recv_into(BUFFER)
                if count == 0:
                    raise EOFError
                self.heard_at = time.monotonic()
                data = bytes(BUFFER[:count])
                while data:
                    data = self.take(data)
        except BlockingIOError:
            pass
        except (OSError, EOFError):
            self.close()

    # What comes. Each of these takes some of the data, and returns the rest.

    def take_line(self, data):
        head, end, rest = data.partition(b"\n")
        self.line += head
        if end:
            line, self.line = self.line.strip().decode(), b""
            self.on_line(line)
        return rest

    def on_line(self, line):
        if line.startswith("-"):
            raise EOFError(line)
        if line.startswith("$EOF:"):
            self.mark, self.end, self.take = line[5:].encode(), b"", self.take_rdb_to_mark
        elif line.startswith("$"):
            self.rdb_left, self.take = int(line[1:]), self.take_rdb
        elif line.startswith("+FULLRESYNC"):
            _, self.new_replid, offset = line.split()
            self.new_offset = int(offset)
            self.full_syncs += 1
        elif line.startswith("+CONTINUE"):
            self.partial_syncs += 1
            self.take = self.take_stream
        elif line:
            self.replies += 1
            if self.replies == 3:
                after = self.offset + 1 if self.offset >= 0 else -1
                self.socket.sendall(f"PSYNC {self.replid} {after}\r\n".encode())

    def take_rdb(self, data):
        count = min(len(data), self.rdb_left)
        self.rdb_left -= count
        self.rdb_bytes += count
        if self.rdb_left == 0:
            self.on_loaded()
        return data[count:]

    def take_rdb_to_mark(self, data):
        """The stream begins after the mark only when this replica has acknowledged."""
        self.end = (self.end + data[-MARK_BYTES:])[-MARK_BYTES:]
        self.rdb_bytes += len(data)
        if self.end == self.mark:
            self.on_loaded()
        return b""

    def on_loaded(self):
        self.replid, self.offset = self.new_replid, self.new_offset
        self.loaded_ns = self.loaded_ns or time.monotonic_ns()
        self.take = self.take_stream
        self.acknowledge()

    def take_stream(self, data):
        self.stream_bytes += len(data)
        self.offset += len(data)
        self.note_stamps(data)
        return b""

    def note_stamps(self, data):
        now = time.monotonic_ns()
        for text in (self.edge + data[:EDGE], data):
            at = text.find(STAMP)
            while at >= 0:
                digits = text[at + len(STAMP) : at + len(STAMP) + DIGITS]
                if len(digits) == DIGITS:
                    self.lags.append((now - int(digits)) / 1e6)
                at = text.find(STAMP, at + len(STAMP))
        self.edge = (self.edge + data)[-EDGE:] if len(data) < EDGE else data[-EDGE:]

    def acknowledge(self):
        digits = str(self.offset)
        self.socket.sendall(f"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n${len(digits)}\r\n{digits}\r\n".encode())

    def tick(self, now):
        """Each second. What cannot be said now is said by the next one."""
        if self.socket is not None and now - self.heard_at > SILENCE_S:
            self.close()
        if self.socket is None and now >= self.retry_at:
            self.connect(now)
        elif self.socket is not None and self.is_greeted:
            try:
                self.acknowledge() if self.take == self.take_stream else self.socket.sendall(b"\n")
            except OSError:
                pass


replicas = []


def counters():
    loaded = sorted(replica.loaded_ns for replica in replicas if replica.loaded_ns is not None)
    return {
        "count": len(replicas),
        "loaded_ns": loaded,
        "online": sum(one.socket is not None and one.take == one.take_stream for one in replicas),
        "offset_min": min((replica.offset for replica in replicas), default=-1),
        "full_syncs": sum(replica.full_syncs for replica in replicas),
        "partial_syncs": sum(replica.partial_syncs for replica in replicas),
        "rdb_bytes": sum(replica.rdb_bytes for replica in replicas),
        "stream_bytes": sum(replica.stream_bytes for replica in replicas),
        "offsets": sum(max(replica.offset, 0) for replica in replicas),
    }


def take_lags():
    lags = [lag for replica in replicas if replica.counts for lag in replica.lags]
    for replica in replicas:
        replica.lags = []
    return {"lags": lags}


def obey(words, place):
    if words[0] == "attach":
        replicas.extend(Replica(place, len(replicas) + number) for number in range(int(words[1])))
    elif words[0] == "guest":
        replicas.append(Replica(place, len(replicas), counts=False))
    elif words[0] == "drop":
        replicas.pop().close()
    return take_lags() if words[0] == "lags" else counters()


def main(place):
    looks.register(sys.stdin, selectors.EVENT_READ)
    ticked = 0.0
    while True:
        for key, events in looks.select(RETRY_S):
            if key.data is not None:
                if key.data.socket is not None:
                    key.data.on_event(events)
                continue
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(obey(line.split(), place)), flush=True)
        now = time.monotonic()
        for replica in replicas:
            if replica.socket is None or now - ticked >= 1:
                replica.tick(now)
        if now - ticked >= 1:
            ticked = now


if __name__ == "__main__":
    main((sys.argv[1], int(sys.argv[2])))
