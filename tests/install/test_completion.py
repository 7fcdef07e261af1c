# SPDX-License-Identifier: MIT
"""Completion, asked as bash asks it: with the words that are there, cut at "=" as it cuts them."""

import re
import subprocess

import pytest

from conftest import ROOT

ASK = r"""
source "$1"; shift
[[ $(complete -p psync-relay) == *_psync_relay* ]] || exit 1
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_psync_relay
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(program, tmp_path):
    def ask(*words):
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", ROOT / "etc/bash-completion/psync-relay", program, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return sorted(filter(None, done.stdout.split("\n")))

    return ask


def test_options_are_those_of_help(complete, program):
    told = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60).stdout
    options = sorted(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", told, re.M))
    assert complete("") == complete("--") == options
    assert complete("--print") == ["--print-config"]
    assert complete("--config", "x.ini", "--ch") == ["--check"]
    assert complete("--nonsense") == []


def test_options_of_restore(complete, program, tmp_path):
    told = subprocess.run([program, "restore", "--help"], capture_output=True, text=True, timeout=60).stdout
    options = sorted(re.findall(r"^  (--[a-z-]+)", told, re.M))
    assert "--before-key" in options
    assert complete("restore", "") == complete("restore", "--list", "--") == options
    (tmp_path / "relay-data").mkdir()
    assert complete("restore", "--from", "rel") == ["relay-data"]
    assert complete("restore", "--format", "aof-") == ["aof-legacy"]
    assert complete("restore", "--time", "") == []


def test_settings_are_the_programs_own(complete, settings):
    known = sorted(f"{section}.{key}=" for section, keys in settings.items() for key in keys)
    assert complete("--set", "") == known
    assert complete("--set", "store.f") == complete("--set", "=", "store.f") == ["store.fsync="]


def test_values(complete, tmp_path):
    (tmp_path / "relay.crt").touch()
    assert complete("--set", "store.fsync", "=") == ["everysec"]
    assert complete("--set", "store.fsync", "=", "every") == ["everysec"]
    assert complete("--set", "=", "store.fsync", "=", "every") == ["everysec"]
    assert complete("--set", "store.fsync", "=", "n") == []
    assert complete("--set", "downstream.bind", "=") == ["127.0.0.1\\ -::1"]
    assert complete("--set", "upstream.replicaof", "=") == []
    assert complete("--set", "downstream.tls-cert-file", "=", "rel") == ["relay.crt"]


def test_files(complete, tmp_path):
    (tmp_path / "relay.ini").touch()
    (tmp_path / "relay-data").mkdir()
    assert complete("-c", "rel") == ["relay-data", "relay.ini"]
    assert complete("--config", "=", "relay.") == ["relay.ini"]
    assert complete("--config", "=") == ["relay-data", "relay.ini"]
    assert complete("--verify", "rel") == ["relay-data"]
