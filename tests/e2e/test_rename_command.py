# SPDX-License-Identifier: MIT
"""rename-command: at the primary, whose words are set, and in a group whose Sentinels have their own."""

import crc64
import digest
import load
import resp
import servers
import wait

def renaming_origin(lab, kind, pair):
    """A primary that knows this command by its other word alone."""
    return lab.origin(kind, rename_command=pair)


def test_words_of_the_origin(lab, kind):
    """Link and refresh, and the acknowledgements on the link."""
    origin = renaming_origin(lab, kind, "REPLCONF tell-2")
    load.fill(origin)
    settings = {"upstream.rename-command": "REPLCONF tell-2"}
    relay = lab.relay(origin, settings).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    load.fill(origin, seed=2)
    digest.compare(origin, [replica])
    with origin.client() as client:
        assert client.execute_command("WAIT", 1, 10000) == 1, "it is acknowledged"
    assert origin.info("replication")["slave0"]["port"] == relay.port
    relay.client().execute_command("RELAY", "SNAPSHOT")
    wait.until("a refresh", lambda: relay.info("relay")["upstream_refreshes"] >= 1)
    relay.restart()
    relay.wait_link()
    assert origin.info("stats")["sync_partial_ok"] >= 1
    # The words are hidden as passwords are.
    assert relay.client().config_get("rename-command") == {"rename-command": ""}


def test_every_word_is_used(lab):
    """A server of others, which knows all of them by other words."""
    words = {"PING": "p1", "AUTH": "a2", "INFO": "i3", "REPLCONF": "r4", "PSYNC": "s5"}
    said = []

    def script(peer):
        while True:
            word = peer.command()[0]
            said.append(word)
            if word == "s5":
                peer.send_full(crc64.rdb([(b"key", b"value")]))
            elif "s5" not in said:
                peer.send(b"-ERR no\r\n" if word == "i3" else b"+OK\r\n")

    settings = {
        "upstream.rename-command": ", ".join(f"{name} {word}" for name, word in words.items()),
        "upstream.masterauth": "secret",
    }
    lab.relay(lab.fake_primary(script), settings).wait_link()
    assert set(said) == set(words.values())
    wait.until("it acknowledges", lambda: said.count("r4") > 2)


def test_a_renamed_psync_of_redis(lab, kind):
    """It is SYNC then, which no replica can go on from; that is said."""
    relay = lab.relay(
        renaming_origin(lab, kind, "PSYNC sync-me-2"),
        {"upstream.rename-command": "PSYNC sync-me-2"},
    )
    relay.wait_log("refused: PSYNC: the primary took it for SYNC, as it does where its "
                   "rename-command renames PSYNC, which no replica can do with")


def test_without_the_words_it_is_said_what_to_set(lab):
    origin = renaming_origin(lab, servers.REDIS, "PSYNC sync-me-2")
    relay = lab.relay(origin)
    relay.wait_log(r"cause=refused: PSYNC: the primary answered: -ERR unknown command 'PSYNC'.* "
                   r"\(a primary that renames commands needs rename-command\)")


def test_a_handshake_that_breaks_names_the_step(lab):
    def script(peer):
        while True:
            words = peer.command()
            if words[0].upper() == "REPLCONF":
                return
            peer.send(b"-NOPERM no\r\n" if words[0] == "INFO" else b"+PONG\r\n")

    relay = lab.relay(lab.fake_primary(script))
    relay.wait_log("broken: the primary closed the connection after REPLCONF listening-port")


def transaction(relay, *commands):
    connection = resp.Connection(relay.port)
    try:
        return [connection.command(*words.split()) for words in ("MULTI", *commands, "EXEC")]
    finally:
        connection.close()


def test_replicaof_of_a_transaction_with_renamed_commands(lab):
    """As Sentinel says it, which knows CONFIG and CLIENT of its group by other words."""
    origin = lab.origin(servers.REDIS, name="first")
    other = lab.origin(servers.REDIS, name="second")
    relay = lab.relay(origin).wait_link()
    said = transaction(
        relay,
        f"SLAVEOF 127.0.0.1 {other.port}",
        "c0nf1g REWRITE",
        "CLIENT KILL TYPE normal",
        "GET x",
    )
    assert said[:5] == ["OK", "QUEUED", "QUEUED", "QUEUED", "QUEUED"]
    assert said[5][0] == "OK"
    assert "unknown command 'c0nf1g'" in str(said[5][1])
    assert said[5][2] == 0
    assert "holds no data" in str(said[5][3])
    wait.equal("it follows the other", lambda: relay.info("replication")["master_port"], other.port)
    relay.wait_log(r"REPLICAOF took effect, and 'c0nf1g' in the same transaction was refused: "
                   r"ERR unknown command 'c0nf1g'")

    # Any other transaction is refused as a whole, as on a server.
    said = transaction(relay, "PING", "c0nf1g REWRITE")
    assert "EXECABORT" in str(said[-1])


def test_a_refused_transaction_with_replicaof_is_told(lab):
    origin = lab.origin(servers.REDIS)
    relay = lab.relay(origin).wait_link()
    said = transaction(relay, "nonsense", f"SLAVEOF 127.0.0.1 {origin.port + 1}")
    assert "EXECABORT" in str(said[-1])
    relay.wait_log(r"a transaction with REPLICAOF by 127\.0\.0\.1:\d+ was refused as a whole: "
                   r"'nonsense': ERR unknown command 'nonsense'.*; the primary is unchanged")
    assert relay.info("replication")["master_port"] == origin.port
