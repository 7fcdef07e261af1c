# SPDX-License-Identifier: MIT
"""Users, roles and passwords: real replicas and tools that log in, files that change, and guessing."""

import hashlib
import pathlib
import socket
import time

import pytest

import digest
import load
import relay as relay_module
import resp
import servers
import wait
from psync_client import PsyncClient

NOPERM = "NOPERM User {} has no permissions to run the '{}' command"
WRONGPASS = resp.Error("WRONGPASS invalid username-password pair or user is disabled.")

# One of each role; an own word for each password, so that none is found where it should not be.
PASSWORDS = {"mirror": "quetzal-1", "watcher": "ocelot-2", "chief": "axolotl-3"}
USERS = {
    "users.mirror": f"replica {PASSWORDS['mirror']}",
    "users.watcher": "monitor sha256:" + hashlib.sha256(b"ocelot-2").hexdigest(),
    "users.chief": f"admin {PASSWORDS['chief']}",
}


def users_relay(lab, origin, settings=None, name="relay", **users):
    relay = lab.relay(origin, {**USERS, **(settings or {}), **users}, start=False, name=name)
    relay.login = ("chief", PASSWORDS["chief"])
    return relay.start().wait_link()


def replica_of(lab, relay, user, kind=servers.REDIS, **more):
    more = {"masteruser": user, "masterauth": PASSWORDS[user], **more}
    return lab.replica(relay, kind, name=f"replica-{user}", **more)


def connect(relay, user=None, password=None):
    connection = resp.Connection(relay.port)
    if user:
        assert connection.command("AUTH", user, password or PASSWORDS[user]) == "OK"
    return connection


def client_list(relay):
    with relay.client() as client:
        return client.client_list()


# --- roles ---------------------------------------------------------------------------------------


@pytest.mark.threads
def test_a_replica_logs_in(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin)
    relay = users_relay(lab, origin)
    replica = replica_of(lab, relay, "mirror", kind).wait_online()
    load.fill(origin, seed=2)
    digest.compare(origin, [replica])
    assert [line["user"] for line in client_list(relay) if line["flags"] == "S"] == ["mirror"]
    # A monitor's password is no way to the data.
    stranger = replica_of(lab, relay, "watcher", kind)
    wait.until("it is refused", lambda: NOPERM.format("watcher", "psync") in stranger.log())
    assert len([line for line in client_list(relay) if line["flags"] == "S"]) == 1


def test_redis_cli_with_user_and_pass(lab, kind):
    relay = users_relay(lab, lab.origin())

    def say(user, *words):
        options = ["--user", user, "--pass", PASSWORDS[user], "--no-auth-warning"]
        return servers.cli(kind, "-p", relay.port, *options, *words, text=True).stdout.strip()

    assert say("watcher", "acl", "whoami") == "watcher"
    assert say("watcher", "config", "get", "port").split() == ["port", str(relay.port)]
    assert say("watcher", "config", "set", "ack", "all") == NOPERM.format("watcher", "config|set")
    assert say("mirror", "ping") == "PONG"
    assert say("mirror", "client", "list") == NOPERM.format("mirror", "client|list")
    assert say("chief", "config", "set", "ack", "all") == "OK"
    assert "NOAUTH" in servers.cli(kind, "-p", relay.port, "ping", text=True).stdout
    backup = relay.directory / "backup.rdb"
    say("mirror", "--rdb", backup)
    assert backup.read_bytes()[:5] == b"REDIS"


def test_a_client_library_logs_in(lab):
    relay = users_relay(lab, lab.origin())
    with relay.client(username="watcher", password=PASSWORDS["watcher"]) as client:
        assert client.acl_whoami() == "watcher"
        assert client.info("stats")["acl_access_denied_cmd"] == 0
        assert client.config_get("requirepass") == {"requirepass": ""}


def test_a_relay_behind_a_relay_is_a_replica(lab):
    origin = lab.origin()
    load.fill(origin)
    near = users_relay(lab, origin, name="near")
    words = {"upstream.masteruser": "mirror", "upstream.masterauth": PASSWORDS["mirror"]}
    far = lab.relay(near, words, name="far").wait_link()
    replica = lab.replica(far).wait_online()
    digest.compare(origin, [replica])
    assert near.info("stats")["acl_access_denied_cmd"] == 0


