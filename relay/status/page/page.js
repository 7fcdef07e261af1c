"use strict";
// Asks for status.json once a second and shows it. What a peer has chosen (addresses, versions, errors)
// gets into the page as text only.

const SPAN_S = 600;       // the plots show the last ten minutes, or as much of them as there is
const SPAN_LEAST_S = 120;
const GAP_S = 4;          // longer without a sample: the line is interrupted
const EVERY_MS = 1000;
const HIDDEN_EVERY_MS = 10000;
const PATIENCE_MS = 5000;
const LATE_S = 10;        // as in findings: from here on a replica is behind, or silent

const by = (id) => document.getElementById(id);
const state = { points: [], newest: 0, started: 0, version: null, seen: new Map(), last: null, heard: 0, failures: 0 };

// --- words ---

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (bytes >= 1023.5 && unit < units.length - 1) { bytes /= 1024; unit++; }
  const digits = unit === 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2;
  return bytes.toFixed(digits).replace(/\.0+$/, "") + " " + units[unit];
}

const rate = (bytes) => (bytes < 0.5 ? "0 B/s" : size(bytes) + "/s");
const whole = (number) => number.toLocaleString("en-US");
const plural = (count, word) => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;

function span(seconds) {
  if (seconds < 1) return "less than 1 s";
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

// "412 MiB of 1.2 GiB (34 %), 12 MiB/s, 65 s left", as far as it is known.
function progress(view) {
  const total = view.total_bytes === null ? "" : ` of ${view.estimated ? "about " : ""}${size(view.total_bytes)} (${Math.floor(view.percent)} %)`;
  const left = view.seconds_left === null ? "" : `, ${span(view.seconds_left)} left`;
  return `${size(view.bytes)}${total}, ${rate(view.rate)}${left}`;
}

const moment = (seconds) => new Date(seconds * 1000).toLocaleString([], { hour12: false });
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
const address = (host, port) => (host.includes(":") ? `[${host}]` : host) + (port ? `:${port}` : "");

// --- small pieces of the page ---

function set(id, text) {
  const element = typeof id === "string" ? by(id) : id;
  if (element.textContent !== text) element.textContent = text;
}

function pill(element, text, kind) {
  set(element, text);
  element.dataset.kind = kind;
}

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function facts(id, rows) {
  const list = by(id);
  const wanted = rows.filter((row) => row).flat();
  if (list.childElementCount !== wanted.length) {
    list.replaceChildren(...wanted.map((_, i) => document.createElement(i % 2 ? "dd" : "dt")));
  }
  wanted.forEach((text, i) => set(list.children[i], text));
}

// --- what is wrong ---

const HEADLINES = { ok: "All is well", warning: "Working, but needs attention", problem: "Something is wrong" };

function showVerdict(status) {
  const worst = status.findings.reduce((mood, finding) =>
    finding.severity === "problem" || mood === "problem" ? "problem" :
    finding.severity === "warning" || mood === "warning" ? "warning" : mood, "ok");
  const serious = status.findings.filter((finding) => finding.severity !== "note").length;
  document.body.dataset.mood = worst;
  set("verdict", HEADLINES[worst]);
  const parts = [];
  parts.push(status.upstream.up ? "The upstream link is up" : "The upstream link is down");
  const online = status.replicas.online;
  parts.push(online === 0 ? "no replica is online" : `${plural(online, "replica")} ${online === 1 ? "is" : "are"} online`);
  set("summary", parts.join(", ") + ".");
  document.title = worst === "ok" ? "psync-relay: all is well" : `(${serious}) psync-relay: ${worst}`;
  const colour = { ok: "%231a7f4b", warning: "%23d08a00", problem: "%23c5362d" }[worst];
  showIcon(colour);
}

function showIcon(colour) {
  const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='${colour}'/></svg>`;
  if (by("icon").getAttribute("href") !== icon) by("icon").setAttribute("href", icon);
}

function showFindings(findings) {
  const box = by("findings");
  const known = new Map([...box.children].map((child) => [child.dataset.name, child]));
  const wanted = findings.map((finding) => {
    const card = known.get(finding.name) ||
      make("div", { class: "finding", "data-name": finding.name }, make("strong", {}), make("p", { class: "quiet" }));
    card.dataset.severity = finding.severity;
    set(card.children[0], finding.what);
    set(card.children[1], finding.advice);
    return card;
  });
  const same = wanted.length === box.childElementCount && wanted.every((card, i) => box.children[i] === card);
  if (!same) box.replaceChildren(...wanted);
}

// --- upstream, relay, replicas ---

const LINK_KINDS = { streaming: "ok", loading: "busy", handshake: "busy", connecting: "busy" };

function showUpstream(upstream, last) {
  const software = upstream.software_version ? `${upstream.software} ${upstream.software_version}` : "not known yet";
  set("upstream-address", upstream.host ? address(upstream.host, upstream.port) : "not known yet");
  pill(by("upstream-state"), upstream.state, upstream.up ? LINK_KINDS[upstream.state] || "ok" : upstream.sync ? "busy" : "bad");
  const since = upstream.up ? upstream.up_seconds : upstream.down_seconds;
  set("upstream-since", since === null ? "" : `${upstream.up ? "up" : "down"} for ${span(since)}`);
  const sync = upstream.sync && (upstream.sync.progress ? progress(upstream.sync.progress) : upstream.sync.total_bytes
    ? `${size(upstream.sync.read_bytes)} of ${size(upstream.sync.total_bytes)}`
    : `${size(upstream.sync.read_bytes)}`);
  facts("upstream-facts", [
    ["Software", software],
    ["Connection", { tcp: "TCP", tls: "TLS", ws: "WebSocket", wss: "WebSocket, TLS" }[upstream.carrier] || "–"],
    sync ? ["RDB arriving", sync] : null,
    upstream.refresh_progress ? ["Newer RDB", progress(upstream.refresh_progress)] : null,
    ...upstream.hops.slice(1).map((hop, i) => [
      `Above: ${address(upstream.hops[i].host, upstream.hops[i].port)}`,
      `${hop.link === "up" ? "follows" : `link ${hop.link} to`} ${hop.host ? address(hop.host, hop.port) : "nobody"}, last byte ${hop.silence_seconds < 2 ? "just now" : `${span(hop.silence_seconds)} ago`}`]),
    upstream.old_history_seconds === null ? null : ["Old history served for", span(upstream.old_history_seconds)],
    ["Last byte", upstream.last_io_seconds === null ? "–" : upstream.last_io_seconds < 2 ? "just now" : `${span(upstream.last_io_seconds)} ago`],
    ["Full syncs, partial", `${whole(upstream.full_syncs)}, ${whole(upstream.partial_syncs)}`],
    ["Acknowledges", upstream.ack],
  ]);
  const arrow = by("rate-in").parentElement;
  set("rate-in", upstream.up ? rate(last ? last[1] : 0) : upstream.sync ? "RDB" : "no stream");
  arrow.classList.toggle("flows", upstream.up);
  arrow.classList.toggle("broken", !upstream.up && !upstream.sync);
}

function showRelay(status) {
  const store = status.store;
  const rdb = store.snapshots.find((one) => one.usable);
  set("relay-window", store.history === "none" ? "no data yet" : `${size(store.window_bytes)} backlog`);
  const kind = !status.relay.ready ? "bad" : rdb ? "ok" : "warn";
  pill(by("relay-state"), !status.relay.ready ? "not ready" : rdb ? "ready" : "partial resyncs only", kind);
  set("relay-since", `running for ${span(status.relay.uptime_seconds)}`);
  const oldest = store.snapshots[0];
  facts("relay-facts", [
    ["RDB", !oldest ? "none" : oldest.state === "arriving" ? `arriving, ${size(oldest.bytes)}`
      : `${size(oldest.bytes)}, ${span(oldest.age_seconds)} old`],
    ["Offset", whole(store.end_offset)],
    ["Not fsynced yet", size(Math.max(0, store.end_offset - store.durable_offset))],
    store.proof_progress ? ["Verified", progress(store.proof_progress)] :
      store.proof_in_progress ? ["To be verified", `${size(store.proof_left_bytes)} of ${size(store.proof_total_bytes)} left`] : null,
    store.restore ? ["Can be restored", `${moment(store.restore.oldest_time)} to ${moment(store.restore.newest_time)}`] : null,
    ["Disk free", size(store.disk_free_bytes)],
  ]);
}

function showCrowd(status, last) {
  const { replicas, traffic } = status;
  const total = replicas.online + replicas.loading + replicas.waiting;
  const busy = [];
  if (replicas.loading) busy.push(`${whole(replicas.loading)} loading`);
  if (replicas.waiting) busy.push(`${whole(replicas.waiting)} waiting`);
  if (replicas.full_syncs_held) busy.push(`${whole(replicas.full_syncs_held)} of them held`);
  const late = status.findings.some((finding) => finding.name.startsWith("replica_") && finding.severity !== "note");
  set("crowd-count", total === 0 ? "none yet" : `${whole(replicas.online)} online`);
  pill(by("crowd-state"), late ? "needs attention" : busy.length ? busy.join(", ") : total === 0 ? "idle" : "in step",
    late ? "warn" : busy.length ? "busy" : total === 0 ? "" : "ok");
  set("crowd-worst", replicas.online === 0 ? "" :
    `at most ${span(Math.max(1, replicas.lag_seconds_max))} behind`);
  facts("crowd-facts", [
    ["Full syncs, partial", `${whole(traffic.full_syncs)}, ${whole(traffic.partial_syncs)}`],
    ["Most behind by", size(replicas.lag_bytes_max)],
    ["Sent", size(traffic.replica_sent_bytes)],
    ["Connections", `${whole(total + traffic.clients)} of ${whole(traffic.maxclients)}`],
  ]);
  const arrow = by("rate-out").parentElement;
  set("rate-out", total ? rate(last ? last[2] : 0) : "nobody yet");
  arrow.classList.toggle("flows", replicas.online > 0 && status.upstream.up);
}

// --- what is held, to scale ---

function showWindow(status) {
  const { store, replicas } = status;
  const box = by("window");
  if (store.history === "none") {
    box.replaceChildren();
    box.setAttribute("aria-label", "no data yet");
    set("window-legend", "No data yet.");
    return;
  }
  const width = box.clientWidth || 600;
  const marks = store.snapshots.map((one) => one.offset);
  const low = Math.min(store.first_offset, ...marks);
  const high = Math.max(store.end_offset, ...marks);
  const x = (offset) => (high === low ? width : ((offset - low) / (high - low)) * (width - 2)) + 1;
  const svg = draw("svg", { viewBox: `0 0 ${width} 74`, preserveAspectRatio: "none" });
  svg.append(draw("rect", { class: "mark-window", x: x(store.first_offset), y: 20, rx: 4, height: 26,
    width: Math.max(3, x(store.end_offset) - x(store.first_offset)) }));
  for (const row of replicas.list) {
    if (row.lag_bytes === null) continue;
    svg.append(draw("line", { class: row.lag_seconds >= LATE_S ? "mark-replica late" : "mark-replica",
      x1: x(Math.max(low, row.offset)), x2: x(Math.max(low, row.offset)), y1: 24, y2: 42 }));
  }
  store.snapshots.forEach((one) => {
    const at = x(one.offset);
    const anchor = at > width - 90 ? "end" : at < 90 ? "start" : "middle";
    const words = `RDB ${size(one.bytes)}${one.state === "arriving" ? ", arriving" : one.usable ? "" : ", not usable"}`;
    svg.append(draw("line", { class: "mark-rdb-line", x1: at, x2: at, y1: 14, y2: 50 }));
    svg.append(draw("path", { class: "mark-rdb", d: `M${at - 5} 12h10l-5 7z` }));
    svg.append(draw("text", { x: at, y: 8, "text-anchor": anchor }, words));
  });
  svg.append(draw("text", { x: 0, y: 66 }, whole(low)));
  svg.append(draw("text", { x: width, y: 66, "text-anchor": "end" }, whole(high)));
  box.replaceChildren(svg);
  const share = store.repl_backlog_size ? Math.round((store.window_bytes / store.repl_backlog_size) * 100) : 0;
  box.setAttribute("aria-label", `backlog of ${size(store.window_bytes)} from offset ${low} to ${high}; ` +
    plural(store.snapshots.length, "RDB"));
  legend("window-legend", [
    ["window", `backlog, ${size(store.window_bytes)} of ${size(store.repl_backlog_size)} (${share} %)`],
    ["rdb", "RDB: where a full sync starts"], ["replica", "replicas"],
  ]);
}

function legend(id, keys) {
  const box = by(id);
  if (box.childElementCount !== keys.length) {
    box.replaceChildren(...keys.map(([kind]) => make("span", { class: `key ${kind}` })));
  }
  keys.forEach(([, text], i) => set(box.children[i], text));
}

function heldFor(store) {
  const most = store.held_by[0];
  if (!most) return "beyond repl-backlog-size";
  const name = most.port ? address(most.address, most.port) : most.address;
  const why = most.state === "loading" ? "loads an RDB" : "is behind";
  if (store.holders === 1) return `for ${name}, which ${why}`;
  return `for ${whole(store.holders)} replicas (${name} the most, which ${why})`;
}

function showDisk(store) {
  const box = by("disk");
  const width = box.clientWidth || 600;
  const rdb = store.snapshots.reduce((sum, one) => sum + one.bytes, 0) + (store.next_history ? store.next_history.bytes : 0);
  const held = store.segment_disk_bytes;
  const most = Math.max(rdb + store.repl_backlog_max_size, rdb + held, 1);
  const x = (bytes) => (bytes / most) * width;
  const svg = draw("svg", { viewBox: `0 0 ${width} 18`, preserveAspectRatio: "none" });
  svg.append(draw("rect", { class: "mark-spare", x: 0, y: 0, width, height: 18, rx: 4 }));
  svg.append(draw("rect", { class: "mark-rdb", x: 0, y: 0, width: x(rdb), height: 18, rx: Math.min(4, x(rdb) / 2) }));
  svg.append(draw("rect", { class: "mark-window", x: x(rdb), y: 0, width: x(held), height: 18 }));
  box.replaceChildren(svg);
  box.setAttribute("aria-label", `RDB ${size(rdb)}, backlog ${size(held)}, of ${size(most)}`);
  legend("disk-legend", [
    ["rdb", `RDB, ${size(rdb)}`],
    ["window", `backlog, ${size(held)} in ${plural(store.segments, "file")}` +
      (store.pinned_bytes ? `, ${size(store.pinned_bytes)} of it ${heldFor(store)}` : "")],
    ["spare", `may still be used, ${size(most - rdb - held)} (${size(store.disk_free_bytes)} free on the disk)`],
  ]);
}

// --- plots ---

function ceiling(value, least, base) {
  if (value <= least) return least;
  let step = least;
  while (step * base < value) step *= base;
  for (const times of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]) {
    if (step * times >= value) return step * times;
  }
  return step * base;
}

function plot(id, series, words, least, base, empty) {
  const box = by(id);
  const width = box.clientWidth || 500;
  const height = 176;
  const bottom = 18, top = 6;
  const end = state.points.length ? state.points[state.points.length - 1][0] : Date.now() / 1000;
  const reach = end - (state.points.length ? state.points[0][0] : end);
  const minutes = Math.ceil(Math.min(SPAN_S, Math.max(SPAN_LEAST_S, reach)) / 60);
  const shown = minutes * 60;
  const begin = end - shown;
  const most = ceiling(Math.max(0, ...series.map(([column]) => state.points.reduce((max, point) => Math.max(max, point[column]), 0))), least, base);
  const x = (time) => ((time - begin) / shown) * width;
  const y = (value) => top + (1 - value / most) * (height - top - bottom);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  for (const part of [0, 0.5, 1]) {
    svg.append(draw("line", { class: "grid", x1: 0, x2: width, y1: y(most * part), y2: y(most * part) }));
    if (part) svg.append(draw("text", { x: 0, y: y(most * part) + 12 }, words(most * part)));
  }
  for (const [ago, anchor] of [[minutes, "start"], [minutes / 2, "middle"], [0, "end"]]) {
    svg.append(draw("text", { x: x(end - ago * 60), y: height - 3, "text-anchor": anchor }, ago ? `${ago} min ago` : "now"));
  }
  for (const [column, kind] of series) {
    for (const run of runs(begin)) {
      const line = run.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[column]).toFixed(1)}`).join("");
      const base_y = y(0).toFixed(1);
      svg.append(draw("path", { class: `fill ${kind}`, d: `${line}L${x(run[run.length - 1][0]).toFixed(1)} ${base_y}L${x(run[0][0]).toFixed(1)} ${base_y}Z` }));
      svg.append(draw("path", { class: `line ${kind}`, d: line }));
    }
  }
  const last = state.points[state.points.length - 1];
  svg.setAttribute("aria-label", last ? series.map(([column, , name]) => `${name} now ${words(last[column])}`).join(", ") : empty);
  const cross = box.querySelector(".tip");
  box.replaceChildren(svg);
  if (cross) showTip(box, box.at);
  box.tip = (at) => {
    const time = begin + (at / width) * shown;
    const near = state.points.reduce((best, point) => (!best || Math.abs(point[0] - time) < Math.abs(best[0] - time) ? point : best), null);
    if (!near || Math.abs(near[0] - time) > 15) return null;
    return { x: x(near[0]), height: height - bottom, width,
      text: `${clock(near[0])}  ` + series.map(([column, , name]) => `${name} ${words(near[column])}`).join(", ") };
  };
}

