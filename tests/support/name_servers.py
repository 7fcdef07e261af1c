# SPDX-License-Identifier: MIT
"""A relay that finds its origin by name, in a network and with name servers of its own.

Run by tests/e2e/test_names.py in a network, processes and mounts of its own:

    python3 name_servers.py FOLDER SITUATION

where SITUATION is a row of SITUATIONS. Ends with 0 when the relay has found the origin.
"""

import pathlib
import socket
import struct
import subprocess
import sys
import threading

import lab
import servers
import wait

NAME = "origin.test"
TRUNCATED = 0x0200


def answer(query, flags=0, with_record=True):
    """Of any name: that it is 127.0.0.1, and has no address of another family."""
    end = query.index(b"\0", 12) + 5
    is_ipv4 = query[end - 4 : end - 2] == b"\0\x01"
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
    records = record if with_record and is_ipv4 else b""
    counts = struct.pack(">HHHHH", 0x8180 | flags, 1, 1 if records else 0, 0, 0)
    return query[:2] + counts + query[12:end] + records


def bound(kind, address):
    server = socket.socket(socket.AF_INET, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 53))
    return server


def serve_udp(address, *, is_silent=False, is_truncated=False):
    server = bound(socket.SOCK_DGRAM, address)

    def run():
        while True:
            query, peer = server.recvfrom(2000)
            if not is_silent:
                server.sendto(answer(query, TRUNCATED if is_truncated else 0, not is_truncated), peer)

    threading.Thread(target=run, daemon=True).start()


def serve_tcp(address):
    server = bound(socket.SOCK_STREAM, address)
    server.listen(5)

    def converse(client):
        with client, client.makefile("rb") as stream:
            while length := stream.read(2):
                reply = answer(stream.read(struct.unpack(">H", length)[0]))
                client.sendall(struct.pack(">H", len(reply)) + reply)

    def run():
        while True:
            threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()


def dead_first():
    serve_udp("127.0.0.7", is_silent=True)
    serve_udp("127.0.0.1")
    return "nameserver 127.0.0.7\nnameserver 127.0.0.1\n", ""


def truncated():
    serve_udp("127.0.0.1", is_truncated=True)
    serve_tcp("127.0.0.1")
    return "nameserver 127.0.0.1\n", ""


def tcp_only():
    serve_tcp("127.0.0.1")
    return "nameserver 127.0.0.1\noptions use-vc\n", ""


def hosts_only():
    """The first of its two addresses leads nowhere."""
    return "", f"127.0.0.9 {NAME}\n127.0.0.1 {NAME}\n"


SITUATIONS = {row.__name__: row for row in (dead_first, truncated, tcp_only, hosts_only)}


def mount(path, content, folder):
    file = folder / path.replace("/", "-")
    file.write_text(content)
    subprocess.run(["mount", "--bind", file, path], check=True)


def main(folder, situation):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    resolv_conf, hosts = SITUATIONS[situation]()
    mount("/etc/resolv.conf", resolv_conf, folder)
    mount("/etc/hosts", "127.0.0.1 localhost\n" + hosts, folder)
    world = lab.Lab(folder)
    try:
        origin = world.origin(servers.REDIS)
        relay = world.relay(None, {"upstream.replicaof": f"{NAME} {origin.port}"})
        relay.wait_link(seconds=30)
        wait.equal("the relay's primary", lambda: relay.info()["master_host"], NAME)
    finally:
        for name, tail in world.logs(200):
            print(f"--- log of {name}\n{tail}")
        world.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
