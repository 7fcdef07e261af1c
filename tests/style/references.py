# SPDX-License-Identifier: MIT
"""What comments say about documents: "docs/protocol.md 2.2" must name a document and a section of it."""

import re

import links

NUMBER = re.compile(r"^#+ +(\d+(?:\.\d+)*)\.? ", re.M)

# "docs/protocol.md 2.2, 4.1 and 7"; in a comment the numbers may stand on the next line.
REFERENCE = re.compile(
    r"\bdocs/([\w.-]+\.md)\b(?:[\s*#]+(\d+(?:\.\d+)*(?:(?:,|\s+and)[\s*#]+\d+(?:\.\d+)*)*))?"
)

# A section of something, without the document that has it.
HOMELESS = re.compile(r"(?<!docs/)\b(?:protocol|traps?|design)(?:\.md)?(?: section)? \d", re.IGNORECASE)


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
        sections = set(NUMBER.findall(links.prose_of(document.read_text())))
        for number in re.findall(r"\d+(?:\.\d+)*", match.group(2) or ""):
            if number not in sections:
                yield line, f"docs/{match.group(1)} has no section {number}"