function runs(begin) {
  const found = [];
  let before = null;
  for (const point of state.points) {
    if (point[0] < begin) continue;
    if (!before || point[0] - before[0] > GAP_S) found.push([]);
    found[found.length - 1].push(point);
    before = point;
  }
  return found;
}

function showTip(box, at) {
  hideTip(box);
  const tip = box.tip && box.tip(at);
  if (!tip) return;
  box.at = at;
  box.firstChild.append(draw("line", { class: "cross", x1: tip.x, x2: tip.x, y1: 0, y2: tip.height }));
  const label = make("div", { class: "tip" }, tip.text);
  box.append(label);
  label.style.left = `${Math.max(0, Math.min(tip.width - label.offsetWidth, tip.x - label.offsetWidth / 2))}px`;
}

function hideTip(box) {
  for (const old of box.querySelectorAll(".tip, .cross")) old.remove();
}

function showPlots() {
  plot("plot-rate", [[1, "a", "from upstream"], [2, "b", "to replicas"]], rate, 1024, 1024, "no samples yet");
  plot("plot-lag", [[4, "c", "lag"]], (value) => `${value < 10 ? +value.toFixed(1) : Math.round(value)} s`, 2, 1000, "no samples yet");
}

// What depends on how wide the page is.
function showDrawings(status) {
  state.last = status;
  showWindow(status);
  showDisk(status.store);
  showPlots();
}

