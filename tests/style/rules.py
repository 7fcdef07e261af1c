# SPDX-License-Identifier: MIT
"""The rules that a compiler does not know. Each yields (line, what would be right) for a source.

What is allowed beyond a rule stands in the tables at its head, with the reason, and nowhere else.
"""

import os
import re

import called
import changelog
import circles
import links
import references
import words

# --- layers: which component may include which -----------------------------------------------------

# Which components a component may include, besides itself. "top" is relay/*.c.
BELOW = {
    "base": set(),
    "os": {"base"},
    "codec": {"base"},
    "net": {"base", "os"},
    "resp": {"base"},
    "store": {"base", "os"},
    "archive": {"base", "os", "net", "store"},
    "restore": {"base", "os", "net", "resp", "store", "archive"},
    "upstream": {"base", "os", "codec", "net", "resp", "store"},
    "downstream": {"base", "os", "codec", "net", "resp", "store"},
    "commands": {"base", "os", "codec", "net", "resp", "store", "archive", "upstream", "downstream"},
    "status": {"base", "os", "codec", "net", "resp", "store", "archive", "upstream", "downstream", "commands"},
    "config": {"base", "os", "codec", "net", "resp", "store", "archive", "upstream", "downstream", "commands", "status"},
    "top": {"base", "os", "codec", "net", "resp", "store", "archive", "upstream", "downstream", "commands", "status", "config", "restore"},
}

