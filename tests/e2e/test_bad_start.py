# SPDX-License-Identifier: MIT
"""Errors at start: one message that says where, what, and what would be right; status 1."""

import os
import shutil
import subprocess

import pytest

import digest
import load
import relay as relay_module
import wait


def write_ini(lab, **sections):
    (lab.directory / "data").mkdir(exist_ok=True)
    settings = {key.replace("__", "."): value for key, value in sections.items()}
    return relay_module.write_ini(lab.directory, settings)


def line_of(path, text):
    return 1 + [text in line for line in path.read_text().splitlines()].index(True)


def refused(done, *parts):
    """One message, status 1, and these words in it."""
    assert done.returncode == 1, done
    lines = done.stderr.strip().splitlines()
    assert lines and lines[-1].startswith("psync-relay:"), done.stderr
    assert len(lines) == 1, f"expected one message, came:\n{done.stderr}"
    for part in parts:
        assert part in done.stderr, f"expected {part!r} in: {done.stderr}"


@pytest.mark.parametrize("check", [["--check"], []], ids=["check", "start"])
@pytest.mark.parametrize(
    "key, value, parts",
    [
        ("store.fsync", "sometimes", ["no, everysec", "always"]),
        ("store.fsyncs", "no", ["fsyncs"]),
        ("stores.fsync", "no", ["stores"]),
        ("downstream.port", "70000", ["port"]),
        ("downstream.port", "six", ["port"]),
        ("store.segment-size", "12parsecs", ["segment-size"]),
        ("store.segment-size", "1kb", ["segment-size", "64kb"]),
        ("store.repl-backlog-size", "-1", ["repl-backlog-size"]),
        ("relay.threads", "0", ["threads"]),
        ("relay.log-level", "loud", ["debug, info, warning", "error"]),
        ("upstream.replicaof", "justahost", ["replicaof"]),
        ("upstream.replicaof", "host 0", ["replicaof"]),
        ("upstream.repl-timeout", "soon", ["repl-timeout"]),
    ],
)
def test_bad_ini(lab, key, value, parts, check):
    path = write_ini(lab, **{key: value})
    done = relay_module.run("-c", path, *check)
    section, name = key.split(".")
    where = f"relay.ini:{line_of(path, f'{name} = ' if section != 'stores' else '[stores]')}"
    if section == "stores":
        refused(done, "relay.ini:", *parts)
    else:
        refused(done, where, f"[{section}]", *parts)
    if name not in ("fsyncs",) and section != "stores":
        assert value in done.stderr


def test_ini_that_is_not_one(lab):
    path = lab.directory / "relay.ini"
    path.write_text("this is not an ini\n")
    refused(relay_module.run("-c", path, "--check"), "relay.ini:1")
    refused(relay_module.run("-c", lab.directory / "nosuch.ini"), "nosuch.ini")
    refused(relay_module.run("-c", lab.directory), str(lab.directory.name))


def test_bad_options(lab):
    path = write_ini(lab)
    refused(
        relay_module.run("-c", path, "--set", "store.fsync=sometimes"),
        "fsync",
        "no, everysec",
    )
    refused(relay_module.run("-c", path, "--set", "nonsense"), "nonsense")
    for words in (["--nosuch"], ["-c"], ["left", "over"]):
        done = relay_module.run(*words)
        assert done.returncode != 0 and done.stderr, words


def test_check_print_version_help(lab):
    path = write_ini(lab, upstream__masterauth="s3cr3t", downstream__requirepass="s3cr3t")
    done = relay_module.run("-c", path, "--check")
    assert done.returncode == 0, done
    done = relay_module.run("-c", path, "--set", "store.fsync=always", "--print-config")
    assert done.returncode == 0, done
    assert "s3cr3t" not in done.stdout + done.stderr
    assert "masterauth = ***" in done.stdout
    assert "requirepass = ***" in done.stdout
    assert "fsync = always" in done.stdout
    again = lab.directory / "again.ini"
    again.write_text(
        "\n".join(line for line in done.stdout.splitlines() if "***" not in line) + "\n"
    )
    assert (
        relay_module.run("-c", again, "--check").returncode == 0
    ), "--print-config can be read back"
    assert relay_module.run("--version").stdout.startswith("psync-relay ")
    done = relay_module.run("--help")
    assert done.returncode == 0 and "--print-config" in done.stdout
    assert not os.listdir(lab.directory / "data"), "nothing was started"


def test_missing_password_file(lab):
    path = write_ini(lab, upstream__masterauth_file="x")
    path.write_text(
        path.read_text().replace("masterauth_file = x", "masterauth-file = /nosuch/file")
    )
    refused(relay_module.run("-c", path), "/nosuch/file")


