# SPDX-License-Identifier: MIT
"""make install puts each file where it belongs, and make uninstall takes it away again."""

import re
import shutil
import subprocess

from conftest import ROOT, make, run

DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
FILES = {
    **{f"usr/share/doc/psync-relay/{name}": 0o644 for name in DOCUMENTS},
    "etc/logrotate.d/psync-relay": 0o644,
    "etc/psync-relay/psync-relay.ini": 0o640,
    "usr/bin/psync-relay": 0o755,
    "usr/lib/systemd/system/psync-relay.service": 0o644,
    "usr/lib/systemd/system/psync-relay@.service": 0o644,
    "usr/lib/sysusers.d/psync-relay.conf": 0o644,
    "usr/share/bash-completion/completions/psync-relay": 0o644,
    "usr/share/man/man5/psync-relay.ini.5": 0o644,
    "usr/share/man/man8/psync-relay.8": 0o644,
}


def files_below(root):
    return {
        path.relative_to(root).as_posix(): path.stat().st_mode & 0o777
        for path in root.rglob("*")
        if path.is_file()
    }


def test_files_and_modes(installed):
    assert files_below(installed) == FILES
    assert run(installed / "usr/bin/psync-relay", "--version").startswith("psync-relay ")


def test_elsewhere(tmp_path):
    where = [f"DESTDIR={tmp_path}", "PREFIX=/opt/relay", "SYSCONFDIR=/opt/etc", "UNITDIR=/units"]
    make("install-files", *where)
    assert set(files_below(tmp_path)) == {
        name.replace("usr/lib/systemd/system", "units")
        .replace("usr/", "opt/relay/")
        .replace("etc/", "opt/etc/")
        for name in FILES
    }
    for unit in (tmp_path / "units").iterdir():
        start = re.search(r"^ExecStart=(\S+) -c (\S+)", unit.read_text(), re.M)
        assert start.group(1) == "/opt/relay/bin/psync-relay"
        assert start.group(2).startswith("/opt/etc/psync-relay/")
        assert "ReadWritePaths=-/opt/etc/psync-relay\n" in unit.read_text()


def test_uninstall_leaves_nothing(tmp_path):
    where = [f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    make("install-files", *where)
    make("uninstall", *where)
    assert files_below(tmp_path) == {}
    assert not (tmp_path / "etc/psync-relay").exists()


def test_an_ini_that_was_changed_stays(tmp_path):
    where = [f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    ini = tmp_path / "etc/psync-relay/psync-relay.ini"
    make("install-files", *where)
    ini.write_text("[upstream]\nreplicaof = 10.0.0.1 6379\n")
    make("install-files", *where)
    make("uninstall", *where)
    assert set(files_below(tmp_path)) == {"etc/psync-relay/psync-relay.ini"}
    assert ini.read_text() == "[upstream]\nreplicaof = 10.0.0.1 6379\n"


def test_the_installed_ini_needs_an_origin_only(installed, tmp_path):
    ini = tmp_path / "psync-relay.ini"
    shutil.copy(installed / "etc/psync-relay/psync-relay.ini", ini)
    data_dir = f"relay.data-dir={tmp_path / 'data'}"
    check = [installed / "usr/bin/psync-relay", "-c", ini, "--set", data_dir, "--set", "http.port=0", "--check"]
    refused = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1 and "replicaof" in refused.stderr
    ini.write_text(ini.read_text().replace(";replicaof =", "replicaof = 127.0.0.1 6379"))
    assert run(*check) == "ok\n"


def test_scripts():
    scripts = [ROOT / "etc/bash-completion/psync-relay", *sorted((ROOT / "etc/debian").glob("*.p[or]*"))]
    assert len(scripts) == 4
    run("shellcheck", "--shell=bash", scripts[0])
    run("shellcheck", *scripts[1:])