def test_sentinels_way_of_moving_a_relay_needs_an_admin(lab):
    first, second = lab.origin(), lab.origin(name="second")
    relay = users_relay(lab, first)
    words = [("MULTI",), ("SLAVEOF", "127.0.0.1", second.port), ("CONFIG", "REWRITE"), ("EXEC",)]
    with connect(relay, "watcher") as watcher:
        assert str(watcher.command(*words[0])) == "OK"
        assert str(watcher.command(*words[1])) == NOPERM.format("watcher", "slaveof")
        assert str(watcher.command(*words[3])).startswith("EXECABORT")
    assert relay.info("replication")["master_port"] == first.port
    with connect(relay, "chief") as chief:
        assert [str(chief.command(*line)) for line in words[:3]] == ["OK", "QUEUED", "QUEUED"]
        chief.command(*words[3])
    wait.until("it moves", lambda: relay.info("replication")["master_port"] == second.port)


def test_without_a_password_a_masterauth_is_welcome(lab, kind):
    """docs/protocol.md 5.3: to a replica any error for its AUTH is the end."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    plain = lab.replica(relay, kind, masterauth="anything").wait_online()
    named = lab.replica(relay, kind, masterauth="anything", masteruser="anyone").wait_online()
    digest.compare(origin, [plain, named])


# --- files that change ---------------------------------------------------------------------------


def test_passwords_change_without_dropping_anybody(lab, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("old-ours\n")
    theirs.write_text("old-theirs\n")
    origin = lab.origin(requirepass="old-theirs")
    settings = {
        "downstream.requirepass-file": ours,
        "upstream.masterauth-file": theirs,
        "users.mirror": f"replica file:{ours}",
    }
    relay = lab.relay(origin, settings, start=False)
    relay.login = ("default", "old-ours")
    relay.start().wait_link()
    replica = lab.replica(relay, masteruser="mirror", masterauth="old-ours").wait_online()
    before = {line["id"] for line in client_list(relay) if line["flags"] == "S"}

    ours.write_text("new-ours\n")
    theirs.write_text("new-theirs\n")
    origin.client().config_set("requirepass", "new-theirs")
    relay.hang_up("users and passwords reloaded users=2")
    with resp.Connection(relay.port) as client:
        assert client.command("AUTH", "mirror", "old-ours") == WRONGPASS
        assert client.command("AUTH", "old-ours") == WRONGPASS
        assert client.command("AUTH", "new-ours") == "OK"
    relay.login = ("default", "new-ours")
    assert {line["id"] for line in client_list(relay) if line["flags"] == "S"} == before

    # The link logs in with the new one when it is made anew; the replica has to be told.
    with resp.Connection(origin.port) as admin:
        assert admin.command("AUTH", "new-theirs") == "OK"
        assert admin.command("CLIENT", "KILL", "TYPE", "replica") == 1
    wait.until(
        "the link comes back", lambda: relay.info("relay")["upstream_partial_syncs"] >= 1
    )
    relay.wait_link()
    assert replica.full_syncs() == 1

    # What does not fit is refused as a whole.
    theirs.write_text("newer-theirs\n")
    ours.unlink()
    relay.hang_up("No such file")
    with resp.Connection(relay.port) as client:
        assert client.command("AUTH", "new-ours") == "OK"


def test_users_come_and_go(lab):
    origin = lab.origin()
    relay = users_relay(lab, origin)
    replica = replica_of(lab, relay, "mirror").wait_online()
    watcher, chief = connect(relay, "watcher"), connect(relay, "chief")

    def rewrite(**users):
        settings = {key: value for key, value in relay.settings.items() if "users." not in key}
        users = {f"users.{name}": value for name, value in users.items()}
        relay.ini.write_text(relay_module.ini_text({**settings, **users}))
        relay.hang_up(f"users and passwords reloaded users={len(users)}")

    # Another password, and one more user: nobody notices.
    rewrite(
        mirror="replica other", watcher="monitor other", chief=f"admin {PASSWORDS['chief']}",
        new="monitor new",
    )  # fmt: skip
    assert watcher.command("PING") == chief.command("PING") == "PONG"
    connect(relay, "new", "new").close()
    assert relay.info("replication")["connected_slaves"] == 1

    # Gone, or with another role.
    after = relay.log_end()
    rewrite(watcher="replica other", chief=f"admin {PASSWORDS['chief']}")
    relay.wait_log("replica .*closed reason=revoked", after=after)
    relay.wait_log("client .*closed reason=revoked", after=after)
    assert chief.command("PING") == "PONG"
    with pytest.raises((EOFError, OSError)):
        watcher.command("PING")
    wait.until(
        "the replica is refused",
        lambda: replica.info("replication")["master_link_status"] == "down",
    )
    wait.equal("counted", lambda: relay.info("stats")["closed_revoked"], 2)


# --- guessing ------------------------------------------------------------------------------------


def guess(address, port):
    with socket.create_connection(
        ("127.0.0.1", port), timeout=wait.limit(20), source_address=(address, 0)
    ) as client:
        client.sendall(resp.encode("AUTH", "chief", "wrong"))
        return client.makefile("rb").readline()


def test_guesses_are_slowed_down_by_address(lab):
    """From one address, over as many connections as it likes; a replica elsewhere streams on."""
    origin = lab.origin()
    load.fill(origin)
    relay = users_relay(lab, origin)
    replica = replica_of(lab, relay, "mirror").wait_online()
    guessed = [guess("127.0.0.9", relay.port) for _ in range(10)]
    assert all(line.startswith(b"-WRONGPASS") for line in guessed)
    crowd = [
        socket.create_connection(("127.0.0.1", relay.port), source_address=("127.0.0.9", 0))
        for _ in range(50)
    ]
    started = time.monotonic()
    try:
        for client in crowd:
            client.settimeout(wait.limit(20))
            client.sendall(resp.encode("AUTH", "chief", "wrong"))
        # Somebody else, in between, is answered at once, and the stream flows.
        connect(relay, "watcher").close()
        load.fill(origin, seed=3)
        digest.compare(origin, [replica])
        said = [client.makefile("rb").readline() for client in crowd]
    finally:
        for client in crowd:
            client.close()
    tried = [line for line in said if line.startswith(b"-WRONGPASS")]
    refused = [line for line in said if line.startswith(b"-ERR too many wrong passwords")]
    assert len(tried) + len(refused) == 50
    assert 1 <= len(tried) <= 10 + time.monotonic() - started, said  # one a second
    log = relay.log()
    assert log.count("user=chief gave a wrong password") == 1
    assert log.count("may try one a second") == 1
    assert relay.info("stats")["acl_access_denied_auth"] == 60


# --- where a password must not be ----------------------------------------------------------------


def test_passwords_are_nowhere(lab, tmp_path):
    secrets = ["quokka-4", "numbat-5", "bilby-6", "wombat-7"]
    origin = lab.origin(requirepass=secrets[0])
    port = lab.relay(start=False).port
    command = [
        relay_module.PROGRAM,
        f"--set=relay.data-dir={tmp_path / 'data'}",
        f"--set=upstream.replicaof=127.0.0.1 {origin.port}",
        f"--set=downstream.port={port}",
        "--set", f"upstream.masterauth={secrets[0]}",
        "--set", f"downstream.requirepass={secrets[1]}",
        f"--set=users.chief=admin {secrets[2]}",
        "--set", f"users.mirror=replica {secrets[3]}",
    ]  # fmt: skip
    printed = relay_module.run(*command[1:], "--print-config").stdout
    assert "mirror = replica ***" in printed
    relay = lab.relay(start=False)
    relay.port, relay.login = port, ("chief", secrets[2])
    relay.spawn(command, env=relay_module.SANITIZER_ENV)
    relay.wait_ready()
    relay.wait_link()
    line = pathlib.Path(f"/proc/{relay.pid}/cmdline").read_bytes().decode()
    assert f"downstream.port={port}" in line and "requirepass=***" in line
    with connect(relay, "mirror", secrets[3]) as mirror:
        mirror.command("AUTH", "mirror", secrets[2])
        mirror.command("AUTH", secrets[2], secrets[3])
    with relay.client() as client:
        told = [
            client.execute_command("INFO", "everything"),
            client.config_get("*"),
            client.execute_command("CLIENT", "LIST"),
            client.execute_command("ACL", "USERS"),
        ]
    relay.hang_up("users and passwords reloaded users=3")
    shown = "\n".join([line, printed, relay.log(), *map(str, told)])
    assert [secret for secret in secrets if secret in shown] == []


def test_a_replica_by_hand_that_has_no_right_to_be_one(lab):
    relay = users_relay(lab, lab.origin())
    with PsyncClient(relay.port) as client:
        assert str(client.command("PSYNC", "?", -1)) == "NOAUTH Authentication required."
        assert str(client.command("REPLCONF", "capa", "eof")).startswith("NOAUTH")
        client.command("AUTH", "watcher", PASSWORDS["watcher"])
        assert str(client.command("PSYNC", "?", -1)) == NOPERM.format("watcher", "psync")
        client.command("AUTH", "mirror", PASSWORDS["mirror"])
        assert client.psync()[0] == "+FULLRESYNC"
