# SPDX-License-Identifier: MIT
"""No circles of files: within a component, the files that one file includes, and those that these include, do not
lead back to it. A noun's files count as one: noun.c, noun.h and noun_private.h. (Between components the table of
layers allows none.)"""

import functools
import os
import re

INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
FILE = re.compile(r"(?:include/)?(relay/(?:\w+/)?)(\w+)\.[ch]$")


def noun_of(path, paths):
    """("relay/store/", "backlog") for all files of that noun; None for what is no source of the relay. A private header
    without a source of its own is its noun's: history_state_private.h is shared by the sources of history.c."""
    match = FILE.match(path)
    if not match:
        return None
    folder, stem = match.groups()
    noun = stem.removesuffix("_private")
    while noun != stem and f"{folder}{noun}.c" not in paths and "_" in noun:
        noun = noun.rpartition("_")[0]
    return folder, noun


@functools.lru_cache(maxsize=None)
def graph_of(root):
    """{noun: {noun that it includes}}, of the same component."""
    paths = {
        path.relative_to(root).as_posix()
        for top in ("relay", "include/relay")
        for path in sorted((root / top).rglob("*.[ch]"))
    }
    graph = {}
    for path in sorted(paths):
        noun = noun_of(path, paths)
        for line in (root / path).read_text(encoding="utf-8", errors="replace").splitlines():
            match = INCLUDE.match(line)
            other = match and noun_of(included_path(path, match.group(1)), paths)
            if other and other != noun and other[0] == noun[0]:
                graph.setdefault(noun, set()).add(other)
    return graph, paths


def included_path(path, name):
    return name if name.startswith("relay/") else os.path.join(os.path.dirname(path), name)


def way(graph, begin, end):
    """The shortest way from one noun to another, as a list; None: there is none."""
    ways = [[begin]]
    seen = {begin}
    for steps in ways:
        if steps[-1] == end:
            return steps
        for other in sorted(graph.get(steps[-1], ())):
            if other not in seen:
                seen.add(other)
                ways.append(steps + [other])
    return None


def circles(source, root):
    if source.component() is None:
        return
    graph, paths = graph_of(root)
    noun = noun_of(source.path, paths)
    for number, line in enumerate(source.lines, 1):
        match = INCLUDE.match(line)
        other = match and noun_of(included_path(source.path, match.group(1)), paths)
        if not other or other == noun or other[0] != noun[0]:
            continue
        back = way(graph, other, noun)
        if back:
            names = " -> ".join(name for _, name in [noun] + back)
            yield number, f"a circle of files, {names}: what both need belongs in a header below both"
