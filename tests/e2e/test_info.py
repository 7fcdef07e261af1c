# SPDX-License-Identifier: MIT
"""INFO and ROLE say what is so."""

import re
import time

import certificates
import documents
import load
import psync_client
import wait
import web


def test_replication_section(lab, kind):
    # Without PINGs: else all have acknowledged all for a part of each second only, and that may be a short one.
    origin = lab.origin(kind, repl_ping_replica_period="3600")
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    replicas = [lab.replica(relay, kind).wait_online() for _ in range(3)]
    load.fill(origin, rounds=5, seed=3)
    end = wait.until(
        "all replicas have acknowledged all",
        lambda: (origin.offset(), [line["offset"] for line in relay.replicas().values()]),
        lambda pair: pair[1] == [pair[0]] * 3,
    )[0]
    info = relay.info()
    assert info["role"] == "slave"
    assert (info["master_host"], info["master_port"]) == ("127.0.0.1", origin.port)
    assert info["master_link_status"] == "up"
    assert info["master_sync_in_progress"] == 0
    assert info["slave_repl_offset"] >= end
    assert info["master_repl_offset"] >= end
    assert info["slave_priority"] == 0
    assert info["connected_slaves"] == 3
    assert info["loading"] == 0
    assert info["tcp_port"] == relay.port
    assert info["process_id"] == relay.pid
    assert len(info["run_id"]) == len(info["master_replid"]) == 40
    assert info["master_replid"] == origin.info()["master_replid"]
    assert (info["sync_full"], info["sync_partial_ok"], info["sync_partial_err"]) == (3, 0, 0)
    assert set(relay.replicas()) == {replica.port for replica in replicas}
    for line in relay.replicas().values():
        assert (line["ip"], line["state"]) == ("127.0.0.1", "online")
    wait.until(
        "all have acknowledged within a second",
        lambda: [line["lag"] for line in relay.replicas().values()],
        lambda lags: max(lags) <= 1,
    )


def test_lag_grows_with_a_stopped_replica(lab):
    origin = lab.origin()
    load.fill(origin, rounds=5)
    relay = lab.relay(origin).wait_link()
    stopped, running = lab.replica(relay).wait_online(), lab.replica(relay).wait_online()
    wait.until("it is at the end", lambda: relay.replicas()[stopped.port]["offset"] > 0)
    stopped.pause()
    before = relay.replicas()[stopped.port]["offset"]
    load.fill(origin, rounds=10, seed=3)
    wait.until("its lag grows", lambda: relay.replicas()[stopped.port]["lag"] >= 3)
    lines = relay.replicas()
    assert lines[stopped.port]["offset"] <= before + 10_000
    wait.until(
        "the other has all",
        lambda: relay.replicas()[running.port]["offset"] >= origin.offset() - 100,
    )
    stopped.resume()
    wait.until(
        "it catches up",
        lambda: relay.replicas()[stopped.port],
        lambda line: line["offset"] >= lines[running.port]["offset"]
        and line["lag"] <= wait.limit(1),
    )


def test_states_of_a_replica(lab):
    """wait_bgsave, send_bulk, online: as operators know them; a closed one is gone."""
    origin = lab.origin()
    load.populate(origin, 20)
    relay = lab.relay(origin).wait_link()
    client = psync_client.PsyncClient(relay.port, 4711, receive_buffer=16384).handshake()
    client.psync()
    wait.equal("state", lambda: relay.replicas()[4711]["state"], "send_bulk")
    client.read_rdb()
    client.ack()
    wait.equal("state", lambda: relay.replicas()[4711]["state"], "online")
    wait.equal("offset", lambda: relay.replicas()[4711]["offset"], client.offset)
    client.close()
    wait.equal("replicas", relay.replicas, {})


def test_upstream_down_is_told(lab):
    origin = lab.origin()
    relay = lab.relay(origin).wait_link()
    assert relay.client().role()[3] in (b"connected", "connected")
    offset = relay.offset()
    origin.kill9()
    relay.wait_link("down")
    info = relay.info()
    assert info["master_link_down_since_seconds"] >= 0
    assert info["slave_repl_offset"] >= offset
    assert info["role"] == "slave"
    assert relay.client().role()[3] not in (b"connected", "connected")
    wait.until("it counts", lambda: relay.info()["master_link_down_since_seconds"] >= 2)


