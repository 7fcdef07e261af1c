# SPDX-License-Identifier: MIT
"""The Debian package: what is in it, and its life on a machine with systemd, from install to purge."""

import re
import subprocess

import machine as machine_module
import ports
import pytest
import redis
import servers
import wait
from conftest import ROOT, run
from test_files import DOCUMENTS

# It is no upload to Debian; and listing units is not what systemctl must not be called for.
NOT_MEANT = "initial-upload-closes-no-bugs,maintainer-script-calls-systemctl"

CONTENTS = {
    "./etc/logrotate.d/psync-relay",
    "./etc/psync-relay/psync-relay.ini",
    "./lib/systemd/system/psync-relay.service",
    "./lib/systemd/system/psync-relay@.service",
    "./usr/bin/psync-relay",
    "./usr/lib/sysusers.d/psync-relay.conf",
    "./usr/share/bash-completion/completions/psync-relay",
    *(f"./usr/share/doc/psync-relay/{name}" for name in DOCUMENTS),
    "./usr/share/doc/psync-relay/changelog.Debian.gz",
    "./usr/share/doc/psync-relay/changelog.gz",
    "./usr/share/doc/psync-relay/copyright",
    "./usr/share/man/man5/psync-relay.ini.5.gz",
    "./usr/share/man/man8/psync-relay.8.gz",
}


def test_what_is_in_it(package):
    lines = run("dpkg", "--contents", package).splitlines()
    assert {line.split()[5] for line in lines if not line.startswith("d")} == CONTENTS
    conffiles = run("dpkg", "--info", package, "conffiles").split()
    assert sorted(conffiles) == ["/etc/logrotate.d/psync-relay", "/etc/psync-relay/psync-relay.ini"]


def test_its_version_is_the_programs(package, program):
    version = run("dpkg", "--field", package, "Version").strip()
    assert run(program, "--version").split()[1] == version.rpartition("-")[0]


