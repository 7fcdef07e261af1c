# SPDX-License-Identifier: MIT
"""Real servers, as setup.sh unpacked them: Redis and Valkey, as origin or as replica."""

import os
import pathlib
import re
import subprocess

import redis

import ports
import wait
from process import ROOT, Process

SERVERS = pathlib.Path(os.environ.get("PSYNC_RELAY_SERVERS", ROOT / "build" / "servers"))

REDIS = "redis-7.0"
VALKEY = "valkey-8"
KINDS = (REDIS, VALKEY)

# Of the next Debian release. They can sync over two connections.
REDIS_8 = "redis-8"
VALKEY_81 = "valkey-8.1"
NEXT_KINDS = (REDIS_8, VALKEY_81)

# Of the one after that. It chooses the version of the RDB by the one that is announced.
VALKEY_91 = "valkey-9.1"

# What a kind of origin can feed: an older server does not read a newer RDB.
REPLICA_KINDS = {
    REDIS: (REDIS, VALKEY),
    VALKEY: (VALKEY,),
    REDIS_8: (REDIS_8,),
    VALKEY_81: (VALKEY, VALKEY_81),
    VALKEY_91: (VALKEY, VALKEY_81, VALKEY_91),  # the RDB is of a version that all of them can read
}

# Quick to sync, on loopback, no files but the one it is told to write. A relay that is away while the
# machine is busy still finds its place in the backlog.
DEFAULTS = {
    "bind": "127.0.0.1",
    "protected-mode": "no",
    "daemonize": "no",
    "save": '""',
    "enable-debug-command": "yes",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
    "repl-backlog-size": "64mb",
    "client-output-buffer-limit": "replica 0 0 0",
    "proto-max-bulk-len": "1gb",
    "databases": "16",
}


def program(kind, name):
    """The path of a kind's program: program("valkey-8", "cli")."""
    return SERVERS / kind / "usr" / "bin" / f"{kind.split('-')[0]}-{name}"


def is_available(kind):
    return program(kind, "server").exists()


def cli(kind, *arguments, seconds=30, **options):
    """Runs redis-cli or valkey-cli to its end."""
    return subprocess.run(
        [str(program(kind, "cli")), *map(str, arguments)],
        capture_output=True,
        timeout=wait.limit(seconds),
        **options,
    )


class Server(Process):
    """One Redis or Valkey. Its port and folder stay the same over restarts."""

    host = "127.0.0.1"

    def __init__(self, kind, directory, name=None, **config):
        super().__init__(name or kind, directory)
        self.kind = kind
        self.port = ports.free_port()
        self.config = {
            **DEFAULTS,
            **{key.replace("_", "-"): value for key, value in config.items()},
        }
        self.password = self.config.get("requirepass")
        self._client = None

    def start(self, ready=True):
        lines = [f"{key} {value}" for key, value in self.config.items()]
        lines += [f"port {self.port}", f"dir {self.directory}"]
        path = self.directory / "server.conf"
        path.write_text("\n".join(lines) + "\n")
        self.spawn([program(self.kind, "server"), path])
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ping():
            assert self.is_running(), f"{self.name} ended at its start:\n{self.log()[-2000:]}"
            try:
                return self.client().ping()
            except redis.exceptions.BusyLoadingError:
                return self.is_replica()

        wait.until(f"{self.name} answers on port {self.port}", ping)

    def is_replica(self):
        return "replicaof" in self.config

    def client(self, db=0, **options):
        """A connection pool of redis-py; db 0 is kept."""
        if db or options:
            return redis.Redis(host=self.host, port=self.port, db=db, password=self.password, **options)
        if self._client is None:
            self._client = redis.Redis(
                host=self.host,
                port=self.port,
                password=self.password,
                socket_timeout=wait.limit(60),
            )
        return self._client

    def info(self, section="everything"):
        return self.client().info(section)

    def offset(self):
        """Up to where this server has executed: what its replicas and its primary speak of."""
        info = self.info("replication")
        return info["slave_repl_offset"] if info["role"] == "slave" else info["master_repl_offset"]

    def follow(self, primary):
        """Points the running server at another primary, and keeps it so over restarts."""
        self.config["replicaof"] = f"{primary.host} {primary.port}"
        self.client().execute_command("REPLICAOF", primary.host, primary.port)

    def wait_online(self, seconds=30):
        """As replica: the data is loaded and the link streams."""

        def state():
            info = self.info("replication")
            return info["master_link_status"], info["master_sync_in_progress"], info["role"]

        wait.equal(f"{self.name}'s link", state, ("up", 0, "slave"), seconds=seconds)
        return self

    def full_syncs(self):
        """As replica: how often it has been given a whole new data set."""
        return len(re.findall("Full resync from (?:master|primary)", self.log()))

    def partial_syncs(self):
        """As replica: how often it could go on where it had been."""
        return self.log().count("Successful partial resynchronization")

    def shutdown(self, save=False):
        """Ends in order, as an operator does it, with or without writing the RDB."""
        try:
            self.client().execute_command("SHUTDOWN", "SAVE" if save else "NOSAVE")
        except (redis.ConnectionError, redis.TimeoutError):
            pass
        return self.exit_status()

    def stop(self):
        """Ends at once; nothing of it is needed any more."""
        self.kill9()
