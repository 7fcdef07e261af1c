# SPDX-License-Identifier: MIT
"""The manual pages are clean, and tell of every option and every setting."""

import re

import pytest

from conftest import run

PAGES = ["man8/psync-relay.8", "man5/psync-relay.ini.5"]


@pytest.fixture(params=PAGES)
def page(request, installed):
    return installed / "usr/share/man" / request.param


def rendered(page):
    env = {"MANWIDTH": "200", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    text = run("man", "--warnings", "-l", page, env=env)
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", text)


def test_mandoc_finds_nothing(page):
    # Its matters of style are those of BSD's own pages: lines of 80 bytes, and where other pages are.
    assert run("mandoc", "-T", "lint", "-W", "warning", page) == ""


def test_groff_finds_nothing(page):
    assert run("groff", "-mandoc", "-Tutf8", "-ww", "-z", page) == ""
    assert rendered(page).startswith("PSYNC-RELAY")


def test_every_option_is_told_of(program, installed):
    told = run(program, "--help") + run(program, "restore", "--help")
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", told, re.M))
    assert {"--check", "--before-key"} <= options
    text = rendered(installed / "usr/share/man" / PAGES[0])
    assert {option for option in options if not re.search(rf"{option}\b", text)} == set()


def test_every_setting_is_told_of_with_its_default(settings, installed):
    text = rendered(installed / "usr/share/man" / PAGES[1])
    text = text[text.index("SETTINGS") : text.index("\nFILES")]
    told = {}
    for line in text.splitlines():
        if match := re.match(r" +\[(\w+)\]$", line):
            section = told.setdefault(match.group(1), {})
        elif match := re.match(r"     ([\w-]+)(?:  .*)?$", line):
            key = match.group(1)
        elif match := re.match(r" +Default: (?:empty\.|‘(.*)’)$", line):
            section[key] = match.group(1) or ""
    told = {name: keys for name, keys in told.items() if name in settings}
    assert told == {name: keys for name, keys in settings.items() if keys}