def test_lintian_finds_nothing(package):
    (changes,) = package.parent.glob("*.changes")
    lintian = ["lintian", "--allow-root", "--fail-on=error,warning", f"--suppress-tags={NOT_MEANT}"]
    assert run(*lintian, changes) == ""


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The same package under a higher version."""
    folder = tmp_path_factory.mktemp("newer")
    run("dpkg-deb", "-R", package, folder / "tree")
    control = folder / "tree/DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)$", r"\1+newer", control.read_text(), flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-b", folder / "tree", folder / "newer.deb")
    return folder / "newer.deb"


@pytest.fixture
def machine(tmp_path):
    if reason := machine_module.why_not():
        pytest.skip(reason)
    booting = machine_module.Machine(tmp_path / "machine")
    try:
        if reason := booting.wait_booted():
            pytest.skip(reason)
        yield booting
    finally:
        booting.end()


@pytest.fixture
def origin(tmp_path):
    started = servers.Server(servers.REDIS, tmp_path / "origin").start()
    yield started
    started.kill9()


class Service:
    """One unit on the machine, and the relay that it runs."""

    def __init__(self, machine, unit, ini, origin):
        self.machine, self.unit, self.ini = machine, unit, ini
        self.port, self.http_port = ports.free_port(), ports.free_port()
        self.origin = origin

    def configure(self, text):
        text = text.replace(";replicaof =", f"replicaof = 127.0.0.1 {self.origin.port}")
        text = text.replace(";port = 6380", f"port = {self.port}")
        self.machine.path(self.ini).write_text(text.replace(";port = 6390", f"port = {self.http_port}"))

    def enable(self):
        told = f"journalctl --no-pager -u {self.unit}; exit 1"
        self.machine.say(f"systemctl enable --now {self.unit} || {{ {told}; }}")

    def state(self):
        return self.machine.show(self.unit, "ActiveState")

    def pid(self):
        return int(self.machine.show(self.unit, "MainPID"))

    def info(self):
        with redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=wait.limit(20)) as client:
            return client.info("everything")

    def wait_up(self):
        wait.equal(f"{self.unit}'s link", lambda: self.info()["master_link_status"], "up")

    def syncs_of_origin(self):
        stats = self.origin.info()
        return stats["sync_full"], stats["sync_partial_ok"]


@pytest.fixture
def main(machine, package, origin):
    """psync-relay.service of the package, installed and told of its origin, not started."""
    machine.path("/srv/relay.deb").write_bytes(package.read_bytes())
    machine.say("dpkg -i /srv/relay.deb")
    service = Service(machine, "psync-relay.service", "/etc/psync-relay/psync-relay.ini", origin)
    service.configure(machine.path(service.ini).read_text())
    return service


@pytest.fixture
def instance(machine, main, origin):
    """psync-relay@eu.service beside it, with a log of its own."""
    service = Service(machine, "psync-relay@eu.service", "/etc/psync-relay/eu.ini", origin)
    service.configure(
        "[relay]\nlog-file = /var/log/psync-relay/eu.log\n"
        "[upstream]\n;replicaof =\n[downstream]\n;port = 6380\n[http]\n;port = 6390\n"
    )
    machine.say("chown psync-relay: /etc/psync-relay/eu.ini && chmod 0640 /etc/psync-relay/eu.ini")
    return service


def psync_files(machine):
    where = "-not -path '/srv/*' -not -path '/tmp/*' -not -path '/var/tmp/*'"
    return set(machine.say(f"find / -xdev -name '*psync*' {where}").split())


def test_it_starts_when_it_is_told_to(machine, main):
    assert (main.state(), machine.say("id -un psync-relay")) == ("inactive", "psync-relay")
    assert machine.say("systemctl is-enabled psync-relay", status=None) == "disabled"
    assert machine.say("stat -c '%a %U:%G' /etc/psync-relay /etc/psync-relay/psync-relay.ini").split("\n") == [
        "2770 root:psync-relay",
        "640 psync-relay:psync-relay",
    ]
    main.enable()
    # enable --now came back, so the relay has said that it is ready, and answers.
    assert main.state() == "active"
    assert main.pid() != 0 and main.info()["role"] == "slave"
    main.wait_up()
    wait.equal(
        "the status",
        lambda: machine.show(main.unit, "StatusText"),
        f"primary 127.0.0.1:{main.origin.port} streaming, replicas=0",
    )
    assert machine.say("stat -c '%a %U' /var/lib/psync-relay") == "700 psync-relay"
    exposure = machine.say("systemd-analyze security --no-pager psync-relay | tail -1")
    assert float(re.search(r": ([\d.]+)", exposure).group(1)) < 2.0


def test_a_start_that_cannot_be_says_why(machine, main):
    ini = machine.path(main.ini)
    ini.write_text(ini.read_text().replace(";fsync = everysec", "fsync = sometimes"))
    machine.say("systemctl start psync-relay", status=1)
    told = machine.say("journalctl --no-pager -o cat -u psync-relay")
    assert "fsync = sometimes: expected" in told


def test_reload_is_told_and_the_ini_is_written(machine, main):
    main.enable()
    main.wait_up()
    pid = main.pid()
    ini = machine.path(main.ini)
    ini.write_text(ini.read_text().replace(";log-level = info", "log-level = debug"))
    machine.say("systemctl reload psync-relay")
    journal = "journalctl --no-pager -o cat -u psync-relay"
    wait.until("SIGHUP was heard", lambda: "cause=SIGHUP" in machine.say(journal))
    assert (main.pid(), main.state()) == (pid, "active")
    with redis.Redis(host="127.0.0.1", port=main.port) as client:
        client.config_set("ack", "durable")
        client.config_rewrite()
    assert "\nack = durable\n" in ini.read_text()


def test_who_is_killed_or_silent_is_started_again(machine, main):
    drop_in = machine.path("/etc/systemd/system/psync-relay.service.d/watchdog.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nWatchdogSec=3s\n")
    machine.say("systemctl daemon-reload")
    main.enable()
    main.wait_up()
    full, _ = main.syncs_of_origin()
    for signal, ended in (("KILL", "a kill"), ("STOP", "silence")):
        before, pid = int(machine.show(main.unit, "NRestarts")), main.pid()
        machine.say(f"systemctl kill --signal={signal} psync-relay")
        wait.until(
            f"it is started again after {ended}",
            lambda: (int(machine.show(main.unit, "NRestarts")), main.pid(), main.state()),
            lambda seen: seen[0] > before and seen[1] not in (0, pid) and seen[2] == "active",
        )
        main.wait_up()
    # It went on where it stood, so its files and the kernel's boot_id were within its reach.
    assert main.syncs_of_origin()[0] == full


def test_shutdown_is_an_end(machine, main):
    main.enable()
    main.wait_up()
    with redis.Redis(host="127.0.0.1", port=main.port) as client, pytest.raises(redis.ConnectionError):
        client.execute_command("SHUTDOWN")
    wait.equal("its state", main.state, "inactive")
    assert (machine.show(main.unit, "Result"), machine.show(main.unit, "NRestarts")) == ("success", "0")


def test_logs_are_rotated(machine, main, instance):
    instance.enable()
    instance.wait_up()
    log = machine.path("/var/log/psync-relay/eu.log")
    machine.say("logrotate --force /etc/logrotate.d/psync-relay")
    assert machine.path("/var/log/psync-relay/eu.log.1").exists()
    wait.until("it writes to a new one", lambda: "log file reopened" in log.read_text())
    machine.say("systemctl stop psync-relay@eu")
    assert "relay: stopped" in log.read_text()


def test_an_upgrade_restarts_what_runs(machine, main, instance, newer):
    main.enable()
    instance.enable()
    main.wait_up()
    instance.wait_up()
    full, _ = main.syncs_of_origin()
    pids = main.pid(), instance.pid()
    ini = machine.path(main.ini).read_text()
    machine.path("/srv/newer.deb").write_bytes(newer.read_bytes())
    machine.say("dpkg -i /srv/newer.deb")
    for service, pid in zip((main, instance), pids):
        assert service.state() == "active"
        assert service.pid() not in (0, pid)
        service.wait_up()
    assert main.syncs_of_origin()[0] == full
    assert machine.path(main.ini).read_text() == ini
    assert machine.say("systemctl is-enabled psync-relay psync-relay@eu").split() == ["enabled"] * 2


def test_an_upgrade_starts_nothing_that_was_stopped(machine, main, newer):
    machine.path("/srv/newer.deb").write_bytes(newer.read_bytes())
    machine.say("dpkg -i /srv/newer.deb")
    assert main.state() == "inactive"


def test_remove_keeps_data_and_purge_takes_it(machine, main, instance):
    before = psync_files(machine) - set(machine.say("dpkg -L psync-relay").split())
    main.enable()
    instance.enable()
    main.wait_up()
    instance.wait_up()
    machine.say("dpkg --remove psync-relay")
    assert (main.state(), instance.state()) == ("inactive", "inactive")
    assert machine.path("/var/lib/psync-relay/history-1").is_dir()
    assert machine.path("/var/lib/psync-relay@eu/history-1").is_dir()
    assert machine.path(main.ini).exists()
    machine.path(instance.ini).unlink()
    machine.say("dpkg --purge psync-relay")
    left = psync_files(machine)
    ours = [path for path in left if path.startswith(("/etc", "/var/lib/psync", "/var/log"))]
    assert (left - before, ours) == (set(), [])
    assert machine.say("systemctl --failed --no-legend") == ""


def test_what_somebody_has_put_beside_the_ini_stays(machine, main):
    machine.path("/etc/psync-relay/mine.ini").write_text("[upstream]\n")
    machine.say("dpkg --purge psync-relay")
    assert machine.path("/etc/psync-relay/mine.ini").exists()
    assert not machine.path(main.ini).exists()
