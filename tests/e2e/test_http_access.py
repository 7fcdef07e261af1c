# SPDX-License-Identifier: MIT
"""Who may read what is told over HTTP: by password, and by the name that was asked for."""

import base64
import hashlib
import signal

import load
import resp
import wait
import web


def basic(password, user="prometheus"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def code(relay, path="/status.json", **headers):
    return web.ask(relay, path, headers={name.replace("_", "-"): value for name, value in headers.items()})[0]


def test_password(lab, tmp_path):
    origin = lab.origin()
    load.fill(origin, rounds=1)
    secret = tmp_path / "http.secret"
    secret.write_text("first\n")
    secret.chmod(0o600)
    relay = lab.relay(origin, {"http.requirepass-file": secret}, http=True).wait_link()
    for path in ("/", "/status.json", "/metrics", "/nowhere"):
        answer, headers, body = web.ask(relay, path)
        assert (answer, headers["WWW-Authenticate"][:6]) == (401, "Basic "), path
        assert "psync_relay_ready" not in body and "<html" not in body
        expected = 404 if path == "/nowhere" else 200
        assert web.ask(relay, path, headers=basic("first"))[0] == expected, path
    # It may be told to those who look whether it lives.
    assert code(relay, "/healthz") == code(relay, "/readyz") == 200
    origin.stop()
    relay.wait_link("down")
    wait.equal("not ready", lambda: code(relay, "/readyz?max-silence=1s"), 503)
    assert web.ask(relay, "/readyz?max-silence=1s")[2] == "not ready\n"
    assert web.ask(relay, "/readyz?max-silence=1s", headers=basic("first"))[2] != "not ready\n"
    origin.start()

    secret.write_text("sha256:" + hashlib.sha256(b"second").hexdigest() + "\n")
    relay.signal(signal.SIGHUP)
    wait.equal("the new one", lambda: code(relay, **basic("second", user="")), 200)
    assert code(relay, **basic("first")) == 401
    assert relay.client().config_get("http.requirepass*") == {
        "http.requirepass": "", "http.requirepass-file": str(secret),
    }  # fmt: skip


def test_wrong_passwords_are_slowed_down_and_told_once(lab):
    relay = lab.relay(lab.origin(), {"http.requirepass": "right"}, http=True).wait_link()
    after = relay.log_end()
    codes = [code(relay, **basic(f"wrong {number}")) for number in range(30)]
    assert set(codes) == {401, 429} and codes[:5] == [401] * 5
    answer, headers, _ = web.ask(relay, "/metrics", headers=basic("right"))
    assert (answer, headers.get("Retry-After")) in ((429, "1"), (200, None))
    wait.equal("a right one is let in again", lambda: code(relay, **basic("right")), 200)
    assert [code(relay, **basic("right")) for _ in range(30)] == [200] * 30
    assert relay.log()[after:].count("a wrong password addr=") == 1
    assert "wrong 1" not in relay.log()


def test_names_that_a_reverse_proxy_passes_on(lab):
    relay = lab.relay(lab.origin(), {"http.allowed-hosts": "relay.example.com .example.org"}, http=True)
    relay.wait_link()
    for host in ("relay.example.com", "RELAY.example.com:443", "a.example.org", "localhost", "127.0.0.1:1"):
        assert code(relay, Host=host) == 200, host
    for host in ("evil.example", "x.relay.example.com", "relay.example.com.evil.example"):
        answer, _, body = web.ask(relay, "/metrics", headers={"Host": host})
        assert answer == 403 and "allowed-hosts" in body, host
    with resp.Connection(relay.port) as connection:
        assert connection.command("CONFIG", "SET", "allowed-hosts", "other.example") == "OK"
        assert "host names separated by blanks" in str(connection.command("CONFIG", "SET", "allowed-hosts", "a/b"))
    assert code(relay, Host="other.example") == 200
    assert code(relay, Host="relay.example.com") == 403


def test_names_matter_also_elsewhere_once_there_are_some(lab):
    settings = {"http.bind": "0.0.0.0", "http.allowed-hosts": "relay.example.com"}
    relay = lab.relay(lab.origin(), settings, http=True).wait_link()
    assert code(relay, Host="relay.example.com") == code(relay, Host="192.0.2.7") == 200
    assert code(relay, Host="evil.example") == 403
