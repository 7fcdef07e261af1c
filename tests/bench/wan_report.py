# SPDX-License-Identifier: MIT
"""What bench_wan.py has found: a table, the aims, JSON."""

import json

import machine

# Bytes that come at each connection and are neither RDB nor stream (the replies of the handshake, and up to the end of
# the command that was broken off): far below what a cut could cost.
NOTHING_TWICE = 64 * 1024

ROWS = [
    ("bytes over the link for each byte that a replica got", "link_per_delivered", "{:.4f}"),
    ("all bytes over the link until the last one had all, MB", "link_mb", "{:.0f}"),
    ("until the first has the RDB, s", "first_s", "{:.1f}"),
    ("until the last has the RDB, s", "last_s", "{:.1f}"),
    ("written meanwhile, MB/s", "written_mb_s", "{:.1f}"),
    ("lag, p50 / p99, ms", "lag_ms", "{0[0]:.0f} / {0[1]:.0f}"),
    ("... while another is sent an RDB in the far region", "lag_another_ms", "{0[0]:.0f} / {0[1]:.0f}"),
    ("... while another relay is sent one over the link", "lag_another_link_ms", "{0[0]:.0f} / {0[1]:.0f}"),
    ("cuts of the stream", "cuts", "{}"),
    ("... until all are in sync again, s after the link is back", "cut_s", "{:.1f}"),
    ("... full syncs over the link", "cut_full_syncs", "{}"),
    ("... bytes that came twice", "cut_twice_bytes", "{}"),
    ("cuts of the RDB", "broken_cuts", "{}"),
    ("... until the last has the RDB, s", "broken_s", "{:.1f}"),
    ("... full syncs begun over the link", "broken_full_syncs", "{}"),
    ("... bytes that came twice", "broken_twice_bytes", "{}"),
    ("origin: CPU s for each GB written, during the first sync", "origin_cpu_s_per_gb", "{:.1f}"),
    ("origin: peak of its memory, MB", "origin_peak_mb", "{:.0f}"),
]


def print_world(world):
    wanted, there = world.wanted, machine.describe()
    print(f"{there['cpu']}, {there['cores']} cores, Linux {there['kernel']}")
    print(
        f"link: {wanted.rtt_ms:g} ms RTT, {wanted.loss_percent:g} % loss each way, {wanted.mbit:g} Mbit/s,"
        f" made by {world.regions.made_by}; {wanted.congestion} in both regions"
    )
    print(
        f"RDB of {world.rdb_bytes / 1e6:.0f} MB, {wanted.write_mb:g} MB/s written, {wanted.replicas} far replicas,"
        f" {wanted.cuts} cuts of a second; the origin has repl-backlog-size {wanted.backlog_mb}mb, rdbcompression no and no"
        f" limit for the buffers of replicas; limit for the last RDB: {wanted.limit_s:.0f} s",
        flush=True,
    )


def cell(figures, key, form):
    return form.format(figures[key]) if figures.get(key) is not None else "-"


def print_setup(name, figures, seconds):
    print(f"  {name} ({seconds:.0f} s)", flush=True)
    for title, key, form in ROWS:
        if figures.get(key) is not None:
            print(f"    {title:60} {cell(figures, key, form)}", flush=True)


def print_table(results):
    print(f"\n{'':60}" + "".join(f"{name:>16}" for name in results))
    for title, key, form in ROWS:
        cells = "".join(f"{cell(figures, key, form):>16}" for figures in results.values())
        print(f"{title:60}{cells}")


def aims_of(results, copies):
    """(what, figure, most): of the relays' set-ups, where they were measured."""
    direct = results.get("direct")
    for name, figures in results.items():
        if name in ("direct", "chained"):
            continue
        if direct is not None:
            part = figures["link_per_delivered"] / direct["link_per_delivered"]
            # The handshakes, and that the same packets are not lost in two runs.
            yield f"{name}: bytes over the link beside direct", part, (1 / 3 if name == "zstd" else 1.0) / copies * 1.01
        for phase in ("cut", "broken"):
            most = 0 if phase == "cut" else 1
            yield f"{name}: full syncs over the link, {phase}", figures.get(f"{phase}_full_syncs"), most
            yield f"{name}: bytes that came twice, {phase}", figures.get(f"{phase}_twice_bytes"), NOTHING_TWICE
        for key in ("lag_another_ms", "lag_another_link_ms"):
            if figures.get("lag_ms") and figures.get(key):
                for number, quantile in enumerate(("p50", "p99")):
                    ratio = figures[key][number] / figures["lag_ms"][number]
                    yield f"{name}: {key} {quantile} beside without", ratio, 2.0


def finish(results, world):
    print_table(results)
    met = True
    for what, figure, most in aims_of(results, world.wanted.replicas):
        is_met = figure is not None and figure <= most
        met = met and is_met
        shown = "not measured" if figure is None else f"{figure:.4g}"
        print(f"  {what}: {shown} (at most {most:.4g}) {'met' if is_met else 'MISSED'}")
    if world.wanted.out is not None:
        world.wanted.out.mkdir(parents=True, exist_ok=True)
        whole = {
            "machine": machine.describe(),
            "options": vars(world.wanted),
            "link_made_by": world.regions.made_by,
            "rdb_bytes": world.rdb_bytes,
            "set_ups": results,
        }
        (world.wanted.out / "wan.json").write_text(json.dumps(whole, indent=1, default=str) + "\n")
    return met
