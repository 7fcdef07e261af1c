# SPDX-License-Identifier: MIT
"""Compressed replication: between relays, and with peers written from docs/protocol.md 7.5 (support/compression.py)."""

import random

import pytest

import certificates
import compression
import crc64
import digest
import load
import mitm
import psync_client
import resp
import wait
from fake_primary import REPLID

CODECS = ["lz4", "zstd", "zstd:3"]


def codec_of(setting):
    return setting.partition(":")[0]


def relays(lab, origin, setting, near=None, far=None):
    """(near, far): the link between the two is compressed, as both are set to."""
    near = lab.relay(origin, {"downstream.repl-compression": setting, **(near or {})}, name="near").wait_link()
    far = lab.relay(near, {"upstream.repl-compression": setting, **(far or {})}, name="far").wait_link()
    return near, far


def wait_compressed(near, far, codec):
    wait.equal("the stream is compressed", lambda: far.info()["upstream_compression"], codec)
    line = near.replicas()[far.port]
    assert line["repl_compression"] == codec
    assert 0 < line["repl_compressed_bytes"] < line["repl_uncompressed_bytes"]


@pytest.mark.threads
@pytest.mark.parametrize("setting", CODECS)
def test_between_relays(lab, kind, setting):
    """RDB and stream, the near one restarted, the far one killed: no full sync more, and all is the same."""
    origin = lab.origin(kind, rdbcompression="no")
    load.fill(origin)
    near, far = relays(lab, origin, setting)
    replicas = [lab.replica(far, kind).wait_online(), lab.replica(near, kind).wait_online()]
    writer = lab.writer(origin)
    writer.wait_rounds(10)
    wait_compressed(near, far, codec_of(setting))
    near.restart().wait_link()
    writer.wait_rounds(10)
    far.restart(kill=True).wait_link()
    writer.wait_rounds(10)
    near.reconnect(origin)
    writer.wait_rounds(10)
    writer.stop()
    digest.compare(origin, replicas)
    wait_compressed(near, far, codec_of(setting))
    info = far.info()
    assert info["upstream_compression_errors"] == 0
    assert info["upstream_full_syncs"] == 0, "since its restart"
    assert origin.info()["sync_full"] == 1
    assert replicas[0].full_syncs() == replicas[1].full_syncs() == 1


def test_under_tls(lab, tmp_path):
    papers = certificates.for_everyone(tmp_path / "papers")
    origin = lab.origin()
    load.fill(origin)
    near = lab.relay(
        origin, {**papers.downstream("relay"), "downstream.repl-compression": "zstd"}, name="near"
    ).wait_link()
    far = lab.relay(
        certificates.at(near), {**papers.upstream("relay"), "upstream.repl-compression": "zstd"}, name="far"
    ).wait_link()
    replica = lab.replica(far).wait_online()
    load.fill(origin, seed=5)
    digest.compare(origin, [replica])
    wait.equal("the stream is compressed", lambda: far.info()["upstream_compression"], "zstd")


@pytest.mark.parametrize("setting", ["lz4", "zstd"])
def test_an_rdb_that_is_passed_on_while_it_arrives(lab, setting):
    """The far relay and its replica get it while the near one receives it."""
    origin = lab.origin(rdbcompression="no", repl_diskless_sync="no")
    load.populate(origin, megabytes=30)
    near = lab.relay(origin, {"downstream.repl-compression": setting}, name="near")
    far = lab.relay(near, {"upstream.repl-compression": setting}, name="far")
    replica = lab.replica(far).wait_online(seconds=90)
    load.fill(origin)
    digest.compare(origin, [replica], seconds=60)
    info = far.info()
    assert info["upstream_uncompressed_bytes"] > 30_000_000
    assert info["upstream_compressed_bytes"] < info["upstream_received_bytes"]


@pytest.mark.parametrize("near,far", [("no", "zstd"), ("zstd", "no"), ("lz4", "zstd"), ("zstd", "lz4")])
def test_each_side_takes_what_the_other_knows(lab, near, far):
    origin = lab.origin()
    load.fill(origin)
    above = lab.relay(origin, {"downstream.repl-compression": near}, name="near").wait_link()
    below = lab.relay(above, {"upstream.repl-compression": far}, name="far").wait_link()
    replica = lab.replica(below).wait_online()
    load.fill(origin, seed=3)
    digest.compare(origin, [replica])
    expected = "no" if "no" in (near, far) else "lz4"
    wait.equal("what was agreed on", lambda: below.info()["upstream_compression"], expected)


def test_servers_without_it_are_served_and_followed_plain(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin)
    both = {"upstream.repl-compression": "zstd", "downstream.repl-compression": "zstd"}
    relay = lab.relay(origin, both).wait_link()
    replica = lab.replica(relay, kind).wait_online()
    load.fill(origin, seed=3)
    digest.compare(origin, [replica])
    info = relay.info()
    assert info["upstream_compression"] == "no"
    assert (info["upstream_compressed_bytes"], info["replicas_compressed_bytes"]) == (0, 0)


