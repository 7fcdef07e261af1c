#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Records the seed corpora under tests/fuzz/corpus/ from real servers; run it again for a new version.

    make && PSYNC_RELAY=build/psync-relay tests/fuzz/record.py

What one side of a connection said is one file, named after who said it to whom. A dialogue goes to
the target that plays it, its parts (RDB with its header, stream) to those that read only these.
"""

import pathlib
import shutil
import socket
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import lab as lab_module  # noqa: E402
import ports  # noqa: E402
import resp  # noqa: E402
import sentinels  # noqa: E402
import servers  # noqa: E402
import wait  # noqa: E402

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
SEED_MAX = 64 * 1024

# What somebody types into redis-cli.
TYPED = rb"""PING
ECHO "a\x00\n b"
CLIENT SETNAME 'me'
CLIENT LIST TYPE replica
CLIENT KILL ID 4711
INFO everything
ROLE
CONFIG GET repl-*
CONFIG SET maxclients 100
COMMAND DOCS psync
COMMAND COUNT
MEMORY USAGE key
HELLO 3 SETNAME me
CLIENT INFO
GET key
REPLICAOF 127.0.0.1 6379
WAIT 1 100
LATENCY LATEST
MULTI
PING
EXEC
PUBLISH channel text
"""
# redis-cli would listen for ever.
LISTENING = b"SUBSCRIBE channel other\nPING\nPSUBSCRIBE c*\nUNSUBSCRIBE\nPUNSUBSCRIBE\n"


# What a stream may hold and seldom does.
SELDOM = (
    b"\n\r\n"
    + resp.encode("MULTI")
    + resp.encode("replconf", "getack", "*")
    + resp.encode("exec")
    + resp.encode("REPLCONF", "GETACK", "*")
    + resp.encode("multi")
    + resp.encode("SET", "a", "")
    + b"\n"
    + resp.encode("DISCARD")
)


class Recorder:
    """Passes connections on to `target`; said[n] is [up, down] of the n-th."""

    host = "127.0.0.1"

    def __init__(self, target):
        self.target = target
        self.port = ports.free_port()
        self.said = []
        self.sockets = []
        self.listener = socket.create_server((self.host, self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            target = socket.create_connection((self.target.host, self.target.port))
            said = [bytearray(), bytearray()]
            self.said.append(said)
            self.sockets += [client, target]
            for source, sink, into in ((client, target, said[0]), (target, client, said[1])):
                threading.Thread(target=self._pump, args=(source, sink, into), daemon=True).start()

    @staticmethod
    def _pump(source, sink, into):
        try:
            while data := source.recv(1 << 16):
                into += data
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.close()
        self.cut()


def keep(target, name, data):
    assert 0 < len(data) <= SEED_MAX, (target, name, len(data))
    # Servers tell where they were started; what stands there instead is as long.
    for path in (str(ROOT), tempfile.gettempdir()):
        data = bytes(data).replace(path.encode(), b"/" + b"x" * (len(path) - 1))
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(bytes(data))


def write_data(server):
    """One of every kind, and what a stream may hold around it."""
    client = server.client()
    client.set("string", "value")
    client.set("integer", 12345, ex=1000)
    client.set("compressed", "x" * 3000)
    client.rpush("list", *range(20))
    client.sadd("set", *"abc")
    client.zadd("zset", {"a": 1, "b": 2.5})
    client.hset("hash", mapping={"field": "value"})
    client.xadd("stream", {"a": "b"})
    client.eval("redis.call('set', KEYS[1], ARGV[1])", 1, "script", "*1\r\n$4\r\nPING\r\n")
    with client.pipeline(transaction=True) as pipe:
        pipe.incr("integer").spop("set").pexpire("string", 100_000).execute()
    client.delete("compressed")
    with server.client(db=3) as other:
        other.set("elsewhere", bytes(range(256)))


def split_sync(down):
    """What a primary said: (answers, RDB with its header and mark, stream)."""
    at = 0
    while True:
        at = down.index(b"\r\n$", at) + 2
        header, rest = bytes(down[at:]).split(b"\r\n", 1)
        if rest.startswith(b"REDIS"):
            break
    if header.startswith(b"$EOF:"):
        end = at + len(header) + 2 + rest.index(header[5:]) + 40
    else:
        end = at + len(header) + 2 + int(header[1:])
    return down[:at], down[at:end], down[end:]


def keep_sync(name, down):
    answers, rdb, stream = split_sync(down)
    keep("link", name, down)
    keep("handshake", name, answers + rdb[:60])
    keep("payload", name, rdb + stream[:200])
    keep("tokenizer", name, stream)


def record_upstream(lab, kind, **config):
    """The relay follows a primary: twice, the second time it continues."""
    origin = lab.origin(kind, **config)
    write_data(origin)
    recorder = lab._keep(Recorder(origin))
    relay = lab.relay(recorder).wait_link()
    write_data(origin)
    origin.client().execute_command("WAIT", 1, 2000)
    wait.until("it follows", lambda: relay.offset() >= origin.offset())
    name = f"{kind}-{config.get('repl_diskless_sync', 'yes')}-{config.get('rdbchecksum', 'yes')}"
    recorder.cut()
    wait.until("it continues", lambda: len(recorder.said) > 1 and b"+CONTINUE" in recorder.said[-1][1])
    write_data(origin)
    wait.until("it follows", lambda: relay.offset() >= origin.offset())
    first, last = recorder.said[0], recorder.said[-1]
    keep_sync(name, first[1])
    keep("link", name + "-twice", first[1] + b"\n@e" + last[1])
    keep("handshake", name + "-continue", last[1][:400] + b"\xff")
    keep("reader", name + "-relay", first[0])
    return origin, relay


def record_downstream(lab, kind, relay, origin):
    """Real replicas and the tools of that kind come to the relay."""
    recorder = lab._keep(Recorder(relay))
    replica = lab.replica(recorder, kind).wait_online()
    wait.until("it acknowledges", lambda: recorder.said[0][0].count(b"ACK") >= 2)
    recorder.cut()
    wait.until("it continues", lambda: len(recorder.said) > 1 and b"ACK" in recorder.said[-1][0])
    for number, name in ((0, "full"), (-1, "partial")):
        keep("replica", f"{kind}-{name}", recorder.said[number][0])
    keep("replica", f"{kind}-late", recorder.said[0][0] + b"\n@r\n@s\n@r\n@a\n@s\n")
    keep("reader", f"{kind}-replica", recorder.said[0][0])
    replica.stop()
    at = ["-p", recorder.port]
    for name, words, said in (
        ("rdb", ["--rdb", lab.directory / "dump"], None),
        ("info", ["INFO", "replication"], None),
        ("typed", [], TYPED),
    ):
        before = len(recorder.said)
        servers.cli(kind, *at, *words, input=said)
        session = recorder.said[before][0]
        keep("replica", f"{kind}-cli-{name}", session)
        keep("reader", f"{kind}-cli-{name}", session)
    with resp.Connection(recorder.port) as old:
        # As replicas before 5.0 say it (docs/protocol.md 1.1).
        old.inline("PING")
        old.inline("REPLCONF listening-port 6380")
        old.inline("REPLCONF capa eof capa psync2")
        old.send(b"PSYNC ? -1\r\n")
        wait.until("it is answered", lambda: b"+FULLRESYNC" in recorder.said[-1][1])
    keep("replica", f"{kind}-inline", recorder.said[-1][0] + b"\n@r\n@r\n@a")


def record_info(kind, origin, replica):
    for name, server in (("origin", origin), ("replica", replica)):
        for section in ("server", "replication"):
            with resp.Connection(server.port) as client:
                keep("origin_info", f"{kind}-{name}-{section}", client.command("INFO", section))


def record_sentinel(lab, kind):
    """A Sentinel is asked and listened to by the relay, through a failover."""
    origin = lab.origin(kind)
    replica = lab.replica(origin, kind).wait_online()
    folder = lab.directory / f"sentinel-{kind}"
    folder.mkdir()
    sentinel = lab._keep(sentinels.Sentinel(kind, folder, "sentinel", origin, quorum=1)).start()
    wait.until("it knows the replica", sentinel.replicas)
    recorder = lab._keep(Recorder(sentinel))
    where = f"{sentinels.GROUP} {recorder.host}:{recorder.port}"
    relay = lab.relay(None, {"upstream.sentinel": where}).wait_link()
    record_info(kind, origin, replica)
    origin.kill9()
    wait.equal("the replica is promoted", lambda: replica.info()["role"], "master", seconds=60)
    wait.until("it is told", lambda: b"switch-master" in recorder.said[0][1].split(b"message", 1)[-1])
    relay.wait_link()
    record_info(kind + "-promoted", replica, replica)
    for said in recorder.said:
        if said[1]:
            keep("sentinel", f"{kind}-{recorder.said.index(said)}", said[1])
            keep("reply", f"{kind}-{recorder.said.index(said)}", said[1])


def record_files(relay, name):
    """The files of a data directory, and inis."""
    (history,) = relay.histories()
    identity = (history / "identity").read_bytes()
    keep("identity", name, identity)
    keep("identity", name + "-unsummed", b"!" + identity[: identity.index(b"sum ")])
    keep("forged_store", name, identity[: identity.index(b"sum ")])
    keep("tail", name, b"\x1f" + (history / "tail").read_bytes()[16:400])
    keep("ini", name, relay.ini.read_bytes())
    keep("memo", name, (relay.data_dir / "origin").read_bytes())


def main():
    shutil.rmtree(CORPUS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_module.Lab(pathlib.Path(folder))
        try:
            for kind in filter(servers.is_available, servers.KINDS):
                for config in ({}, {"repl_diskless_sync": "no"}, {"rdbchecksum": "no"}):
                    origin, relay = record_upstream(lab, kind, **config)
                record_downstream(lab, kind, relay, origin)
                record_sentinel(lab, kind)
                relay.client().execute_command("REPLICAOF", "localhost", origin.port)
                relay.stop()
                record_files(relay, kind)
        finally:
            lab.close()
    keep("tokenizer", "seldom", SELDOM)
    keep("commands", "typed", TYPED + LISTENING)
    keep("ini", "shipped", (ROOT / "etc" / "psync-relay.ini").read_bytes())


if __name__ == "__main__":
    main()
