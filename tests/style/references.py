# SPDX-License-Identifier: MIT
"""References between documents and sources: "docs/protocol.md 2.2" in a comment must name a document and a section
of it; a document must name files that exist, and functions that are defined where it says."""

import functools
import re

import links

NUMBER = re.compile(r"^#+ +(\d+(?:\.\d+)*)\.? ", re.M)

# "docs/protocol.md 2.2, 4.1 and 7"; in a comment the numbers may stand on the next line.
REFERENCE = re.compile(
    r"\bdocs/([\w.-]+\.md)\b(?:[\s*#]+(\d+(?:\.\d+)*(?:(?:,|\s+and)[\s*#]+\d+(?:\.\d+)*)*))?"
)

# A section of something, without the document that has it.
HOMELESS = re.compile(r"(?<!docs/)\b(?:protocol|traps?|design)(?:\.md)?(?: section)? \d", re.IGNORECASE)


@functools.lru_cache(maxsize=None)
def sections_of(path):
    """The numbers of a document's sections."""
    return set(NUMBER.findall(links.prose_of(path.read_text())))


def references(source, root):
    if source.path == "tests/style/selftest.py":  # names what is not there, to test this
        return
    if not source.path.endswith(".md"):
        for number, line in enumerate(source.lines, 1):
            if HOMELESS.search(line):
                yield number, "a section is named with its document, as in: docs/protocol.md 2.2"
    for match in REFERENCE.finditer(source.text):
        line = source.text.count("\n", 0, match.start()) + 1
        document = root / "docs" / match.group(1)
        if not document.exists():
            yield line, f"there is no docs/{match.group(1)}"
            continue
        sections = sections_of(document)
        for number in re.findall(r"\d+(?:\.\d+)*", match.group(2) or ""):
            if number not in sections:
                yield line, f"docs/{match.group(1)} has no section {number}"


PATH = re.compile(r"`((?:relay|include|tests|etc|docs|docker)/[\w./-]*)`")
FUNCTION = re.compile(r"`(\w+)\(\)`")


@functools.lru_cache(maxsize=None)
def functions_in(path):
    """The names at the beginning of definitions and declarations in a C file."""
    heading = re.compile(r"^(?:[a-z][\w *]*[ *])?(\w+)\(", re.MULTILINE)
    return set(heading.findall(path.read_text(encoding="utf-8", errors="replace")))


def cited_sources(source, root):
    """In docs/*.md `name()` is a function. On a line that names C files it must be in one of them, else anywhere."""
    if not re.fullmatch(r"docs/[\w-]+\.md", source.path):
        return
    for number, line in enumerate(source.lines, 1):
        paths = PATH.findall(line)
        yield from ((number, f"there is no {path}") for path in paths if not (root / path).exists())
        files = [root / path for path in paths if path.endswith((".c", ".h")) and (root / path).exists()]
        for name in FUNCTION.findall(line):
            if not any(name in functions_in(path) for path in files or root.glob("relay/**/*.c")):
                where = " or ".join(path for path in paths) or "relay/"
                yield number, f"no function {name} in {where}"