// --- replicas ---

function rank(row) {
  if (row.state !== "online") return 1;
  return row.lag_seconds >= LATE_S || row.heard_seconds >= LATE_S ? 0 : 2;
}

function rateOf(row, time) {
  const before = state.seen.get(row.id);
  if (!before) return null;
  if (time <= before.time) return before.rate;
  const now = Math.max(0, row.sent_bytes - before.sent) / (time - before.time);
  return before.rate === null ? now : before.rate * 0.6 + now * 0.4;
}

function cells(row, speed) {
  const isLate = rank(row) === 0;
  const kind = row.state !== "online" ? "busy" : isLate ? "warn" : "ok";
  const word = row.held ? "held" : row.state !== "online" ? row.state : row.lag_seconds >= LATE_S ? "behind" :
    row.heard_seconds >= LATE_S ? "silent" : "online";
  const behind = row.full_sync ? `RDB: ${progress(row.full_sync)}` : row.lag_bytes === null ? "–" : row.lag_bytes === 0 ? "in step" :
    size(row.lag_bytes) + (row.lag_seconds >= 1 ? `, ${span(row.lag_seconds)}` : "");
  return [
    ["", address(row.address, row.port)], ["", word, kind], ["Version", row.version || "–"],
    ["Offset", row.state === "online" && row.acknowledges ? whole(row.offset) : "–"],
    ["Behind", behind], ["Rate", speed === null ? "–" : rate(speed)],
    ["Heard", row.heard_seconds === null ? "–" : row.heard_seconds < 2 ? "just now" : `${span(row.heard_seconds)} ago`],
    ["Connected", span(row.connected_seconds)],
  ];
}