def test_port_in_use(lab):
    first = lab.relay(lab.origin())
    path = write_ini(lab, downstream__port=first.port)
    done = relay_module.run("-c", path)
    assert done.returncode == 1, done
    assert str(first.port) in done.stderr and "in use" in done.stderr.lower(), done.stderr
    assert first.client().ping()


def test_directory_in_use(lab):
    first = lab.relay(lab.origin()).wait_link()
    path = write_ini(lab, relay__threads=1)
    done = relay_module.run("-c", path, "--set", f"relay.data-dir={first.data_dir}")
    assert done.returncode == 1, done
    assert str(first.data_dir) in done.stderr, done.stderr
    first.wait_link()
    assert first.info()["sync_full"] == 0


@pytest.mark.parametrize("place", ["/proc/nosuch", "FILE", "FILE/below"])
def test_unusable_directory(lab, place):
    (lab.directory / "file").write_text("not a folder")
    place = place.replace("FILE", str(lab.directory / "file"))
    path = write_ini(lab)
    done = relay_module.run("-c", path, "--set", f"relay.data-dir={place}")
    assert done.returncode == 1, done
    assert place in done.stderr, done.stderr


def test_unwritable_directory(lab):
    """For anyone but root, whom no mode stops."""
    path = write_ini(lab)
    folder = lab.directory / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    words = [str(relay_module.PROGRAM), "-c", str(path), "--set", f"relay.data-dir={folder}"]
    if os.geteuid() == 0:
        program = lab.directory / "psync-relay"
        shutil.copy(relay_module.PROGRAM, program)
        words[0] = str(program)
        for place in [lab.directory, *lab.directory.parents]:
            if place.stat().st_uid == 0 and not place.stat().st_mode & 0o005:
                place.chmod(place.stat().st_mode | 0o055)
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=wait.limit(20))
    assert done.returncode == 1, done
    assert str(folder) in done.stderr and "ermission" in done.stderr, done.stderr


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "less-one": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "nonsense": lambda path: path.write_bytes(os.urandom(500)),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_identity(lab, damage):
    """It is said, nothing wrong is served, and the relay gets itself a new copy."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    replica = lab.replica(relay).wait_online()
    load.fill(origin, rounds=5, seed=3)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    relay.stop()
    damage(relay.histories()[0] / "identity")
    end = relay.log_end()
    relay.start().wait_link()
    relay.wait_log(r"(?i)identity|history-", after=end)
    load.fill(origin, rounds=5, seed=4)
    digest.compare(origin, [replica.wait_online()])
    fresh = lab.replica(relay, name="fresh").wait_online()
    digest.compare(origin, [fresh])


def test_damaged_files(lab):
    """A snapshot that has rotted on disk, a segment that is gone: noticed, not served."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {"store.segment-size": "64kb"}).wait_link()
    load.populate(origin, 1)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    relay.stop()
    segments = sorted(relay.data_dir.glob("history-*/backlog/*.seg"))
    assert len(segments) > 3
    segments[1].unlink()
    relay.start().wait_link()
    replica = lab.replica(relay).wait_online()
    load.fill(origin, rounds=5, seed=4)
    digest.compare(origin, [replica])

    relay.stop()
    snapshot = relay.snapshots()[-1]
    snapshot.write_bytes(snapshot.read_bytes()[:-100])
    relay.start().wait_link()
    fresh = lab.replica(relay, name="fresh").wait_online()
    load.fill(origin, rounds=5, seed=5)
    digest.compare(origin, [replica, fresh])


def test_foreign_files_are_left_alone(lab):
    """Somebody's notes, a core dump, lost+found: neither read nor removed."""
    origin = lab.origin()
    relay = lab.relay(origin, start=False)
    (relay.data_dir / "notes.txt").write_text("do not delete")
    (relay.data_dir / "lost+found").mkdir()
    (relay.data_dir / "history-x").mkdir()
    (relay.data_dir / "history-7").write_text("a file of that name")
    relay.start().wait_link()
    load.fill(origin, rounds=5)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    history = relay.snapshots()[0].parents[1]
    (history / "backlog" / "core").write_text("x")
    (history / "snapshot" / "copy.rdb").write_text("x")
    relay.restart(kill=True).wait_link()
    replica = lab.replica(relay).wait_online()
    load.fill(origin, rounds=5, seed=2)
    digest.compare(origin, [replica])
    assert (relay.data_dir / "notes.txt").read_text() == "do not delete"
    assert (relay.data_dir / "lost+found").is_dir()
    assert (history / "backlog" / "core").exists()
    assert origin.info()["sync_full"] == 1
