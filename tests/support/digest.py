# SPDX-License-Identifier: MIT
"""Are these servers' data the same? By DEBUG DIGEST, taken at the same offset.

Redis and Valkey compute the digest alike, over all dbs, with types, values and whether a key has
an expiry; only a score such as 0.1 they print differently, so load.py has none.

Stop the writer first. The origin may still move by itself (a key expires and its DEL is sent; its
PINGs are held back while we look), so one look proves nothing: we look at the origin's offset
before and after, and at each replica's. Only a look during which all stood at one offset counts,
and then the digests must be equal: there is no second chance.
"""

import contextlib

import wait


@contextlib.contextmanager
def _no_pings(origin):
    """A digest of big data takes longer than the second between two PINGs."""
    name = "repl-ping-replica-period"
    before = origin.client().config_get(name)[name]
    origin.client().config_set(name, 3600)
    yield
    origin.client().config_set(name, before)


def digest(server):
    return server.client().execute_command("DEBUG", "DIGEST").decode()


def _look(origin, replicas):
    before = origin.offset()
    offsets = [server.offset() for server in replicas]
    digests = [digest(server) for server in (origin, *replicas)]
    offsets += [server.offset() for server in replicas]
    still = origin.offset() == before and all(offset == before for offset in offsets)
    return still, before, offsets, digests


def compare(origin, replicas, seconds=30):
    """Waits until all stand at one offset, and asserts that they hold the same data."""
    replicas = list(replicas)
    # A cheap wait first, so that digests of big data are not computed over and over.
    for replica in replicas:
        wait.until(
            f"{replica.name} at {origin.name}'s offset",
            lambda replica=replica: (replica.offset(), origin.offset()),
            lambda pair: pair[0] == pair[1],
            seconds=seconds,
        )
    with _no_pings(origin):
        look = wait.until(
            "origin and replicas stand still at one offset",
            lambda: _look(origin, replicas),
            lambda look: look[0],
            seconds=seconds,
        )
    _, offset, _, digests = look
    assert digests[0] != "0" * 40, "the primary is empty: this comparison would prove nothing"
    different = [
        f"  {server.name} ({server.kind}): {value}"
        for server, value in zip(replicas, digests[1:])
        if value != digests[0]
    ]
    assert not different, "\n".join(
        [
            f"expected at offset {offset} what {origin.name} ({origin.kind}) has: {digests[0]}; came:",
            *different,
        ]
    )
    return offset
