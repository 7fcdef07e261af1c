#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds together the table of settings in relay/config/settings.c, etc/psync-relay.ini and docs/configuration.md.

    settings.py           checks; prints which row is missing, or differs
    settings.py --table   prints the tables as docs/configuration.md should have them
"""

import dataclasses
import pathlib
import re
import sys


@dataclasses.dataclass
class Row:
    section: str
    key: str
    default: str
    meaning: str

    def __str__(self):
        return f"[{self.section}] {self.key}"

    def document(self):
        default = f"`{self.default}`" if self.default else ""
        return f"| `{self.key}` | {default} | {self.meaning} |"


STRING = r'"((?:\\.|[^"\\])*)"'
ROW = re.compile(
    r"\{\s*" + STRING + r",\s*" + STRING + r",\s*&\w+,\s*AT\([^)]*\),\s*" + STRING
    + r",\s*([\w |]+),\s*((?:" + STRING + r"\s*)+)\}"
)


def rows_of(text):
    table = text[text.index("settings[] = {") :]
    table = table[: table.index("\n};")]
    rows = []
    for match in ROW.finditer(table):
        meaning = "".join(re.findall(STRING, match.group(5)))
        rows.append(Row(match.group(1), match.group(2), match.group(3), meaning))
    if len(rows) != table.count("AT("):
        sys.exit(f"settings.py understands {len(rows)} of {table.count('AT(')} rows of the table")
    return rows


def ini_findings(rows, text, file="etc/psync-relay.ini"):
    """Each key commented out with ";" at its default, in the table's order, its meaning above it."""
    found = []
    section = None
    comment = []
    remaining = list(rows)
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{file}:{number}"
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("#"):
            comment.append(line[1:].strip())
            continue
        elif line.startswith(";"):
            key, _, value = (part.strip() for part in line[1:].partition("="))
            row = next((row for row in remaining if (row.section, row.key) == (section, key)), None)
            if row is None:
                found.append(f"{where}: [{section}] {key}: relay/config/settings.c has no such row (left)")
            else:
                found += ini_row_findings(where, row, value, " ".join(comment), row is remaining[0])
                remaining.remove(row)
        elif line.strip():
            found.append(f"{where}: '{line}': expected every setting commented out with ';'")
        comment = []
    found += [f"{file}: {row} is missing, expected: ;{row.key} = {row.default}" for row in remaining]
    return found


def ini_row_findings(where, row, value, comment, is_next):
    if not is_next:
        yield f"{where}: {row}: expected the order of the table in relay/config/settings.c"
    if value != row.default:
        yield f"{where}: {row} = {value}: the default is '{row.default}'"
    if row.meaning not in comment:
        yield f"{where}: {row}: expected above it: # {row.meaning}"


def document_findings(rows, text, file="docs/configuration.md"):
    """A table row whose first cell is the key, with the default in it, below or beside its section."""
    found = []
    section = None
    lines = {}
    for line in text.splitlines():
        named = re.search(r"`?\[(\w+)\]`?", line)
        if named and (line.startswith("|") or line.startswith("#") or line.startswith("`[")):
            section = named.group(1)
        cell = re.match(r"\|(?:\s*`?\[\w+\]`?\s*\|)?\s*`([\w-]+)`\s*\|(.*)", line)
        if cell:
            lines.setdefault((section, cell.group(1)), cell.group(2))
    for row in rows:
        rest = lines.get((row.section, row.key))
        if rest is None:
            found.append(f"{file}: {row} is missing, expected below [{row.section}]: {row.document()}")
        elif row.default and f"`{row.default}`" not in rest:
            found.append(f"{file}: {row}: expected the default `{row.default}` in its row")
    return found


def print_table(rows):
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            print(f"\n## `[{section}]`\n\n| key | default | what it means |\n|---|---|---|")
        print(row.document())


def main():
    root = pathlib.Path(".")
    rows = rows_of((root / "relay/config/settings.c").read_text())
    if sys.argv[1:] == ["--table"]:
        print_table(rows)
        return 0
    checks = [ini_findings(rows, (root / "etc/psync-relay.ini").read_text())]
    checks.append(document_findings(rows, (root / "docs/configuration.md").read_text()))
    for found in checks:
        for line in found:
            print(line)
    failed = sum(bool(found) for found in checks)
    print(f"{len(checks) - failed} passed, {failed} failed (documents of the settings)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
