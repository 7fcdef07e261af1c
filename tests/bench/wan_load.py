# SPDX-License-Identifier: MIT
"""What is replicated in bench_wan.py: JSON values, written over and over at a rate, with stamps of time in between."""

import multiprocessing
import random
import socket
import time

import far_replicas
import resp
import bench_compression

VALUES = 20_000
TURN_S = 0.005
BLOCK_BYTES = 1 << 20


def values():
    """Each about 850 bytes, as a service keeps its sessions."""
    draw = random.Random(11)
    return ["[" + ",".join(bench_compression.session(draw) for _ in range(4)) + "]" for _ in range(VALUES)]


def fill(server, some, megabytes):
    """Returns the number of keys."""
    size = sum(len(value) for value in some) // len(some)
    keys = megabytes * 1_000_000 // (size + 20)
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(resp.encode("CLIENT", "REPLY", "OFF"))
        block = bytearray()
        for key in range(keys):
            block += resp.encode("SET", f"session:{key:08}", some[key % len(some)])
            if len(block) > BLOCK_BYTES:
                connection.sendall(block)
                block.clear()
        connection.sendall(block + resp.encode("CLIENT", "REPLY", "ON"))
        assert connection.recv(100) == b"+OK\r\n"
    return keys


class Writer:
    """A process that writes at a rate; 0: it waits. `written`: bytes of commands so far."""

    def __init__(self, server, some, keys):
        self.rate = multiprocessing.Value("d", 0.0)
        self.written = multiprocessing.Value("Q", 0)
        self.process = multiprocessing.Process(target=self._run, args=(server.host, server.port, some, keys), daemon=True)
        self.process.start()

    def _run(self, host, port, some, keys):
        draw = random.Random(12)
        commands = [resp.encode("SET", f"session:{draw.randrange(keys):08}", value) for value in some]
        with socket.create_connection((host, port)) as connection:
            connection.sendall(resp.encode("CLIENT", "REPLY", "OFF"))
            turn = 0
            while True:
                turn = self._at_one_rate(connection, commands, turn)

    def _at_one_rate(self, connection, commands, turn):
        rate, began, sent = self.rate.value, time.monotonic(), 0
        while self.rate.value == rate:
            time.sleep(TURN_S)
            due = int((time.monotonic() - began) * rate)
            block = bytearray()
            while sent + len(block) < due and len(block) < BLOCK_BYTES:
                block += commands[turn % len(commands)]
                turn += 1
            if block:
                stamp = far_replicas.STAMP.decode() + f"{time.monotonic_ns():0{far_replicas.DIGITS}}"
                block += resp.encode("SET", "stamp", stamp)
                connection.sendall(block)
                sent += len(block)
                self.written.value += len(block)
        return turn

    def set_rate(self, bytes_per_second):
        self.rate.value = float(bytes_per_second)

    def stop(self):
        self.process.kill()
        self.process.join()
