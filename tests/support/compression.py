# SPDX-License-Identifier: MIT
"""Peers that compress, written from docs/protocol.md 7.5, with the system's liblz4 and libzstd by ctypes.

No server with the feature can be had: these stand in for a Redis 8.10 and a Valkey 9.2. They make what the document
says that those make (linked blocks, frames that stay open, checksums, empty frames), and not what the relay makes.
"""

import ctypes
import functools

import crc64
from fake_primary import MARK, REPLID

RDB, STREAM = 1, 2
LZ4, ZSTD = 1, 2
CODECS = {"lz4": LZ4, "zstd": ZSTD}
EMPTY_FRAME = bytes.fromhex("28b52ffd2000010000")  # what an idle Redis sends
OUT = 1 << 22


def envelope(codec, kind):
    return b"VCS\x01" + bytes([codec, 0, kind])


class _FrameInfo(ctypes.Structure):
    _fields_ = [
        ("block_size", ctypes.c_int),
        ("is_independent", ctypes.c_int),
        ("has_content_checksum", ctypes.c_int),
        ("type", ctypes.c_int),
        ("content_size", ctypes.c_ulonglong),
        ("dictionary", ctypes.c_uint),
        ("has_block_checksum", ctypes.c_int),
    ]


class _Preferences(ctypes.Structure):
    _fields_ = [
        ("frame", _FrameInfo),
        ("level", ctypes.c_int),
        ("auto_flush", ctypes.c_uint),
        ("favour_decompression", ctypes.c_uint),
        ("reserved", ctypes.c_uint * 3),
    ]


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]


@functools.cache
def lz4():
    library = ctypes.CDLL("liblz4.so.1")
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name, types in {
        "LZ4F_createCompressionContext": [pointer, ctypes.c_uint],
        "LZ4F_freeCompressionContext": [pointer],
        "LZ4F_compressBegin": [pointer, pointer, size, pointer],
        "LZ4F_compressUpdate": [pointer, pointer, size, pointer, size, pointer],
        "LZ4F_flush": [pointer, pointer, size, pointer],
        "LZ4F_compressEnd": [pointer, pointer, size, pointer],
        "LZ4F_createDecompressionContext": [pointer, ctypes.c_uint],
        "LZ4F_freeDecompressionContext": [pointer],
        "LZ4F_decompress": [pointer, pointer, pointer, pointer, pointer, pointer],
    }.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, size
    return library


