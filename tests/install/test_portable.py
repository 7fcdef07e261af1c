# SPDX-License-Identifier: MIT
"""The sources compile for another machine (arm64), another C library (musl), and 32 bits, as they do here.

Only compiled: the libraries' headers are those of this machine, which say the same for each.
"""

import shutil
import subprocess

import pytest

from conftest import ROOT

FLAGS = "-std=c11 -D_GNU_SOURCE -Iinclude -DRELAY_VERSION=\"\" -DHAVE_LZ4 -DHAVE_ZSTD -DHAVE_WSLAY -Wall -Wextra -Werror -fsyntax-only".split()


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


def test_offsets_fit_where_a_long_has_32_bits(tmp_path):
    """No offset, length or time is cut to a pointer's size without a word; files are larger than 4 GB there, too
    (the sources assert the size of off_t)."""
    (tmp_path / "gnu").mkdir()
    (tmp_path / "gnu" / "stubs-32.h").touch()  # this machine's C library has none: it is empty but for what is missing
    strict = ["-m32", "-D_FILE_OFFSET_BITS=64", "-Wconversion", "-idirafter", str(tmp_path)]
    sources = sorted([*ROOT.glob("relay/*.c"), *ROOT.glob("relay/*/*.c")])
    done = subprocess.run(
        ["gcc", *FLAGS, *strict, *own_headers(), *sources],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-6000:]
