#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Keeps the documents of the settings together.

relay/config/settings.c has a row for each setting: section, key, kind of value, default, and when a change
takes effect; relay/config/kinds.c says what is a value of a kind. etc/psync-relay.ini says what each setting
means, in the order of the table. From these two docs/configuration.md is made here, and the manual page by
etc/man/settings.awk.

    settings.py           checks; prints what is missing or differs
    settings.py --write   writes docs/configuration.md anew
"""

import dataclasses
import pathlib
import re
import sys

TABLE = "relay/config/settings.c"
KINDS = "relay/config/kinds.c"
INI = "etc/psync-relay.ini"
DOCUMENT = "docs/configuration.md"


@dataclasses.dataclass
class Row:
    section: str
    key: str
    kind: str
    default: str
    flags: str

    def __str__(self):
        return f"[{self.section}] {self.key}"


# --- what the program knows ------------------------------------------------------------------------

STRING = r'"((?:\\.|[^"\\])*)"'
ROW = re.compile(
    r"\{\s*" + STRING + r",\s*" + STRING + r",\s*&kind_(\w+),\s*AT\([^)]*\),\s*" + STRING + r",\s*([\w |]+)\s*[,}]"
)
KIND = re.compile(r"struct value_kind kind_(\w+) = \{.*?\.expected\s*=\s*((?:" + STRING + r"\s*)+)\}", re.DOTALL)


def rows_of(text):
    """The rows of the table in settings.c."""
    table = text[text.index("settings[] = {") :]
    table = table[: table.index("\n};")]
    rows = [Row(*match.groups()) for match in ROW.finditer(table)]
    if len(rows) != table.count("AT("):
        sys.exit(f"settings.py understands {len(rows)} of {table.count('AT(')} rows of the table")
    return rows


def kinds_of(text):
    """{kind: the values that it takes, in words}, from kinds.c."""
    return {
        match.group(1): "".join(re.findall(STRING, match.group(2))).replace('\\"', '"')
        for match in KIND.finditer(text)
    }


def takes_effect(flags):
    if "LIVE" in flags:
        return "`CONFIG SET` or SIGHUP"
    return "SIGHUP" if "ACCESS" in flags else "restart"


# --- what the ini says -----------------------------------------------------------------------------


def settings_of(text):
    """(line number, section, key, value, lines of the comment above it) of each line that is a setting. One
    that is neither that, a comment, a section nor empty has a section of None."""
    section = None
    comment = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            comment.append(line.removeprefix("#").removeprefix(" "))
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith(";"):
            key, _, value = (part.strip() for part in line[1:].partition("="))
            yield number, section, key, value, comment
        elif line.strip():
            yield number, None, line, "", []
        comment = []


def ini_findings(rows, text):
    """Each setting commented out with ";" at its default, in the table's order, its meaning above it."""
    found = []
    remaining = list(rows)
    for number, section, key, value, comment in settings_of(text):
        where = f"{INI}:{number}"
        row = next((row for row in remaining if (row.section, row.key) == (section, key)), None)
        if section is None:
            found.append(f"{where}: '{key}': expected every setting commented out with ';'")
        elif row is None:
            found.append(f"{where}: [{section}] {key}: {TABLE} has no such row (left)")
        else:
            found += row_findings(where, row, value, comment, row is remaining[0])
            remaining.remove(row)
    return found + [f"{INI}: {row} is missing, expected: ;{row.key} = {row.default}" for row in remaining]


def row_findings(where, row, value, comment, is_next):
    if not is_next:
        yield f"{where}: {row}: expected the order of the table in {TABLE}"
    if value != row.default:
        yield f"{where}: {row} = {value}: the default is '{row.default}'"
    if not comment:
        yield f"{where}: {row}: expected above it what it means"


# --- docs/configuration.md -------------------------------------------------------------------------

# Two blanks, a value, two blanks, what it means; what is indented deeper goes on with that.
ITEM = re.compile(r"  (\S.*?)  +(\S.*)$")
BLOCK = re.compile(r"(<!-- settings: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def prose_of(comment):
    """The comment as Markdown: a paragraph, and a list of the values that have a meaning each."""
    lines = []
    example = ""
    for line in comment:
        if line.startswith("Example: "):
            example = f"\nExample: `{line.removeprefix('Example: ')}`\n"
            continue
        line = re.sub(r'"([^"]*)"', r"`\1`", line)
        if item := ITEM.match(line):
            if not lines or not lines[-1].startswith(("-", "  ")):
                lines.append("")
            lines.append(f"- `{item.group(1)}`: {item.group(2)}")
        else:
            lines.append("  " + line.strip() if line.startswith("   ") else line)
    return "\n".join(lines) + "\n" + example


def entry_of(row, comment, kinds):
    default = f"`{row.default}`" if row.default else "empty"
    return (
        f"### {row.section}.{row.key}\n\n{prose_of(comment)}\n"
        f"Value: {kinds[row.kind]}. Default: {default}. Changed by: {takes_effect(row.flags)}.\n"
    )


def document_of(text, rows, ini, kinds):
    """The document with the blocks between its markers made anew."""
    comments = {(section, key): comment for _, section, key, _, comment in settings_of(ini)}

    def block_of(match):
        entries = [
            entry_of(row, comments.get((row.section, row.key), []), kinds)
            for row in rows
            if row.section == match.group(2)
        ]
        return match.group(1) + "\n" + "\n".join(entries) + "\n" + match.group(3)

    return BLOCK.sub(block_of, text)


def document_findings(text, rows, ini, kinds):
    told = re.findall(r"<!-- settings: (\w+) -->", text)
    for section in dict.fromkeys(row.section for row in rows):
        if section not in told:
            yield f"{DOCUMENT}: expected: <!-- settings: {section} -->, <!-- end -->"
    wanted = document_of(text, rows, ini, kinds).splitlines()
    lines = text.splitlines()
    differs = [i for i in range(max(len(lines), len(wanted))) if lines[i : i + 1] != wanted[i : i + 1]]
    if differs:
        yield f"{DOCUMENT}:{differs[0] + 1}: not as {INI} and {TABLE} have it: make docs"


def main():
    root = pathlib.Path(".")
    rows = rows_of((root / TABLE).read_text())
    kinds = kinds_of((root / KINDS).read_text())
    ini = (root / INI).read_text()
    document = (root / DOCUMENT).read_text()
    if sys.argv[1:] == ["--write"]:
        (root / DOCUMENT).write_text(document_of(document, rows, ini, kinds))
        return 0
    checks = [ini_findings(rows, ini), list(document_findings(document, rows, ini, kinds))]
    for found in checks:
        for line in found:
            print(line)
    failed = sum(bool(found) for found in checks)
    print(f"{len(checks) - failed} passed, {failed} failed (documents of the settings)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
