# SPDX-License-Identifier: MIT
"""Out of a locked-down network: the relay reaches its primary through a proxy, CONNECT or SOCKS5."""

import pytest

import certificates
import digest
import load
import proxies
import servers
import wait
from sentinels import sentinel_setting


@pytest.fixture(params=["tinyproxy", "dante"])
def proxy(request, lab, tmp_path):
    program, make = {"tinyproxy": (proxies.TINYPROXY, proxies.Tinyproxy), "dante": (proxies.DANTE, proxies.Dante)}[
        request.param
    ]
    if not program.exists():
        pytest.skip(f"{request.param} could not be fetched (tests/support/setup.sh test)")
    return lab.keep(make(tmp_path / request.param)).start()


@pytest.fixture
def papers(tmp_path):
    return certificates.for_everyone(tmp_path / "papers")


def last_error(relay):
    return relay.info()["upstream_last_error"]


def test_a_relay_goes_through_a_proxy(lab, proxy, papers):
    """Under TLS, with the name that the proxy resolves; the proxy is restarted in the midst of the stream."""
    origin = lab.origin(**papers.server("origin"))
    load.fill(origin, rounds=10)
    settings = {
        **papers.upstream("relay"),
        "upstream.replicaof": f"localhost {certificates.at(origin).port}",
        "upstream.proxy": proxy.url,
    }
    relay = lab.relay(None, settings).wait_link()
    replica = lab.replica(relay).wait_online()
    writer = lab.writer(origin)
    for _ in range(3):
        after = relay.log_end()
        proxy.restart()
        relay.wait_log("state=handshake->streaming", after=after)
    writer.stop()
    digest.compare(origin, [replica])
    assert relay.info()["upstream_full_syncs"] == 1
    assert origin.info()["sync_full"] == 1
    shown = relay.client().config_get("proxy")["proxy"]
    assert f"127.0.0.1:{proxy.port}" in shown and "secr" not in shown, shown
    assert "secr%65t" not in relay.log() and "secret@" not in relay.log(), "no password is logged"

    proxy.stop()
    wait.until("it tells why", lambda: last_error(relay), lambda why: "cannot reach the proxy" in why)
    relay.set("proxy", "")
    relay.wait_link()
    load.fill(origin, rounds=2)
    digest.compare(origin, [replica])


def test_the_proxy_may_say_no(lab, papers, tmp_path):
    if not proxies.TINYPROXY.exists():
        pytest.skip("tinyproxy could not be fetched (tests/support/setup.sh test)")
    origin = lab.origin()
    proxy = lab.keep(proxies.Tinyproxy(tmp_path / "tinyproxy")).start()
    relay = lab.relay(origin, {"upstream.proxy": proxy.url.replace("secr", "wrong")})
    wait.until("it tells why", lambda: last_error(relay), lambda why: "CONNECT was refused: 40" in why)
    relay.set("proxy", proxy.url)
    relay.wait_link()
    socks = lab.closing(proxies.Socks())
    relay.set("proxy", socks.url.replace("cret", "wrong"))
    relay.client().execute_command("REPLICAOF", "localhost", origin.port)
    wait.until("it tells why", lambda: last_error(relay), lambda why: "the user or the password is wrong" in why)
    relay.set("proxy", socks.url)
    relay.wait_link()
    assert set(socks.asked) == {("localhost", origin.port)}


def test_sentinels_and_candidates_are_reached_through_it(lab):
    """The first candidate is not there; then a Sentinel names the primary, which is reached through the proxy as well."""
    origin = lab.origin()
    socks = lab.closing(proxies.Socks())
    nobody = lab.origin(start=False, name="nobody")
    settings = {
        "upstream.proxy": socks.url,
        "upstream.replicaof": f"127.0.0.1 {nobody.port}, localhost {origin.port}",
    }
    relay = lab.relay(None, settings).wait_link()
    assert {("127.0.0.1", nobody.port), ("localhost", origin.port)} <= set(socks.asked)
    load.fill(origin, rounds=2)
    digest.compare(origin, [lab.replica(relay).wait_online()])

    sentinel = lab.sentinel(servers.REDIS, origin, quorum=1)
    second = lab.relay(None, {"upstream.proxy": socks.url, "upstream.sentinel": sentinel_setting(sentinel)})
    second.wait_link()
    assert {("127.0.0.1", sentinel.port), ("127.0.0.1", origin.port)} <= set(socks.asked)
