# SPDX-License-Identifier: MIT
"""What is told over HTTP is so, and who asks cannot do harm."""

import json
import re
import socket
import time

import certificates
import documents
import load
import ports
import prose
import psync_client
import relay as relay_module
import wait
import web


def test_status_tells_what_is_so(lab, kind):
    origin = lab.origin(kind)
    load.fill(origin, rounds=5)
    relay = lab.relay(origin, http=True).wait_link()
    replicas = [lab.replica(relay, kind).wait_online() for _ in range(2)]
    load.fill(origin, rounds=5, seed=3)
    end = origin.offset()

    def settled():
        status = web.status(relay)
        rows = status["replicas"]["list"]
        return status, [row["offset"] for row in rows if row["offset"] >= end]

    status = wait.until("both replicas have all", settled, lambda pair: len(pair[1]) == 2)[0]
    assert status["version"] == 1
    assert status["relay"]["ready"] is True
    assert status["relay"]["port"] == relay.port
    assert [one for one in status["findings"] if one["severity"] != "note"] == []
    assert (status["upstream"]["host"], status["upstream"]["port"]) == ("127.0.0.1", origin.port)
    assert (status["upstream"]["up"], status["upstream"]["state"]) == (True, "streaming")
    assert status["upstream"]["full_syncs"] == 1
    assert status["store"]["replid"] == origin.info()["master_replid"]
    assert status["store"]["end_offset"] >= end
    assert status["store"]["snapshots"][0]["usable"] is True
    assert status["store"]["snapshots"][0]["bytes"] == relay.snapshots()[0].stat().st_size
    assert status["replicas"]["online"] == 2
    assert {row["port"] for row in status["replicas"]["list"]} == {one.port for one in replicas}
    assert {row["state"] for row in status["replicas"]["list"]} == {"online"}
    assert status["traffic"]["full_syncs"] == 2
    # As INFO has it.
    info = relay.info()
    assert status["store"]["first_offset"] == info["window_first_offset"]
    assert {row["id"] for row in status["replicas"]["list"]}.isdisjoint(
        {int(client["id"]) for client in relay.client().client_list(_type="normal")}
    )

    wait.until("there are samples", lambda: web.status(relay)["samples"]["newest"] >= 2)
    newest = web.status(relay)["samples"]["newest"]
    code, _, body = web.ask(relay, f"/status.json?since={newest - 1}")
    assert code == 200
    told = json.loads(body)["samples"]
    assert len(told["list"]) == told["newest"] - newest + 1


def flatten(value, name=""):
    """The names of all fields, as the document of the fields writes them."""
    if isinstance(value, dict) and name != "traffic.closed":
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and name != "samples.fields":
        yield f"{name}[]"
        for inner in value[:1]:
            if isinstance(inner, dict):
                yield from flatten(inner, f"{name}[]")
    else:
        yield name


def test_every_field_is_documented(lab):
    origin = lab.origin()
    load.fill(origin, rounds=2)
    papers = certificates.for_everyone(lab.directory / "papers")
    relay = lab.relay(origin, papers.downstream("relay"), http=True).wait_link()
    lab.replica(relay).wait_online()
    origin.stop()
    relay.wait_link("down")
    status = wait.until("a finding", lambda: web.status(relay), lambda one: one["findings"])
    text = documents.section("docs/monitoring", "status.json")
    table = text[text.index("| field |") :]
    documented = set(re.findall(r"`([\w.\[\]]+)`", table))
    fields_of_rows = set(re.findall(r"`([\w.\[\]]+)`", " ".join(prose.first_cells(table))))
    fields = set(flatten(status))
    assert fields - documented == set(), "docs/monitoring.md does not have them"
    seldom = ("upstream.other_history", "upstream.sync", "upstream.last_refreshes[].", "samples.list[]", "store.held_by[].")
    # A word without a dot in another column is a value.
    named = {name for name in documented if "." in name or name in fields_of_rows}
    gone = {name for name in named - fields if not name.startswith(seldom)}
    assert gone == {"store.next_history", "store.restore"} - fields, "it tells of what there is not"


