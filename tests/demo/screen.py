# SPDX-License-Identifier: MIT
"""Where the demo is seen: a block that is drawn over itself on a terminal, lines anywhere else.

What is said stays and scrolls up; the live block stays below it and is drawn anew.
"""

import os
import re
import shutil

COLUMNS_MIN, LINES_MIN = 79, 24
ESCAPE = re.compile(r"(\x1b\[[0-9;]*m)")


class Screen:
    def __init__(self, stream, environ):
        self.stream = stream
        self.drawn = 0  # lines of the block that is there now
        is_terminal = stream.isatty() and environ.get("TERM", "dumb") != "dumb"
        self.is_coloured = is_terminal and not environ.get("NO_COLOR")
        columns, lines = self.size()
        self.is_live = is_terminal and columns >= COLUMNS_MIN and lines >= LINES_MIN

    def size(self):
        try:
            return os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return shutil.get_terminal_size()

    def say(self, *lines):
        """Lines that stay."""
        self._write(self._home() + "".join(f"{line}\n" for line in lines))

    def draw(self, lines):
        """The live block, in place of the one before."""
        if not self.is_live:
            return
        columns, rows = self.size()
        lines = [clip(line, columns - 1) for line in lines[: rows - 1]]
        home = self._home(erase=False)
        self._write("\x1b[?25l" + home + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self.drawn = len(lines)

    def leave(self):
        """The block that is there now stays; the cursor comes back."""
        self.drawn = 0
        if self.is_live:
            self._write("\x1b[?25h")

    def _home(self, erase=True):
        count, self.drawn = self.drawn, 0
        return (f"\x1b[{count}F" if count else "") + ("\x1b[J" if erase and count else "")

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()


def clip(line, columns):
    """So that no line wraps; escape sequences take no room."""
    kept = []
    for part in ESCAPE.split(line):
        if not ESCAPE.match(part):
            part = part[:columns]
            columns -= len(part)
        kept.append(part)
    return "".join(kept)
