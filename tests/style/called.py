# SPDX-License-Identifier: MIT
"""What stands in for something is there for a test that uses it: functions of tests/support/ that nobody calls."""

import functools
import re

DECLARED = re.compile(r"^(?!static|typedef)\w[\w ]*?[ *]+(\w+)\([^;{]*\)(?: *\n? *PRINTF_LIKE\([^)]*\))?;", re.MULTILINE)
DEFINED = re.compile(r"^ *(?:async )?def (\w+)", re.MULTILINE)
HEADER = re.compile(r"tests/support/\w+\.h$")
SCRIPT = re.compile(r"tests/support/\w+\.py$")
# Called by Python's own libraries: special methods, and what http.server calls.
CALLED_BY_LIBRARIES = re.compile(r"__\w+__$|do_[A-Z]+$|log_message$")
WORD = re.compile(r"\w+")


@functools.lru_cache(maxsize=None)
def places(root):
    """word -> {file of tests/: how often it stands there}"""
    found = {}
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix not in (".c", ".h", ".py", ".sh", ".mk") or path.is_dir():
            continue
        name = path.relative_to(root).as_posix()
        for word in WORD.findall(path.read_text(encoding="utf-8", errors="replace")):
            count = found.setdefault(word, {})
            count[name] = count.get(name, 0) + 1
    return found


def names_of(source):
    """(name, how often it stands in its own files where nobody uses it, those files)."""
    if HEADER.match(source.path):
        own = {source.path, source.path[:-2] + ".c"}
        text = "\n".join(source.code)
        # A macro of the header may be what the tests call it by.
        return [(match.group(1), 1, own, match.start(1)) for match in DECLARED.finditer(text)]
    if SCRIPT.match(source.path):
        return [(match.group(1), 1, set(), match.start(1)) for match in DEFINED.finditer(source.text)]
    return []


def support_is_called(source, root):
    """Declared in a header of tests/support/: used in another file, or by a macro of it. Of a script: used anywhere."""
    for name, defined, own, at in names_of(source):
        text = "\n".join(source.code) if source.is_c else source.text
        counts = places(root).get(name, {})
        here = counts.get(source.path, 0) > defined
        elsewhere = any(path not in own and path != source.path for path in counts)
        if not here and not elsewhere and not CALLED_BY_LIBRARIES.match(name):
            yield text.count("\n", 0, at) + 1, f"{name}: nobody calls it"
