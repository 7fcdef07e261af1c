# SPDX-License-Identifier: MIT
"""Clients talk to the relay: redis-py, raw RESP2 and RESP3, and by hand."""

import pytest
import redis

import load
import resp
import wait


@pytest.fixture
def relay(lab):
    return lab.relay(lab.origin()).wait_link()


def test_redis_py(relay):
    client = relay.client(client_name="somebody", decode_responses=True)
    assert client.ping()
    assert client.echo("hello") == "hello"
    assert len(client.time()) == 2
    role = client.role()
    assert role[0] == "slave" and role[1] == "127.0.0.1" and role[3] == "connected"
    assert client.info("replication")["role"] == "slave"
    assert client.info()["redis_mode"] == "standalone"
    assert client.client_getname() == "somebody"
    assert client.client_id() > 0
    assert any(line["name"] == "somebody" for line in client.client_list())
    assert client.config_get("replica-priority") == {"replica-priority": "0"}
    assert isinstance(client.config_get("*"), dict)
    assert client.command_count() >= 0
    assert client.command() == {} or client.command()
    assert client.dbsize() == 0
    assert client.execute_command("SELECT", 3) in (True, "OK")


@pytest.mark.parametrize(
    "words",
    [
        ("GET", "k"), ("SET", "k", "v"), ("DEL", "k"), ("HSET", "h", "f", "v"), ("LPUSH", "l", "1"),
        ("EVAL", "return 1", 0), ("KEYS", "*"), ("FLUSHALL",),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_data_commands_say_what_this_is(relay, words):
    with pytest.raises(redis.ResponseError, match="(?i)relay"):
        relay.client().execute_command(*words)


def test_errors_as_real_servers_word_them(relay):
    with resp.Connection(relay.port) as client:
        assert str(client.command("NOSUCHTHING", "a")).startswith("ERR unknown command")
        assert str(client.command("ECHO")) == "ERR wrong number of arguments for 'echo' command"
        assert str(client.command("WAIT", 1, "x")) == (
            "ERR timeout is not an integer or out of range"
        )
        assert str(client.command("EXEC")) == "ERR EXEC without MULTI"
        assert str(client.command("FAILOVER")).startswith("ERR")
        assert str(client.command("REPLCONF", "rdb-filter-only", "functions")).startswith("ERR")
        assert str(client.command("REPLCONF", "nosuch", "1")).startswith(
            "ERR Unrecognized REPLCONF option"
        )
        assert str(client.command("PSYNC", "?", "x")).startswith("ERR value is not an integer")
        assert str(client.command("REPLICAOF", "NO", "ONE")).startswith("ERR")
        assert str(client.command("REPLICAOF", "127.0.0.1", "99999999")).startswith(
            "ERR Invalid master port"
        )
        for host in ("127.0.0.1:6379", "300.1.2.3", "[127.0.0.1]", "redis://a"):
            answer = str(client.command("SLAVEOF", host, "6379"))
            assert answer.startswith("ERR Invalid master host"), (host, answer)
        assert str(client.command("HELLO", "9")).startswith("NOPROTO")
        assert client.command("PING") == "PONG"


def test_psync_for_failover_is_refused(relay):
    with resp.Connection(relay.port) as client:
        info = relay.info()
        reply = client.command(
            "PSYNC", info["master_replid"], info["master_repl_offset"] + 1, "FAILOVER"
        )
        assert isinstance(reply, resp.Error)


def test_resp3(relay):
    with resp.Connection(relay.port) as client:
        hello = client.command("HELLO", "3", "SETNAME", "three")
        assert hello["proto"] == 3
        assert hello["mode"] == b"standalone" and hello["role"] == b"replica"
        assert hello["modules"] == []
        assert isinstance(client.command("CONFIG", "GET", "repl*"), dict)
        assert client.command("CLIENT", "GETNAME") == b"three"
        assert b"role:slave" in client.command("INFO", "replication")
        assert client.command("RESET") == "RESET"
        assert isinstance(client.command("CONFIG", "GET", "repl*"), list)
        hello = client.command("HELLO", "2")
        assert hello[hello.index(b"proto") + 1] == 2


def test_inline_and_empty_lines(relay):
    with resp.Connection(relay.port) as client:
        assert client.inline("PING") == "PONG"
        client.send(b"\r\n\n\r\n\n")
        assert client.inline("  ping   'hello there'  ") == b"hello there"
        assert client.inline('ECHO "a\\x41\\n"') == b"aA\n"
        client.send(b"PING\nECHO x\n" + resp.encode("PING"))
        assert [client.reply() for _ in range(3)] == ["PONG", b"x", "PONG"]


def test_pipelines_and_pieces(relay):
    with resp.Connection(relay.port) as client:
        client.send(resp.encode("ECHO", "x" * 500) * 500)
        assert {client.reply() for _ in range(500)} == {b"x" * 500}
        for byte in resp.encode("ECHO", "slowly"):
            client.send(bytes([byte]))
        assert client.reply() == b"slowly"


def test_harmless_commands(relay):
    with resp.Connection(relay.port) as client:
        for words, reply in [
            (("CLIENT", "SETINFO", "LIB-NAME", "x"), "OK"),
            (("CLIENT", "NO-EVICT", "on"), "OK"),
            (("CONFIG", "RESETSTAT"), "OK"),
            (("SELECT", "0"), "OK"),
            (("SLOWLOG", "LEN"), 0),
            (("SLOWLOG", "GET"), []),
            (("LATENCY", "LATEST"), []),
            (("MODULE", "LIST"), []),
            (("DBSIZE",), 0),
            (("PING", "x"), b"x"),
        ]:
            assert client.command(*words) == reply, words
        assert isinstance(client.command("COMMAND", "DOCS"), (list, dict))
        assert client.command("QUIT") == "OK"
        assert client.is_closed()


def test_password(lab):
    origin = lab.origin(requirepass="upstream secret".replace(" ", "-"))
    load.fill(origin, rounds=3)
    relay = lab.relay(
        origin,
        {"upstream.masterauth": "upstream-secret", "downstream.requirepass": "downstream-secret"},
    ).wait_link()
    with resp.Connection(relay.port) as client:
        for words in (
            ("PING",),
            ("INFO",),
            ("PSYNC", "?", "-1"),
            ("REPLCONF", "capa", "eof"),
            ("SHUTDOWN",),
        ):
            assert str(client.command(*words)).startswith("NOAUTH"), words
        assert str(client.command("AUTH", "wrong")).startswith("WRONGPASS")
        assert str(client.command("HELLO", "3", "AUTH", "default", "wrong")).startswith("WRONGPASS")
        assert client.command("AUTH", "downstream-secret") == "OK"
        assert client.command("PING") == "PONG"
    with resp.Connection(relay.port) as client:
        assert client.command("HELLO", "3", "AUTH", "default", "downstream-secret")["proto"] == 3
    replica = lab.replica(relay, masterauth="downstream-secret").wait_online()
    wait.equal("the replica has all", lambda: replica.offset() - origin.offset(), 0)
    stranger = lab.replica(relay, name="stranger", masterauth="wrong")
    stranger.wait_log("(?i)WRONGPASS|unable to auth")
    assert relay.syncs()[0] == 1
    for secret in ("upstream-secret", "downstream-secret"):
        assert secret not in relay.log()


def test_raw_sync_needs_the_password_too(lab):
    relay = lab.relay(lab.origin(), {"downstream.requirepass": "secret"}).wait_link()
    with resp.Connection(relay.port) as client:
        client.send(b"SYNC\r\n")
        assert str(client.reply()).startswith("NOAUTH")


def test_any_password_where_none_is_set(lab):
    """A replica with masterauth must not be sent away by a relay that has no password."""
    relay = lab.relay(lab.origin()).wait_link()
    lab.replica(relay, masterauth="whatever").wait_online()


def test_user_and_password_upstream(lab):
    origin = lab.origin(user="relay on >secret +psync +replconf +ping")
    relay = lab.relay(origin, {"upstream.masteruser": "relay", "upstream.masterauth": "secret"})
    relay.wait_link()


def test_password_files(lab):
    origin = lab.origin(requirepass="up")
    up, down = lab.directory / "up", lab.directory / "down"
    up.write_text("up\n")
    down.write_text("down\n")
    for path in (up, down):
        path.chmod(0o600)
    relay = lab.relay(
        origin, {"upstream.masterauth-file": up, "downstream.requirepass-file": down}, start=False
    )
    relay.start(ready=False)
    client = None

    def link():
        nonlocal client
        client = client or redis.Redis(host="127.0.0.1", port=relay.port, password="down")
        return client.info("replication")["master_link_status"]

    wait.equal("link", link, "up")


def test_replicaof(lab):
    """Pointed at another server while it runs, as Sentinel does it."""
    first, second = lab.origin(), lab.origin(name="second")
    load.fill(first, rounds=3)
    load.fill(second, rounds=3, seed=9)
    relay = lab.relay(first).wait_link()
    replica = lab.replica(relay).wait_online()
    client = relay.client()
    assert b"OK" in client.execute_command("REPLICAOF", "127.0.0.1", first.port)
    assert second.info()["connected_slaves"] == 0
    assert client.execute_command("SLAVEOF", "127.0.0.1", second.port) in (b"OK", True)
    wait.equal("the relay's master", lambda: relay.info()["master_port"], second.port)
    wait.until(
        "all in the second's history",
        lambda: [s.info()["master_replid"] for s in (second, relay, replica)],
        lambda ids: len(set(ids)) == 1,
    )
    wait.equal("the first lost its replica", lambda: first.info()["connected_slaves"], 0)


@pytest.mark.parametrize("words", [("SHUTDOWN",), ("SHUTDOWN", "NOSAVE")], ids=len)
def test_shutdown_command(lab, words):
    relay = lab.relay(lab.origin()).wait_link()
    with resp.Connection(relay.port) as client:
        client.send(resp.encode(*words))
        assert relay.exit_status() == 0
        assert client.is_closed()


def test_sigint_ends_it(lab):
    relay = lab.relay(lab.origin()).wait_link()
    relay.signal(2)
    assert relay.exit_status() == 0


def test_maxclients(lab):
    relay = lab.relay(lab.origin(), {"downstream.maxclients": "10"}).wait_link()
    # Those that have asked so far are gone, but for the one that asks here.
    wait.equal("clients", lambda: relay.info("clients")["connected_clients"], 1)
    connections = [resp.Connection(relay.port) for _ in range(9)]
    for client in connections:
        assert client.command("PING") == "PONG"
    more = [resp.Connection(relay.port) for _ in range(5)]
    with pytest.raises((EOFError, ConnectionError, AssertionError)):
        for client in more:
            assert client.command("PING") == "PONG"
    for client in connections[:5] + more:
        client.close()
    wait.until("there is room again", lambda: relay.client().ping())
