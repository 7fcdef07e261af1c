# SPDX-License-Identifier: MIT
"""Authorities and certificates for the tests, made by the openssl command, and the words that servers,
the relay and redis-cli want them in.

    papers = certificates.Papers(folder)
    papers.authority("ca")
    papers.issue("ca", "server", "IP:127.0.0.1")
    lab.origin(**papers.server("server"))
"""

import pathlib
import shutil
import subprocess

import ports

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
HERE = "IP:127.0.0.1,DNS:localhost"


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.decode()}"


class Address:
    """Where a server's TLS port is, for whoever replicates from it."""

    def __init__(self, server, port):
        self.host = server.host
        self.port = port


class Papers:
    """A folder of authorities and of what they have signed: <name>.crt and <name>.key."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def certificate(self, name):
        return self.folder / f"{name}.crt"

    def key(self, name):
        return self.folder / f"{name}.key"

    def authority(self, name, days=365):
        openssl(
            "req", "-x509", *EC, "-keyout", self.key(name), "-out", self.certificate(name),
            "-subj", f"/CN={name}", "-days", days,
        )  # fmt: skip

    def issue(self, authority, name, names=HERE, days=365):
        """With days=-1 it has expired."""
        request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"basicConstraints=CA:FALSE\nsubjectAltName={names}\n")
        openssl(
            "req", *EC, "-keyout", self.key(name), "-out", request, "-subj", f"/CN={name}"
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", request, "-out", self.certificate(name), "-days", days,
            "-CA", self.certificate(authority), "-CAkey", self.key(authority), "-CAcreateserial",
            "-extfile", extensions,
        )  # fmt: skip

    def copy(self, name, to):
        """Puts a pair in the place of another, as a renewal does."""
        shutil.copy(self.key(name), self.key(to))
        shutil.copy(self.certificate(name), self.certificate(to))

    # What they are called where they are used.

    def server(self, name, authority="ca", replication="yes", **more):
        """Settings of a real server; its plain port stays, for the test itself."""
        return {
            "tls_port": ports.free_port(),
            "tls_cert_file": self.certificate(name),
            "tls_key_file": self.key(name),
            "tls_ca_cert_file": self.certificate(authority),
            "tls_replication": replication,
            **more,
        }

    def side(self, section, name, authority="ca", **more):
        """Settings of the relay, of one side."""
        settings = {
            "tls-cert-file": self.certificate(name),
            "tls-key-file": self.key(name),
            "tls-ca-cert-file": self.certificate(authority),
            **{key.replace("_", "-"): value for key, value in more.items()},
        }
        return {f"{section}.{key}": value for key, value in settings.items()}

    def upstream(self, name, **more):
        return self.side("upstream", name, tls="yes", **more)

    def downstream(self, name, **more):
        return self.side("downstream", name, tls_port=ports.free_port(), **more)

    def cli(self, name=None, authority="ca"):
        """Options of redis-cli."""
        options = ["--tls", "--cacert", self.certificate(authority)]
        if name is not None:
            options += ["--cert", self.certificate(name), "--key", self.key(name)]
        return options


def for_everyone(folder):
    """An authority "ca", and what it has signed for a primary, a relay, a replica and a client."""
    papers = Papers(folder)
    papers.authority("ca")
    for name in ("origin", "relay", "replica", "client"):
        papers.issue("ca", name)
    return papers


def at(server):
    """The TLS port of a server or of a relay."""
    if hasattr(server, "settings"):
        return Address(server, server.settings["downstream.tls-port"])
    return Address(server, server.config["tls-port"])
