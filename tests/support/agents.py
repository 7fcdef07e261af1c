# SPDX-License-Identifier: MIT
"""Agents that graph Redis: Debian's redis_exporter and collectd, as setup.sh unpacked them."""

import re
import urllib.request

import ports
import wait
from process import ROOT, Process

SERVERS = ROOT / "build" / "servers"
EXPORTER = SERVERS / "redis-exporter" / "usr" / "bin" / "prometheus-redis-exporter"
COLLECTD = SERVERS / "collectd" / "usr" / "bin" / "collectd"

SAMPLE = re.compile(r"(redis_[a-z_]+)(\{.*\})? (\S+)")


class Exporter(Process):
    """redis_exporter with every metric that it makes without a key to look at."""

    def __init__(self, directory, target, login=None):
        super().__init__(f"exporter-{target.name}", directory)
        self.target = target
        self.login = login  # (user, password)
        self.port = ports.free_port()

    def start(self):
        options = ["-redis.addr", f"redis://127.0.0.1:{self.target.port}"]
        if self.login:
            options += ["-redis.user", self.login[0], "-redis.password", self.login[1]]
        for name in ("include-system-metrics", "include-config-metrics", "export-client-list"):
            options.append(f"-{name}")
        self.spawn([EXPORTER, "-web.listen-address", f"127.0.0.1:{self.port}", *options])
        wait.until("the exporter answers", self.samples)
        return self

    def stop(self):
        self.kill9()

    def samples(self):
        """Of one scrape, name -> {labels: value}, where labels are as they are written, "" for none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=wait.limit(20)) as reply:
            text = reply.read().decode()
        found = {}
        for line in text.splitlines():
            if match := SAMPLE.fullmatch(line):
                name, labels, value = match.groups()
                found.setdefault(name, {})[labels or ""] = float(value)
        return found

    def only(self, name):
        """The value of a metric that has one sample."""
        (value,) = self.samples()[name].values()
        return value


COLLECTD_CONF = """
Hostname "host"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/pid"
PluginDir "{plugins}"
TypesDB "{types}"
Interval 1
LoadPlugin logfile
<Plugin logfile>
    LogLevel info
    File stderr
</Plugin>
LoadPlugin csv
<Plugin csv>
    DataDir "stdout"
</Plugin>
LoadPlugin redis
<Plugin redis>
    <Node "relay">
        Host "127.0.0.1"
        Port "{port}"
        Timeout 5000
        {password}
        ReportCommandStats true
        ReportCpuUsage true
    </Node>
</Plugin>
"""

PUTVAL = re.compile(r"^PUTVAL host/redis-relay/(\S+) interval=\S+ [\d.]+:(\S+)$", re.MULTILINE)


class Collectd(Process):
    """collectd with its redis plugin, which asks once a second; what it finds is in its log."""

    def __init__(self, directory, target):
        super().__init__(f"collectd-{target.name}", directory)
        folder = COLLECTD.parents[1]
        self.config = self.directory / "collectd.conf"
        self.config.write_text(
            COLLECTD_CONF.format(
                folder=self.directory,
                plugins=folder / "lib" / "collectd",
                types=folder / "share" / "collectd" / "types.db",
                port=target.port,
                password=f'Password "{target.password}"' if target.password else "",
            )
        )

    def start(self):
        self.spawn([COLLECTD, "-f", "-C", self.config])
        return self

    def stop(self):
        self.kill9()

    def values(self):
        """name -> its last value, as text: "nan" for a rate that has no second sample yet."""
        return dict(PUTVAL.findall(self.log()))
