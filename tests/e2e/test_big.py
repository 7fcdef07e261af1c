# SPDX-License-Identifier: MIT
"""A full sync of gigabytes under TLS with a running stream, digests compared. Not part of every run:

    make big BIG=3

BIG is how many gigabytes the origin holds. The relay needs that on the disk; in memory it is thrice that,
for the origin and two replicas, and some more while the origin forks.
"""

import os

import pytest

import certificates
import digest
import load

GIGABYTES = float(os.environ.get("BIG") or 0)
SECONDS = 200 * max(GIGABYTES, 1)

# The stream of the whole test: no second RDB is fetched meanwhile. And nobody says a word while he counts
# a digest of gigabytes, on a busy machine for longer than a minute.
PATIENCE = {"repl_timeout": "3600"}
SETTINGS = {
    "upstream.repl-timeout": "3600",
    "downstream.repl-timeout": "3600",
    "store.segment-size": "64mb",
    "store.repl-backlog-size": "2gb",
    "store.repl-backlog-max-size": "4gb",
}

pytestmark = [
    pytest.mark.skipif(not GIGABYTES, reason="minutes and gigabytes: make big"),
    pytest.mark.seconds(SECONDS),
]


@pytest.fixture
def papers(tmp_path):
    return certificates.for_everyone(tmp_path / "papers")


def begin(lab, papers, under_tls):
    """The primary, full, and a relay that has just begun to fetch it."""
    origin = lab.origin(**PATIENCE, **(papers.server("origin") if under_tls else {}))
    load.fill(origin)
    load.populate(origin, int(GIGABYTES * 1000))
    settings = {**papers.downstream("relay"), **SETTINGS}
    if under_tls:
        settings.update(papers.upstream("relay"))
    relay = lab.relay(certificates.at(origin) if under_tls else origin, settings)
    return origin, relay


def attach(lab, papers, relay, name):
    """A replica under TLS that keeps no file of what it is given."""
    config = papers.server("replica", repl_diskless_load="on-empty-db", **PATIENCE)
    return lab.replica(certificates.at(relay), name=name, **config)


@pytest.mark.parametrize("under_tls", [True, False], ids=["tls-origin", "plain-origin"])
def test_full_sync_of_gigabytes(lab, papers, under_tls):
    """One replica while the RDB still arrives, one from what is on the disk."""
    origin, relay = begin(lab, papers, under_tls)
    writer = lab.writer(origin)
    early = attach(lab, papers, relay, "early")
    relay.wait_log("state=.*->loading", seconds=SECONDS)
    load.populate(origin, 50)
    relay.wait_link(seconds=SECONDS)
    late = attach(lab, papers, relay, "late")
    for replica in (early, late):
        load.populate(origin, 50)
        replica.wait_online(SECONDS)
    writer.stop()
    digest.compare(origin, [early, late], seconds=SECONDS)
    (rdb,) = relay.snapshots()
    assert rdb.stat().st_size > GIGABYTES * 1e9
    assert [replica.full_syncs() for replica in (early, late)] == [1, 1]
    assert relay.syncs() == (2, 0, 0)
    assert origin.info()["sync_full"] == 1
