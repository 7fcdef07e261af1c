# SPDX-License-Identifier: MIT
"""Least privilege: modes of what is made, another user than root, secrets that others could read, and a
program that is built to be hard to turn."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import certificates
import digest
import load
import relay as relay_module
import wait

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
USER = "nobody"


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def open_place():
    """A folder that other users reach; pytest's own are root's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="psync-relay-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def everything_below(folder):
    """(path, its stat) of all that is there; what is written beside it and renamed may go while we look."""
    for at, dirs, files in os.walk(folder):
        for name in dirs + files:
            path = pathlib.Path(at) / name
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()


# --- files ---------------------------------------------------------------------------------------


def test_what_it_makes_is_its_own(lab, tmp_path):
    """Whatever the umask."""
    origin = lab.origin()
    load.fill(origin)
    settings = {"relay.log-file": tmp_path / "relay.log"}
    relay = lab.relay(origin, settings, start=False)
    relay.data_dir.rmdir()
    before = os.umask(0)
    try:
        relay.start()
    finally:
        os.umask(before)
    relay.wait_link()
    lab.replica(relay).wait_online()
    relay.client().execute_command("REPLICAOF", "localhost", origin.port)
    wait.until("the note is written", lambda: (relay.data_dir / "origin").exists())
    made = dict(everything_below(relay.data_dir))
    assert {path.suffix for path in made} >= {".seg", ".rdb"}, made
    for path, found in made.items():
        expected = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
        assert stat.S_IMODE(found.st_mode) == expected, path
    assert mode(relay.data_dir) == 0o700
    assert mode(tmp_path / "relay.log") == 0o600


def test_a_data_dir_that_is_open_to_others(lab):
    """Is closed to them, unless it holds something else, too."""
    relay = lab.relay(lab.origin(), start=False)
    relay.data_dir.chmod(0o755)
    relay.start()
    relay.wait_log(r"was open to others than its owner \(mode 0755\) and is not any more")
    assert mode(relay.data_dir) == 0o700
    after = relay.log_end()
    relay.stop()
    relay.start()
    assert "open to others" not in relay.log()[after:]
    relay.stop()
    relay.data_dir.chmod(0o777)
    (relay.data_dir / "something").write_text("else")
    relay.start()
    relay.wait_log(r"is open to others than its owner \(mode 0777\): chmod 700 ")
    assert mode(relay.data_dir) == 0o777


# --- another user --------------------------------------------------------------------------------


def status_of(relay):
    text = pathlib.Path(f"/proc/{relay.pid}/status").read_text()
    return {key: value.split() for key, value in re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE)}


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


@AS_ROOT
@pytest.mark.seconds(90)
def test_root_becomes_a_user(lab, open_place):
    """With what only root may read, and what is missing made for the user; SIGHUP has the user's rights."""
    user = pwd.getpwnam(USER)
    papers = certificates.Papers(open_place / "papers")
    papers.authority("ca")
    papers.issue("ca", "relay")
    papers.issue("ca", "replica")
    papers.key("relay").chmod(0o600)
    log = open_place / "relay.log"
    password = private(lab.directory / "password", "sesame\n")  # in a folder that only root can enter
    settings = {
        **papers.downstream("relay"),
        "relay.user": USER,
        # LeakSanitizer has to look at it.
        "relay.set-dumpable": "yes" if relay_module.is_sanitized() else "no",
        "relay.data-dir": open_place / "data",
        "relay.log-file": log,
        "downstream.requirepass-file": password,
    }
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, settings, start=False)
    relay.data_dir = open_place / "data"
    relay.ini.write_text(relay_module.ini_text(relay.settings))
    relay.settings["downstream.requirepass"] = "sesame"  # for relay.client()
    relay.spawn(
        [relay_module.PROGRAM, "-c", relay.ini, "--set", "downstream.maxclients=500"],
        env=relay_module.SANITIZER_ENV,
    )
    relay.wait_ready()
    relay.wait_link()

    found = status_of(relay)
    assert set(found["Uid"]) == {str(user.pw_uid)}
    assert set(found["Gid"]) == {str(user.pw_gid)}
    assert "0" not in found["Groups"]
    assert int(found["CapEff"][0], 16) == 0 and int(found["CapPrm"][0], 16) == 0
    assert found["NoNewPrivs"] == ["1"]
    owner = os.stat(f"/proc/{relay.pid}/environ").st_uid
    assert relay_module.is_sanitized() or owner == 0, "it can be dumped"
    made = {log: log.stat(), relay.data_dir: relay.data_dir.stat(), **dict(everything_below(relay.data_dir))}
    for path, seen in made.items():
        assert (seen.st_uid, seen.st_gid) == (user.pw_uid, user.pw_gid), path

    replica = lab.replica(
        certificates.at(relay), masterauth="sesame", **papers.server("replica")
    ).wait_online()
    load.fill(origin, seed=3)
    digest.compare(origin, [replica])

    def logged(pattern):
        wait.until(f"the log has /{pattern}/", lambda: re.search(pattern, log.read_text()))

    logged("runs as user=nobody uid=")
    logged(r"\[downstream\] tls-key-file .*: nobody cannot read it: .* after a restart")
    logged(r"the ini .*: nobody cannot read it: .* after a restart")
    relay.signal(signal.SIGHUP)
    logged(r"downstream TLS: .*tls-key-file .*: Permission denied; the previous certificate stays in use")
    shutil.chown(papers.key("relay"), group=user.pw_gid)
    papers.key("relay").chmod(0o640)
    relay.signal(signal.SIGHUP)
    wait.until("it is taken over", lambda: log.read_text().count("downstream TLS has") == 2)
    wait.equal("the log is opened again", lambda: log.read_text().count("log file reopened"), 2)
    relay.set("ack", "durable")
    assert relay.terminate() == 0