# Libraries that stay in one place: what is included, and where it may be.
LIBRARIES = [
    (re.compile(r"event2?/|ev\w+\.h$|event\.h$"), "libevent", re.compile(r"relay/net/")),
    (re.compile(r"openssl/"), "OpenSSL", re.compile(r"relay/net/")),
    (re.compile(r"lz4\w*\.h$"), "liblz4", re.compile(r"relay/codec/library_lz4\.c$")),
    (re.compile(r"zstd\w*\.h$"), "libzstd", re.compile(r"relay/codec/library_zstd\.c$")),
    (re.compile(r"wslay/"), "libwslay", re.compile(r"relay/net/websocket_session\.h$")),
    (re.compile(r"ini\.h$"), "inih", re.compile(r"relay/config/ini_file\.c$")),
]

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(source):
    # Strings are blanked in source.code, so the names come from the lines.
    for number, line in enumerate(source.lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def layers(source, root):
    component = source.component()
    if component is None:
        return
    if component not in BELOW:
        yield 1, f"component '{component}' is not in the table of layers: give it its place (tests/style/rules.py)"
        return
    for number, quoted, name in includes(source):
        other = re.match(r"relay/(\w+)/[\w.]+$", name)
        if not quoted:
            continue
        if other and other.group(1) != component and other.group(1) not in BELOW[component]:
            below = ", ".join(sorted(BELOW[component])) or "nothing"
            yield number, f"{component} includes {name}: it may include {below} (includes run down only)"
        if other and not (root / "include" / name).exists():
            own = other.group(1) == component
            right = f'your component\'s own is "{os.path.basename(name)}"' if own else "private headers are not for other components"
            yield number, f"{name} is not under include/: {right}"


def private_headers(source, root):
    if source.component() is None:
        return
    folder = (root / source.path).parent
    for number, quoted, name in includes(source):
        if not quoted or name.startswith("relay/"):
            continue
        if source.path.startswith("include/"):
            yield number, f'"{name}": a header under include/ includes "relay/<component>/<noun>.h" only'
        elif "/" in name or not (folder / name).exists():
            yield number, f'"{name}": a private header is included by its own component only, as "<noun>.h"'


def libraries(source, root):
    if source.component() is None:
        return
    for number, _, name in includes(source):
        for pattern, library, home in LIBRARIES:
            if pattern.match(name) and not home.match(source.path):
                yield number, f"{name}: {library} is included in {home.pattern.rstrip('$')} only"


def no_included_sources(source, root):
    for number, _, name in includes(source):
        if name.endswith(".c"):
            yield number, f"{name}: link its object instead (tests/tests.mk)"


# --- states ----------------------------------------------------------------------------------------

# file -> the functions that may assign a state. The machines have one each; what else has a
# state is a parser, whose states are places in its input, or has but one way to go.
STATE_SETTERS = {
    "relay/base/state_machine.c": {"state_machine_enter"},
    "relay/net/conn.c": {"conn_enter"},
    "relay/upstream/connect_race.c": {"connect_enter"},
}
STATE_FILES = {
    "relay/resp/command_scanner.c": "a parser",
    "relay/resp/payload.c": "a parser",
    "relay/resp/tokenizer.c": "a parser",
    "relay/store/snapshot.c": "arriving, then complete or failed",
}
STATE_SET = re.compile(
    r"(?:->|\w\.)state\s*=[^=]|atomic_(?:store|exchange|compare_exchange)\w*\s*\(\s*&[\w>.-]*(?:->|\.)state\b"
)


def state_setters(source, root):
    if source.component() is None or source.path in STATE_FILES:
        return
    allowed = STATE_SETTERS.get(source.path, set())
    for number, line in enumerate(source.code, 1):
        if STATE_SET.search(line) and source.function_at(number) not in allowed:
            where = " or ".join(sorted(allowed)) or "the noun's own file, in its one <noun>_enter"
            yield number, f"a state is assigned: expected only in {where}"


# --- words -----------------------------------------------------------------------------------------

BANNED = {
    "strcpy": "memcpy with a length, or struct text",
    "strcat": "struct text",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "strtok": "bytes_find, strcspn",
    "atoi": "bytes_to_i64",
    "atol": "bytes_to_i64",
    "atoll": "bytes_to_i64",
    "alloca": "an array with a limit, or malloc",
    "gets": "getline",
    "strncpy": "memcpy with a length, or snprintf",
    "mktemp": "mkstemp",
}
BANNED_CALL = re.compile(r"(?<![\w>.])(" + "|".join(BANNED) + r")\s*\(")


def banned_words(source, root):
    for number, line in enumerate(source.code, 1):
        for match in BANNED_CALL.finditer(line):
            yield number, f"{match.group(1)}: use {BANNED[match.group(1)]}"


TODO = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!.*#\d)")


def no_loose_ends(source, root):
    if not source.is_c:
        return
    for number, line in enumerate(source.lines, 1):
        if TODO.search(line):
            yield number, "a TODO has the number of its issue (#12)"


# Built here, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile("(?<![\\w./])/(?:" + "|".join(["work", "root", "home/\\w+"]) + ")/")


def no_machine_paths(source, root):
    for number, line in enumerate(source.lines, 1):
        if MACHINE_PATH.search(line):
            yield number, "a path of somebody's machine: use one from the top of the tree"


# --- files -----------------------------------------------------------------------------------------

SPDX = "SPDX-License-Identifier: MIT"
FUNCTION_LINES_MAX = 100
FILE_LINES_MAX = 700
HEADER_LINES_MAX = 220


def spdx(source, root):
    first = source.lines[0] if source.lines else ""
    if source.is_c and not first.startswith("/* " + SPDX):
        yield 1, f"expected the first line to begin: /* {SPDX}"
    if source.path.endswith((".py", ".sh")):
        line = source.lines[1:2] if first.startswith("#!") else source.lines[:1]
        if line != ["# " + SPDX]:
            yield 1, f"expected the first line (after #!) to be: # {SPDX}"


def sizes(source, root):
    if not source.is_c:
        return
    limit = HEADER_LINES_MAX if source.path.endswith(".h") else FILE_LINES_MAX
    if len(source.lines) > limit:
        yield limit + 1, f"{len(source.lines)} lines: at most {limit}; it probably holds two nouns"
    for name, first, last in source.functions():
        if last - first > FUNCTION_LINES_MAX:
            yield first, f"{name} has {last - first} lines: at most {FUNCTION_LINES_MAX}, better 60"


def header_guard(source, root):
    if source.component() is None or not source.path.endswith(".h"):
        return
    guard = re.sub(r"\W", "_", source.path.removeprefix("include/")).upper()
    if f"#ifndef {guard}" not in source.text or f"#define {guard}" not in source.text:
        yield 1, f"expected the guard {guard}"


def own_header_first(source, root):
    """A header that is included first is known to need nothing before it."""
    if source.component() is None or not source.path.endswith(".c"):
        return
    stem = source.path[:-2]
    for header, name in ((f"{stem}.h", os.path.basename(stem) + ".h"), (f"include/{stem}.h", f"{stem}.h")):
        if not (root / header).exists():
            continue
        for number, _, included in includes(source):
            if included != name:
                yield number, f'expected #include "{name}" before the others'
            break
        return


TEST_FILE = re.compile(r"tests/(unit|replay)/(?:(\w+)/)?test_\w+\.c$")


def tests_mirror(source, root):
    """A unit test stands in the folder of its component, and no test has a main() of its own."""
    match = TEST_FILE.match(source.path)
    if not match:
        return
    kind, folder = match.groups()
    if kind == "unit" and folder not in (None, "support") and folder not in BELOW:
        yield 1, f"tests/unit/{folder}/: there is no relay/{folder}/"
    for number, line in enumerate(source.code, 1):
        if line.startswith("int main("):
            yield number, "a test registers itself with TEST: tests/support/test.c has the main()"


RULES = [
    layers,
    private_headers,
    libraries,
    no_included_sources,
    circles.circles,
    state_setters,
    banned_words,
    no_loose_ends,
    no_machine_paths,
    spdx,
    sizes,
    header_guard,
    own_header_first,
    tests_mirror,
    called.support_is_called,
    links.dangling_links,
    changelog.changelog_form,
    references.references,
    *words.RULES,
    references.cited_sources,
]
