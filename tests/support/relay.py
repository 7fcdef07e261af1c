# SPDX-License-Identifier: MIT
"""The relay as a process: its ini, its start and its ends, and what it says about itself."""

import functools
import os
import pathlib
import re
import signal
import subprocess

import redis

import ports
import wait
from process import ROOT, Process

PROGRAM = pathlib.Path(os.environ.get("PSYNC_RELAY", ROOT / "build" / "psync-relay")).resolve()

# Small segments, so that every test crosses many of them.
DEFAULTS = {
    "relay.threads": "2",
    "relay.log-level": "debug",
    "relay.set-dumpable": "yes",  # or the tests could not look at /proc, nor LeakSanitizer at it
    "downstream.bind": "127.0.0.1",
    "http.port": "0",
    "store.segment-size": "256kb",
    "store.repl-backlog-size": "256mb",
    "store.repl-backlog-max-size": "1gb",
}

SANITIZER = re.compile(
    r"(AddressSanitizer|ThreadSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:).*"
)

# A sanitizer's report must not be lost behind a clean exit status.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "exitcode=99:abort_on_error=0:" + os.environ.get("ASAN_OPTIONS", ""),
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99:"
    + os.environ.get("UBSAN_OPTIONS", ""),
    "TSAN_OPTIONS": "exitcode=99:" + os.environ.get("TSAN_OPTIONS", ""),
}


def ini_text(settings):
    """{"store.fsync": "no"} as an ini file."""
    sections = {}
    for key, value in settings.items():
        section, name = key.split(".", 1)
        sections.setdefault(section, []).append(f"{name} = {value}")
    return "\n".join(
        f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items()
    )


def write_ini(directory, settings):
    """An ini with these settings and what a relay needs besides; its primary is not there. Returns its path."""
    path = directory / "relay.ini"
    base = {
        "relay.data-dir": directory / "data",
        "upstream.replicaof": "127.0.0.1 1",
        "downstream.port": ports.free_port(),
        "downstream.bind": "127.0.0.1",
    }
    path.write_text(ini_text({**base, **settings}))
    return path


@functools.cache
def is_sanitized():
    """Bounds of memory do not hold under a sanitizer: those who have one ask here."""
    program = PROGRAM.read_bytes() if PROGRAM.exists() else b""
    return b"__asan_init" in program or b"__tsan_init" in program


def sanitizer_runtimes():
    """The libraries of the sanitizers that the program is linked with: they must come before any preloaded one."""
    listed = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=False).stdout
    return re.findall(r"=> (\S*/lib[at]san\S*)", listed)


def run(*arguments, seconds=10, **options):
    """Runs the program to its end, for options and for errors at start."""
    return subprocess.run(
        [str(PROGRAM), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=wait.limit(seconds),
        env={**os.environ, **SANITIZER_ENV},
        **options,
    )


class Relay(Process):
    """One relay. Its port, its ini and its data directory stay the same over restarts."""

    host = "127.0.0.1"

    def __init__(self, directory, origin=None, name="relay", settings=None, http=False):
        super().__init__(name, directory)
        self.port = ports.free_port()
        self.data_dir = self.directory / "data"
        self.settings = {
            **DEFAULTS,
            "relay.data-dir": self.data_dir,
            "downstream.port": self.port,
            **(settings or {}),
        }
        if origin is not None:
            self.settings.setdefault("upstream.replicaof", f"{origin.host} {origin.port}")
        if http:
            self.settings["http.port"] = ports.free_port()
        self.ini = self.directory / "relay.ini"
        self.data_dir.mkdir(exist_ok=True)

    under = []  # a program that it runs under, with that one's options: one that counts instructions, say
    environment = {}  # beside ours
    login = None  # (user, password) of an admin, where requirepass is not the way in

    @property
    def http_port(self):
        """Where its HTTP is served; 0: it is not (see http=True above)."""
        return int(self.settings["http.port"])

    @property
    def password(self):
        return self.settings.get("downstream.requirepass")

    def start(self, ready=True):
        self.ini.write_text(ini_text(self.settings))
        self.spawn([*self.under, PROGRAM, "-c", self.ini], env={**SANITIZER_ENV, **self.environment})
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ping():
            assert self.is_running(), f"{self.name} ended at its start:\n{self.log()[-2000:]}"
            return self.client().ping()

        wait.until(f"{self.name} answers on port {self.port}", ping)

    def client(self, **options):
        user, password = self.login or (None, self.password)
        options = {"username": user, "password": password, **options}
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=wait.limit(20), **options)

    def info(self, section="everything"):
        with self.client() as client:
            return client.info(section)

    def wait_link(self, status="up", seconds=30):
        wait.equal(
            f"{self.name}'s master_link_status",
            lambda: self.info("replication")["master_link_status"],
            status,
            seconds=seconds,
        )
        return self

    def follow(self, primary):
        """REPLICAOF, as an operator says it while the relay runs."""
        self.client().execute_command("REPLICAOF", primary.host, primary.port)

    def set(self, name, value):
        self.client().execute_command("CONFIG", "SET", name, value)

    def offset(self):
        return self.info("replication")["slave_repl_offset"]

    def replicas(self):
        """The slaveN lines, by the port that the replica announced."""
        info = self.info("replication")
        lines = [info[f"slave{i}"] for i in range(info["connected_slaves"])]
        return {line["port"]: line for line in lines}

    def hang_up(self, pattern):
        """SIGHUP, whose end is told by a line that matches; returns the log from then on."""
        after = self.log_end()
        self.signal(signal.SIGHUP)
        self.wait_log(pattern, after=after)
        return self.log()[after:]

    def reconnect(self, primary):
        """Has the primary close the link, and waits until it streams again."""
        after = self.log_end()
        primary.client().execute_command("CLIENT", "KILL", "TYPE", "replica")
        self.wait_log("state=handshake->streaming", after=after)

    def syncs(self):
        """(full, partial accepted, partial refused) as counted since its start."""
        stats = self.info("stats")
        return stats["sync_full"], stats["sync_partial_ok"], stats["sync_partial_err"]

    def memory_grown(self, before):
        """Bytes of memory more than before; 0 under a sanitizer, whose shadow grows by itself."""
        return 0 if is_sanitized() else self.rss_bytes() - before

    def restart(self, kill=False, ready=True):
        if kill:
            self.kill9()
        else:
            self.stop()
        return self.start(ready)

    def stop(self):
        """Ends it in order and sees that it ended well."""
        if self.child is None:
            return
        was_running = self.is_running()
        status = self.terminate() if was_running else self.child.returncode
        self.check_log()
        if was_running:
            assert status == 0, f"{self.name}: expected exit status 0 on SIGTERM, came {status}"

    def check_log(self):
        report = SANITIZER.search(self.log())
        assert report is None, f"{self.name}: {self.log()[report.start():][:6000]}"

    # The data directory: history-<n>/{identity,backlog/*.seg,snapshot/*.rdb}

    def histories(self):
        return sorted(self.data_dir.glob("history-*"), key=lambda path: int(path.name[8:]))

    def snapshots(self):
        return sorted(self.data_dir.glob("history-*/snapshot/*.rdb"))

    def disk_bytes(self):
        return sum(
            path.stat().st_blocks * 512 for path in self.data_dir.glob("**/*") if path.is_file()
        )
