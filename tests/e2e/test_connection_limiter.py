# SPDX-License-Identifier: MIT
"""Who is let in: strangers from elsewhere, crowds at the door, and too few open files."""

import socket

import pytest

import load
import resp
import wait


def own_address():
    """An address of this machine that is not loopback, as others would reach it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no address but loopback")
        return probe.getsockname()[0]


def ask_from(address, port, *command):
    with socket.create_connection((address, port), timeout=wait.limit(10)) as client:
        client.sendall(resp.encode(*command))
        return client.makefile("rb").readline()


def test_without_a_password_others_are_sent_away(lab):
    address = own_address()
    relay = lab.relay(lab.origin(), {"downstream.bind": "0.0.0.0"}).wait_link()
    said = ask_from(address, relay.port, "PING")
    assert said.startswith(b"-DENIED psync-relay is running in protected mode"), said
    wait.equal("counted", lambda: relay.info()["rejected_connections"], 1)
    relay.wait_log("protected-mode is on")
    assert ask_from("127.0.0.1", relay.port, "PING") == b"+PONG\r\n"


@pytest.mark.parametrize(
    "setting", [{"downstream.requirepass": "x"}, {"downstream.protected-mode": "no"}]
)
def test_a_password_or_a_word_opens_the_door(lab, setting):
    address = own_address()
    relay = lab.relay(lab.origin(), {"downstream.bind": "0.0.0.0", **setting}).wait_link()
    said = ask_from(address, relay.port, "PING")
    assert said.startswith((b"+PONG", b"-NOAUTH")), said


SMALL = {
    "store.segment-size": "64kb",
    "store.repl-backlog-size": "1mb",
    "store.repl-backlog-max-size": "2mb",
}


def start_with(relay, open_files):
    """As if the system allowed it no more than that."""
    spawn = relay.spawn
    limit = ["prlimit", f"--nofile={open_files}:{open_files}"]
    relay.spawn = lambda arguments, env=None: spawn([*limit, *arguments], env)
    return relay.start(ready=False)


def test_a_crowd_does_not_stop_the_stream(lab):
    """600 strangers who say nothing, over a limit that leaves just enough for the store."""
    origin = lab.origin()
    relay = start_with(lab.relay(origin, SMALL, start=False), 180)
    relay.wait_ready()
    relay.wait_link()
    relay.wait_log("maxclients is lowered from 10000 to")
    crowd = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(600)]
    try:
        relay.wait_log("refused: there are maxclients connections already")
        load.populate(origin, megabytes=5)
        end = origin.offset()
        wait.until("the relay has it all", lambda: origin.info()["slave0"]["offset"] >= end)
        assert "no room for more" not in relay.log()
    finally:
        for one in crowd:
            one.close()
    wait.until("who comes later is let in", lambda: relay.client().ping())


@pytest.mark.parametrize("open_files", [20, 64, 100])
def test_too_few_open_files_to_start(lab, open_files):
    relay = start_with(lab.relay(lab.origin(), SMALL, start=False), open_files)
    assert relay.exit_status() == 1
    said = relay.log().strip()
    assert f"the system allows {open_files} open files" in said and "LimitNOFILE" in said, said
    assert said.count("\n") == 0, said
