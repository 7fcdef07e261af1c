# SPDX-License-Identifier: MIT
"""What applications do: data of every type in several dbs, once (fill) or all the time (Writer)."""

import random
import threading

import redis

import wait

DBS = (0, 3, 9)
SCRIPT = """
redis.call('SET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], redis.call('INCR', KEYS[3]))
return redis.call('SPOP', KEYS[4])
"""


def _text(draw, length=None):
    length = length if length is not None else draw.choice((0, 1, 7, 30, 200, 3000))
    return draw.randbytes(length)


def _key(draw, kind, count=40):
    return f"{kind}:{draw.randrange(count)}"


# Each row adds one action to a pipeline. Keys carry their type, so no action hits a wrong one.


def strings(pipe, draw):
    pipe.set(_key(draw, "string", 300), _text(draw))
    pipe.append(_key(draw, "string", 300), b"more\r\n*1\r\n$4\r\nPING\r\n")
    pipe.incr(_key(draw, "number"))
    pipe.setrange(_key(draw, "string", 300), 10, b"inside")
    pipe.delete(_key(draw, "string", 300))


def lists(pipe, draw):
    pipe.rpush(_key(draw, "list"), *[_text(draw, 20) for _ in range(5)])
    pipe.lpop(_key(draw, "list"))
    pipe.lmove(_key(draw, "list"), _key(draw, "list"))
    pipe.ltrim(_key(draw, "list"), 0, 200)


def sets(pipe, draw):
    pipe.sadd(_key(draw, "set"), *[draw.randrange(5000) for _ in range(8)])
    pipe.sadd(_key(draw, "words"), *[_text(draw, 9) for _ in range(8)])
    pipe.spop(_key(draw, "words"), 2)
    pipe.sunionstore(_key(draw, "union", 5), _key(draw, "set"), _key(draw, "set"))


def _score(draw):
    """Short in binary and in decimal: Redis and Valkey write longer ones down differently."""
    return draw.randrange(4000) / 4


def sorted_sets(pipe, draw):
    pipe.zadd(_key(draw, "zset"), {f"member:{draw.randrange(500)}": _score(draw) for _ in range(5)})
    pipe.zincrby(_key(draw, "zset"), 1.5, f"member:{draw.randrange(500)}")
    pipe.zpopmin(_key(draw, "zset"))
    pipe.geoadd(
        _key(draw, "geo"), (draw.uniform(-180, 180), draw.uniform(-85, 85), draw.randrange(99))
    )


def hashes(pipe, draw):
    pipe.hset(
        _key(draw, "hash"), mapping={f"f{draw.randrange(300)}": _text(draw, 12) for _ in range(6)}
    )
    pipe.hincrbyfloat(_key(draw, "rates"), "x", 0.5)
    pipe.hdel(_key(draw, "hash"), f"f{draw.randrange(300)}")


def streams(pipe, draw):
    pipe.xadd(_key(draw, "stream", 5), {"field": _text(draw, 15)}, maxlen=500)
    pipe.execute_command(
        "XGROUP", "CREATE", "stream:0", "group", "0", "MKSTREAM"
    )  # mostly BUSYGROUP
    pipe.xreadgroup("group", f"consumer:{draw.randrange(3)}", {"stream:0": ">"}, count=3)


def counts(pipe, draw):
    pipe.pfadd(_key(draw, "hll", 5), *[draw.randrange(10**6) for _ in range(10)])
    pipe.setbit(_key(draw, "bits", 5), draw.randrange(50000), draw.randrange(2))
    pipe.bitfield(_key(draw, "bits", 5)).incrby("u8", draw.randrange(100), 3)


def expiries(pipe, draw):
    pipe.set(_key(draw, "soon", 100), _text(draw, 10), px=draw.randrange(1, 900))
    pipe.set(_key(draw, "late", 100), _text(draw, 10), ex=3600)
    pipe.expire(_key(draw, "list"), 3600)
    pipe.persist(_key(draw, "list"))
    pipe.getex(_key(draw, "late", 100), ex=draw.randrange(3000, 4000))


def transaction(pipe, draw):
    pipe.execute_command("MULTI")
    pipe.set(_key(draw, "string", 300), _text(draw, 50))
    pipe.execute_command("SELECT", draw.choice(DBS))
    pipe.sadd(_key(draw, "words"), _text(draw, 9))
    pipe.incr(_key(draw, "number"))
    pipe.execute_command("EXEC")


def script(pipe, draw):
    keys = [_key(draw, kind) for kind in ("string", "hash", "number", "words")]
    pipe.execute_command("EVAL", SCRIPT, len(keys), *keys, _text(draw, 40).hex())


def flush(pipe, draw):
    if draw.randrange(40) == 0:
        pipe.execute_command("SELECT", 9)
        pipe.execute_command("FLUSHDB")


def big(pipe, draw):
    if draw.randrange(20) == 0:
        pipe.set(_key(draw, "big", 3), draw.randbytes(300_000))


ACTIONS = (
    strings, lists, sets, sorted_sets, hashes, streams,
    counts, expiries, transaction, script, flush, big,
)  # fmt: skip


def _connect(server):
    """One connection whose replies stay as they come: inside MULTI each is QUEUED."""
    client = redis.Redis(host=server.host, port=server.port, password=server.password, single_connection_client=True)
    client.response_callbacks.clear()
    return client


def write_round(client, draw):
    """One pipeline: a db, then every kind of action once. Returns the number of commands."""
    pipe = client.pipeline(transaction=False)
    pipe.execute_command("SELECT", draw.choice(DBS))
    for action in ACTIONS:
        action(pipe, draw)
    count = len(pipe)
    pipe.execute(raise_on_error=False)
    return count


def fill(server, rounds=60, seed=1):
    """Data of every type in several dbs."""
    draw = random.Random(seed)
    with _connect(server) as client:
        for _ in range(rounds):
            write_round(client, draw)


def populate(server, megabytes, value_bytes=100_000):
    """Bulk that does not compress, quickly. As writes, so it is in the stream when that runs."""
    client = server.client()
    draw = random.Random(megabytes)
    count = megabytes * 1_000_000 // value_bytes
    for first in range(0, count, 50):
        pipe = client.pipeline(transaction=False)
        for number in range(first, min(first + 50, count)):
            pipe.set(f"bulk:{number}", draw.randbytes(value_bytes))
        pipe.execute()


class Writer:
    """Writes in the background until stop(). Goes on when the primary was away for a while."""

    def __init__(self, server, rounds_per_second=50, seed=2):
        self.server = server
        self.pause_seconds = 1 / rounds_per_second
        self.draw = random.Random(seed)
        self.rounds = 0
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        self.wait_rounds(1)
        return self

    def _run(self):
        client = None
        while not self.stopping.wait(self.pause_seconds):
            try:
                client = client or _connect(self.server)
                write_round(client, self.draw)
                self.rounds += 1
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError, OSError):
                client = None
            except Exception as error:  # pylint: disable=broad-except
                self.failure = error
                return

    def wait_rounds(self, count):
        """Waits until that many more rounds are written."""
        wanted = self.rounds + count
        wait.until(
            f"{wanted} rounds written", lambda: self.rounds, lambda n: n >= wanted or self.failure
        )

    def stop(self):
        self.stopping.set()
        if self.thread.ident is not None:
            self.thread.join(wait.limit(30))
        assert self.failure is None, f"the writer failed: {self.failure!r}"
