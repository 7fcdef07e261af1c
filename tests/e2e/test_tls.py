# SPDX-License-Identifier: MIT
"""TLS on both sides with real servers: everything that works plain, and every mistake by its name.

Servers and relays keep a plain port beside the TLS one, for the test itself to ask them; what
replicates uses TLS, and each test sees that it does.
"""

import contextlib
import socket

import pytest

import certificates
import digest
import load
import relay as relay_module
import servers
import wait


@pytest.fixture
def papers(tmp_path):
    return certificates.for_everyone(tmp_path / "papers")


def tls_origin(lab, papers, kind=servers.REDIS, **more):
    return lab.origin(kind, **papers.server("origin", **more))


def tls_relay(lab, papers, origin, name="relay", **more):
    """TLS on both sides; `origin` is a server or a relay that has a TLS port."""
    settings = {**papers.upstream("relay"), **papers.downstream("relay"), **more}
    return lab.relay(certificates.at(origin), settings, name=name)


def tls_replica(lab, papers, relay, kind=servers.REDIS, **more):
    return lab.replica(certificates.at(relay), kind, **papers.server("replica"), **more)


def established(port):
    """Connections to that port of loopback, as the kernel lists them: their local ends' ports.

    A relay also connects for a moment to ask for INFO: who wants a number waits for it with `wait_established`.
    """
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            local, remote, state = line.split()[1:4]
            if state == "01" and int(remote.split(":")[1], 16) == int(port):
                found.add(int(local.split(":")[1], 16))
    return found


def wait_established(port, count):
    return wait.until(
        f"{count} connections to port {port}",
        lambda: established(port),
        lambda found: len(found) == count,
    )


# --- it works ------------------------------------------------------------------------------------


@pytest.mark.threads
@pytest.mark.seconds(180)
def test_everything_under_tls(lab, papers, kind):
    """Origin, relay, relay behind the relay, replicas: a bulk of data and a stream, digests compared."""
    origin = tls_origin(lab, papers, kind)
    load.populate(origin, 200)
    load.fill(origin)
    writer = lab.writer(origin)
    relay = tls_relay(lab, papers, origin).wait_link(seconds=60)
    second = tls_relay(lab, papers, relay, name="second").wait_link(seconds=60)
    replicas = [
        tls_replica(lab, papers, relay, kind, name="disk"),
        tls_replica(lab, papers, relay, kind, name="swapdb", repl_diskless_load="swapdb"),
        tls_replica(lab, papers, second, kind, name="behind-two"),
    ]
    for replica in replicas:
        replica.wait_online(60)
    writer.wait_rounds(50)
    load.populate(origin, 30)
    writer.stop()
    digest.compare(origin, replicas, seconds=60)
    assert origin.info()["sync_full"] == 1
    assert established(origin.config["tls-port"])
    wait_established(relay.settings["downstream.tls-port"], 3)
    expected = {replicas[0].config["tls-port"], replicas[1].config["tls-port"]}
    assert set(relay.replicas()) == expected | {second.settings["downstream.tls-port"]}
    # What a server under TLS announces is its TLS port, and so do we.
    announced = origin.info("replication")["slave0"]["port"]
    assert announced == relay.settings["downstream.tls-port"]


@pytest.mark.seconds(120)
def test_the_relay_is_where_tls_begins_and_where_it_ends(lab, papers, kind):
    """A plain origin with replicas under TLS and plain ones; then the other way round."""
    plain = lab.origin(kind, name="plain")
    load.fill(plain)
    writer = lab.writer(plain)
    relay = lab.relay(plain, papers.downstream("relay"), name="begins").wait_link()
    replicas = [tls_replica(lab, papers, relay, kind), lab.replica(relay, kind, name="mixed")]
    for replica in replicas:
        replica.wait_online()
    writer.wait_rounds(20)
    writer.stop()
    digest.compare(plain, replicas)
    wait_established(relay.settings["downstream.tls-port"], 1)
    assert plain.info("replication")["slave0"]["port"] == relay.port

    origin = tls_origin(lab, papers, kind)
    load.fill(origin, seed=7)
    writer = lab.writer(origin)
    relay = lab.relay(certificates.at(origin), papers.upstream("relay"), name="ends").wait_link()
    replica = lab.replica(relay, kind, name="behind").wait_online()
    writer.wait_rounds(20)
    writer.stop()
    digest.compare(origin, [replica])
    wait_established(origin.config["tls-port"], 1)


