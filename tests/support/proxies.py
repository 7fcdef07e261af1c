# SPDX-License-Identifier: MIT
"""Proxies on the way out: tinyproxy and dante, as setup.sh unpacked them, and a SOCKS5 server that asks for a password.

The last one is of our own, since dante takes the system's users, and because it tells which servers were asked for.
"""

import os
import signal
import socket
import threading

from middlebox import Middlebox
from process import ROOT

SERVERS = ROOT / "build" / "servers"
TINYPROXY = SERVERS / "tinyproxy" / "usr" / "bin" / "tinyproxy"
DANTE = SERVERS / "dante" / "usr" / "bin" / "danted"

_TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 100
LogLevel Connect
BasicAuth relay secret
"""

_DANTE = """
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: lo
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect }}
"""


def _descendants(pid):
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            for child in children.read().split():
                found += [int(child), *_descendants(child)]
    except OSError:  # it has just ended
        pass
    return found


class _Proxy(Middlebox):
    def restart(self):
        """Everybody who goes through it is cut."""
        self.stop()
        return self.start()


class Tinyproxy(_Proxy):
    """CONNECT, for the user "relay" alone."""

    def __init__(self, directory):
        super().__init__("tinyproxy", directory)
        self.url = f"http://relay:secr%65t@127.0.0.1:{self.port}"

    def arguments(self):
        config = self.directory / "tinyproxy.conf"
        config.write_text(_TINYPROXY.format(port=self.port))
        return [TINYPROXY, "-d", "-c", config]


class Dante(_Proxy):
    """SOCKS5 for everybody."""

    def __init__(self, directory):
        super().__init__("dante", directory)
        self.url = f"socks5://127.0.0.1:{self.port}"

    def stop(self):
        """Its processes that serve somebody would go on without it."""
        ours = _descendants(self.pid) if self.is_running() else []
        super().stop()
        for pid in ours:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def arguments(self):
        config = self.directory / "danted.conf"
        config.write_text(_DANTE.format(port=self.port))
        return [DANTE, "-N", "1", "-f", config, "-p", self.directory / "danted.pid"]


def _exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("the client has gone")
        data += more
    return data


class Socks:
    """SOCKS5 with a user and a password; `asked` has each server that was asked for, as (host, port)."""

    def __init__(self, user="relay", password="se:cret"):
        self.login = (user.encode(), password.encode())
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"socks5://{user}:{password.replace(':', '%3a')}@127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _target(self, client):
        """Logs the client in. Returns where it wants to go; None: the password is wrong."""
        _, count = _exactly(client, 2)
        assert 2 in _exactly(client, count)
        client.sendall(b"\5\2")
        _, length = _exactly(client, 2)
        user = _exactly(client, length)
        password = _exactly(client, _exactly(client, 1)[0])
        client.sendall(b"\1\0" if (user, password) == self.login else b"\1\1")
        if (user, password) != self.login:
            return None
        kind = _exactly(client, 4)[3]
        if kind == 1:
            host = socket.inet_ntoa(_exactly(client, 4))
        elif kind == 3:
            host = _exactly(client, _exactly(client, 1)[0]).decode()
        else:
            host = socket.inet_ntop(socket.AF_INET6, _exactly(client, 16))
        return host, int.from_bytes(_exactly(client, 2), "big")

    def _serve(self, client):
        with client:
            try:
                target = self._target(client)
                if target is None:
                    return
                self.asked.append(target)
                try:
                    server = socket.create_connection(target, timeout=10)
                except OSError:
                    client.sendall(b"\5\5\0\1\0\0\0\0\0\0")
                    return
                server.settimeout(None)
                with server:
                    client.sendall(b"\5\0\0\3\4here\0\1")
                    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                    back.start()
                    _pump(client, server)
                    back.join()
            except OSError:
                pass

    def close(self):
        self.listener.close()


def _pump(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
