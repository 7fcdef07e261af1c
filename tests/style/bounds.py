#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bounds.py: docs/security.md tells operators every bound of include/relay/base/bounds.h, as it is."""

import pathlib
import re
import sys

import program

# How the document says it; and what no row of its table has to say.
TOLD = {
    "COMMAND_ARGUMENTS_MAX": "{0} arguments",
    "COMMAND_LENGTH_MAX": "{kb} KB",
    "UNAUTHENTICATED_ARGUMENTS_MAX": "{0} arguments",
    "UNAUTHENTICATED_LENGTH_MAX": "{kb} KB, ",
    "UNAUTHENTICATED_MS_MAX": "then {s} s to authenticate",
    "TLS_HANDSHAKE_MS_MAX": "{s} s for a TLS handshake",
    "CLIENT_OUTPUT_MAX": "{mb} MB, then its commands wait",
    "UNAUTHENTICATED_OUTPUT_MAX": "{kb} KB, then its commands wait",
    "CLIENT_REPLIES_MAX": "closed at {mb} MB",
    "CLIENT_STUCK_MS_MAX": "a minute without reading any",
    "TLS_UNSENT_MAX": "up to {kb} KB of records that its socket does not accept",
    "TRANSACTION_COMMANDS_MAX": "| {0}, of ",
    "TRANSACTION_BYTES_MAX": "of {kb} KB in all",
    "TURN_CHORES_US_MAX": "{0} µs of each turn",
    "CLIENT_GO_COMMANDS_MAX": "{0} commands, ",
    "CLIENT_GO_US_MAX": "or {0} µs, ",
    "SUBSCRIPTIONS_MAX": "{0} channels and {0} patterns",
    "TOPIC_NAME_MAX": "names of {0} bytes",
}
UNTOLD = {"CLIENT_FINISH_MS_MAX"}

BOUND = re.compile(r"^\s+([A-Z_]+_MAX) = ([^,]+),", re.MULTILINE)


def bounds_of(text):
    """{name: value}; a value may be made of numbers and of bounds above it."""
    values = {}
    for name, value in BOUND.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)):
        factors = [factor.strip() for factor in value.split("*")]
        values[name] = 1
        for factor in factors:
            values[name] *= int(factor) if factor.isdigit() else values[factor]
    return values


def findings(values, document):
    document = " ".join(document.split())
    for name, value in values.items():
        if name in UNTOLD:
            continue
        if name not in TOLD:
            yield f"bounds.h: {name}: give it a row in docs/security.md and in tests/style/bounds.py"
            continue
        words = TOLD[name].format(value, kb=value // 1024, mb=value // 1024**2, s=value // 1000)
        if words not in document:
            yield f'docs/security.md: expected "{words}" for {name}'
    for name in TOLD.keys() - values.keys():
        yield f"tests/style/bounds.py: there is no {name} in bounds.h"


def main():
    root = pathlib.Path(".")
    values = bounds_of((root / "include/relay/base/bounds.h").read_text())
    found = list(findings(values, (root / "docs/security.md").read_text()))
    return program.report(found, "bounds in docs/security.md")


if __name__ == "__main__":
    sys.exit(main())
