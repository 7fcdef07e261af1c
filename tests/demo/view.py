# SPDX-License-Identifier: MIT
"""Nodes as lines of text: who is connected to whom, and what that costs whom. All ASCII."""

WIDE = 104  # columns of the terminal from which on there is more to see

# Escape sequences by meaning. Without colour every meaning is also a word.
STYLES = {
    "title": "1",
    "quiet": "2",
    "good": "32",
    "strong": "1;32",
    "wait": "33",
    "bad": "1;31",
}

STATE_STYLES = {
    "serving": "good",
    "online": "good",
    "starting": "wait",
    "loading": "wait",
    "syncing": "wait",
    "no answer": "wait",
    "link down": "bad",
    "killed": "bad",
    "shut down": "bad",
}


class Paint:
    """Colour, or none."""

    def __init__(self, is_coloured):
        self.is_coloured = is_coloured

    def __call__(self, style, text):
        if not self.is_coloured or not style or not text.strip():
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def size(count):
    """Bytes for people: 12 B, 3.4 kB, 56.7 MB."""
    if count is None:
        return "-"
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 1000:
            break
    return f"{count:.1f} {unit}"


def per_second(rate):
    return "-" if rate is None else f"{size(rate)}/s"


def number(count):
    return "-" if count is None else f"{count:,}"


def plural(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def table(paint, columns, rows):
    """Columns are (title, width), a negative width aligns right; a cell is text or (text, style)."""
    rows = [[(title, "quiet") for title, _ in columns], *rows]
    return [
        " " + "".join(_cell(paint, cell, width) for cell, (_, width) in zip(row, columns)).rstrip()
        for row in rows
    ]


def _cell(paint, cell, width):
    text, style = cell if isinstance(cell, tuple) else (cell, None)
    padding = " " * (abs(width) - len(text))
    return padding + paint(style, text) if width < 0 else paint(style, text) + padding


# --- who is connected to whom

TREE = (("", 18), ("server", 12), ("state", 10), ("offset", -11), ("lag", -9), ("syncs made", -18))
TREE_WIDE = (*TREE, ("receives", -12), ("port", -7), ("pid", -8))


def tree(paint, nodes, width):
    ends = [node.offset() for node in nodes]
    end = max((offset for offset in ends if offset is not None), default=0)
    columns = TREE_WIDE if width >= WIDE else TREE
    rows = [_tree_row(paint, nodes, node, end)[: len(columns)] for node in nodes]
    return table(paint, columns, rows)


def _tree_row(paint, nodes, node, end):
    offset, state = node.offset(), node.state()
    is_behind = offset is not None and node.parent is not None
    runs = not node.absent
    return [
        _branch(nodes, node),
        (node.software, "quiet"),
        (state, STATE_STYLES[state]),
        number(offset),
        size(end - offset) if is_behind else "-",
        _syncs(node),
        per_second(node.stream_rate.per_second()) if node.parent is not None else "-",
        (str(node.process.port), "quiet"),
        (str(node.process.pid) if runs else "-", "quiet"),
    ]


def _branch(nodes, node):
    """With an x where the line is cut."""
    if node.parent is None:
        return node.name
    is_last = [other for other in nodes if other.parent is node.parent][-1] is node
    indent = "    " if node.parent.parent is not None else ""
    is_cut = node.absent or node.parent.absent or node.state() == "link down"
    return f"{indent}{'`' if is_last else '|'}-{'x' if is_cut else '-'} {node.name}"


def _syncs(node):
    full, partial = node.syncs()
    words = [f"{full} full"] if full else []
    words += [f"{partial} partial"] if partial else []
    return ", ".join(words) or "-"


# --- what it costs whom

SERVED = (
    ("has served", 18),
    ("replicas", -8),
    ("full syncs", -12),
    ("partial", -9),
    ("forks", -7),
    ("bytes", -12),
    ("now", -12),
)


def served(paint, nodes):
    """Over all lives of the process; the replicas are those of now."""
    rows = [
        [
            node.name,
            str(node.number("connected_slaves")) if node.info else "-",
            (str(node.total("sync_full")), "strong" if node.parent is None else None),
            str(node.total("sync_partial_ok")),
            (str(node.total("total_forks")), "strong" if node.parent is None else None),
            size(node.sent_bytes()),
            per_second(node.sent_rate.per_second()),
        ]
        for node in nodes
        if node.parent is None or node.parent.parent is None
    ]
    return table(paint, SERVED, rows)


# --- the end

DIGESTS = (("", 11), ("server", 12), ("keys", -5), ("   DEBUG DIGEST", 45), ("", 5))


def digests(paint, nodes, values):
    def verdict(value):
        return ("same", "good") if value == values[0] else ("DIFFERS", "bad")

    rows = [
        [
            node.name,
            (node.software, "quiet"),
            str(node.keys()),
            "   " + value,
            "" if node is nodes[0] else verdict(value),
        ]
        for node, value in zip(nodes, values)
    ]
    return table(paint, DIGESTS, rows)


COSTS = (("the primary gave", 18), ("without the relay", -20), ("with it", -12))


def costs(paint, origin, relay, replicas):
    """Without: what the relay has given in the primary's place. Both are measured."""
    syncs = relay.total("sync_full")
    rows = [
        ["connections", str(len(replicas)), (str(origin.number("connected_slaves")), "strong")],
        ["full syncs", str(syncs), (str(origin.total("sync_full")), "strong")],
        ["forks", f"up to {syncs}", (str(origin.total("total_forks")), "strong")],
        ["bytes", size(relay.sent_bytes()), (size(origin.sent_bytes()), "strong")],
    ]
    return table(paint, COSTS, rows)
