# SPDX-License-Identifier: MIT
"""The programs of the benches (tool.h): told by lines on stdin, heard by lines on stdout."""

import os
import select
import subprocess

import process
import relay
import wait

FOLDER = relay.PROGRAM.parent / "tests" / "bench"


class Tool(process.Process):
    host = "127.0.0.1"

    def __init__(self, program, directory, *arguments):
        super().__init__(program, directory)
        self.arguments = [FOLDER / program, *arguments]
        self.buffer = b""

    def start(self):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [str(argument) for argument in self.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.hear("ready")
        return self

    def say(self, words):
        self.child.stdin.write(words.encode() + b"\n")
        self.child.stdin.flush()

    def _line(self, seconds):
        out = self.child.stdout.fileno()
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([out], [], [], seconds)
            piece = os.read(out, 4096) if ready else b""
            assert piece, f"{self.name} {'ended' if ready else 'is silent'}: {self.log()[-500:]}"
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def hear(self, word, seconds=120):
        """Waits for a line that begins with `word`. Returns its figures: a list, or by name."""
        line = self._line(wait.limit(seconds)).split()
        assert line[0] == word, f"{self.name}: expected '{word} ...', came {line}"
        if any("=" in part for part in line[1:]):
            return {key: int(value) for key, value in (part.split("=") for part in line[1:])}
        return [int(part) for part in line[1:]]

    def ask(self, words, answer, seconds=120):
        self.say(words)
        return self.hear(answer, seconds)

    def stop(self):
        """They end when nobody can tell them anything any more."""
        if self.child is None:
            return
        self.child.stdin.close()
        self.kill9()
        self.child.stdout.close()
