# SPDX-License-Identifier: MIT
"""Certificates that expire are told of before they do, everywhere, until newer ones are in their place."""

import signal

import pytest

import certificates
import resp
import wait
import web

METRIC = "psync_relay_tls_certificate_expires_in_seconds"
DAY = 24 * 60 * 60


@pytest.fixture
def papers(tmp_path):
    made = certificates.Papers(tmp_path / "papers")
    made.authority("ca")
    for name, days in (("origin", 400), ("relay", 20), ("link", 5), ("new-relay", 200), ("new-link", 300)):
        made.issue("ca", name, days=days)
    made.authority("old-ca", days=3)
    return made


def days(seconds):
    """To the nearest: three answers need not be of one second."""
    return round(seconds / DAY)


def told(relay):
    """Days that are left, by section and setting, of INFO, of the metrics and of status.json: the same."""
    info = relay.client().info("tls")
    lines = [info[name] for name in sorted(info) if name.startswith("tls_certificate")]
    by_info = {(one["section"], one["setting"]): days(one["expires_in_seconds"]) for one in lines}
    by_status = {
        (one["section"], one["setting"]): days(one["expires_in_seconds"])
        for one in web.status(relay)["certificates"]
    }
    by_metrics = {
        tuple(part.split('"')[1] for part in name.split(",")[:2]): days(float(value))
        for name, value in web.metrics(relay).items()
        if name.startswith(METRIC)
    }
    assert by_info == by_status == by_metrics
    return by_info


def findings(relay):
    names = [one["name"] for one in web.status(relay)["findings"]]
    return [name for name in names if name.startswith("certificate")]


def test_certificates_that_expire_are_told_of_until_there_are_new_ones(lab, papers):
    origin = lab.origin(**papers.server("origin"))
    settings = {**papers.upstream("link"), **papers.downstream("relay")}
    relay = lab.relay(certificates.at(origin), settings, http=True).wait_link()
    assert told(relay) == {
        ("upstream", "tls-cert-file"): 5,
        ("upstream", "tls-ca-cert-file"): 365,
        ("downstream", "tls-cert-file"): 20,
        ("downstream", "tls-ca-cert-file"): 365,
    }
    info = relay.client().info("tls")
    assert days(info["tls_server_cert_expires_in_seconds"]) == 20
    assert days(info["tls_client_cert_expires_in_seconds"]) == 5
    assert days(info["tls_ca_cert_expires_in_seconds"]) == 365
    assert findings(relay) == ["certificate_expires"]
    relay.wait_log(r"\[upstream\] tls-cert-file: certificate /CN=link expires in 4 days")
    relay.wait_log(r"\[downstream\] tls-cert-file: certificate /CN=relay expires in 19 days")

    papers.copy("new-link", to="link")
    relay.signal(signal.SIGHUP)
    wait.equal("one is left", lambda: findings(relay), ["certificate_expires_soon"])
    assert told(relay)[("upstream", "tls-cert-file")] == 300

    new = ["tls-cert-file", papers.certificate("new-relay"), "tls-key-file", papers.key("new-relay")]
    with resp.Connection(relay.port) as connection:
        assert connection.command("CONFIG", "SET", *new) == "OK"
    wait.equal("none is left", lambda: findings(relay), [])
    assert told(relay)[("downstream", "tls-cert-file")] == 200

    # A CA that is about to end is no less a matter, also where another one is beside it.
    both = papers.folder / "both.crt"
    both.write_text(papers.certificate("ca").read_text() + papers.certificate("old-ca").read_text())
    with resp.Connection(relay.port) as connection:
        assert connection.command("CONFIG", "SET", "upstream.tls-ca-cert-file", both) == "OK"
    wait.equal("it is told", lambda: findings(relay), ["certificate_expires"])
    assert told(relay)[("upstream", "tls-ca-cert-file")] == 3


def test_without_tls_there_is_nothing_to_tell(lab):
    relay = lab.relay(lab.origin(), http=True).wait_link()
    assert told(relay) == {} and findings(relay) == []
