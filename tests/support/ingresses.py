# SPDX-License-Identifier: MIT
"""HTTP ingresses in front of a relay's WebSocket: nginx and HAProxy, with the files of docs/operations.md."""

import re

import documents
import prose
from middlebox import Middlebox
from process import ROOT

SERVERS = ROOT / "build" / "servers"
NGINX = SERVERS / "nginx" / "usr" / "bin" / "nginx"
HAPROXY = SERVERS / "haproxy" / "usr" / "bin" / "haproxy"
RECIPE = ("docs/operations", "Behind an HTTP ingress")


def recipe_of(program):
    """The block of the recipe, as the document has it."""
    for language, body in prose.blocks(documents.section(*RECIPE)):
        if language == program:
            return body
    raise LookupError(f"{RECIPE[0]}.md has nothing for {program} under '{RECIPE[1]}'")


class _Ingress(Middlebox):
    """TLS ends here; behind it the relay's ws-port, plain."""

    name = file = None

    def __init__(self, directory, relay, papers, certificate="relay"):
        super().__init__(self.name, directory)
        both = self.directory / "both.pem"
        both.write_text(papers.certificate(certificate).read_text() + papers.key(certificate).read_text())
        self.config = self.directory / self.file
        text = recipe_of(self.name)
        for old, new in {
            "10.0.0.5:6381": f"{relay.host}:{relay.settings['downstream.ws-port']}",
            ":443": f":{self.port}",
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "/etc/ingress/relay.pem": str(both),
            "/etc/ingress/relay.key": str(papers.key(certificate)),
        }.items():
            text = text.replace(old, new)
        assert not re.search(r"\b10\.|/etc/", text), text
        self.config.write_text(text)

    def url(self):
        return f"wss://localhost:{self.port}/replication"


class Nginx(_Ingress):
    name, file = "nginx", "relay.conf"

    def arguments(self):
        whole = self.directory / "nginx.conf"
        folders = "".join(
            f"{kind}_temp_path {self.directory};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole.write_text(
            f"pid {self.directory}/nginx.pid;\ndaemon off;\nmaster_process off;\nerror_log stderr;\nevents {{ }}\n"
            f"http {{\naccess_log off;\n{folders}include {self.config};\n}}\n"
        )
        return [NGINX, "-c", whole, "-p", self.directory, "-e", "stderr"]


class Haproxy(_Ingress):
    name, file = "haproxy", "haproxy.cfg"

    def arguments(self):
        return [HAPROXY, "-db", "-f", self.config]


KINDS = {"nginx": (NGINX, Nginx), "haproxy": (HAPROXY, Haproxy)}
