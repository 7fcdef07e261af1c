#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""symptoms.py: docs/troubleshooting.md has every finding and every reason to close a connection, the log lines
that it quotes are lines of the program, and so are the metrics and fields that any document names."""

import pathlib
import re
import sys

import program
import prose

DOCUMENT = "docs/troubleshooting.md"
ROW = re.compile(r"^\| (.*?) \|", re.M)
FIELD = re.compile(r"`((?:psync_relay|upstream|replicas|window|proof)_[a-z_]+)")


def findings(document, names, strings):
    """names: {kind: [name, ...]} that the document must have; strings: those of the program."""
    for kind, wanted in names.items():
        for name in wanted:
            if f"`{name}`" not in document:
                yield f"{DOCUMENT}: the {kind} `{name}` is missing: what is seen, its cause, what to do"
    for cell in ROW.findall(document):
        yield from program.unknown_quotes(DOCUMENT, prose.words_of_code(cell), strings)


def unknown_fields(path, document, strings):
    for name in sorted(set(FIELD.findall(document))):
        if name not in strings:
            yield f"{path}: `{name}`: the program has no such field"


def main():
    root = pathlib.Path(".")
    names = {
        "finding": sorted(program.finding_names((root / "relay/status/findings.c").read_text())),
        "reason": program.REASON.findall((root / "include/relay/downstream/reasons.h").read_text()),
    }
    found = [f"symptoms.py finds no {kind} in the sources" for kind, wanted in names.items() if not wanted]
    strings = program.literals(root)
    found += findings((root / DOCUMENT).read_text(), names, strings)
    for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        found += unknown_fields(path, path.read_text(), strings)
    return program.report(found, f"symptoms in {DOCUMENT}")


if __name__ == "__main__":
    sys.exit(main())
