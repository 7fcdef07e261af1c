# SPDX-License-Identifier: MIT
"""CRC-64/Jones, the checksum at the end of an RDB, and the smallest RDBs that carry it."""

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # reflected


def _table():
    rows = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return rows


_TABLE = _table()


def crc64(data, crc=0):
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


def _text(data):
    """A string of up to 16383 bytes in RDB's length encoding."""
    if len(data) < 64:
        return bytes([len(data)]) + data
    return bytes([0x40 | len(data) >> 8, len(data) & 0xFF]) + data


def rdb(pairs=(), magic=b"REDIS0009", checksum=True):
    """A real RDB with string keys in db 0."""
    body = magic
    if pairs:
        body += b"\xfe\x00"
        body += b"".join(b"\x00" + _text(key) + _text(value) for key, value in pairs)
    body += b"\xff"
    return body + (crc64(body) if checksum else 0).to_bytes(8, "little")
