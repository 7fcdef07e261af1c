# SPDX-License-Identifier: MIT
"""The blocks of README.md and docs/ do what they say, as they are written."""

import subprocess

import pytest

import balancers
import documents
import own_world
import relay
import servers
import wait
from process import ROOT

SECONDS = 60
LIMIT = str(int(wait.limit(SECONDS)))

# What a reader of the recipes has already. All addresses are this machine's, so each server has to be
# told by which of them it is known.
STAGE = """
server()
{
    mkdir -p $1
    redis-server --bind $1 --bind-source-addr $1 --protected-mode no --save "" --dir $1 --logfile log --daemonize yes
    until_prints PONG LIMIT <<<"redis-cli -h $1 ping"
}
follow()
{
    redis-cli -h $1 replicaof 10.0.0.1 6379
    until_prints link_status:up LIMIT <<<"redis-cli -h $1 info replication"
}
sentinel()
{
    mkdir -p $1
    cat >$1/sentinel.conf <<END
bind $1
bind-source-addr $1
sentinel announce-ip $1
dir $PWD/$1
protected-mode no
sentinel monitor mymaster 10.0.0.1 6379 2
END
    redis-sentinel $1/sentinel.conf --logfile log --daemonize yes
}
knows_all()
{
    until_prints slaves=2,sentinels=3 LIMIT <<<"redis-cli -h $1 -p 26379 info sentinel"
}
server 10.0.0.1
redis-cli -h 10.0.0.1 set greeting hello
""".replace("LIMIT", LIMIT)

SENTINELS = """
sentinel 10.0.0.7; sentinel 10.0.0.8; sentinel 10.0.0.9
knows_all 10.0.0.7; knows_all 10.0.0.8; knows_all 10.0.0.9
"""

# In "Upgrading" the relay of the first recipe runs, with a replica.
RUNNING = """
psync-relay -c relay.ini &
redis-cli -h 10.0.0.2 config set masterauth a-long-password
redis-cli -h 10.0.0.2 replicaof 10.0.0.5 6380
until_prints link_status:up LIMIT <<<"redis-cli -h 10.0.0.2 info replication"
""".replace("LIMIT", LIMIT)

QUICK_START = ("README", "Quick start")
MOVING = ("docs/failover", "Moving replicas onto a relay, and off it")

GIVEN = {
    MOVING: "server 10.0.0.2; follow 10.0.0.2\n",
    ("docs/failover", "Another region behind TLS"): "server 10.1.0.2\n",
    ("docs/failover", "A pair of relays at one far link"): "redis-cli -h 10.0.0.1 config set requirepass a-long-password\n",
    ("docs/failover", "Two relays behind one address"): "server 10.0.0.2\n",
    ("docs/failover", "Failover with Sentinel"): "server 10.0.0.2; follow 10.0.0.2; server 10.0.0.3\n"
    # So that it is the other who is promoted.
    "server 10.0.0.4; redis-cli -h 10.0.0.4 config set replica-priority 0; follow 10.0.0.4\n" + SENTINELS,
    ("docs/operations", "A mistake has happened"): "",
    ("docs/operations", "Backups"): "",
    ("docs/operations", "Restore the data of a moment"): "",
    ("docs/operations", "Upgrading the relay"): "server 10.0.0.2\n" + documents.files_of(*MOVING) + RUNNING,
}

pytestmark = pytest.mark.skipif(
    not own_world.can_run(), reason="this system gives us no network of our own (unshare -n)"
)


@pytest.fixture
def programs(tmp_path_factory):
    """What the reader has in PATH: Redis's programs, and ours. His relays are on machines of their own; here
    two of them would want the same port for their status page."""
    ours = tmp_path_factory.mktemp("ours") / "psync-relay"
    ours.write_text(
        f'#!/bin/sh\n[ "$1" = restore ] && exec {relay.PROGRAM} "$@"\nexec {relay.PROGRAM} "$@" --set http.port=0\n'
    )
    ours.chmod(0o755)
    names = ("server", "cli", "sentinel", "check-rdb")
    others = {"haproxy": balancers.HAPROXY} if balancers.HAPROXY.exists() else {}
    return {**others, **{f"redis-{name}": servers.program(servers.REDIS, name) for name in names}, "psync-relay": ours}


def test_every_block_is_run():
    assert set(documents.sections()) == {QUICK_START, *GIVEN}


@pytest.mark.parametrize("document, ini", list(documents.excerpts()))
def test_excerpts_are_settings(document, ini, tmp_path):
    """Nothing is wrong with them but that the reader's files are not here."""
    path = tmp_path / "excerpt.ini"
    path.write_text(ini)
    missing = [] if "replicaof" in ini else ["--set", "upstream.replicaof=10.0.0.1 6379"]
    command = [relay.PROGRAM, "-c", path, "--print-config", *missing]
    done = subprocess.run(command, capture_output=True, text=True)
    wrong = [line for line in done.stderr.splitlines() if not line.endswith(": No such file or directory")]
    assert wrong == [], f"an ini of {document}.md"
    assert done.returncode == 0 or done.stderr


@pytest.mark.seconds(3 * SECONDS)  # more than the script has, so that what it printed is shown
@pytest.mark.parametrize("where", GIVEN, ids=lambda where: where[1])
def test_recipe(where, tmp_path, programs):
    if "haproxy" in documents.section(*where) and "haproxy" not in programs:
        pytest.skip("haproxy could not be fetched (tests/support/setup.sh test)")
    documents.run(STAGE + GIVEN[where] + documents.script_of(*where), tmp_path, programs, 2 * SECONDS)


@pytest.mark.seconds(3 * SECONDS)  # more than the script has, so that what it printed is shown
@pytest.mark.skipif(relay.is_sanitized(), reason="its make builds the program as it is without")
def test_quick_start(tmp_path, programs):
    """In a folder that looks as a clone does, with the same build folder, so that make has little to do."""
    for name in ("Makefile", "build", "etc", "include", "relay", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    documents.run(documents.script_of(*QUICK_START), tmp_path, programs, 2 * SECONDS)