@pytest.mark.seconds(120)
def test_a_snapshot_is_fetched_under_tls(lab, papers):
    """The second connection, too: the window has left the first snapshot behind."""
    origin = tls_origin(lab, papers)
    load.fill(origin)
    relay = tls_relay(
        lab, papers, origin,
        **{"store.repl-backlog-size": "1mb", "store.repl-backlog-max-size": "2mb",
           "store.segment-size": "64kb", "store.snapshot": "on-demand"},
    ).wait_link()  # fmt: skip
    load.populate(origin, 8)
    wait.until("the relay has all of it", lambda: relay.offset() == origin.offset())
    replica = tls_replica(lab, papers, relay).wait_online(60)
    digest.compare(origin, [replica])
    relay.wait_log("snapshot refresh .*cause=complete")


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_each_protocol(lab, papers, valkey, protocol):
    origin = tls_origin(lab, papers, valkey, tls_protocols=protocol)
    load.fill(origin)
    relay = tls_relay(lab, papers, origin, **{"downstream.tls-protocols": protocol}).wait_link()
    replica = tls_replica(lab, papers, relay, valkey).wait_online()
    load.fill(origin, seed=3)
    digest.compare(origin, [replica])


def cli(relay, papers, *arguments, name="replica"):
    options = papers.cli(name)
    port = relay.settings["downstream.tls-port"]
    return servers.cli(servers.REDIS, *options, "-p", port, *arguments)


def test_redis_cli_speaks_tls_to_a_relay_without_a_plain_port(lab, papers):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {**papers.downstream("relay"), "downstream.port": "0"}, start=False)
    relay.start(ready=False)
    wait.until("an answer", lambda: cli(relay, papers, "PING").stdout == b"PONG\n")
    wait.until(
        "the link", lambda: b"master_link_status:up" in cli(relay, papers, "INFO").stdout
    )
    tcp_port = f"tcp_port:{relay.settings['downstream.tls-port']}"
    assert tcp_port.encode() in cli(relay, papers, "INFO").stdout
    backup = relay.directory / "backup.rdb"
    assert cli(relay, papers, "--rdb", backup).returncode == 0
    assert backup.read_bytes().startswith(b"REDIS")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", relay.port), 1)
    announced = origin.info("replication")["slave0"]["port"]
    assert announced == relay.settings["downstream.tls-port"]


@pytest.mark.parametrize("auth, bare", [("yes", False), ("optional", True), ("no", True)])
def test_who_must_show_a_certificate(lab, papers, auth, bare):
    papers.authority("other")
    papers.issue("other", "stranger")
    relay = lab.relay(lab.origin(), papers.downstream("relay", tls_auth_clients=auth))
    assert cli(relay, papers, "PING").stdout == b"PONG\n"
    assert (cli(relay, papers, "PING", name=None).stdout == b"PONG\n") == bare
    # An unknown one is worse than none, unless nobody looks.
    assert (cli(relay, papers, "PING", name="stranger").stdout == b"PONG\n") == (auth == "no")


def test_a_host_of_another_name(lab, papers):
    papers.issue("ca", "named", "DNS:origin.example")
    origin = lab.origin(**papers.server("named"))
    load.fill(origin)
    relay = lab.relay(certificates.at(origin), papers.upstream("relay"), name="strict")
    relay.wait_log(r"not accepted: it is for another host than 127\.0\.0\.1")
    settings = papers.upstream("relay", tls_server_name="origin.example")
    lab.relay(certificates.at(origin), settings, name="told").wait_link()