def test_sections_and_run_id(lab):
    origin = lab.origin()
    relay = lab.relay(origin).wait_link()
    client = relay.client()
    everything = client.info("everything")
    for section in ("server", "clients", "stats", "replication"):
        part = client.info(section)
        assert part and set(part) <= set(everything), section
    assert client.info("nosuchsection") == {}
    run_id = everything["run_id"]
    assert relay.info()["run_id"] == run_id
    raw = client.execute_command("INFO", "replication")
    assert raw
    for name in ("total_connections_received", "total_net_input_bytes", "total_net_output_bytes"):
        assert everything[name] > 0


def test_relay_without_a_snapshot_yet(lab):
    """The primary is away from the start: the relay answers, says down, and holds the replica."""
    origin = lab.origin(start=False)
    relay = lab.relay(origin)
    info = relay.info()
    assert info["master_link_status"] == "down"
    assert info["connected_slaves"] == 0
    replica = lab.replica(relay)
    origin.start()
    relay.wait_link()
    replica.wait_online()


def test_store_section(lab):
    """Window, snapshots and disk in full, and the refreshes with what they were for."""
    origin = lab.origin(repl_ping_replica_period="3600")  # so that all of the stream can be durable
    load.fill(origin)
    relay = lab.relay(
        origin,
        {
            "store.segment-size": "64kb",
            "store.repl-backlog-size": "1mb",
            "store.snapshot": "on-demand",
        },
    ).wait_link()
    wait.equal("durable", lambda: relay.info("store")["snapshot0"]["durable"], "yes")
    store = relay.info("store")
    first = store["snapshot0"]
    assert first["offset"] == store["snapshot_offset"] == store["window_first_offset"]
    assert first["bytes"] == store["snapshot_bytes"] == relay.snapshots()[0].stat().st_size
    assert {key: first[key] for key in ("state", "proof", "usable", "reason")} == {
        "state": "complete",
        "proof": "crc64",
        "usable": "yes",
        "reason": "usable",
    }
    assert first["age"] == store["snapshot_age_seconds"] <= wait.limit(20)
    assert store["snapshots"] == 1
    assert store["window_bytes"] == store["window_end_offset"] - store["window_first_offset"]
    assert store["segments"] * 65536 == store["segment_disk_bytes"]
    assert store["pinned_bytes"] == 0
    assert store["disk_free_bytes"] > 0
    assert (store["fsync_failures"], store["store_last_error"]) == (0, "")

    load.populate(origin, 4)
    wait.equal("left behind", lambda: relay.info("store")["snapshot_state"], "behind_window")
    line = relay.info("store")["snapshot0"]
    assert (line["usable"], line["reason"]) == ("no", "behind_window")
    lab.replica(relay).wait_online()
    info = relay.info("relay")
    assert info["upstream_refreshes"] == 1
    assert info["upstream_refresh0"]["cause"].startswith("a replica waits")
    assert info["upstream_refresh0"]["outcome"] == "complete"
    assert info["upstream_refresh0"]["offset"] == relay.info("store")["snapshot_offset"]
    assert info["upstream_refresh_last_error"] == ""
    wait.equal(
        "all of the stream is durable",
        lambda: relay.info("store")["durable_offset"] - relay.offset(),
        0,
    )
    relay.restart()
    wait.equal(
        "the RDB is there again",
        lambda: relay.info("store").get("snapshot0", {}).get("offset"),
        info["upstream_refresh0"]["offset"],
    )


