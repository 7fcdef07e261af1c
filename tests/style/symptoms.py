#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""symptoms.py: docs/troubleshooting.md has every finding and every reason to close a connection, the log lines
that it quotes are lines of the program, and so are the metrics and fields that any document names."""

import pathlib
import re
import sys

DOCUMENT = "docs/troubleshooting.md"
STRING = r'"((?:\\.|[^"\\\n])*)"'
LITERAL = re.compile(STRING + r"(?:\s*" + STRING + ")*")
FINDING = re.compile(r'\{SEVERITY_\w+,\s*"(\w+)"')
MACHINE = re.compile(r'struct state_machine_kind \w+ = \{\s*\.name = "([^"]+)"')
REASON = re.compile(r"^\s+REASON\(\w+, (\w+),", re.M)
ROW = re.compile(r"^\| (.*?) \|", re.M)
CODE = re.compile(r"`([^`]+)`")
CAUSE = re.compile(r"cause=(\w+):?")
FIELD = re.compile(r"`((?:psync_relay|upstream|replicas|window|proof)_[a-z_]+)")


def literals(root):
    """Every string of the program, pieces that stand beside each other joined, and how each line of the log
    begins that a state machine writes."""
    found = []
    for path in sorted(root.rglob("*.[ch]")):
        text = path.read_text()
        for match in LITERAL.finditer(text):
            found.append("".join(re.findall(STRING, match.group(0))))
        found += [f"{name} state=" for name in MACHINE.findall(text)]
    return "\n".join(found)


def findings(document, names, strings):
    """names: {kind: [name, ...]} that the document must have; strings: those of the program."""
    for kind, wanted in names.items():
        for name in wanted:
            if f"`{name}`" not in document:
                yield f"{DOCUMENT}: the {kind} `{name}` is missing: what is seen, its cause, what to do"
    for cell in ROW.findall(document):
        for code in CODE.findall(cell):
            for quote in quotes(code):
                if quote not in strings:
                    yield f"{DOCUMENT}: `{code}`: the program has no text with '{quote}'"


def unknown_fields(path, document, strings):
    for name in sorted(set(FIELD.findall(document))):
        if name not in strings:
            yield f"{path}: `{name}`: the program has no such field"


def quotes(code):
    """What must be in the program's strings for a line of the log to be one: words between what varies."""
    for cause in CAUSE.findall(code):
        yield cause
    for part in re.split("…", CAUSE.sub("…", code)):
        if " " in part.strip():
            yield part.strip()


def main():
    root = pathlib.Path(".")
    names = {
        "finding": sorted(set(FINDING.findall((root / "relay/status/findings.c").read_text()))),
        "reason": REASON.findall((root / "include/relay/downstream/reasons.h").read_text()),
    }
    found = [f"symptoms.py finds no {kind} in the sources" for kind, wanted in names.items() if not wanted]
    strings = literals(root / "relay") + literals(root / "include")
    found += findings((root / DOCUMENT).read_text(), names, strings)
    for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        found += unknown_fields(path, path.read_text(), strings)
    for line in found:
        print(line)
    print(f"{int(not found)} passed, {int(bool(found))} failed (symptoms in {DOCUMENT})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