def test_ready_and_healthy(lab):
    origin = lab.origin(start=False)
    relay = lab.relay(origin, http=True)
    assert web.ask(relay, "/healthz")[::2] == (200, "ok\n")
    code, _, body = web.ask(relay, "/readyz")
    assert code == 503
    assert body.startswith("not ready: ")
    wait.until("it says why", lambda: "refused" in web.ask(relay, "/readyz")[2])
    finding = wait.until("the page says so", lambda: web.status(relay)["findings"])[0]
    assert finding["name"] == "link_down"
    origin.start()
    wait.equal("it is ready", lambda: web.ask(relay, "/readyz")[::2], (200, "ok\n"))
    origin.stop()
    relay.wait_link("down")
    assert web.ask(relay, "/readyz")[0] == 200  # what it holds is served
    assert web.ask(relay, "/readyz?max-silence=1h")[0] == 200
    wait.equal("it is too old", lambda: web.ask(relay, "/readyz?max-silence=1s")[0], 503)
    body = wait.until(
        "it says why",
        lambda: web.ask(relay, "/readyz?max-silence=1s")[2],
        lambda text: "refused" in text or "closed" in text,
    )
    assert body.startswith("not ready: nothing has arrived from upstream for "), body
    assert web.ask(relay, "/readyz?max-silence=soon")[0] == 400
    relay.set("ready-max-silence", "1")
    assert web.ask(relay, "/readyz")[0] == 503
    assert web.ask(relay, "/readyz?max-silence=0")[0] == 200
    assert web.metrics(relay)["psync_relay_ready"] == 0
    assert web.status(relay)["upstream"]["silence_seconds"] >= 1
    origin.start()
    wait.equal("it is heard again", lambda: web.ask(relay, "/readyz")[0], 200)


def test_only_questions_to_this_machine(lab):
    relay = lab.relay(lab.origin(), http=True)
    for host in ("localhost:6390", "127.0.0.1", "[::1]:1", "10.1.2.3:80"):
        assert web.ask(relay, "/healthz", headers={"Host": host})[0] == 200, host
    for host in ("evil.example", "evil.example:6390", "localhost.evil.example"):
        for path in ("/", "/status.json", "/metrics", "/healthz"):
            code, _, body = web.ask(relay, path, headers={"Host": host})
            assert (code, "host name not allowed" in body) == (403, True), host
    # On an address that others reach, a name is how it is called.
    open_one = lab.relay(lab.origin(), settings={"http.bind": "0.0.0.0"}, http=True)
    assert web.ask(open_one, "/healthz", headers={"Host": "relay.example"})[0] == 200
    open_one.wait_log(r"\[http\] bind = 0\.0\.0\.0: whoever reaches port .* there is no password")


