# SPDX-License-Identifier: MIT
"""Prometheus, its tools, and the files that we give to it: they fit to what /metrics has."""

import json
import re
import urllib.parse
import urllib.request

import pytest

import certificates
import load
import ports
import process
import wait
import web

pytestmark = pytest.mark.skipif(
    not (web.PROMETHEUS / "promtool").exists(),
    reason="prometheus could not be fetched (tests/support/setup.sh test)",
)


@pytest.fixture
def busy_relay(lab):
    """One with a replica, so that every metric has a sample."""
    origin = lab.origin()
    load.fill(origin, rounds=3)
    papers = certificates.for_everyone(lab.directory / "papers")
    archive = {"archive.command": "true"}
    relay = lab.relay(origin, {**papers.downstream("relay"), **archive}, http=True).wait_link()
    lab.replica(relay).wait_online()
    load.fill(origin, rounds=3, seed=3)
    wait.until("it has acknowledged", lambda: web.status(relay)["replicas"]["list"][0]["offset"])
    wait.until("an RDB is archived", lambda: web.status(relay)["archive"]["snapshot_time"])
    return relay


def test_metrics_pass_the_linter(busy_relay):
    code, headers, text = web.ask(busy_relay, "/metrics")
    assert (code, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    done = web.promtool("check", "metrics", stdin=text)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # promtool looks at names and types; that each family is there once, and has a sample, is ours.
    helped = re.findall(r"^# HELP (\S+) \S.*\.$", text, re.MULTILINE)
    typed = re.findall(r"^# TYPE (\S+) (?:gauge|counter)$", text, re.MULTILINE)
    assert helped == typed == list(dict.fromkeys(typed))
    sampled = {name.partition("{")[0] for name in web.metrics(busy_relay)}
    assert sampled == set(typed)
    assert all(name.startswith(("psync_relay_", "process_")) for name in typed)


def test_linter_finds_what_is_wrong():
    """So that the test above is one."""
    wrong = "# HELP psync_relay_bytes x\n# TYPE psync_relay_bytes counter\npsync_relay_bytes 1\n"
    assert web.promtool("check", "metrics", stdin=wrong).returncode != 0


def names_in(query):
    return set(re.findall(r"\b(?:psync_relay|process)_\w+", query))


def queries_of(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_rules_and_dashboard_name_what_there_is(busy_relay):
    there = {name.partition("{")[0] for name in web.metrics(busy_relay)}
    rules = (web.MONITORING / "psync-relay.rules.yml").read_text()
    dashboard = json.loads((web.MONITORING / "psync-relay.dashboard.json").read_text())
    asked = names_in("\n".join(re.findall(r"expr:(.*?)\n\s+(?:for|labels):", rules, re.DOTALL)))
    assert len(asked) > 10 and asked - there == set()
    asked = set().union(*(names_in(query) for _, query in queries_of(dashboard)))
    assert len(asked) > 20 and asked - there == set()
    readme = (web.MONITORING / "README.md").read_text()
    assert names_in(readme) - there - {"psync_relay_replica"} == set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_rules_pass_promtool():
    done = web.promtool("check", "rules", web.MONITORING / "psync-relay.rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts(tmp_path):
    """They are raised by what they are for; and a test that expects another one fails."""
    tests = process.ROOT / "tests" / "e2e" / "alerts.test.yml"
    done = web.promtool("test", "rules", tests.name, cwd=tests.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = (web.MONITORING / "psync-relay.rules.yml").read_text()
    for name in re.findall(r"alert: (\w+)", rules):
        assert tests.read_text().count(name) == 2, f"{name} is not tested"
    wrong = tmp_path / "wrong.test.yml"
    text = tests.read_text().replace("../../etc/monitoring", str(web.MONITORING))
    wrong.write_text(text.replace("{instance=\"r\"}', values: '120x60'", "{instance=\"r\"}', values: '1x60'"))
    assert web.promtool("test", "rules", wrong).returncode != 0


CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: psync-relay
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
rule_files: ["{rules}"]
"""


class Prometheus(process.Process):
    def __init__(self, directory, relay):
        super().__init__("prometheus", directory)
        self.port = ports.free_port()
        config = self.directory / "prometheus.yml"
        rules = web.MONITORING / "psync-relay.rules.yml"
        config.write_text(CONFIG.format(port=relay.http_port, rules=rules))
        self.arguments = [
            web.PROMETHEUS / "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def start(self):
        self.spawn(self.arguments)
        return self

    def close(self):
        self.terminate()

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=wait.limit(10)) as reply:
            return json.load(reply)["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]


def test_scraped_by_the_real_thing(lab, busy_relay):
    """Prometheus takes what it scrapes, no alert is raised, and each panel has something to show."""
    prometheus = lab.closing(Prometheus(lab.directory / "prometheus", busy_relay))
    prometheus.start()
    wait.until(
        "three scrapes",
        lambda: prometheus.query('count_over_time(up{job="psync-relay"}[1m])'),
        lambda result: result and float(result[0]["value"][1]) >= 3,
    )
    wait.until(
        "it is scraped without an error",
        lambda: prometheus.ask("targets")["activeTargets"][0],
        lambda target: (target["health"], target["lastError"]) == ("up", ""),
    )
    assert prometheus.query("ALERTS") == []
    groups = prometheus.ask("rules")["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []
    dashboard = json.loads((web.MONITORING / "psync-relay.dashboard.json").read_text())
    empty = []
    for title, query in queries_of(dashboard):
        query = query.replace("$instance", ".+").replace("$__rate_interval", "1m")
        if not prometheus.query(query):
            empty.append(title)
    assert set(empty) <= {"Connections closed"}  # shows only what there was