def test_cas_from_a_directory(lab, papers):
    folder = papers.folder / "cas"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(papers.certificate("ca").read_bytes())
    certificates.openssl("rehash", folder)
    settings = {**papers.upstream("relay"), **papers.downstream("relay")}
    for section in ("upstream", "downstream"):
        del settings[f"{section}.tls-ca-cert-file"]
        settings[f"{section}.tls-ca-cert-dir"] = folder
    origin = tls_origin(lab, papers)
    load.fill(origin)
    relay = lab.relay(certificates.at(origin), settings).wait_link()
    replica = tls_replica(lab, papers, relay).wait_online()
    digest.compare(origin, [replica])


# --- new files -----------------------------------------------------------------------------------


@pytest.mark.threads
@pytest.mark.seconds(120)
def test_new_certificates_are_taken_over_under_load(lab, papers):
    """New CA, certificates and keys on both sides by SIGHUP: nobody is dropped, all new ones use them."""
    papers.authority("new-ca")
    for name in ("origin", "relay", "replica"):
        papers.issue("new-ca", f"new-{name}")
    for name in ("relay-up", "relay-down"):
        papers.copy("relay", name)
    papers.copy("ca", "relay-ca")
    origin = tls_origin(lab, papers)
    load.fill(origin)
    settings = {
        **papers.upstream("relay-up", authority="relay-ca"),
        **papers.downstream("relay-down", authority="relay-ca"),
    }
    relay = lab.relay(certificates.at(origin), settings).wait_link()
    old = tls_replica(lab, papers, relay, name="old").wait_online()
    writer = lab.writer(origin)
    port = relay.settings["downstream.tls-port"]
    link, replicas = wait_established(origin.config["tls-port"], 1), wait_established(port, 1)
    for name in ("relay-up", "relay-down"):
        papers.copy("new-relay", name)
    papers.copy("new-ca", "relay-ca")
    relay.hang_up("downstream TLS .*/CN=new-relay")
    relay.wait_log("upstream TLS .*/CN=new-relay")
    for _ in range(10):
        relay.hang_up("downstream TLS .*/CN=new-relay")
        writer.wait_rounds(3)
    assert link <= established(origin.config["tls-port"]), "the link was dropped"
    assert replicas <= established(port), "the replica was dropped"

    # A new replica meets the new certificate; the link, when it is made anew, shows it to the origin.
    fresh = lab.replica(
        certificates.at(relay), name="fresh", **papers.server("new-replica", authority="new-ca")
    ).wait_online()
    client = origin.client()
    client.execute_command(
        "CONFIG", "SET",
        "tls-cert-file", papers.certificate("new-origin").as_posix(),
        "tls-key-file", papers.key("new-origin").as_posix(),
        "tls-ca-cert-file", papers.certificate("new-ca").as_posix(),
    )  # fmt: skip
    relay.reconnect(origin)
    writer.wait_rounds(20)
    writer.stop()
    digest.compare(origin, [old, fresh])
    assert (old.full_syncs(), fresh.full_syncs()) == (1, 1)
    assert replicas < established(port), "the old replica was dropped"


@pytest.mark.seconds(120)
def test_files_that_do_not_fit_are_refused_and_the_old_ones_stay(lab, papers):
    for side in ("up", "down"):
        papers.copy("relay", f"relay-{side}")
    origin = tls_origin(lab, papers)
    load.fill(origin)
    settings = {**papers.upstream("relay-up"), **papers.downstream("relay-down")}
    relay = lab.relay(certificates.at(origin), settings).wait_link()
    replica = tls_replica(lab, papers, relay).wait_online()

    papers.key("relay-down").write_bytes(papers.key("replica").read_bytes())
    relay.hang_up(r"downstream TLS: .*relay-down\.key: key values mismatch; .* stays")
    papers.certificate("relay-up").unlink()
    relay.hang_up(r"upstream TLS: .*relay-up\.crt: No such file or directory; .* stays")

    assert cli(relay, papers, "PING").stdout == b"PONG\n"
    relay.reconnect(origin)
    load.fill(origin, seed=9)
    digest.compare(origin, [replica])
    assert replica.full_syncs() == 1


