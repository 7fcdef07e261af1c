# SPDX-License-Identifier: MIT
"""Two relays of one origin behind one address: replicas are moved away from the one that has nothing new any more,
with a partial resync. The files are those of docs/failover.md."""

import re
import subprocess

import pytest

import balancers
import documents
import load
import own_world
import relay as relay_module
import servers
import wait
import web

SECONDS = 60

needs_haproxy = pytest.mark.skipif(
    not balancers.HAPROXY.exists(), reason="haproxy could not be fetched (tests/support/setup.sh test)"
)


def two_relays(lab, **settings):
    """(origin, the near relay and what is between it and the primary, the far one)"""
    origin = lab.origin(repl_ping_replica_period="1")
    load.fill(origin, rounds=5)
    between = lab.mitm(origin)
    near = lab.relay(between, dict(settings), name="near", http=True).wait_link()
    far = lab.relay(origin, dict(settings), name="far", http=True).wait_link()
    return origin, between, near, far


def in_front(lab, name, near, far, replace=()):
    return lab.keep(balancers.Haproxy(lab.directory / name, name, near, far, replace)).start()


def expect_moved(origin, replica, far):
    """To the far one, without a full sync, and it has what is written now."""
    balancers.wait_at(far, replica)
    origin.client().set("after", "the move")
    wait.equal("the write", lambda: replica.client().get("after"), b"the move")
    # On a busy machine it may be moved more than once: each time with a partial resync.
    full, partial, refused = far.syncs()
    assert (full, refused) == (0, 0) and partial >= 1


@needs_haproxy
def test_a_relay_that_has_lost_its_origin(lab):
    password = {"downstream.requirepass": "a-long-password"}
    origin, between, near, far = two_relays(lab, **password)
    proxy = in_front(lab, "haproxy.cfg", near, far)
    replica = lab.replica(proxy, masterauth="a-long-password")
    balancers.wait_at(near, replica)
    replica.wait_online()
    between.refuse()
    near.wait_link("down")
    expect_moved(origin, replica, far)
    between.accept()
    near.wait_link()
    wait.stays("it is not moved again", lambda: far.replicas(), lambda all: replica.port in all, seconds=3)


@needs_haproxy
def test_a_relay_that_hears_nothing(lab):
    """Its link is up, and silent: /readyz?max-silence tells, and the link's state does not."""
    origin, between, near, far = two_relays(lab)
    proxy = in_front(lab, "by-silence.cfg", near, far, [("max-silence=30s", "max-silence=3s")])
    replica = lab.replica(proxy)
    balancers.wait_at(near, replica)
    replica.wait_online()
    between.stall()
    expect_moved(origin, replica, far)
    assert near.info()["master_link_status"] == "up"
    between.resume()
    wait.equal("it is ready again", lambda: web.ask(near, "/readyz?max-silence=3s")[0], 200)


def keepalived_script():
    (script,) = re.findall(r'script "(.*)"', balancers.file_of("keepalived.conf"))
    return script


def test_keepaliveds_check(lab):
    """Its script says well while the primary is heard, and not when not. It is run without a shell, word by word."""
    origin = lab.origin(repl_ping_replica_period="1")
    relay = lab.relay(origin, http=True).wait_link()
    words = keepalived_script().replace("6390", str(relay.http_port)).replace("=30s", "=3s").split()

    def status():
        return subprocess.run(words, timeout=wait.limit(10), check=False).returncode

    wait.equal("all is well", status, 0)
    origin.pause()
    wait.until("it fails", status, lambda code: code != 0)
    origin.resume()
    wait.equal("all is well again", status, 0)
    relay.stop()
    wait.until("it fails", status, lambda code: code != 0)


# A machine with one relay, whose address keepalived looks after. eth0 leads nowhere.
MACHINE = """
ip link add eth0 type veth peer name eth1
ip address add 10.0.0.5/24 dev eth0
ip link set eth0 up; ip link set eth1 up
redis-server --bind 10.0.0.1 --protected-mode no --save "" --repl-ping-replica-period 1 --daemonize yes --logfile log
until_prints PONG 30 <<<"redis-cli -h 10.0.0.1 ping"
psync-relay --set upstream.replicaof="10.0.0.1 6379" --set relay.data-dir=data &
until_prints ok 30 <<<"curl -s http://127.0.0.1:6390/readyz?max-silence=30s"
sed -i s/=30s/=3s/ keepalived.conf
keepalived -n -l -f keepalived.conf &
until_prints 10.0.0.9/24 30 <<<"ip address show dev eth0"
kill -STOP $(pidof redis-server)
gone() { ip address show dev eth0 | grep -q 10.0.0.9/24 || echo gone; }
until_prints gone 30 <<<gone
kill -CONT $(pidof redis-server)
until_prints 10.0.0.9/24 30 <<<"ip address show dev eth0"
"""


@pytest.mark.seconds(2 * SECONDS)  # more than the script has, so that what it printed is shown
@pytest.mark.skipif(
    not balancers.KEEPALIVED.exists(), reason="keepalived could not be fetched (tests/support/setup.sh test)"
)
@pytest.mark.skipif(not own_world.can_run(), reason="this system gives us no network of our own (unshare -n)")
def test_keepalived_moves_the_address(tmp_path):
    programs = {
        "redis-server": servers.program(servers.REDIS, "server"),
        "redis-cli": servers.program(servers.REDIS, "cli"),
        "psync-relay": relay_module.PROGRAM,
        "keepalived": balancers.KEEPALIVED,
    }
    documents.run(documents.file_line(balancers.file_of("keepalived.conf")) + MACHINE, tmp_path, programs, SECONDS)