def test_a_change_is_used_from_the_next_connection_on(lab):
    origin = lab.origin()
    load.fill(origin)
    near, far = relays(lab, origin, "no")
    replica = lab.replica(far).wait_online()
    assert far.info()["upstream_compression"] == "no"
    near.set("repl-compression", "zstd")
    far.set("upstream.repl-compression", "zstd")
    near.client().execute_command("CLIENT", "KILL", "TYPE", "replica")
    wait.until("the far one is back", lambda: far.info()["upstream_partial_syncs"], lambda count: count >= 1)
    load.fill(origin, seed=3)
    wait_compressed(near, far, "zstd")
    digest.compare(origin, [replica])
    assert far.info()["upstream_full_syncs"] == 1


def test_two_replicas_share_what_is_compressed_and_one_joins_late(lab):
    origin = lab.origin()
    load.fill(origin)
    near, far = relays(lab, origin, "zstd")
    second = lab.relay(near, {"upstream.repl-compression": "zstd"}, name="second").wait_link()
    writer = lab.writer(origin)
    writer.wait_rounds(10)
    third = lab.relay(near, {"upstream.repl-compression": "zstd"}, name="third").wait_link()
    writer.wait_rounds(10)
    writer.stop()
    replicas = [lab.replica(one).wait_online() for one in (far, second, third)]
    digest.compare(origin, replicas)
    for one in (far, second, third):
        wait_compressed(near, one, "zstd")


# --- peers from the document -------------------------------------------------------------------------


def commands(count):
    return [resp.encode("SET", f"key:{number % 50}", f"value {number} " * 20) for number in range(count)]


SELECT = resp.encode("SELECT", "0")
RDB = compression.small_rdb()


def served_by(relay, length):
    """The stream that the relay gives to a replica that takes it plain."""
    with psync_client.PsyncClient(relay.port) as replica:
        replica.handshake(capa=("psync2",))
        rdb = replica.full_sync()
        return rdb, replica.stream(length)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("has_length", [False, True], ids=["mark", "length"])
def test_a_valkey_that_compresses(lab, codec, has_length):
    """RDB and stream are stored plain, the RDB with the CRC-64 that it did not come with."""
    parts = [SELECT, *commands(300)]
    stream = b"".join(parts)
    script = compression.ValkeyScript(codec, RDB, parts, has_length)
    primary = lab.fake_primary(script)
    relay = lab.relay(primary, {"upstream.repl-compression": codec}).wait_link()
    wait.equal("all of it has come", relay.offset, len(stream))
    assert served_by(relay, len(stream)) == (RDB, stream)
    assert crc64.crc64(RDB) == 0, "as the RDB was before it was compressed"
    info = relay.info()
    assert info["upstream_compression"] == codec
    assert info["upstream_uncompressed_bytes"] == len(stream) + len(RDB)
    # A partial resync, by the plain offset.
    primary.peers[0].close()
    primary.wait_connections(2)
    relay.wait_link()
    wait.until("it acknowledges", lambda: primary.acks(primary.count - 1))
    assert primary.acks(primary.count - 1)[-1][1] == len(stream)
    assert relay.info()["upstream_full_syncs"] == 1


def test_a_valkey_that_sends_nonsense_is_asked_for_plain_bytes(lab):
    """Three connections in a row that cannot be decompressed; what was stored stays."""
    stream = b"".join([SELECT, *commands(20)])

    def script(peer):
        words = peer.greet()
        takes_it = any("zstd" in words for words in peer.owner.commands("REPLCONF", peer.number))
        if words[1] != REPLID:
            peer.send_full(RDB)
            begin = 0
        else:
            begin = int(words[2]) - 1
            peer.send(f"+CONTINUE {REPLID}\r\n".encode())
        peer.send(compression.envelope(compression.ZSTD, 2) + b"nonsense" if takes_it else stream[begin:])
        peer.hold()

    primary = lab.fake_primary(script)
    relay = lab.relay(primary, {"upstream.repl-compression": "zstd"})
    relay.wait_log(r"could not be decompressed 3 times in a row", seconds=60)
    wait.equal("the plain stream has come", relay.offset, len(stream), seconds=60)
    info = relay.info()
    assert info["upstream_compression_errors"] == 3
    assert info["upstream_full_syncs"] == 1
    assert served_by(relay, len(stream)) == (RDB, stream)


@pytest.mark.parametrize("level,asked", [(1, [1]), (7, [1, 7]), (0, [1])])
def test_a_redis_that_compresses(lab, level, asked):
    """It agrees to its own level only, and says which one that is; 0 is off."""
    parts = [SELECT, *commands(300)]
    stream = b"".join(parts)
    script = compression.RedisScript(level, RDB, parts)
    relay = lab.relay(lab.fake_primary(script), {"upstream.repl-compression": "zstd"}).wait_link()
    wait.equal("all of it has come", relay.offset, len(stream))
    assert script.asked[: len(asked)] == asked
    assert served_by(relay, len(stream)) == (RDB, stream)
    assert relay.info()["upstream_compression"] == ("zstd" if level else "no")


