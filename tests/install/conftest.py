# SPDX-License-Identifier: MIT
"""What is installed, as `make install` and `make deb` make it, in folders of the tests' own."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(ROOT / "tests" / "install"))


def make(*arguments, status=0):
    """Runs make at the top of the tree, by itself and not as a part of the make that runs us."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == status, f"make {arguments}:\n{done.stdout}{done.stderr}"
    return done.stdout


def run(*command, **options):
    """What a command says on both outputs, and that it ends well."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        **options,
    )
    assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def program():
    return pathlib.Path(os.environ.get("PSYNC_RELAY", ROOT / "build" / "psync-relay")).resolve()


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The root of a tree that `make install` has filled, with /usr as its PREFIX."""
    root = tmp_path_factory.mktemp("installed")
    make("install-files", f"DESTDIR={root}", "PREFIX=/usr")
    return root


@pytest.fixture(scope="session")
def settings(program):
    """Every setting that the program knows, as section -> key -> default."""
    printed = run(program, "--set", "upstream.replicaof=127.0.0.1 6379", "--print-config")
    found = {}
    for line in printed.splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line[:1].isalpha():
            key, _, value = line.partition("=")
            section[key.strip()] = value.strip()
    assert found["relay"]["data-dir"] == "/var/lib/psync-relay", printed
    found["upstream"]["replicaof"] = ""
    return found


@pytest.fixture(scope="session")
def package():
    """The Debian package, built anew."""
    make("deb")
    (found,) = (ROOT / "build" / "deb").glob("psync-relay_*.deb")
    return found
