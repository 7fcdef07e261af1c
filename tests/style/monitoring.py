#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""monitoring.py: docs/monitoring.md explains every INFO field, metric, finding, close reason and state that the
source names, and no other; and the events of the log that it lists are lines of the program."""

import pathlib
import re
import sys

import program
import prose

DOCUMENT = "docs/monitoring.md"

# How the sources name each of them.
FIELD = re.compile(r'\breport_(?:u64|i64|text|bytes|time)\(\s*&?\w+,\s*"(\w+)"')
NUMBERED = re.compile(r'snprintf\((?:name|field), sizeof\((?:name|field)\), "([a-z_]+)%zu"')
METRIC = re.compile(r'"((?:psync_relay|process)_\w+)"(?:,\s*(?:GAUGE|COUNTER)|;)')
STATE = re.compile(r'\[LINK_[A-Z]+\] = \{\s*"(\w+)"')
OTHER_STATE = re.compile(r'\[(?:REFRESH|SENTINEL|REPLICA)_[A-Z]+\] = \{\s*"(\w+)"')


def section(text, title):
    """Without its blocks; "" if there is none."""
    return prose.without_blocks(prose.section(text, title) or "")


def named(text):
    """Every word of code in it."""
    return set(prose.words_of_code(text))


def first_cells(text):
    """The words of code in the first cells of its tables."""
    return named("\n".join(prose.first_cells(text)))


def compare(what, source, told, may_be_more=False):
    yield from (f"{DOCUMENT}: it does not explain the {what} `{name}`" for name in sorted(source - told))
    if not may_be_more:
        yield from (f"{DOCUMENT}: there is no {what} `{name}` (left)" for name in sorted(told - source))


def findings(source, text):
    """`source`: all C sources, one after the other."""
    fields = set(FIELD.findall(source)) | {f"{name}<N>" for name in NUMBERED.findall(source)}
    reasons = program.REASON.findall(source)
    fields |= {f"closed_{reason}" for reason in reasons}
    severities = program.finding_names(source)
    yield from compare("INFO field", fields, named(text), may_be_more=True)
    yield from compare("metric", set(METRIC.findall(source)), first_cells(section(text, "Metrics")))
    yield from compare("link state", set(STATE.findall(source)) | {"stalled"}, first_cells(section(text, "Link states")))
    told = named(section(text, "Changes of state"))
    yield from compare("state", set(OTHER_STATE.findall(source)), told, may_be_more=True)
    yield from compare("finding", set(severities), first_cells(section(text, "Findings")))
    told = section(text, "Reasons for closing a connection")
    yield from compare("close reason", set(reasons), first_cells(told))
    for name, wanted in severities.items():
        row = re.search(rf"^\| `{name}` \| ([^|]*) \|", text, re.MULTILINE)
        if row and not all(severity in row.group(1) for severity in wanted):
            yield f"{DOCUMENT}: the severity of `{name}` is {' or '.join(sorted(wanted))}"


def unknown_events(text, strings):
    """`strings`: those of the program. The events are in the first cells, "…" stands for what varies."""
    below = section(text, "Log").partition("### Start, stop and settings")[2]
    for cell in prose.first_cells(below):
        yield from program.unknown_quotes(DOCUMENT, sorted(named(cell)), strings)


def main():
    root = pathlib.Path(".")
    files = sorted([*root.glob("relay/**/*.c"), *root.glob("relay/**/*.h"), *root.glob("include/**/*.h")])
    text = (root / DOCUMENT).read_text()
    found = list(findings("\n".join(path.read_text() for path in files), text))
    found += unknown_events(text, program.literals(root))
    return program.report(found, f"what monitors see, in {DOCUMENT}")


if __name__ == "__main__":
    sys.exit(main())