# --- mistakes ------------------------------------------------------------------------------------

# (what the origin has, what the relay has, what the relay's log says with the origin's address)
UPSTREAM_MISTAKES = {
    "expired": (
        {"name": "old"}, {},
        "the server's certificate /CN=old is not accepted: it has expired",
    ),
    "wrong host": (
        {"name": "elsewhere"}, {},
        r"the server's certificate /CN=elsewhere is not accepted: it is for another host than 127\.0\.0\.1",
    ),
    "unknown CA": (
        {}, {"authority": "other"}, "the server's certificate .* is not accepted: unknown CA",
    ),
    "our CA is unknown there": ({}, {"name": "stranger"}, "the peer refuses our certificate: unknown CA"),
    "ours has expired": ({}, {"name": "old"}, "the peer refuses our certificate: it has expired"),
    "no shared protocol": (
        {"tls_protocols": "TLSv1.3"}, {"tls_protocols": "TLSv1.2"},
        "the peer refuses: no shared protocol version",
    ),
    "no shared cipher": (
        {"tls_protocols": "TLSv1.2", "tls_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"tls_ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256", "tls_protocols": "TLSv1.2"},
        "the peer refuses: no shared cipher",
    ),
}  # fmt: skip


def make_bad_papers(papers):
    papers.authority("other")
    papers.issue("other", "stranger")
    papers.issue("ca", "old", days=-1)
    papers.issue("ca", "elsewhere", "DNS:elsewhere.example")


def at_address(port, words):
    return rf"primary=127\.0\.0\.1:{port} .*{words}"


@pytest.mark.seconds(120)
@pytest.mark.parametrize("mistake", UPSTREAM_MISTAKES)
def test_a_mistake_towards_the_origin_is_named(lab, papers, mistake):
    make_bad_papers(papers)
    theirs, ours, words = UPSTREAM_MISTAKES[mistake]
    origin = lab.origin(**papers.server(**{"name": "origin", **theirs}))
    relay = lab.relay(certificates.at(origin), papers.upstream(**{"name": "relay", **ours}))
    relay.wait_log(at_address(origin.config["tls-port"], words))
    assert relay.info("replication")["master_link_status"] == "down"


@pytest.mark.seconds(120)
def test_an_origin_that_does_not_speak_what_we_do(lab, papers):
    """TLS to its plain port, then plain text to its TLS port."""
    origin = tls_origin(lab, papers)
    relay = lab.relay(origin, {**papers.upstream("relay"), "upstream.repl-timeout": "2"})
    # Redis reads our hello as a line of a command that does not end; Valkey the same.
    relay.wait_log(
        at_address(origin.port, "(what came is not TLS: is it a plain port|nothing came from the primary|"
                                "the peer closed the connection)"),
    )  # fmt: skip
    plain = lab.relay(certificates.at(origin), name="plain")
    plain.wait_log(at_address(origin.config["tls-port"], "(broken|unreachable)"))
    assert plain.info("replication")["master_link_status"] == "down"


def speak(port, *options):
    """One PING by redis-cli, which may be refused; the command's end is the point."""
    with contextlib.suppress(Exception):
        servers.cli(servers.REDIS, *options, "-p", port, "PING", seconds=5)


@pytest.mark.seconds(120)
def test_a_mistake_of_a_client_is_named_while_a_good_replica_streams(lab, papers):
    make_bad_papers(papers)
    origin = tls_origin(lab, papers)
    load.fill(origin)
    relay = tls_relay(lab, papers, origin, **{"downstream.tls-protocols": "TLSv1.3"}).wait_link()
    good = tls_replica(lab, papers, relay, name="good").wait_online()
    port = relay.settings["downstream.tls-port"]
    connections = wait_established(port, 1)
    writer = lab.writer(origin)

    def expect(words, *options, to=port):
        after = relay.log_end()
        speak(to, *options)
        relay.wait_log(rf"addr=127\.0\.0\.1:\d+ closed .*{words}", after=after)

    expect("no client certificate came", *papers.cli())
    expect("/CN=old is not accepted: it has expired", *papers.cli("old"))
    expect("/CN=stranger is not accepted: unknown CA", *papers.cli("stranger"))
    expect("the peer refuses our certificate: unknown CA", *papers.cli("replica", "other"))
    expect("plain text, or something else that is not TLS, on the TLS port")
    expect("it speaks TLS to the plain port", *papers.cli("replica"), to=relay.port)
    after = relay.log_end()
    certificates_cli = ["s_client", "-tls1_2", "-connect", f"127.0.0.1:{port}"]
    with contextlib.suppress(AssertionError):
        certificates.openssl(*certificates_cli)
    relay.wait_log(r"closed .*no shared protocol version", after=after)

    # Real replicas that are set up wrongly.
    wrong = {"speaks plain": {}, "stranger": papers.server("stranger", authority="other")}
    for name, config in wrong.items():
        after = relay.log_end()
        lab.replica(certificates.at(relay), name=name.replace(" ", "-"), **config)
        relay.wait_log(r"closed .*(on the TLS port|unknown CA)", after=after)

    writer.wait_rounds(20)
    writer.stop()
    digest.compare(origin, [good])
    assert good.full_syncs() == 1
    assert connections <= established(port), "the good replica's connection was dropped"


@pytest.mark.seconds(60)
def test_a_handshake_that_stops_halfway_is_closed(lab, papers):
    relay = lab.relay(lab.origin(), papers.downstream("relay"))
    port = relay.settings["downstream.tls-port"]
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    halves = []
    for length in (0, 1, 5, len(hello)):
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(hello[:length])
        halves.append(half)
    assert cli(relay, papers, "PING").stdout == b"PONG\n"
    for half in halves:
        half.settimeout(wait.limit(30))
        assert half.recv(1) == b""
        half.close()
    told = "the TLS handshake was not done within 10000 ms"
    wait.equal("it is told", lambda: relay.log().count(told), len(halves))


# --- settings ------------------------------------------------------------------------------------


def check(lab, papers, **changes):
    settings = {**papers.upstream("relay"), **papers.downstream("relay"), **changes}
    made = lab.relay(None, {"upstream.replicaof": "127.0.0.1 1", **settings}, start=False)
    made.ini.write_text(relay_module.ini_text(made.settings))
    return relay_module.run("-c", made.ini, "--check")


def test_check_reads_the_files(lab, papers):
    assert check(lab, papers).stdout == "ok\n"
    done = check(lab, papers, **{"upstream.tls-key-file": papers.key("replica")})
    assert done.returncode == 1
    assert "[upstream] tls-key-file" in done.stderr and "key values mismatch" in done.stderr
    done = check(lab, papers, **{"downstream.tls-cert-file": "/nowhere.crt"})
    assert "[downstream] tls-cert-file /nowhere.crt: No such file or directory" in done.stderr
    done = check(lab, papers, **{"downstream.port": "0", "downstream.tls-port": "0"})
    assert "neither port nor tls-port" in done.stderr
    done = check(lab, papers, **{"downstream.tls-protocols": "SSLv3"})
    assert "there are TLSv1.2 and TLSv1.3" in done.stderr


def test_a_relay_whose_files_do_not_fit_does_not_start(lab, papers):
    settings = papers.downstream("relay", tls_key_file=papers.key("replica"))
    relay = lab.relay(lab.origin(), settings, start=False)
    relay.start(ready=False)
    assert relay.exit_status() == 1
    assert "key values mismatch" in relay.log()
