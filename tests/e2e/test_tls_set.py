# SPDX-License-Identifier: MIT
"""Certificates of a relay that runs are changed by CONFIG SET, as redis-server does it: what fits is taken
over by the connections that come, what does not fit is refused and all stays as it was."""


import pytest

import certificates
import digest
import load
import relay as relay_module
import resp
import wait
from test_tls import cli, established, tls_origin, tls_relay, tls_replica, wait_established


@pytest.fixture
def papers(tmp_path):
    made = certificates.Papers(tmp_path / "papers")
    for authority, prefix in (("ca", ""), ("new-ca", "new-")):
        made.authority(authority)
        for name in ("origin", "relay", "replica"):
            made.issue(authority, prefix + name)
    return made


def pairs(papers, name, authority, prefix=""):
    return [
        prefix + "tls-cert-file", papers.certificate(name),
        prefix + "tls-key-file", papers.key(name),
        prefix + "tls-ca-cert-file", papers.certificate(authority),
    ]  # fmt: skip


def config_set(relay, *words):
    with resp.Connection(relay.port) as connection:
        return connection.command("CONFIG", "SET", *words)


def config_get(relay, name):
    return relay.client().config_get(name)


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_both_sides_take_over_new_papers_under_load(lab, papers):
    origin = tls_origin(lab, papers)
    load.fill(origin)
    relay = tls_relay(lab, papers, origin).wait_link()
    old = tls_replica(lab, papers, relay, name="old").wait_online()
    writer = lab.writer(origin)
    port = relay.settings["downstream.tls-port"]
    link, replicas = wait_established(origin.config["tls-port"], 1), wait_established(port, 1)

    new = pairs(papers, "new-relay", "new-ca")
    assert config_set(relay, *new, *pairs(papers, "new-relay", "new-ca", "upstream.")) == "OK"
    relay.wait_log("upstream TLS has certificate /CN=new-relay")
    relay.wait_log("downstream TLS has certificate /CN=new-relay")
    found = config_get(relay, "*tls-key-file")
    assert found.pop("http.tls-key-file") == ""
    assert found == {name: str(papers.key("new-relay")) for name in found} and len(found) == 2
    writer.wait_rounds(10)
    assert link <= established(origin.config["tls-port"]), "the link was dropped"
    assert replicas <= established(port), "the replica was dropped"

    fresh = lab.replica(
        certificates.at(relay), name="fresh", **papers.server("new-replica", authority="new-ca")
    ).wait_online()
    client = origin.client()
    client.execute_command("CONFIG", "SET", *map(str, pairs(papers, "new-origin", "new-ca")))
    relay.reconnect(origin)
    writer.wait_rounds(10)
    writer.stop()
    digest.compare(origin, [old, fresh])
    assert (old.full_syncs(), fresh.full_syncs()) == (1, 1)
    assert cli(relay, papers, "PING").stdout != b"PONG\n", "the old CA is trusted still"


# What is set, and what is said to it.
MISFITS = {
    "a key of another": (
        lambda p: ["tls-key-file", p.key("replica")],
        "[downstream] tls-key-file {relay.key}: key values mismatch",
    ),
    "nothing there": (
        lambda p: ["tls-cert-file", "/nowhere.crt", "tls-key-file", p.key("new-relay")],
        "[downstream] tls-cert-file /nowhere.crt: No such file or directory",
    ),
    "a good side and a bad one": (
        lambda p: [*pairs(p, "new-relay", "new-ca"), "upstream.tls-ca-cert-file", "/nowhere.ca"],
        "[upstream] tls-ca-cert-file /nowhere.ca: No such file or directory",
    ),
    "half of a pair": (
        lambda p: ["upstream.tls-cert-file", p.certificate("new-relay")],
        "[upstream] tls-key-file {relay.key}: key values mismatch",
    ),
    "no certificate": (
        lambda p: ["tls-cert-file", "", "tls-key-file", ""],
        "[downstream] a TLS port needs tls-cert-file and tls-key-file",
    ),
    "unknown protocol": (
        lambda p: ["tls-protocols", "SSLv3"],
        "[downstream] tls-protocols SSLv3",
    ),
    "unknown cipher": (
        lambda p: ["upstream.tls-ciphers", "ROT13"],
        "[upstream] tls-ciphers ROT13",
    ),
    "no value of that kind": (
        lambda p: ["tls-protocols", "TLSv1.3", "tls-auth-clients", "perhaps"],
        "expected one of: yes, no, optional",
    ),
    "what cannot be set": (
        lambda p: ["tls-protocols", "TLSv1.3", "tls-port", "7777"],
        "can't set immutable config",
    ),
}