def test_nothing_can_be_changed(lab):
    relay = lab.relay(lab.origin(), http=True)
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert web.ask(relay, "/status.json", method)[0] in (405, 501), method
    assert web.ask(relay, "/nothing")[0] == 404
    assert web.ask(relay, "/../etc/passwd")[0] == 404
    code, headers, body = web.ask(relay, "/", "HEAD")
    assert (code, body) == (200, "")
    assert int(headers["Content-Length"]) > 10_000
    policy = web.ask(relay, "/")[1]["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_a_taken_port_ends_the_start(lab):
    first = lab.relay(lab.origin(), http=True)
    second = lab.relay(first, settings={"http.port": first.http_port}, start=False)
    second.ini.write_text(relay_module.ini_text(second.settings))
    done = relay_module.run("-c", second.ini)
    assert done.returncode == 1
    assert (
        f"bind 127.0.0.1 port {first.http_port}: Address already in use: "
        "set [http] port or tls-port to another one, or to 0 for none" in done.stderr
    )


def test_port_of_the_replicas_is_refused(tmp_path):
    port = ports.free_port()
    done = relay_module.run(
        "--set", f"relay.data-dir={tmp_path}", "--set", "upstream.replicaof=127.0.0.1 1",
        "--set", f"downstream.port={port}", "--set", f"http.port={port}", "--check",
    )  # fmt: skip
    assert done.returncode == 1
    assert "[downstream] uses that port" in done.stderr


def test_many_and_slow_clients(lab):
    """More than are let in, each holding its connection: replication goes on, memory stays."""
    origin = lab.origin()
    relay = lab.relay(origin, http=True).wait_link()
    web.ask(relay, "/status.json")
    before = relay.rss_bytes()
    sockets = []
    for number in range(80):
        one = socket.create_connection(("127.0.0.1", relay.http_port))
        one.sendall(b"GET / HT" if number % 2 else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        sockets.append(one)
    load.fill(origin, rounds=5)
    wait.until("the relay has all", lambda: relay.offset() >= origin.offset() - 100)
    assert relay.descriptors() < 32 + 60
    assert relay.memory_grown(before) < 64 * 1024 * 1024
    for one in sockets:
        one.close()
    wait.until("it answers again", lambda: web.ask(relay, "/healthz")[0] == 200)


def test_very_many_replicas(lab):
    """The page is given those that need a look; the rest is counted, and nothing stalls."""
    origin = lab.origin()
    load.fill(origin, rounds=1)
    relay = lab.relay(origin, http=True).wait_link()
    clients = []
    for _ in range(300):
        client = lab.closing(psync_client.PsyncClient(relay.port))
        client.handshake()
        client.full_sync()
        client.ack()
        clients.append(client)
    # One that has acknowledged nothing but the start of a history, as these, may count as loading.
    status = wait.until(
        "all are counted",
        lambda: web.status(relay),
        lambda one: one["replicas"]["online"] + one["replicas"]["loading"] == 300,
    )
    assert len(status["replicas"]["list"]) == 200
    assert status["replicas"]["not_listed"] == 100
    metrics = web.metrics(relay)
    assert sum(name.startswith("psync_relay_replica_online{") for name in metrics) == 300
    assert metrics["psync_relay_replicas_not_listed"] == 0
    states = [value for name, value in metrics.items() if name.startswith("psync_relay_replicas{")]
    assert sum(states) == 300


def test_counters_only_rise(lab):
    origin = lab.origin()
    relay = lab.relay(origin, http=True).wait_link()
    replica = lab.replica(relay).wait_online()
    _, _, text = web.ask(relay, "/metrics")
    counters = re.findall(r"^# TYPE (\S+) counter$", text, re.MULTILINE)
    assert all(name.endswith("_total") for name in counters)

    def totals():
        # A replica that comes back has a new connection, and its own series starts again.
        return {
            name: value
            for name, value in web.metrics(relay).items()
            if name.partition("{")[0] in counters and "{replica=" not in name
        }

    before = totals()
    for event in (
        lambda: load.fill(origin, rounds=3),
        lambda: relay.client().config_resetstat(),
        replica.stop,
        lambda: relay.wait_link(),
    ):
        event()
        made = web.status(relay)["relay"]["time"]
        wait.until("a newer one", lambda: web.status(relay)["relay"]["time"] > made)
        now = totals()
        fallen = {name: (before[name], now[name]) for name in before if now[name] < before[name]}
        assert fallen == {}
        before = now
    assert before["psync_relay_link_received_bytes_total"] > 0
    assert before["psync_relay_replicas_sent_bytes_total"] > 0
    closed = wait.until(
        "its end is counted",
        lambda: totals()['psync_relay_connections_closed_total{reason="ended"}'],
    )
    assert closed >= 1


def test_lag_in_seconds(lab):
    """A replica that stops is behind for as long as there has been something that it lacks."""
    origin = lab.origin()
    relay = lab.relay(origin, http=True).wait_link()
    lab.writer(origin)
    replica = lab.replica(relay).wait_online()
    wait.until(
        "it is in step",
        lambda: web.status(relay)["replicas"],
        lambda now: now["list"][0]["offset"] > 0 and now["lag_seconds_max"] < 2,
    )
    replica.pause()
    began = time.monotonic()
    row = wait.until(
        "its lag grows",
        lambda: web.status(relay)["replicas"]["list"][0],
        lambda one: one["lag_seconds"] > 3,
    )
    assert row["lag_bytes"] > 0
    # It had acknowledged within a second or so before it stopped.
    assert row["lag_seconds"] < time.monotonic() - began + wait.limit(3)
    replica.resume()
    wait.until("it catches up", lambda: web.status(relay)["replicas"]["lag_seconds_max"] < 2)
