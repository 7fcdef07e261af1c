# SPDX-License-Identifier: MIT
"""systemd understands the units, and finds them hardened."""

import re
import shutil

import pytest

from conftest import ROOT, run

UNITS = ["psync-relay.service", "psync-relay@.service"]


@pytest.fixture(params=UNITS)
def unit(request):
    return ROOT / "etc" / request.param


def test_systemd_understands_it(unit, program, tmp_path):
    """With a program that is there; whether its manual page is installed does not matter here."""
    text = unit.read_text().replace("/usr/bin/psync-relay ", f"{program} ")
    (tmp_path / unit.name).write_text(text)
    name = unit.name.replace("@", "@eu")
    if name != unit.name:
        shutil.copy(tmp_path / unit.name, tmp_path / name)
    assert run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / name) == ""


def test_exposure_is_low(unit):
    told = run("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", unit)
    assert float(re.search(r"Overall exposure level.*: ([\d.]+)", told).group(1)) < 2.0


def words(unit):
    """Its lines without comments, with the names of the one relay as those of an instance."""
    lines = [line for line in (ROOT / "etc" / unit).read_text().splitlines() if line[:1] not in ("", "#")]
    return [
        line.replace("psync-relay/psync-relay.ini", "psync-relay/%i.ini")
        .replace(" --set relay.data-dir=%S/psync-relay@%i", "")
        .replace("StateDirectory=psync-relay@%i", "StateDirectory=psync-relay")
        .replace(" (%i)", "")
        for line in lines
    ]


def test_an_instance_differs_in_names_only():
    assert words(UNITS[0]) == words(UNITS[1])


def test_the_user_is_made():
    text = (ROOT / "etc/sysusers.d/psync-relay.conf").read_text()
    line = re.search(r"^u (\S+) - .* (/\S+) (/\S+)$", text, re.M)
    for unit in UNITS:
        assert f"\nUser={line.group(1)}\n" in (ROOT / "etc" / unit).read_text()
