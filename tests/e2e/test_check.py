# SPDX-License-Identifier: MIT
"""--check finds what a start would refuse: each is done both ways, and says the same."""

import os
import resource
import shutil
import socket
import subprocess

import pytest

import load
import relay as relay_module
import wait


def write_ini(lab, settings):
    return relay_module.write_ini(lab.directory, {"http.port": 0, **settings})


def messages(done):
    lines = done.stderr.strip().splitlines()
    return [line.removeprefix("psync-relay: ") for line in lines if line.startswith("psync-relay:")]


def both_refuse(lab, settings, *parts, **options):
    path = write_ini(lab, settings)
    checked = relay_module.run("-c", path, "--check", **options)
    started = relay_module.run("-c", path, **options)
    for done in (checked, started):
        assert done.returncode == 1, done
        assert "ok" not in done.stdout
        for part in parts:
            assert str(part) in "\n".join(messages(done)), f"expected {part!r}: {done}"
    return messages(checked), messages(started)


def test_good(lab):
    path = write_ini(lab, {"relay.log-file": lab.directory / "relay.log"})
    done = relay_module.run("-c", path, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
    assert not (lab.directory / "data").exists() and not (lab.directory / "relay.log").exists()


def test_port_of_somebody_else(lab):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        checked, started = both_refuse(
            lab, {"downstream.port": port}, f"bind 127.0.0.1 port {port}: Address already in use"
        )
        assert checked == started


def test_http_port_of_somebody_else(lab):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = f"bind 127.0.0.1 port {port}: Address already in use: set [http] port or tls-port to another one"
        checked, started = both_refuse(lab, {"http.port": port}, words)
        assert checked == started


@pytest.mark.parametrize("bind", ["192.0.2.1", "127.0.0.1 192.0.2.1", "-192.0.2.1", "127.0.0.1 127.0.0.1"])
def test_addresses(lab, bind):
    checked, started = both_refuse(lab, {"downstream.bind": bind}, "bind")
    assert checked == started


def test_many_at_once(lab):
    """A start ends at the first; --check goes on."""
    (lab.directory / "file").write_text("")
    path = write_ini(
        lab,
        {
            "relay.data-dir": lab.directory / "file" / "below",
            "relay.log-file": lab.directory,
            "downstream.bind": "192.0.2.1 203.0.113.77",
            "upstream.tls": "yes",
            "upstream.tls-ca-cert-file": "/nosuch/ca.pem",
        },
    )
    said = "\n".join(messages(relay_module.run("-c", path, "--check")))
    for part in ("data-dir", "log-file", "192.0.2.1", "203.0.113.77", "/nosuch/ca.pem"):
        assert part in said


@pytest.mark.parametrize(
    "settings, parts",
    [
        ({"relay.data-dir": "/proc/nosuch"}, ["/proc/nosuch"]),
        ({"relay.data-dir": "/dev/null"}, ["/dev/null", "Not a directory"]),
        ({"relay.log-file": "/proc/nosuch/log"}, ["/proc/nosuch/log"]),
        ({"relay.log-file": "/"}, ["Is a directory"]),
        ({"upstream.tls": "yes", "upstream.tls-ca-cert-file": "/nosuch"}, ["/nosuch"]),
        ({"downstream.tls-port": 6399}, ["tls-cert-file"]),
        ({"upstream.masterauth-file": "/nosuch"}, ["/nosuch", "No such file"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_files(lab, settings, parts):
    both_refuse(lab, settings, *parts)


def test_open_files(lab):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    checked, started = both_refuse(
        lab, {"store.segment-size": "1mb"}, "LimitNOFILE", "100 open files", preexec_fn=few
    )
    assert checked == started


def test_directory_of_somebody_else(lab):
    """For anyone but root, whom no mode stops."""
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    data_dir = lab.directory / "data"
    data_dir.mkdir()
    (data_dir / "lock").write_text("")
    (data_dir / "lock").chmod(0o600)
    data_dir.chmod(0o777)
    program = lab.directory / "psync-relay"
    shutil.copy(relay_module.PROGRAM, program)
    for place in [lab.directory, *lab.directory.parents]:
        if place.stat().st_uid == 0 and not place.stat().st_mode & 0o005:
            place.chmod(place.stat().st_mode | 0o055)
    path = write_ini(lab, {})
    path.chmod(0o644)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-c", path]
    said = []
    for more in (["--check"], []):
        done = subprocess.run(
            [*map(str, words), *more], capture_output=True, text=True, timeout=wait.limit(20)
        )
        assert done.returncode == 1, done
        said.append(messages(done))
    assert said[0] == said[1]
    assert "give it to the user that runs the relay" in said[0][0]


def test_user(lab):
    both_refuse(lab, {"relay.user": "nosuchuser"}, "nosuchuser", "there is no such user")
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    (lab.directory / "data").mkdir()
    (lab.directory / "data").chmod(0o700)
    for place in [lab.directory, *lab.directory.parents]:
        if place.stat().st_uid == 0 and not place.stat().st_mode & 0o005:
            place.chmod(place.stat().st_mode | 0o055)
    checked, started = both_refuse(
        lab, {"relay.user": "nobody"}, lab.directory / "data", "nobody cannot write in it"
    )
    assert checked == started
    shutil.chown(lab.directory / "data", "nobody")
    done = relay_module.run("-c", write_ini(lab, {"relay.user": "nobody"}), "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_beside_the_relay_that_is_to_be_started_anew(lab):
    """Before a restart: what it has itself is said, and is no reason against it."""
    origin = lab.origin()
    load.fill(origin)
    relay = lab.relay(origin).wait_link()
    done = relay_module.run("-c", relay.ini, "--check")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    said = "\n".join(messages(done))
    assert f"{relay.data_dir}: another psync-relay uses it" in said
    assert f"port {relay.port}: Address already in use" in said
    started = relay_module.run("-c", relay.ini)
    assert started.returncode == 1 and messages(started)[0] in said
    # What has nothing to do with it is one.
    done = relay_module.run("-c", relay.ini, "--set", "downstream.bind=192.0.2.1", "--check")
    assert done.returncode == 1 and "192.0.2.1" in done.stderr
    # Its port under another data directory is somebody else's.
    other = lab.directory / "other"
    done = relay_module.run("-c", relay.ini, "--set", f"relay.data-dir={other}", "--check")
    assert done.returncode == 1 and "in use" in done.stderr
    relay.stop()
    done = relay_module.run("-c", relay.ini, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
    assert relay.start().wait_link().info()["upstream_full_syncs"] == 0