@functools.cache
def zstd():
    library = ctypes.CDLL("libzstd.so.1")
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name, types, result in (
        ("ZSTD_createCCtx", [], pointer),
        ("ZSTD_freeCCtx", [pointer], size),
        ("ZSTD_CCtx_setParameter", [pointer, ctypes.c_int, ctypes.c_int], size),
        ("ZSTD_compressStream2", [pointer, pointer, pointer, ctypes.c_int], size),
        ("ZSTD_compress2", [pointer, pointer, size, pointer, size], size),
        ("ZSTD_createDCtx", [], pointer),
        ("ZSTD_freeDCtx", [pointer], size),
        ("ZSTD_decompressStream", [pointer, pointer, pointer], size),
        ("ZSTD_isError", [size], ctypes.c_uint),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = types, result
    return library


class Lz4Writer:
    """An LZ4 frame as a Valkey writes it: blocks of at most 64 KiB, linked, each write flushed."""

    def __init__(self, has_content_checksum=False, has_block_checksum=True):
        self.context = ctypes.c_void_p()
        self.out = ctypes.create_string_buffer(OUT)
        lz4().LZ4F_createCompressionContext(ctypes.byref(self.context), 100)
        preferences = _Preferences()
        preferences.frame.block_size = 4
        preferences.frame.has_content_checksum = has_content_checksum
        preferences.frame.has_block_checksum = has_block_checksum
        self.head = self._made(
            lz4().LZ4F_compressBegin(self.context, self.out, OUT, ctypes.byref(preferences))
        )

    def _made(self, length):
        assert length < OUT, "liblz4 says that this is an error"
        return self.out.raw[:length]

    def write(self, data):
        made, self.head = self.head, b""
        for start in range(0, len(data), 1 << 20):
            part = data[start : start + (1 << 20)]
            made += self._made(lz4().LZ4F_compressUpdate(self.context, self.out, OUT, part, len(part), None))
            made += self._made(lz4().LZ4F_flush(self.context, self.out, OUT, None))
        return made

    def end(self):
        return self._made(lz4().LZ4F_compressEnd(self.context, self.out, OUT, None))


class ZstdWriter:
    """zstd frames: write() flushes as a Valkey does, end() ends the frame as both do."""

    LEVEL, CHECKSUM = 100, 201

    def __init__(self, level=3, has_checksum=True):
        self.context = ctypes.c_void_p(zstd().ZSTD_createCCtx())
        self.out = ctypes.create_string_buffer(OUT)
        zstd().ZSTD_CCtx_setParameter(self.context, self.LEVEL, level)
        zstd().ZSTD_CCtx_setParameter(self.context, self.CHECKSUM, has_checksum)

    def _run(self, data, directive):
        made = b""
        source = ctypes.create_string_buffer(data, max(len(data), 1))
        given = _Buffer(ctypes.addressof(source), len(data), 0)
        while True:
            out = _Buffer(ctypes.addressof(self.out), OUT, 0)
            left = zstd().ZSTD_compressStream2(
                self.context, ctypes.byref(out), ctypes.byref(given), directive
            )
            assert not zstd().ZSTD_isError(left), "libzstd says that this is an error"
            made += self.out.raw[: out.position]
            if given.position == given.size and (left == 0 or directive == 0):
                return made

    def hold(self, data):
        """As a Redis: what comes out when it is full, and not before."""
        return self._run(data, 0)

    def write(self, data):
        return self._run(data, 1)

    def end(self):
        return self._run(b"", 2)


def writer(codec, kind):
    """(envelope, writer) for a Valkey's RDB or stream over TCP."""
    if codec == LZ4:
        return envelope(codec, kind), Lz4Writer(has_content_checksum=kind == RDB)
    return envelope(codec, kind), ZstdWriter()


def compressed_rdb(codec, rdb):
    """The RDB as a Valkey sends it: its own checksum is left to the frame's."""
    head, out = writer(codec, RDB)
    return head + out.write(rdb[:-8] + bytes(8)) + out.end()


class Reader:
    """Decompresses a payload, by its first bytes; plain ones go through."""

    def __init__(self, kind, expects_frames=False):
        self.kind = kind
        self.expects_frames = expects_frames
        self.codec = None  # not known yet; 0: plain
        self.context = None
        self.held = b""
        self.ends = 0  # frames that have ended
        self.out = ctypes.create_string_buffer(OUT)

    def _decide(self):
        begin = self.held[:7]
        if b"VCS".startswith(begin[:3]) and begin:
            if len(begin) < 7:
                return False
            codec = begin[4]
            assert begin == envelope(codec, self.kind), f"a wrong envelope: {begin!r}"
            self.held = self.held[7:]
        elif self.expects_frames and b"\x28\xb5\x2f\xfd".startswith(begin[:4]):
            if len(begin) < 4:
                return False
            codec = ZSTD
        else:
            codec = 0
        self.codec = codec
        if codec == LZ4:
            self.context = ctypes.c_void_p()
            lz4().LZ4F_createDecompressionContext(ctypes.byref(self.context), 100)
        elif codec == ZSTD:
            self.context = ctypes.c_void_p(zstd().ZSTD_createDCtx())
        return True

    def feed(self, data):
        """What is decoded of all that has come."""
        self.held += data
        if self.codec is None and (not self.held or not self._decide()):
            return b""
        data, self.held = self.held, b""
        if self.codec == 0:
            return data
        return self._lz4(data) if self.codec == LZ4 else self._zstd(data)

    def _lz4(self, data):
        plain, position = b"", 0
        source = ctypes.create_string_buffer(data, max(len(data), 1))
        while True:
            made = ctypes.c_size_t(OUT)
            taken = ctypes.c_size_t(len(data) - position)
            left = lz4().LZ4F_decompress(
                self.context,
                self.out,
                ctypes.byref(made),
                ctypes.addressof(source) + position,
                ctypes.byref(taken),
                None,
            )
            assert left < 1 << 40, "this is no LZ4 frame"
            position += taken.value
            plain += self.out.raw[: made.value]
            if left == 0:
                self.ends += 1
            if position == len(data) and made.value < OUT:
                return plain

    def _zstd(self, data):
        plain = b""
        source = ctypes.create_string_buffer(data, max(len(data), 1))
        given = _Buffer(ctypes.addressof(source), len(data), 0)
        while True:
            out = _Buffer(ctypes.addressof(self.out), OUT, 0)
            left = zstd().ZSTD_decompressStream(
                self.context, ctypes.byref(out), ctypes.byref(given)
            )
            assert not zstd().ZSTD_isError(left), "this is no zstd frame"
            plain += self.out.raw[: out.position]
            if left == 0:
                self.ends += 1
            if given.position == given.size and out.position < OUT:
                return plain


def decompress(kind, data):
    return Reader(kind).feed(data)


class ValkeyScript:
    """A Valkey 9.2 as primary, for FakePrimary: whoever names its codec gets RDB and stream compressed.

    `parts` are the writes of its stream, in order, from offset 0 on; release(n) lets it write the first n of them. A
    replica that asks to continue gets what it lacks, in a new envelope.
    """

    def __init__(self, codec, rdb, parts, has_length=False):
        self.codec = CODECS[codec]
        self.name = codec
        self.rdb = rdb
        self.parts = parts
        self.has_length = has_length
        self.has_compressed = 0

    def _takes_it(self, peer):
        words = [word for words in peer.owner.commands("REPLCONF", peer.number) for word in words]
        return any(pair == ("capa", self.name) for pair in zip(words, words[1:]))

    def _send_rdb(self, peer, compresses):
        body = compressed_rdb(self.codec, self.rdb) if compresses else self.rdb
        peer.send(f"+FULLRESYNC {REPLID} 0\r\n".encode())
        if self.has_length:
            peer.send(b"$%d\r\n" % len(body) + body)
        else:
            peer.send(b"$EOF:" + MARK + b"\r\n" + body + MARK)
            peer.wait_ack()

    def _stream(self, peer, begin, compresses):
        head, out = writer(self.codec, STREAM)
        offset = 0
        for part in self.parts:
            rest = part[max(begin - offset, 0) :]
            offset += len(part)
            if rest and not compresses:
                peer.send(rest)
            elif rest:
                peer.send(head + out.write(rest))
                head = b""
        peer.hold()

    def __call__(self, peer):
        words = peer.greet()
        compresses = self._takes_it(peer)
        self.has_compressed += compresses
        begin = 0
        if words[1] == REPLID:
            begin = int(words[2]) - 1
            peer.send(f"+CONTINUE {REPLID}\r\n".encode())
        else:
            self._send_rdb(peer, compresses)
        self._stream(peer, begin, compresses)


class RedisScript:
    """A Redis 8.10 as primary: the stream as zstd frames, for whoever asks for its level, with empty ones in between."""

    INFO = b"# Server\r\nredis_version:8.10.0\r\n"

    def __init__(self, level, rdb, parts):
        self.level = level
        self.rdb = rdb
        self.parts = parts
        self.asked = []

    def _answer(self, peer):
        """Up to PSYNC; whether the level was agreed on."""
        agreed = False
        while True:
            words = peer.command()
            name = words[0].upper() if words else ""
            if name == "PSYNC":
                return agreed
            if name == "INFO":
                peer.send(b"$%d\r\n%s\r\n" % (len(self.INFO), self.INFO))
            elif name == "REPLCONF" and words[1] == "compression":
                self.asked.append(int(words[2]))
                agreed = int(words[2]) == self.level
                error = f"-ERR Requested level {words[2]} differs from master's level: {self.level}\r\n"
                peer.send(b"+OK\r\n" if agreed else error.encode())
            elif name:
                peer.send(b"+PONG\r\n" if name == "PING" else b"+OK\r\n")

    def __call__(self, peer):
        agreed = self._answer(peer)
        peer.send_full(self.rdb)
        out = ZstdWriter(self.level or 1, has_checksum=False)
        for number, part in enumerate(self.parts):
            if not agreed:
                peer.send(part)
            elif number % 3 == 2:  # the frame stays open for a while
                peer.send(out.hold(part))
            else:
                peer.send(out.hold(part) + out.end() + EMPTY_FRAME)
        if agreed:
            peer.send(out.end())
        peer.hold()


def small_rdb(count=200):
    return crc64.rdb([(b"key:%d" % number, b"value %d " % number * 40) for number in range(count)])
