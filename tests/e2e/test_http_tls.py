# SPDX-License-Identifier: MIT
"""The HTTP port under TLS: scraped, refused in plain, renewed while the relay runs."""

import base64
import http.client
import signal
import ssl
import subprocess

import pytest

import certificates
import handshakes
import load
import ports
import relay as relay_module
import resp
import wait
import web

METRIC = "psync_relay_tls_certificate_expires_in_seconds"


@pytest.fixture
def papers(tmp_path):
    made = certificates.for_everyone(tmp_path / "papers")
    made.issue("ca", "page", days=100)
    made.issue("ca", "new-page", days=200)
    return made


def settings(papers, name="page", **more):
    own = {
        "http.tls-port": ports.free_port(),
        "http.tls-cert-file": papers.certificate(name),
        "http.tls-key-file": papers.key(name),
    }
    return {**own, **{f"http.{key.replace('_', '-')}": value for key, value in more.items()}}


def ask(relay, papers, path="/metrics", client=None, headers=None):
    """(status, body, name in the certificate) over TLS, with the certificate checked."""
    context = ssl.create_default_context(cafile=papers.certificate("ca"))
    if client is not None:
        context.load_cert_chain(papers.certificate(client), papers.key(client))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", relay.settings["http.tls-port"], timeout=wait.limit(10), context=context
    )
    try:
        connection.request("GET", path, headers={"Connection": "close", **(headers or {})})
        subject = dict(pair for part in connection.sock.getpeercert()["subject"] for pair in part)
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), subject["commonName"]
    finally:
        connection.close()


def expiries(relay):
    """Days that are left by section and setting."""
    return {
        tuple(part.split('"')[1] for part in name.split(",")[:2]): round(value / 86400)
        for name, value in web.metrics(relay).items()
        if name.startswith(METRIC)
    }


def test_scraped_over_https_with_a_password(lab, papers):
    origin = lab.origin()
    load.fill(origin, rounds=2)
    relay = lab.relay(origin, settings(papers, requirepass="secret")).wait_link()
    assert ask(relay, papers)[0] == 401
    login = {"Authorization": "Basic " + base64.b64encode(b"prometheus:secret").decode()}
    code, body, name = ask(relay, papers, headers=login)
    assert (code, name) == (200, "page")
    assert "\npsync_relay_ready 1\n" in body
    url = f"https://127.0.0.1:{relay.settings['http.tls-port']}"
    curl = ["curl", "-sS", "--fail", "--cacert", papers.certificate("ca"), "-u", "prometheus:secret"]
    done = subprocess.run(
        [*map(str, curl), f"{url}/metrics", f"{url}/status.json", f"{url}/"],
        capture_output=True, text=True, timeout=wait.limit(20), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "psync_relay_link_up 1" in done.stdout and "</html>" in done.stdout
    assert ask(relay, papers, "/readyz")[:2] == (200, "ok\n")


def test_plain_http_is_told_to_use_https(lab, papers):
    relay = lab.relay(lab.origin(), settings(papers), http=True).wait_link()
    connection = http.client.HTTPConnection("127.0.0.1", relay.settings["http.tls-port"], timeout=wait.limit(10))
    connection.request("GET", "/metrics")
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (400, b"this port speaks TLS: use https://\n")
    connection.close()
    assert web.metrics(relay)["psync_relay_link_up"] == 1  # the other port is plain


def test_certificates_are_renewed_while_it_runs(lab, papers):
    relay = lab.relay(lab.origin(), settings(papers), http=True).wait_link()
    assert ask(relay, papers)[2] == "page"
    assert expiries(relay) == {("http", "tls-cert-file"): 100}
    relay.wait_log("http TLS has certificate /CN=page")
    papers.copy("new-page", to="page")
    relay.signal(signal.SIGHUP)
    wait.equal("the new one is shown", lambda: ask(relay, papers)[2], "new-page")
    assert expiries(relay) == {("http", "tls-cert-file"): 200}

    wrong = ["http.tls-cert-file", papers.certificate("client"), "http.tls-key-file", papers.key("relay")]
    right = ["http.tls-cert-file", papers.certificate("relay"), "http.tls-key-file", papers.key("relay")]
    with resp.Connection(relay.port) as connection:
        assert "[http] tls-key-file" in str(connection.command("CONFIG", "SET", *wrong))
        assert ask(relay, papers)[2] == "new-page"
        assert connection.command("CONFIG", "SET", *right) == "OK"
    assert ask(relay, papers)[2] == "relay"


def test_without_files_of_its_own_it_has_those_of_the_replicas(lab, papers):
    more = {**papers.downstream("relay"), "http.tls-port": ports.free_port()}
    relay = lab.relay(lab.origin(), more, http=True).wait_link()
    assert ask(relay, papers)[2] == "relay"
    assert set(expiries(relay)) == {("downstream", "tls-cert-file"), ("downstream", "tls-ca-cert-file")}
    with resp.Connection(relay.port) as connection:
        new = ["tls-cert-file", papers.certificate("page"), "tls-key-file", papers.key("page")]
        assert connection.command("CONFIG", "SET", *new) == "OK"
    assert ask(relay, papers)[2] == "page"


def test_clients_show_a_certificate_where_they_must(lab, papers):
    own = settings(papers, tls_auth_clients="yes", tls_ca_cert_file=papers.certificate("ca"))
    relay = lab.relay(lab.origin(), own).wait_link()
    assert ask(relay, papers, client="client")[0] == 200
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(relay, papers)
    relay.wait_log("http TLS handshake failed addr=127.0.0.1:[0-9]+: TLS: no client certificate came")


@pytest.mark.seconds(90)
def test_a_crowd_of_handshakes_disturbs_nobody(lab, papers):
    """More than there are places, none of which goes on: the stream flows, and the places come back."""
    origin = lab.origin()
    own = settings(papers)
    relay = lab.relay(origin, own, http=True).wait_link()
    before = relay.descriptors()
    crowd = lab.closing(handshakes.Crowd(own["http.tls-port"], 100))
    load.fill(origin, rounds=5)
    wait.until("the relay has all", lambda: relay.offset() >= origin.offset() - 100)
    assert relay.descriptors() < before + 50
    assert relay.client().ping()
    crowd.close()
    wait.until("others are let in", lambda: ask(relay, papers)[0] == 200)


def check(directory, *settings_):
    done = relay_module.run(
        "--set", f"relay.data-dir={directory}", "--set", "upstream.replicaof=127.0.0.1 1", "--check",
        *(word for one in settings_ for word in ("--set", one)),
    )  # fmt: skip
    return done.returncode, done.stderr


def test_settings_that_do_not_fit_are_refused(papers, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    port = ports.free_port()
    listening = f"http.tls-port={port}"
    code, words = check(data, listening)
    assert code == 1 and "[http] a TLS port needs tls-cert-file and tls-key-file" in words
    code, words = check(data, listening, f"http.port={port}")
    assert code == 1 and "tls-port" in words and "must differ from port" in words
    code, words = check(data, listening, f"downstream.port={port}")
    assert code == 1 and "[downstream] uses that port" in words
    pair = [f"http.tls-cert-file={papers.certificate('page')}", f"http.tls-key-file={papers.key('page')}"]
    code, words = check(data, listening, "http.tls-auth-clients=yes", *pair)
    assert code == 1 and "[http]" in words and "tls-ca-cert-file" in words
    code, words = check(data, listening, f"http.port={ports.free_port()}", f"downstream.port={ports.free_port()}", *pair)
    assert (code, words) == (0, ""), words
