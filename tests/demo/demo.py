#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make demo: one origin, the relay, and six replicas, on servers that are started for it.

Ends by itself within 90 seconds: with status 0, or with status 1 and what failed. Leaves nothing
behind, whatever happens.
"""

import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

# pylint: disable=wrong-import-position
import lab as lab_module  # noqa: E402
import relay  # noqa: E402
import servers  # noqa: E402
from screen import Screen  # noqa: E402
from stage import Stage  # noqa: E402
from story import Story  # noqa: E402

SECONDS_MAX = 80  # and then some for ending it
LOG_LINES = 8


class TooLong(AssertionError):
    """The alarm."""


class Ended(BaseException):
    """By a signal."""


def on_alarm(*_):
    raise TooLong(f"expected to be through within {SECONDS_MAX} s")


def on_end(number, _):
    raise Ended(number)


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def missing():
    """What is not there, in one line; None: all is."""
    if not os.access(relay.PROGRAM, os.X_OK):
        return f"{relay.PROGRAM} is not there: run make"
    if not servers.is_available(servers.REDIS):
        return "Redis 7.0 is not there: run tests/support/setup.sh demo"
    return None


def headline(stage):
    stage.say(
        "",
        " " + stage.paint("title", "psync-relay: one origin, many replicas")
        + stage.paint("quiet", "   on real servers, in about 45 seconds"),
    )  # fmt: skip
    if not servers.is_available(servers.VALKEY):
        stage.say(
            " " + stage.paint("wait", "Valkey could not be fetched: every server is a Redis.")
        )
    stage.say("")


def report(stage, lab, error):
    """The last picture, the ends of the logs, and below them what failed."""
    stage.show()
    stage.freeze()
    for name, tail in lab.logs(LOG_LINES):
        stage.say("", stage.paint("quiet", f" --- the end of {name}'s log"), tail)
    where = f" in chapter {stage.chapters}, {stage.title}" if stage.title else ""
    stage.say("", stage.paint("bad", f" FAILED{where}:"))
    text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    stage.say(*(f"   {line}" for line in text.splitlines()), "")


def hush():
    """From here on nothing interrupts: what is left takes a moment."""
    signal.alarm(0)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def clean_up(lab):
    """By pid, at once: nothing of it is needed any more."""
    for thing in lab.things:
        if hasattr(thing, "kill9"):
            thing.kill9()
    shutil.rmtree(lab.directory, ignore_errors=True)


def play(stage, lab):
    """The status to end with."""
    try:
        headline(stage)
        Story(lab, stage).tell()
        lab.close()  # the relay is asked to end, and must do so in order
        stage.say(
            "", f" {stage.paint('strong', 'All as it should be')}, {stage.seconds():.0f} s.", ""
        )
        return 0
    except Ended as end:
        hush()
        stage.freeze()
        stage.say("", " Ended by a signal; all that was started is stopped and removed.")
        return 128 + end.args[0]
    except BrokenPipeError:
        raise
    except Exception as error:  # pylint: disable=broad-except
        hush()
        report(stage, lab, error)
        return 1


def main():
    lack = missing()
    if lack:
        print(f"demo: {lack}", file=sys.stderr)
        return 1
    for number in ENDING:
        signal.signal(number, on_end)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(SECONDS_MAX)
    stage = Stage(Screen(sys.stdout, os.environ))
    lab = lab_module.Lab(pathlib.Path(tempfile.mkdtemp(prefix="psync-relay-demo.")))
    try:
        return play(stage, lab)
    except BrokenPipeError:  # nobody looks any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        hush()
        clean_up(lab)
        stage.freeze()


if __name__ == "__main__":
    sys.exit(main())