@AS_ROOT
def test_the_user_may_make_core_dumps_if_that_is_wanted(lab, open_place):
    settings = {
        "relay.user": USER,
        "relay.group": "daemon",
        "relay.data-dir": open_place / "data",
        "relay.set-dumpable": "yes",
    }
    relay = lab.relay(lab.origin(), settings)
    assert os.stat(f"/proc/{relay.pid}/environ").st_uid == pwd.getpwnam(USER).pw_uid
    assert set(status_of(relay)["Gid"]) == {str(pwd.getpwnam("daemon").pw_gid)}


def refusal(lab, settings, **options):
    made = lab.relay(None, {"upstream.replicaof": "127.0.0.1 1", **settings}, start=False)
    made.ini.write_text(relay_module.ini_text(made.settings))
    done = relay_module.run("-c", made.ini, **options)
    assert done.returncode == 1, done
    return done.stderr


def test_users_that_cannot_be(lab):
    assert "[relay] user = nosuch-user: there is no such user" in refusal(
        lab, {"relay.user": "nosuch-user"}
    )
    assert "[relay] group = nosuch: there is no such group" in refusal(
        lab, {"relay.user": USER, "relay.group": "nosuch"}
    )
    assert "group requires user" in refusal(lab, {"relay.group": "daemon"})
    assert "that is root" in refusal(lab, {"relay.user": "root"})


@AS_ROOT
def test_places_that_the_user_has_no_right_to(lab, open_place):
    closed = open_place / "closed"
    closed.mkdir(mode=0o700)
    settings = {"relay.user": USER, "relay.data-dir": closed}
    assert f"data-dir {closed}: nobody cannot write in it: Permission denied: chown -R nobody" in (
        refusal(lab, settings)
    )
    log = private(open_place / "log", "")
    settings = {"relay.user": USER, "relay.data-dir": open_place / "d", "relay.log-file": log}
    assert f"cannot open log file '{log}': Permission denied: give it to nobody" in refusal(
        lab, settings
    )
    # What lies behind a link is not given away.
    link = open_place / "link"
    link.symlink_to(log)
    settings["relay.log-file"] = link
    assert "Permission denied" in refusal(lab, settings)
    assert os.stat(log).st_uid == 0