def read_compressed(replica, reader, count):
    """Plain bytes of the stream."""
    plain = reader.feed(replica.buffer)
    replica.buffer = b""
    while len(plain) < count:
        data = replica.socket.recv(1 << 16)
        assert data, "the relay has closed"
        plain += reader.feed(data)
    replica.offset += len(plain)
    return plain


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_valkey_replica_that_takes_it(lab, codec):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {"downstream.repl-compression": codec}).wait_link()
    with psync_client.PsyncClient(relay.port) as plain, psync_client.PsyncClient(relay.port) as replica:
        plain.handshake()
        expected = plain.full_sync()
        plain.ack()
        replica.handshake(capa=("eof", "psync2", *(("zstd", "lz4") if codec == "zstd" else ("lz4",))))
        words = replica.psync()
        assert words[0] == "+FULLRESYNC"
        header = replica.rdb_header()
        assert header.startswith("EOF:")
        wire = replica.read_rdb(header)
        assert wire.startswith(compression.envelope(compression.CODECS[codec], compression.RDB))
        reader = compression.Reader(compression.RDB)
        rdb = reader.feed(wire)
        assert reader.ends == 1, "it is one whole frame"
        assert (replica.offset, rdb) == (plain.offset, expected)
        begin = replica.offset
        replica.ack()
        load.fill(origin, rounds=5, seed=3)
        wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
        end = relay.offset()
        stream = compression.Reader(compression.STREAM)
        got = read_compressed(replica, stream, end - begin)[: end - begin]
        assert stream.codec == compression.CODECS[codec]
        assert got == plain.stream_to(end)
        replica.ack()
        # A partial resync by the plain offset: a new envelope.
        with psync_client.PsyncClient(relay.port, listening_port=replica.listening_port) as again:
            again.handshake(capa=("eof", "psync2", codec))
            assert again.psync(replica.replid, end - 999)[0] == "+CONTINUE"
            reader = compression.Reader(compression.STREAM)
            assert read_compressed(again, reader, 1000)[:1000] == got[-1000:]


def test_a_redis_replica_that_takes_it(lab):
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin, {"downstream.repl-compression": "zstd:3"}).wait_link()
    with psync_client.PsyncClient(relay.port) as replica:
        assert replica.command("REPLCONF", "compression", "9") == "OK"
        replica.handshake()
        assert replica.full_sync().startswith(b"REDIS"), "the RDB is plain"
        replica.ack()
        load.fill(origin, rounds=5, seed=3)
        wait.equal("the relay has all", lambda: origin.offset() - relay.offset(), 0)
        begin, end = replica.offset, relay.offset()
        reader = compression.Reader(compression.STREAM, expects_frames=True)
        got = read_compressed(replica, reader, end - begin)[: end - begin]
        assert reader.codec == compression.ZSTD
    with psync_client.PsyncClient(relay.port) as plain:
        plain.handshake()
        assert plain.psync(replica.replid, begin + 1)[0] == "+CONTINUE"
        assert plain.stream_to(end) == got


@pytest.mark.parametrize("setting", ["no", "lz4"])
def test_a_redis_replica_is_told_that_there_is_none(lab, setting):
    relay = lab.relay(lab.origin(), {"downstream.repl-compression": setting}).wait_link()
    with psync_client.PsyncClient(relay.port) as replica:
        said = replica.command("REPLCONF", "compression", "3")
        assert str(said) == "ERR Requested level 3 differs from master's level: 0"
        replica.handshake()
        assert replica.full_sync().startswith(b"REDIS")


@pytest.mark.parametrize("setting", ["lz4", "zstd"])
def test_an_rdb_that_breaks_goes_on_where_it_broke(lab, setting):
    """What was decompressed is kept, and the rest comes in a frame of its own (docs/protocol.md 2.7)."""
    origin = lab.origin(rdbcompression="no")
    pipe = origin.client().pipeline(transaction=False)
    draw = random.Random(5)
    for number in range(2000):
        pipe.set(f"key:{number}", draw.randbytes(2000).hex())
    pipe.execute()
    near = lab.relay(origin, {"downstream.repl-compression": setting}, name="near").wait_link()
    middle = lab.mitm(near, plan=[mitm.CutAfter(1_000_000) for _ in range(3)])
    far = lab.relay(middle, {"upstream.repl-compression": setting}, name="far").wait_link(seconds=90)
    assert far.info("store")["rdbs_resumed"] == 3
    assert near.info("stats")["sync_full_resumed"] == 3
    replica = lab.replica(far).wait_online()
    load.fill(origin, rounds=3)
    digest.compare(origin, [replica])
    wait_compressed(near, far, setting)
    assert far.info()["upstream_compression_errors"] == 0
