# SPDX-License-Identifier: MIT
"""The parts of a Markdown document: sections, fenced blocks, words of code."""

import re

FENCE = re.compile(r"^(```|~~~).*?^\1$", re.M | re.S)


def without_blocks(text):
    """The same text with blanks for fenced blocks, in which a # is no heading."""
    return FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def section(text, title):
    """The text below a heading, up to the next one of its rank or above. None: there is no such heading."""
    bare = without_blocks(text)
    heading = re.search(rf"^(#+) {re.escape(title)}$", bare, re.M)
    if not heading:
        return None
    end = re.compile(rf"^#{{1,{len(heading.group(1))}}} ", re.M).search(bare, heading.end())
    return text[heading.end() : end.start() if end else len(text)]


def blocks(text):
    """(language, lines) of each fenced block."""
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        yield match.group(1), match.group(2)


def words_of_code(text):
    return re.findall(r"`([^`\n]+)`", text)


def first_cells(text):
    """The first cell of each row of its tables that begins with a word of code."""
    return [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
