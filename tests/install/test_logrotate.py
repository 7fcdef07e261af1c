# SPDX-License-Identifier: MIT
"""logrotate takes the log away, and the relay goes on in a new one."""

import os
import re
import signal

import ports
import relay as relay_module
import wait
from conftest import ROOT, run


def test_a_log_is_rotated_while_the_relay_runs(tmp_path):
    log = tmp_path / "relay.log"
    relay = relay_module.Relay(
        tmp_path / "relay",
        settings={"upstream.replicaof": f"127.0.0.1 {ports.free_port()}", "relay.log-file": log},
    )
    relay.start()
    try:
        config = (ROOT / "etc/logrotate/psync-relay").read_text()
        # The user is not there, and the relay is no service of this machine.
        config = config.replace("/var/log/psync-relay/*.log", f"{tmp_path}/*.log")
        config = re.sub(r"^ *su .*\n", "", config, flags=re.M)
        config, signals = re.subn(r"systemctl kill .*--signal=(\w+) .*", rf"kill -\1 {relay.pid}", config)
        assert signals == 1
        own = tmp_path / "logrotate.conf"
        own.write_text(config)
        own.chmod(0o644)
        before = log.read_text()
        assert " runs " in before
        env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        run("logrotate", "--force", "--state", tmp_path / "state", own, env=env)
        wait.until("a new log", lambda: log.stat().st_mode & 0o777 == 0o600)
        assert (tmp_path / "relay.log.1").read_text().startswith(before)
        relay.signal(signal.SIGTERM)
        assert relay.exit_status() == 0
        assert "cause=SIGTERM" in log.read_text()
    finally:
        relay.kill9()
