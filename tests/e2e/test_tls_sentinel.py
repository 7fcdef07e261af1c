# SPDX-License-Identifier: MIT
"""Real Sentinels under TLS: they are asked, listened to and followed, and must be who they should be."""

import pytest

import certificates
import digest
import load
import servers
import wait
from failover import wait_follows, wait_same_offset
from sentinels import sentinel_setting


@pytest.fixture
def papers(tmp_path):
    made = certificates.Papers(tmp_path / "papers")
    made.authority("ca")
    for name in ("server", "relay", "replica"):
        made.issue("ca", name)
    return made


class At:
    """Where somebody's TLS port is, for whoever goes by host, port and password."""

    def __init__(self, server):
        self.host = server.host
        self.port = server.config["tls-port"]
        self.password = server.password


def tls_sentinel(lab, papers, primary, kind=servers.REDIS, certificate="server", **more):
    """Watches the primary's TLS port; its own plain port stays, for the test itself."""
    return lab.sentinel(kind, At(primary), quorum=1, **papers.server(certificate, **more))


def settings_of(papers, *sentinels, **more):
    return {
        **papers.upstream("relay"),
        "upstream.sentinel-tls": "yes",
        "upstream.sentinel": sentinel_setting(*map(At, sentinels)),
        **more,
    }


@pytest.mark.seconds(90)
def test_a_failover_under_tls(lab, papers, kind):
    """Origin, replica and Sentinel speak TLS among each other, and so does the relay with all of them."""
    primary = lab.origin(kind, name="primary", **papers.server("server"))
    load.fill(primary)
    other = lab.replica(At(primary), kind, name="other", **papers.server("server")).wait_online()
    sentinel = tls_sentinel(lab, papers, primary, kind)
    relay = lab.relay(None, {**settings_of(papers, sentinel), **papers.downstream("relay")})
    relay.wait_link()
    behind = lab.replica(certificates.at(relay), kind, **papers.server("replica")).wait_online()
    wait.until("it listens", sentinel.is_listened_to)
    wait.until("the Sentinel knows the replica", lambda: At(other).port in sentinel.replicas())
    writer = lab.writer(primary)
    writer.wait_rounds(5)
    writer.stop()
    wait_same_offset(primary, [other, relay, behind])
    primary.kill9()
    wait.until("promoted", lambda: other.info("replication")["role"] == "master", seconds=30)
    wait_follows(relay, other, through=At(other))
    load.fill(other, rounds=5, seed=3)
    digest.compare(other, [behind])
    assert behind.full_syncs() == 1
    assert other.info()["sync_full"] == 0


def expect(lab, papers, words, *sentinels, **more):
    """A relay that says this of the first of them."""
    relay = lab.relay(None, settings_of(papers, *sentinels, **more), name="expecting")
    relay.wait_log(rf"sentinel=127\.0\.0\.1:{At(sentinels[0]).port} cause=.*{words}")
    return relay


@pytest.mark.seconds(90)
def test_a_sentinel_must_be_who_it_should_be(lab, papers):
    """One of an unknown CA, or with a name that is not its own, is passed over for the next one; one that
    wants a certificate of another CA does not answer us."""
    papers.authority("unknown")
    papers.issue("unknown", "stranger")
    papers.issue("ca", "elsewhere", "DNS:elsewhere.example")
    primary = lab.origin(name="primary", **papers.server("server"))
    load.fill(primary)
    good = tls_sentinel(lab, papers, primary)
    stranger = tls_sentinel(lab, papers, primary, certificate="stranger")
    elsewhere = tls_sentinel(lab, papers, primary, certificate="elsewhere")
    relay = expect(lab, papers, "not accepted: unknown CA", stranger, good)
    wait_follows(relay, primary, through=At(primary))
    words = r"/CN=elsewhere is not accepted: it is for another host than 127\.0\.0\.1"
    # tls-server-name is the origin's: it makes no Sentinel acceptable, and none unacceptable.
    name = {"upstream.tls-server-name": "elsewhere.example"}
    relay = expect(lab, papers, words, elsewhere, good, **name)
    relay.wait_log(rf"sentinel=127\.0\.0\.1:{At(good).port} cause=told ")
    strict = tls_sentinel(lab, papers, primary, tls_ca_cert_file=papers.certificate("unknown"))
    expect(lab, papers, "the peer refuses our certificate: unknown CA", strict)


@pytest.mark.seconds(60)
def test_plain_and_tls_do_not_meet(lab, papers):
    """TLS to the plain port of a Sentinel, and the other way round, is told in words; and one may be under
    TLS while the origin is plain."""
    plain = lab.origin(name="plain")
    load.fill(plain)
    secured = lab.sentinel(
        servers.REDIS, plain, quorum=1, **papers.server("server", replication="no")
    )
    settings = {**settings_of(papers, secured), "upstream.tls": "no"}
    relay = lab.relay(None, settings)
    wait_follows(relay, plain)
    digest.compare(plain, [lab.replica(relay).wait_online()])

    wrong = {**settings, "upstream.sentinel": sentinel_setting(secured)}
    lab.relay(None, wrong, name="to-plain").wait_log(
        rf"sentinel=127\.0\.0\.1:{secured.port} cause=(unreachable|silent)"
    )
    lab.relay(None, {**settings, "upstream.sentinel-tls": "no"}, name="to-tls").wait_log(
        rf"sentinel=127\.0\.0\.1:{At(secured).port} cause=(broken|silent|refused|unreachable)"
    )
