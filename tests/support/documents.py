# SPDX-License-Identifier: MIT
"""The shell and ini blocks of README.md and docs/, run as they are written.

Each run has a network, processes and a directory of its own, so a block may name any address and port:
nothing in it is replaced. In a block

    ```ini
    # far.ini

is the file far.ini, and

    redis-cli -p 6381 get greeting   # prints: hello

is a command that must print that. It runs once, without a pause before it, as when a reader pastes the block.

A document is named by its path from the top of the tree, without ".md": "README", "docs/failover".
"""

import os
import pathlib
import re
import shlex
import subprocess

import own_world
import prose
import wait
from process import ROOT

FILES = ("ini", "haproxy", "keepalived")  # languages of blocks that are files
NAME = re.compile(r"# ([\w.-]+\.\w+)$", re.M)  # the first line of a block that is a file

ADDRESSES = ["10.0.0.%d" % i for i in range(1, 10)] + ["10.1.0.%d" % i for i in range(1, 10)]

PRELUDE = r"""
set -euo pipefail
trap 'echo "document: line $LINENO of the script: this command failed: $BASH_COMMAND"' ERR
until_prints()
{
    local command
    command=$(cat)
    for ((end = SECONDS + $2; SECONDS < end;)); do
        came=$(eval "$command" 2>&1) || true
        if [[ $came == *"$1"* ]]; then return; fi
        sleep 0.05
    done
    echo "document: expected '$command' to print '$1'; it printed: $came"
    exit 1
}
prints()
{
    local command came
    command=$(cat)
    echo "document: $command"
    came=$(eval "$command" 2>&1) || true
    if [[ $came != *"$1"* ]]; then
        echo "document: expected it to print '$1'; it printed: $came"
        exit 1
    fi
}
ip link set lo up
"""


def names():
    """Every document: README and those in docs/."""
    return ["README"] + sorted(f"docs/{path.stem}" for path in (ROOT / "docs").glob("*.md"))


def text_of(document):
    return (ROOT / f"{document}.md").read_text()


def sections():
    """(document, title) of each section with a block that belongs to it: what a reader would run."""
    for document in names():
        text = text_of(document)
        headings = list(re.finditer(r"^#+ (.*)$", prose.without_blocks(text), re.M))
        ends = [heading.start() for heading in headings[1:]] + [len(text)]
        for heading, end in zip(headings, ends):
            if any(is_run(*block) for block in prose.blocks(text[heading.end() : end])):
                yield document, heading.group(1)


def excerpts():
    """(document, ini) of each ini that is no file of a recipe: a part of one, with paths of the reader's."""
    for document in names():
        for language, body in prose.blocks(text_of(document)):
            if language == "ini" and not is_run(language, body):
                yield document, body


def is_run(language, body):
    """A block of shell, or a file with a name. An ini without one is an excerpt."""
    return language == "sh" or language in FILES and NAME.match(body) is not None


def section(document, title):
    """The text below a heading, up to the next one of its rank or above."""
    found = prose.section(text_of(document), title)
    assert found is not None, f"{document}.md has no section '{title}'"
    return found


def script_of(document, title):
    """A bash script that runs the blocks of a section in their order."""
    return "".join(
        file_line(body)
        if language in FILES
        else "".join(shell_line(line) + "\n" for line in body.splitlines())
        for language, body in prose.blocks(section(document, title))
        if is_run(language, body)
    )


def files_of(document, title):
    """The same for its files alone."""
    found = prose.blocks(section(document, title))
    return "".join(file_line(body) for language, body in found if language in FILES and is_run(language, body))


def file_line(ini):
    return f"cat >{name_of(ini)} <<'END_OF_INI'\n{ini}END_OF_INI\n"


def name_of(ini):
    name = NAME.match(ini)
    assert name, f"a file without a first line '# name.ini':\n{ini}"
    return name.group(1)


def shell_line(line):
    command, _, expected = line.partition("# prints: ")
    if not expected:
        return line
    command = shlex.quote(command.rstrip())
    return f"prints {shlex.quote(expected.strip())} <<<{command}"


def run(script, directory, programs, seconds=60):
    """Runs a script in `directory`, with `programs` (name -> path) in its PATH. Returns what it printed."""
    directory = pathlib.Path(directory)
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    for name, path in programs.items():
        (bin_directory / name).symlink_to(path)
    addresses = "".join(f"ip address add {address}/32 dev lo\n" for address in ADDRESSES)
    path = directory / "script"
    path.write_text(PRELUDE + addresses + script)
    environment = dict(os.environ, PATH=f"{bin_directory}:{os.environ['PATH']}", HOME=str(directory))
    with open(directory / "output", "w+") as output:
        try:
            status = subprocess.run(
                [*own_world.command(), "bash", str(path)],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=wait.limit(seconds),
            ).returncode
        except subprocess.TimeoutExpired:
            status = f"none: it still ran after {wait.limit(seconds):.0f} s"
        output.seek(0)
        printed = output.read()
    assert status == 0, f"{path} ended with status {status}:\n{printed[-6000:]}"
    return printed
