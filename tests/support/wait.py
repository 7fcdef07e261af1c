# SPDX-License-Identifier: MIT
"""Waiting for a condition, with a deadline that scales with PSYNC_RELAY_SLOW.

No test sleeps for a fixed time and hopes: it names what it waits for. When that does not come in
time, the error says what was expected and what was seen instead, with the last few values.
"""

import math
import os
import time

import redis

SLOW = float(os.environ.get("PSYNC_RELAY_SLOW", "1"))

# What a probe may throw while the thing that it asks is still starting, or down on purpose.
PASSING = (OSError, EOFError, KeyError, LookupError, redis.RedisError)


def setting(seconds):
    """The same for a setting of a relay or a server that is whole seconds."""
    return str(math.ceil(limit(seconds)))


class Timeout(AssertionError):
    """The condition did not come true in time."""


def limit(seconds):
    """The time limit for something that takes at most `seconds` on a quick machine."""
    return seconds * SLOW


def until(what, probe, accept=bool, seconds=20, every=0.02):
    """Calls probe() until accept(its value) holds, and returns that value."""
    started = time.monotonic()
    deadline = started + limit(seconds)
    seen = []
    while True:
        try:
            value = probe()
            if accept(value):
                return value
        except PASSING as error:
            value = error
        if not seen or repr(seen[-1][1]) != repr(value):
            seen.append((time.monotonic() - started, value))
        if time.monotonic() >= deadline:
            break
        time.sleep(every)
    last = "\n".join(f"    after {at:.2f}s: {value!r:.600}" for at, value in seen[-8:])
    raise Timeout(f"expected within {limit(seconds):.0f}s: {what}\n  came:\n{last}")


def equal(what, probe, expected, seconds=20, every=0.02):
    """Waits until probe() == expected."""
    return until(f"{what} == {expected!r}", probe, lambda value: value == expected, seconds, every)


def stays(what, probe, accept, seconds=1.0, every=0.05):
    """Holds a condition for a while; for the few things that must *not* happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = probe()
        if not accept(value):
            raise AssertionError(f"expected to stay so: {what}\n  came: {value!r}")
        time.sleep(every)
