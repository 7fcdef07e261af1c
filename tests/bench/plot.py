# SPDX-License-Identifier: MIT
"""The results as one SVG: a panel for each bench, a bar for each set-up, its aims below. By hand, so that
nothing has to be installed for it."""

import html

WIDTH = 900
LABEL = 210
BAR = 18
GAP = 6
HEAD = 34
FOOT = 18
COLORS = {"floor": "#9aa0a6", "relay": "#1a73e8", "direct": "#d93025", "chained": "#f9ab00"}
OTHER = "#5f6368"

# What is plotted of a bench: the first of these that all of its set-ups have.
PLOTTED = ["cpu_s_per_gb", "p99_us", "origin_cpu_s", "mb_s", "first_byte_ms"]


def _metric(result):
    for key in PLOTTED:
        if all(key in figure for figure in result.figures.values()):
            return key
    return None


def _text(x, y, words, size=12, anchor="start", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{html.escape(words)}</text>'
    )


def _bar(top, name, value, words, largest):
    room = WIDTH - LABEL - 110
    length = room * value / largest if largest > 0 else 0
    color = COLORS.get(name.split()[0].rstrip(","), OTHER)
    return [
        _text(LABEL - 8, top + BAR - 5, name, anchor="end"),
        f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{color}"/>',
        _text(LABEL + length + 6, top + BAR - 5, words),
    ]


def _panel(top, result, columns):
    """The panel's elements, and where it ends."""
    key = _metric(result)
    label, form = columns[key]
    parts = [_text(10, top + 18, f"{result.bench.title}: {label}", 14, weight="bold")]
    largest = max(figure[key] for figure in result.figures.values())
    y = top + HEAD
    for name, figure in result.figures.items():
        parts += _bar(y, name, figure[key], form.format(figure[key]), largest)
        y += BAR + GAP
    for aim in result.aims:
        parts.append(_text(LABEL, y + 12, str(aim), 11))
        y += 15
    return parts, y + FOOT


def svg(results, columns):
    parts, y = [], 10
    for result in results:
        if _metric(result) is not None:
            panel, y = _panel(y, result, columns)
            parts += panel
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
