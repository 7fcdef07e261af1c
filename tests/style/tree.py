# SPDX-License-Identifier: MIT
"""What the checks look at: the files of a tree, and C sources without comments and strings."""

import os
import pathlib
import re

SKIPPED = {".git", "build", "__pycache__", ".pytest_cache"}


class Source:
    """A text file: its path from the top of the tree, its lines, and for C its code and functions."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.splitlines()
        self.is_c = path.suffix in (".c", ".h")
        self.code = blank_out(self.text).splitlines() if self.is_c else []
        self.found = None  # its functions, when somebody has asked

    def component(self):
        """"store" for relay/store/... and include/relay/store/...; "top" for relay/*; else None."""
        match = re.match(r"(?:include/)?relay/(?:(\w+)/)?[^/]+$", self.path)
        return (match.group(1) or "top") if match else None

    def functions(self):
        """(name, first line, last line) of each function: a brace alone in the first column."""
        if self.found is None:
            self.found = []
            start = None
            for number, line in enumerate(self.code, 1):
                if line == "{":
                    start = number
                elif line.startswith("}") and start is not None:
                    self.found.append((self.name_before(start), start, number))
                    start = None
        return self.found

    def name_before(self, number):
        """The name in the heading that ends above line `number`."""
        match = re.search(r"(\w+)\(", re.sub(r"PRINTF_LIKE\([^)]*\)", "", self.heading_before(number)))
        return match.group(1) if match else "?"

    def heading_before(self, number):
        """What stands between the code before and the body that begins at line `number`, in one line."""
        heading = ""
        for line in reversed(self.code[: number - 1]):
            if not line.strip() or line.rstrip().endswith((";", "}")):
                break
            heading = line + " " + heading
        return heading

    def function_at(self, number):
        for name, first, last in self.functions():
            if first <= number <= last:
                return name
        return None


def parameters(source, number):
    """The names of the parameters of the function whose body begins at line `number`."""
    heading = source.heading_before(number)
    inside = heading[heading.find("(") + 1 : heading.rfind(")")]
    return {match.group(1) for match in re.finditer(r"(\w+)(?:\[\w*\])?\s*(?:,|$)", inside)}


def statics(source):
    """(name, line) of each static function."""
    for name, first, _ in source.functions():
        if re.search(r"\bstatic\b", source.heading_before(first)):
            yield name, first


def blank_out(text):
    """C code with the insides of comments and strings as blanks, line ends kept."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)

    return re.sub(pattern, blank, text, flags=re.DOTALL)


def sources(root):
    """Every text file of the tree, in order."""
    root = pathlib.Path(root)
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        paths += [pathlib.Path(folder, name) for name in names if name not in SKIPPED]
    found = []
    for path in sorted(paths):
        if not path.is_file() or path.is_symlink():
            continue
        if b"\0" in path.read_bytes()[:4096]:
            continue
        found.append(Source(root, path))
    return found