@pytest.mark.seconds(120)
def test_what_does_not_fit_is_refused_and_all_stays(lab, papers):
    origin = tls_origin(lab, papers)
    load.fill(origin)
    relay = tls_relay(lab, papers, origin).wait_link()
    replica = tls_replica(lab, papers, relay).wait_online()
    settings = config_get(relay, "*")
    for what, (make, words) in MISFITS.items():
        said = config_set(relay, *make(papers))
        assert isinstance(said, resp.Error), what
        assert str(said).startswith("ERR CONFIG SET failed"), (what, said)
        assert words.split("{", maxsplit=1)[0] in str(said), (what, said)
        assert words.rsplit("}", maxsplit=1)[-1] in str(said), (what, said)
        assert config_get(relay, "*") == settings, what
        assert cli(relay, papers, "PING").stdout == b"PONG\n", what
    # A change that has nothing to do with it is not held up by files that have become bad meanwhile.
    papers.key("relay").write_text("nonsense")
    assert config_set(relay, "ack", "durable") == "OK"
    relay.reconnect(origin)
    load.fill(origin, seed=9)
    digest.compare(origin, [replica])
    assert replica.full_syncs() == 1


def hang_up(relay, papers, name, pattern):
    """The ini names other papers of the TLS port, and SIGHUP has it read again."""
    relay.settings["downstream.tls-cert-file"] = papers.certificate(name)
    relay.ini.write_text(relay_module.ini_text(relay.settings))
    relay.hang_up(pattern)


def test_the_ini_names_others(lab, papers):
    """SIGHUP takes over an ini whose papers fit each other; else all stays, other changes included."""
    relay = lab.relay(lab.origin(), papers.downstream("relay"))
    relay.settings["downstream.timeout"] = "77"
    hang_up(relay, papers, "new-relay", r"\[downstream\] tls-key-file .*: key values mismatch")
    relay.wait_log("reload failed; the running settings are unchanged")
    assert config_get(relay, "timeout") == {"timeout": "0"}
    assert cli(relay, papers, "PING").stdout == b"PONG\n"
    relay.settings["downstream.tls-key-file"] = papers.key("new-relay")
    relay.settings["downstream.tls-ca-cert-file"] = papers.certificate("new-ca")
    hang_up(relay, papers, "new-relay", "configuration reloaded")
    assert config_get(relay, "timeout") == {"timeout": "77"}
    assert cli(relay, papers, "PING").stdout != b"PONG\n", "the old CA is trusted still"
    relay.wait_log("downstream TLS has certificate /CN=new-relay")


def test_who_must_show_a_certificate_is_changed(lab, papers):
    """Whoever has shown one has been let in without a password; who need not any more, is not."""
    relay = tls_relay(lab, papers, tls_origin(lab, papers)).wait_link()
    assert cli(relay, papers, "PING", name=None).stdout != b"PONG\n"
    assert config_set(relay, "tls-auth-clients", "no") == "OK"
    assert cli(relay, papers, "PING", name=None).stdout == b"PONG\n"
    assert config_set(relay, "tls-auth-clients", "yes") == "OK"
    assert cli(relay, papers, "PING", name=None).stdout != b"PONG\n"
    assert cli(relay, papers, "PING").stdout == b"PONG\n"


def test_a_side_that_is_plain_keeps_what_is_set_for_later(lab, papers):
    relay = lab.relay(lab.origin()).wait_link()
    assert config_set(relay, "tls-cert-file", "/nowhere.crt", "tls-server-name", "x") == "OK"
    assert config_get(relay, "tls-cert-file") == {"tls-cert-file": "/nowhere.crt"}
    wait.until("it runs on", lambda: relay.client().ping())
