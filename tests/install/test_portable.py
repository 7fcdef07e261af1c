# SPDX-License-Identifier: MIT
"""The sources compile for another machine (arm64) and another C library (musl), as they do here.

Only compiled: the libraries' headers are those of this machine, which say the same for each.
"""

import shutil
import subprocess

import pytest

from conftest import ROOT

FLAGS = "-std=c11 -D_GNU_SOURCE -Iinclude -DRELAY_VERSION=\"\" -DHAVE_LZ4 -DHAVE_ZSTD -Wall -Wextra -Werror -fsyntax-only".split()


def own_headers():
    """Where this machine's libraries have their headers: looked at after the other C library's own."""
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True)
    folders = ("/usr/include", f"/usr/include/{machine.stdout.strip()}")
    return [word for folder in folders for word in ("-idirafter", folder)]


@pytest.mark.parametrize("compiler", ("aarch64-linux-gnu-gcc", "musl-gcc"))
def test_sources_compile(compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler} here")
    sources = sorted([*ROOT.glob("relay/*.c"), *ROOT.glob("relay/*/*.c")])
    done = subprocess.run(
        [compiler, *FLAGS, *own_headers(), *sources],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-6000:]