@AS_ROOT
def test_who_is_not_root_becomes_nobody_else(lab, open_place):
    shutil.copy(relay_module.PROGRAM, open_place / "psync-relay")
    ini = open_place / "relay.ini"
    settings = {"relay.data-dir": open_place / "data", "upstream.replicaof": "127.0.0.1 1"}
    ini.write_text(relay_module.ini_text({**settings, "relay.user": "daemon"}))
    done = subprocess.run(
        [open_place / "psync-relay", "-c", ini], user=USER, cwd="/", capture_output=True, text=True,
        timeout=wait.limit(10), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "only root can become another user: start it as root, or as daemon" in done.stderr
    assert not (open_place / "data").exists()


# --- secrets -------------------------------------------------------------------------------------


def warnings_of_check(lab, settings, ini_mode):
    made = lab.relay(None, {"upstream.replicaof": "127.0.0.1 1", **settings}, start=False)
    made.ini.write_text(relay_module.ini_text(made.settings))
    made.ini.chmod(ini_mode)
    done = relay_module.run("-c", made.ini, "--check")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done
    return done.stderr


def test_secrets_that_everybody_may_read(lab, tmp_path):
    secret = {"downstream.requirepass": "sesame"}
    found = warnings_of_check(lab, secret, 0o644)
    assert re.search(r"the ini \S+/relay.ini contains a secret, and every user .* can read it", found)
    assert "can change it (mode 0602)" in warnings_of_check(lab, secret, 0o602)
    assert warnings_of_check(lab, secret, 0o640) == ""
    assert warnings_of_check(lab, {}, 0o644) == ""

    papers = certificates.Papers(tmp_path / "papers")
    papers.authority("ca")
    papers.issue("ca", "relay")
    password = private(tmp_path / "password", "sesame\n")
    files = {**papers.downstream("relay"), "downstream.requirepass-file": password}
    papers.key("relay").chmod(0o640)
    assert warnings_of_check(lab, files, 0o644) == ""
    papers.key("relay").chmod(0o644)
    password.chmod(0o604)
    found = warnings_of_check(lab, files, 0o644)
    assert f"[downstream] tls-key-file {papers.key('relay')} contains a secret" in found
    assert f"[downstream] requirepass-file {password} contains a secret" in found
    assert len(found.splitlines()) == 2


def test_a_warning_at_start(lab):
    relay = lab.relay(lab.origin(), {"downstream.requirepass": "sesame"}, start=False)
    relay.start()
    relay.ini.chmod(0o644)
    relay.restart()
    relay.wait_log("relay: the ini .* contains a secret, and every user of this machine can read it")


def test_nobody_sees_a_password_in_the_list_of_processes(lab):
    relay = lab.relay(lab.origin(), start=False)
    relay.ini.write_text(relay_module.ini_text(relay.settings))
    relay.settings["downstream.requirepass"] = "op3n.s3same=1"
    relay.spawn(
        [relay_module.PROGRAM, "-c", relay.ini,
         "--set", "downstream.requirepass=op3n.s3same=1",
         "--set", "upstream.masterauth=wr0ng",
         "--set", "downstream.timeout=77"],
        env=relay_module.SANITIZER_ENV,
    )  # fmt: skip
    relay.wait_ready()
    called = pathlib.Path(f"/proc/{relay.pid}/cmdline").read_bytes()
    assert b"s3same" not in called and b"wr0ng" not in called, called
    assert b"downstream.requirepass=" in called and b"downstream.timeout=77" in called
    # It still knows them itself.
    relay.signal(signal.SIGHUP)
    relay.wait_log("configuration reloaded")
    assert "after a restart" not in relay.log()
    assert relay.client().ping()


# --- the program ---------------------------------------------------------------------------------


@pytest.mark.skipif(relay_module.is_sanitized(), reason="sanitizers are no hardening")
def test_the_program_is_hardened():
    """Position-independent, relocations read-only, no executable stack, checked stack and buffers."""

    def readelf(*options):
        done = subprocess.run(
            ["readelf", "--wide", *options, relay_module.PROGRAM],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    header, segments, dynamic, symbols = (readelf(o) for o in ("-h", "-l", "-d", "--dyn-syms"))
    assert re.search(r"Type:\s+DYN", header)
    assert re.search(r"FLAGS_1\).*\bPIE\b", dynamic)
    assert re.search(r"FLAGS\).*\bBIND_NOW\b", dynamic)
    assert re.search(r"FLAGS_1\).*\bNOW\b", dynamic)
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK .* RW +0x", segments), "the stack can be executed"
    assert not re.search(r"LOAD .* RWE ", segments)
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__(memcpy|snprintf|vsnprintf|fprintf|read|recv)_chk", symbols)
