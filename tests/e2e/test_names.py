# SPDX-License-Identifier: MIT
"""A name is resolved whenever the C library resolves it, whatever the name servers do meanwhile."""

import pathlib
import subprocess

import pytest

import name_servers
import own_world
import wait

SCENE = pathlib.Path(name_servers.__file__)

pytestmark = pytest.mark.skipif(
    not own_world.can_run(), reason="this system gives us no network of our own (unshare -n)"
)


@pytest.mark.parametrize("situation", name_servers.SITUATIONS)
def test_origin_is_found_by_name(tmp_path, situation):
    scene = subprocess.run(
        [*own_world.command(), "/usr/bin/python3", "-B", SCENE, tmp_path, situation],
        capture_output=True,
        text=True,
        timeout=wait.limit(50),
    )
    assert scene.returncode == 0, scene.stdout + scene.stderr
