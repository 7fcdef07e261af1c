# SPDX-License-Identifier: MIT
"""redis-cli and valkey-cli at the relay's port: backups, a look at the stream, questions."""

import subprocess

import pytest

import digest
import load
import servers
import wait


@pytest.fixture(params=servers.KINDS)
def tool(request):
    if not servers.is_available(request.param):
        pytest.skip(f"{request.param} could not be fetched")
    return request.param


def test_backup_without_the_origin(lab, tool, tmp_path):
    """--rdb is served from the relay's disk, and is a whole RDB that a server starts from."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    path = tmp_path / "backup.rdb"
    done = servers.cli(tool, "-p", relay.port, "--rdb", path)
    assert done.returncode == 0, done
    check = subprocess.run(
        [str(servers.program(tool, "check-rdb")), str(path)], capture_output=True, check=False
    )
    assert check.returncode == 0, check.stdout
    info = origin.info()
    assert (info["sync_full"], info["total_forks"]) == (1, 1)

    restored = lab.origin(start=False, name="restored")
    path.rename(restored.directory / "dump.rdb")
    restored.start()
    assert digest.digest(restored) != "0" * 40
    wait.equal("the relay lists nobody", lambda: relay.info()["connected_slaves"], 0)


def test_stream_is_shown(lab, tool):
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    with open(lab.directory / "stream", "wb") as out:
        child = subprocess.Popen(
            [str(servers.program(tool, "cli")), "-p", str(relay.port), "--replica"],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait.until("it is listed", lambda: relay.info()["connected_slaves"] == 1)
        number = 0

        def shown():
            nonlocal number
            number += 1
            origin.client().set("look-at-me", number)
            return b"look-at-me" in (lab.directory / "stream").read_bytes()

        wait.until("the stream is shown", shown, every=0.2)
    finally:
        child.kill()
        child.wait()
    assert origin.info()["sync_full"] == 1


def ask(tool, relay, *words):
    done = servers.cli(tool, "-p", relay.port, *words)
    assert done.returncode == 0, done
    return done.stdout.decode()


def test_questions(lab, tool):
    relay = lab.relay(lab.origin()).wait_link()
    assert ask(tool, relay, "PING") == "PONG\n"
    assert ask(tool, relay, "-3", "PING") == "PONG\n"
    assert "role:slave" in ask(tool, relay, "INFO", "replication")
    assert "role:slave" in ask(tool, relay, "-3", "INFO")
    assert ask(tool, relay, "ROLE").startswith("slave\n127.0.0.1\n")
    assert "relay" in ask(tool, relay, "GET", "key").lower()
    assert ask(tool, relay, "-n", "5", "PING") == "PONG\n"
    # Interactive: asks COMMAND DOCS first.
    done = servers.cli(tool, "-p", relay.port, input=b"PING\nINFO server\nQUIT\n")
    assert b"PONG" in done.stdout and b"run_id" in done.stdout