function newRow(row) {
  const line = make("tr", { "data-id": row.id, class: "new" });
  cells(row, null).forEach(([name], i) => {
    const cell = i === 0 ? make("th", { scope: "row" }) : make("td", i > 2 ? { class: "number" } : {});
    if (name) cell.dataset.name = name;
    cell.append(make("span", i === 1 ? { class: "pill" } : {}));
    line.append(cell);
  });
  return line;
}

function showReplicas(status) {
  const { replicas } = status;
  const body = by("rows");
  const time = status.relay.time;
  const known = new Map([...body.children].map((line) => [line.dataset.id, line]));
  const seen = new Map();
  const list = [...replicas.list].sort((a, b) => rank(a) - rank(b) ||
    address(a.address, a.port).localeCompare(address(b.address, b.port), "en", { numeric: true }) || a.id - b.id);
  const lines = list.map((row) => {
    const speed = rateOf(row, time);
    seen.set(row.id, { time, sent: row.sent_bytes, rate: speed });
    const line = known.get(String(row.id)) || newRow(row);
    cells(row, speed).forEach(([, text, kind], i) => {
      const cell = line.children[i].firstChild;
      set(cell, text);
      if (kind) cell.dataset.kind = kind;
    });
    return line;
  });
  state.seen = seen;
  const same = lines.length === body.childElementCount && lines.every((line, i) => body.children[i] === line);
  if (!same) body.replaceChildren(...lines);
  by("replicas").hidden = list.length === 0;
  set("replicas-note", list.length === 0
    ? `No replica is connected. To connect one: redis-cli -p <its port> replicaof <this machine> ${status.relay.port || status.relay.tls_port}`
    : replicas.not_listed
      ? `The ${whole(list.length)} that need attention most. ${whole(replicas.not_listed)} more are not shown; INFO replication lists all.`
      : "");
}

