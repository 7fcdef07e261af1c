# SPDX-License-Identifier: MIT
"""The relay's HTTP side: questions as a client asks them, and Prometheus's tools."""

import http.client
import json
import pathlib
import re
import subprocess

import wait
from process import ROOT

PROMETHEUS = ROOT / "build" / "servers" / "prometheus" / "usr" / "bin"
MONITORING = ROOT / "etc" / "monitoring"


def ask(relay, path, method="GET", headers=None):
    """(status, headers, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.http_port, timeout=wait.limit(10))
    try:
        connection.request(method, path, headers={"Connection": "close", **(headers or {})})
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read().decode()
    finally:
        connection.close()


def status(relay):
    code, _, body = ask(relay, "/status.json")
    assert code == 200, body
    return json.loads(body)


SAMPLE = re.compile(r'^([a-z_]+)((?:\{.*\})?) (\S+)$')


def metrics(relay):
    """{'psync_relay_link_up': 1.0, 'psync_relay_replicas{state="online"}': 2.0}"""
    code, _, body = ask(relay, "/metrics")
    assert code == 200, body
    found = {}
    for line in body.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            assert name + labels not in found, f"twice: {line}"
            found[name + labels] = float(value)
    return found


def promtool(*arguments, stdin=None, cwd=None):
    return subprocess.run(
        [str(PROMETHEUS / "promtool"), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd or pathlib.Path("/"),
        timeout=wait.limit(30),
        check=False,
    )
