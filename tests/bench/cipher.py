# SPDX-License-Identifier: MIT
"""Encrypting and nothing else: what must be paid under TLS beside the floor. It takes its turns like a
set-up, by `openssl speed`, on one core."""

import subprocess

from figures import GB
from report import Aim

NAME = "AES-256-GCM"
LEAST = f"floor + {NAME}"


class Stage:
    name = NAME
    rounds = None  # as stages.Stage has them


def _s_per_gb():
    told = subprocess.run(
        ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "aes-256-gcm"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (line,) = [line for line in told.splitlines() if line.startswith("+F:")]
    return GB / float(line.split(":")[-1])


def or_else(turn):
    """A turn of this set-up or of another one."""
    return lambda stage: {"cpu_s_per_gb": _s_per_gb()} if isinstance(stage, Stage) else turn(stage)


def aim(seen, ratio):
    """Of the set-up "relay TLS", beside the floor and encrypting of the same turn."""
    seen.add_sum(LEAST, ["floor", NAME], "cpu_s_per_gb")
    ratios = seen.ratios("relay TLS", LEAST, "cpu_s_per_gb")
    return Aim(f"CPU per GB beside {LEAST}", ratios, ratio)