// --- asking ---

function take(samples) {
  for (const point of samples.list) state.points.push(point);
  state.newest = samples.newest;
  const begin = (state.points.length ? state.points[state.points.length - 1][0] : 0) - SPAN_S;
  while (state.points.length && state.points[0][0] < begin) state.points.shift();
}

function show(status) {
  if (state.version !== null && state.version !== status.relay.version) {
    location.reload(); // the relay was upgraded, and this page with it
    return;
  }
  state.version = status.relay.version;
  if (Math.abs(status.relay.started - state.started) > 5) {
    // Another process: its samples go on from ours, but for those that it repeats.
    state.started = status.relay.started;
    state.seen.clear();
  }
  const newest = state.points.length ? state.points[state.points.length - 1][0] : 0;
  status.samples.list = status.samples.list.filter((point) => point[0] > newest);
  take(status.samples);
  const last = state.points[state.points.length - 1];
  set("version", status.relay.version);
  set("lost", "");
  by("body").hidden = false;
  showVerdict(status);
  showFindings(status.findings);
  showUpstream(status.upstream, last);
  showRelay(status);
  showCrowd(status, last);
  showDrawings(status);
  showReplicas(status);
}

function showLost() {
  document.body.dataset.mood = "lost";
  set("verdict", "Connection lost");
  set("summary", "");
  by("findings").replaceChildren();
  if (!by("lost").firstChild) {
    const since = state.heard ? `Its last answer, shown below, is from ${clock(state.heard / 1000)}. ` : "";
    by("lost").append(make("div", { class: "finding", "data-severity": "problem" },
      make("strong", {}, "The relay does not answer."),
      make("p", { class: "quiet" }, since + "Check that it runs (systemctl status psync-relay) and read its log. This page retries every second.")));
  }
  document.title = "psync-relay: connection lost";
  showIcon("%23c5362d");
}

// null: the relay does not answer.
async function fetchStatus() {
  try {
    const reply = await fetch(`status.json?since=${state.newest}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    return reply.ok ? await reply.json() : null;
  } catch {
    return null;
  }
}

async function ask() {
  const status = await fetchStatus();
  if (status) {
    state.heard = Date.now();
    state.failures = 0;
    show(status);
    set("pulse", `live, ${clock(status.relay.time)}`);
  } else {
    state.failures++;
    if (state.failures >= 2 || !state.heard) showLost();
    set("pulse", "not connected");
  }
}

let timer = 0;
async function turn() {
  clearTimeout(timer);
  try {
    await ask();
  } finally {
    clearTimeout(timer);
    timer = setTimeout(turn, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
  }
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
addEventListener("resize", () => { if (state.last) showDrawings(state.last); });
for (const box of document.querySelectorAll(".plot")) {
  box.addEventListener("pointermove", (event) => showTip(box, event.clientX - box.getBoundingClientRect().left));
  box.addEventListener("pointerleave", () => hideTip(box));
}
turn();
