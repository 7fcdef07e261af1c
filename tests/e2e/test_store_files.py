# SPDX-License-Identifier: MIT
"""The files of the data directory are useful without the relay: they hold raw RDB and raw stream."""

import shutil

import digest
import load
import relay as relay_module
import servers
import wait


def wait_settled(origin):
    """Keys that live for less than a second are gone, and nothing more is written."""

    def look():
        info = origin.info("everything")
        short_lived = sum(
            value.get("expires", 0) for key, value in info.items() if key.startswith("db")
        )
        return short_lived, digest.digest(origin)

    seen = []

    def stable(value):
        seen.append(value)
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    wait.until("the primary's data stands still", look, stable, every=0.1)


def load_alone(lab, name, kind, **config):
    """A server that follows nobody, on files that stand in its folder already."""
    return lab.origin(kind, start=False, name=name, **config)


def test_rdb_loads_as_it_is(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin)
    wait_settled(origin)
    relay = lab.relay(origin).wait_link()
    alone = load_alone(lab, "alone", kind)
    shutil.copy(relay.snapshots()[0], alone.directory / "dump.rdb")
    alone.start()
    assert digest.digest(alone) == digest.digest(origin)


def test_rdb_and_segments_load_as_append_only_file(lab, kind):
    """cat <X>.rdb and the segments from X on: what Redis reads as an AOF with an RDB preamble."""
    origin = lab.origin(kind)
    load.fill(origin)
    relay = lab.relay(
        origin, {"store.segment-size": "64kb", "store.snapshot": "on-demand"}
    ).wait_link()
    load.fill(origin, rounds=120, seed=3)
    wait_settled(origin)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    expected = digest.digest(origin)
    relay.stop()

    snapshot = relay.snapshots()[0]
    x = int(snapshot.stem)
    segments = sorted(
        (int(path.stem), path) for path in snapshot.parents[1].glob("backlog/*.seg")
    )
    assert len(segments) > 2, "expected the stream to cross several segments"
    assert segments[0][0] == x
    alone = load_alone(lab, "alone", kind, appendonly="yes", aof_load_truncated="no")
    with open(alone.directory / "appendonly.aof", "wb") as aof:
        aof.write(snapshot.read_bytes())
        for _, path in segments:
            aof.write(path.read_bytes())
    alone.start()
    wait.equal("loaded", lambda: alone.info("persistence")["loading"], 0)
    wait.equal("the same data", lambda: digest.digest(alone), expected)
    assert "Unknown" not in alone.log() and "Bad file format" not in alone.log()


def test_check_aof_accepts_the_stream(lab):
    """Segments alone are whole commands, one after the other."""
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin, {"store.segment-size": "64kb"}).wait_link()
    load.fill(origin, rounds=60, seed=5)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    relay.stop()
    stream = b"".join(
        path.read_bytes()
        for path in sorted(relay.histories()[0].glob("backlog/*.seg"), key=lambda p: int(p.stem))
    )
    path = relay.directory / "stream.aof"
    path.write_bytes(stream)
    result = servers.subprocess.run(
        [str(servers.program(servers.REDIS, "check-aof")), str(path)],
        capture_output=True,
        text=True,
        timeout=wait.limit(30),
        check=False,
    )
    assert "AOF is valid" in result.stdout or "is valid" in result.stdout, result.stdout


def test_verify(lab):
    """--verify reads all of it, without starting, and finds what was damaged."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {"store.segment-size": "64kb"}).wait_link()
    load.fill(origin, rounds=60, seed=5)
    wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
    refused = relay_module.run("--verify", relay.data_dir)
    assert refused.returncode == 1 and "another psync-relay uses it" in refused.stderr

    for end in (relay.kill9, relay.stop):
        end()
        result = relay_module.run("--verify", relay.data_dir)
        assert result.returncode == 0, result.stdout + result.stderr
        parts = [line.split()[1] for line in result.stdout.splitlines()[1:]]
        assert parts.count("segment") > 2
        assert [part for part in parts if part != "segment"] == ["identity", "newest", "snapshot"]
        assert "BAD" not in result.stdout
        relay.start().wait_link()
    relay.stop()

    victims = [relay.snapshots()[0], *relay.data_dir.glob("history-*/identity")]
    victims += sorted(relay.data_dir.glob("history-*/backlog/*.seg"))[:2]
    for victim in victims:
        whole = victim.read_bytes()
        middle = len(whole) // 2
        victim.write_bytes(whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :])
        result = relay_module.run("--verify", relay.data_dir)
        assert result.returncode == 1, f"{victim} was altered:\n{result.stdout}"
        assert result.stdout.count("BAD") == 1, result.stdout
        victim.write_bytes(whole)
    assert relay_module.run("--verify", relay.data_dir).returncode == 0
    assert relay_module.run("--verify", relay.directory / "nowhere").returncode == 1
