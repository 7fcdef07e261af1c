# SPDX-License-Identifier: MIT
"""The stage that the story is played on: chapters, the picture of the moment, and patience.

Everything happens in one thread: who waits, draws.
"""

import textwrap
import time

import nodes as nodes_module
import view
import wait

DRAW_SECONDS = 1.0
LOOK_SECONDS = 0.2
WIDTH = 79


class Stage:
    def __init__(self, screen):
        self.screen = screen
        self.paint = view.Paint(screen.is_coloured)
        self.nodes = []
        self.started = time.monotonic()
        self.chapters = 0
        self.title = None
        self.sentence = ""
        self.doing = ""
        self.next_draw = 0.0

    # --- telling

    def chapter(self, title, sentence, seconds=0):
        """Begins one: a title, a sentence that explains it, and time to read it."""
        self.chapters += 1
        self.title = title
        self.sentence = sentence
        self.doing = ""
        if not self.screen.is_live:
            self.screen.say("", *self._head())
        self.draw()
        self.hold(seconds)

    def now(self, doing):
        """What is being done at this moment."""
        self.doing = doing
        if not self.screen.is_live:
            self.screen.say(self._doing())
        self.draw()

    def picture(self):
        """On a terminal it is there all the time; elsewhere it is shown when the story asks."""
        if not self.screen.is_live:
            self.look()
            self.show()

    def show(self):
        """What was seen last, without looking anew."""
        if not self.screen.is_live:
            self.screen.say("", *self._picture(), "")

    def freeze(self):
        """The terminal is given back; what is on it stays."""
        self.screen.leave()

    def done(self, result, seconds):
        """Ends a chapter: what came out, time to look at it, and one line that stays."""
        self.doing = ""
        self.draw()
        self.hold(seconds)
        self.picture()
        mark = self.paint("strong", "[ok]")
        self.screen.say(f" {mark} {self.chapters}  {result}")
        self.title = None

    def say(self, *lines):
        self.screen.say(*lines)

    # --- waiting

    def hold(self, seconds):
        """For people, who want to look. The servers need no such thing."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._turn()
            time.sleep(LOOK_SECONDS)

    def until(self, what, probe, expected, seconds=20):
        """Waits until probe() == expected, with a fresh look before each probe."""

        def look_and_probe():
            self._turn()
            return probe()

        wait.equal(what, look_and_probe, expected, seconds=seconds, every=LOOK_SECONDS)
        self.draw()

    def look(self):
        nodes_module.look(self.nodes)

    def _turn(self):
        self.look()
        if time.monotonic() >= self.next_draw:
            self.draw()

    # --- drawing

    def draw(self):
        self.next_draw = time.monotonic() + DRAW_SECONDS
        if self.screen.is_live:
            self.screen.draw(["", *self._head(), self._doing(), "", *self._picture()])

    def seconds(self):
        return time.monotonic() - self.started

    def _head(self):
        title = f" {self.chapters}  {self.title}"
        clock = f"{self.seconds():.0f} s"
        room = " " * (WIDTH - len(title) - len(clock))
        lines = textwrap.wrap(self.sentence, WIDTH - 4)
        return [
            self.paint("title", title) + room + self.paint("quiet", clock),
            *(f"    {line}" for line in lines),
        ]

    def _doing(self):
        return self.paint("wait", f"    > {self.doing}") if self.doing else ""

    def _picture(self):
        if not self.nodes:
            return []
        columns, _ = self.screen.size()
        return [
            *view.tree(self.paint, self.nodes, columns if self.screen.is_live else WIDTH),
            "",
            *view.served(self.paint, self.nodes),
        ]
