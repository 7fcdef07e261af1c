# SPDX-License-Identifier: MIT
"""CHANGELOG.md has the form of Keep a Changelog. It is merged by union, so entries may come twice: they are found."""

import re

VERSION = re.compile(r"## (?:\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d)$")
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def changelog_form(source, root):
    if source.path != "CHANGELOG.md":
        return
    kinds = []
    versions = 0
    seen = {}
    for number, line in enumerate(source.lines, 1):
        if line.startswith("## "):
            kinds = []
            versions += 1
            if not VERSION.match(line):
                yield number, "expected ## [Unreleased], or ## [1.2.3] - 2025-12-31"
            elif ("Unreleased" in line) != (versions == 1):
                yield number, "expected [Unreleased] first, and once"
        elif line.startswith("### "):
            kind = line[4:]
            if kind not in KINDS:
                yield number, f"expected one of {', '.join(KINDS)}"
            elif kind in kinds:
                yield number, f"this version has {kind} already: put these entries there"
            kinds.append(kind)
        elif line.startswith("- ") and not kinds:
            yield number, "expected an entry below Added, Changed, ..."
        elif line.startswith("- ") and line in seen:
            yield number, f"the same entry as in line {seen[line]}"
        elif line.startswith("- "):
            seen[line] = number
