# SPDX-License-Identifier: MIT
"""The links in the Markdown documents: each must lead to a file of the tree and to a heading in it."""

import functools
import os
import re
import urllib.parse

import prose

CODE = re.compile(r"(`+)(?:(?!\1).)+?\1")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*?)\s*#*$", re.M)
ELSEWHERE = re.compile(r"[a-z]+:", re.I)  # https:, mailto:


def dangling_links(source, root):
    if not source.path.endswith(".md"):
        return
    for number, line in enumerate(prose_of(source.text).splitlines(), 1):
        for target in LINK.findall(line):
            wrong = "" if ELSEWHERE.match(target) else wrong_with(target, source.path, root)
            if wrong:
                yield number, f"the link to {target} leads nowhere: {wrong}"


def wrong_with(target, path, root):
    name, _, anchor = target.partition("#")
    name = urllib.parse.unquote(name)
    to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if to.startswith("..") or not (root / to).exists():
        return f"there is no {to}"
    if not anchor:
        return ""
    if not to.endswith(".md"):
        return f"only documents have headings, and {to} is none"
    return "" if anchor in anchors_of(root / to) else f"{to} has no such heading"


@functools.lru_cache(maxsize=None)
def anchors_of(path):
    return set(anchors(path.read_text()))


def prose_of(text):
    """The same lines without blocks and words of code, in which nothing is a link or a heading."""
    return CODE.sub(lambda match: " " * len(match.group(0)), prose.without_blocks(text))


def anchors(text):
    """The names that hosts of repositories give to the headings."""
    seen = {}
    for heading in HEADING.findall(prose.without_blocks(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        yield f"{name}-{count}" if count else name
