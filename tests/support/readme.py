# SPDX-License-Identifier: MIT
"""README.md's shell and ini blocks, run as they are written.

Each run has a network, processes and a folder of its own, so that a block may name whatever address and
port it likes: nothing in it is replaced. In a block

    ```ini
    # far.ini

is the file far.ini, and

    redis-cli -p 6381 get greeting   # prints: hello

is a command that prints that, given once and at once, as it is when a reader pastes the block.
"""

import os
import pathlib
import re
import shlex
import subprocess

import own_world
import wait
from process import ROOT

README = ROOT / "README.md"
FILES = ("ini", "haproxy", "keepalived")  # languages of blocks that are files

ADDRESSES = ["10.0.0.%d" % i for i in range(1, 10)] + ["10.1.0.%d" % i for i in range(1, 10)]

PRELUDE = r"""
set -euo pipefail
trap 'echo "README: line $LINENO of the script: this command failed: $BASH_COMMAND"' ERR
until_prints()
{
    local command
    command=$(cat)
    for ((end = SECONDS + $2; SECONDS < end;)); do
        came=$(eval "$command" 2>&1) || true
        if [[ $came == *"$1"* ]]; then return; fi
        sleep 0.05
    done
    echo "README: expected '$command' to print '$1'; it printed: $came"
    exit 1
}
prints()
{
    local command came
    command=$(cat)
    echo "README: $command"
    came=$(eval "$command" 2>&1) || true
    if [[ $came != *"$1"* ]]; then
        echo "README: expected it to print '$1'; it printed: $came"
        exit 1
    fi
}
ip link set lo up
"""


def section(title):
    """What stands below a heading, up to the next one of its rank or above."""
    text = README.read_text()
    bare = without_blocks(text)
    heading = re.search(rf"^(#+) {re.escape(title)}$", bare, re.M)
    assert heading, f"README.md has no section '{title}'"
    end = re.compile(rf"^#{{1,{len(heading.group(1))}}} ", re.M).search(bare, heading.end())
    return text[heading.end() : end.start() if end else len(text)]


def without_blocks(text):
    """The same text with blanks for fenced blocks: a # there is no heading."""
    return re.sub(
        r"^```.*?^```", lambda match: re.sub(r"[^\n]", " ", match.group(0)), text, flags=re.M | re.S
    )


def blocks(text):
    """(language, lines) of each fenced block."""
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        yield match.group(1), match.group(2)


def script_of(title):
    """A bash script that does what the blocks of a section say, in their order."""
    return "".join(
        file_line(body)
        if language in FILES
        else "".join(shell_line(line) + "\n" for line in body.splitlines())
        for language, body in blocks(section(title))
    )


def files_of(title):
    """The same for its ini files alone."""
    return "".join(file_line(body) for language, body in blocks(section(title)) if language in FILES)


def file_line(ini):
    return f"cat >{name_of(ini)} <<'END_OF_INI'\n{ini}END_OF_INI\n"


def name_of(ini):
    name = re.match(r"# ([\w.-]+\.\w+)$", ini, re.M)
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