def contradictions(relay, seconds=3):
    """(replies, those in which the offsets contradict each other) while the stream flows."""
    replies, wrong = 0, []
    deadline = time.monotonic() + seconds
    with relay.client() as client:
        while time.monotonic() < deadline:
            info = client.info("everything")
            replies += 1
            offsets = [info[name] for name in
                       ("slave_repl_offset", "slave_read_repl_offset", "master_repl_offset")]
            listed = [name for name in info if re.fullmatch("slave[0-9]+", name)]
            if (
                offsets != sorted(offsets)
                or info["window_boundary"] > info["window_end_offset"]
                or info["window_end_offset"] != info["master_repl_offset"]
                or info["upstream_acknowledged_offset"] > info["slave_repl_offset"]
                or len(listed) != info["connected_slaves"]
                or any(info[name]["offset"] > offsets[-1] for name in listed)
            ):
                wrong.append(info)
    return replies, wrong


def test_one_reply_is_of_one_moment(lab):
    """Under load no field of a reply is ahead of what another one says there is."""
    origin = lab.origin()
    relay = lab.relay(origin, http=True).wait_link()
    lab.replica(relay).wait_online()
    for seed in range(2):
        lab.writer(origin, seed=seed)
    wait.until("the stream flows", lambda: relay.offset() > 100_000)
    replies, wrong = contradictions(relay)
    assert not wrong, f"{len(wrong)} of {replies} replies, the first: {wrong[0]}"
    for _ in range(20):
        status = web.status(relay)
        rows = status["replicas"]["list"]
        assert status["store"]["boundary_offset"] <= status["store"]["end_offset"]
        assert all(row["offset"] <= status["store"]["end_offset"] for row in rows)
        assert sum(row["sent_bytes"] for row in rows) <= status["traffic"]["replica_sent_bytes"]
        newest = status["samples"]["list"][-1][0]
        assert newest <= status["relay"]["time"] + 0.001, "a sample of after the reply"


def test_who_holds_the_window(lab):
    """A replica that takes nothing makes the window many times as large: INFO and the page say who."""
    settings = {
        "store.segment-size": "256kb",
        "store.repl-backlog-size": "1mb",
        "store.repl-backlog-max-size": "64mb",
    }
    origin = lab.origin()
    relay = lab.relay(origin, settings, http=True).wait_link()
    replid, held = relay.info()["master_replid"], relay.offset()
    slow = lab.closing(psync_client.PsyncClient(relay.port, receive_buffer=4096)).handshake()
    assert slow.psync(replid, held + 1)[0] == "+CONTINUE"
    slow.chatter(lambda client: client.ack())
    load.populate(origin, 12)
    end = origin.offset()
    wait.until("all came", lambda: relay.offset() >= end)
    wait.until("it is held", lambda: relay.info("store")["pinned_bytes"] > 4 * 1024 * 1024)
    store = relay.info("store")
    assert store["window_holders"] == 1 and store["window_holders_loading"] == 0
    holder = store["window_holder0"]
    assert holder["ip"] == "127.0.0.1" and holder["state"] == "online", holder
    assert holder["bytes"] == store["window_end_offset"] - 1024 * 1024 - holder["offset"]
    status = web.status(relay)
    assert status["store"]["held_by"][0]["id"] == holder["id"]
    assert "window_held" in [finding["name"] for finding in status["findings"]]
    assert web.metrics(relay)["psync_relay_store_window_holders"] == 1
    slow.close()
    wait.equal("nobody does", lambda: relay.info("store")["window_holders"], 0)
    wait.equal("nothing is", lambda: relay.info("store")["pinned_bytes"], 0)


def test_every_field_and_metric_is_documented(lab):
    """tests/style/monitoring.py looks at the source; this at what is told, by names that are made up there."""
    origin = lab.origin()
    load.fill(origin, rounds=3)
    papers = certificates.for_everyone(lab.directory / "papers")
    relay = lab.relay(origin, papers.downstream("relay"), http=True).wait_link()
    lab.replica(relay).wait_online()
    told = {name.partition("{")[0] for name in web.metrics(relay)} | set(relay.info())
    assert {"tls_certificate0", "slave0", "psync_relay_replica_online", "closed_quit"} <= told
    documented = set(re.findall(r"`([\w<>]+)`", documents.text_of("docs/monitoring")))
    numbered = [re.sub("<[a-z]+>", r"\\w+", name, flags=re.I) for name in documented if "<" in name]
    missing = {name for name in told - documented if not any(re.fullmatch(one, name) for one in numbered)}
    assert missing == set()
