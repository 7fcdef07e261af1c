# SPDX-License-Identifier: MIT
"""A replica by hand: shakes hands, asks PSYNC, reads RDB and stream as slowly as the test likes."""

import itertools
import threading

import resp


_listening_ports = itertools.count(7001)


class PsyncClient(resp.Connection):
    """offset is what a real replica would acknowledge: X, plus the stream bytes read."""

    def __init__(self, port, listening_port=None, **options):
        super().__init__(port, **options)
        # By this port the relay knows a replica again; one that wants full syncs in a row is slowed.
        self.listening_port = listening_port or next(_listening_ports)
        self.replid = None
        self.offset = None
        self.newlines = 0  # keepalives seen before a reply or the RDB
        self._chatter = None

    def handshake(self, password=None, capa=("eof", "psync2"), version=None):
        assert self.command("PING") in ("PONG", resp.Error("NOAUTH Authentication required."))
        if password:
            assert self.command("AUTH", password) == "OK"
        assert self.command("REPLCONF", "listening-port", self.listening_port) == "OK"
        if capa:
            words = [word for name in capa for word in ("capa", name)]
            assert self.command("REPLCONF", *words) == "OK"
        if version:
            self.command("REPLCONF", "version", version)
        return self

    def _line(self):
        while True:
            line = self.line()
            if line:
                return line.decode()
            self.newlines += 1

    def psync(self, replid="?", offset=-1, *more):
        """Returns the reply's words, e.g. ["+FULLRESYNC", id, "17"]."""
        self.send(resp.encode("PSYNC", replid, offset, *more))
        return self.psync_reply(replid, offset)

    def psync_reply(self, replid="?", offset=-1):
        words = self._line().split()
        if words[0] == "+FULLRESYNC":
            self.replid, self.offset = words[1], int(words[2])
        elif words[0] == "+CONTINUE":
            self.replid = words[1] if len(words) > 1 else replid
            self.offset = int(offset) - 1
        return words

    def full_sync(self):
        """PSYNC ? -1 and the RDB; returns the RDB."""
        words = self.psync()
        assert words[0] == "+FULLRESYNC", f"expected +FULLRESYNC, came {words}"
        return self.read_rdb()

    def sync(self):
        self.send(b"SYNC\r\n")
        return self.read_rdb()

    def rdb_header(self):
        header = self._line()
        assert header.startswith("$"), f"expected the RDB's $, came {header!r}"
        return header[1:]

    def read_rdb(self, header=None):
        header = header or self.rdb_header()
        if not header.startswith("EOF:"):
            return self.take(int(header))
        mark = header[4:].encode()
        data = bytearray(self.buffer)
        self.buffer = b""
        while not data.endswith(mark):
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise EOFError("the peer closed inside an $EOF RDB")
            data += piece
        return bytes(data[:-40])

    def stream(self, count):
        data = self.take(count)
        self.offset += count
        return data

    def stream_to(self, offset):
        return self.stream(offset - self.offset)

    def ack(self, offset=None):
        self.send(resp.encode("REPLCONF", "ACK", self.offset if offset is None else offset))

    # What a real replica says by itself, once a second: \n while it loads, then its offset.

    def chatter(self, say):
        """Calls say(self) each second in the background until close()."""
        stop = threading.Event()

        def run():
            while not stop.wait(1.0):
                try:
                    say(self)
                except OSError:
                    return

        self._chatter = (stop, threading.Thread(target=run, daemon=True))
        self._chatter[1].start()

    def hush(self):
        if self._chatter:
            stop, thread = self._chatter
            stop.set()
            thread.join()
            self._chatter = None

    def close(self):
        self.hush()
        super().close()
