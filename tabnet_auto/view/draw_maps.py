"""Heat maps as the parts of a picture: attention by fold, step or group, and confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabnet_auto.view.figures import Confusion, Heat
from tabnet_auto.view.svg import (
    FULL,
    HALF,
    NAME_WIDTH,
    Drawing,
    bare_percent,
    letters,
    level,
    line,
    rect,
    scale,
    shorten,
    text,
)

LETTER = 7.5
"""Width of a small letter that few are wider than."""
LABEL = 18
"""Letters of a cell's label, at most."""
ROOMY = 60.0
"""Width of a confusion matrix's cell from which its count is written large."""
HALF_CLASSES = 8
"""A confusion matrix of up to so many classes fits half the page's width."""


def draw_heat(heat: Heat) -> Drawing:
    """Return one row of shaded cells a column of the data, with the mean and its range beside."""
    n_cells = sum(len(labels) for _, labels in heat.groups)
    room = FULL - 220 if len(heat.groups) > 1 else 320.0
    names = [label for _, labels in heat.groups for label in labels]
    rise = _rise(names, _cell_width(room, n_cells))
    cell = _cell_width(room - rise, n_cells)
    row = 22.0 if len(heat.rows) <= 24 else 19.0
    left, top, gap = 172.0, 30.0 + max(rise, 14.0), 14.0
    starts = _starts(heat.groups, left, cell, gap)
    right = left + n_cells * cell + (len(heat.groups) - 1) * gap
    known = [v for values in heat.values for v in values if math.isfinite(v)]
    peak = max(known, default=0.0) or 1.0
    parts = _heat_head(heat, starts, cell, top, slanted=rise > 0)
    for r, (name, values) in enumerate(zip(heat.rows, heat.values, strict=True)):
        y = top + r * row
        parts.append(text(left - 10, y + row / 2 + 4, shorten(name, NAME_WIDTH), "end"))
        for x, value in zip(starts, values, strict=True):
            shade = level(value / peak)
            size = (cell - 1.5, row - 1.5)
            parts.append(rect(x, y, size, f"r{shade}"))
            if cell >= 32:
                at = (x + cell / 2 - 0.75, y + row / 2 + 3.5)
                parts.append(text(*at, bare_percent(value), f"mid small t{shade}"))
    if heat.mean:
        aside = max(32.0, rise)
        width = max(FULL - right - aside - 78, 150.0)
        parts += _mean_bars(heat, (right + aside, top), (width, row))
        right += aside + width + 72
    else:
        right += rise
    height = top + len(heat.rows) * row
    parts += scale(left, height + 14, peak)
    return max(right + 6, 480.0), height + 44, parts


def _starts(
    groups: Sequence[tuple[str, tuple[str, ...]]], left: float, cell: float, gap: float
) -> list[float]:
    out: list[float] = []
    for g, (_, labels) in enumerate(groups):
        out += [left + (len(out) + i) * cell + g * gap for i in range(len(labels))]
    return out


def _cell_width(room: float, n_cells: int) -> float:
    return min(58.0, max(9.0, room / max(n_cells, 1)))


def _label_every(cell: float, *, slanted: bool) -> int:
    """Return of how many cells one has its label printed, where they are narrow."""
    return math.ceil((16 if slanted else 20) / cell)


def _rise(labels: Sequence[str], cell: float) -> float:
    """Return how high labels rise that are too long to stand level beside each other; or 0."""
    longest = max((sum(letters(label)) for label in labels), default=0)
    if longest * LETTER <= cell * _label_every(cell, slanted=False):
        return 0.0
    return (min(longest, LABEL) * LETTER + 11) * math.sqrt(0.5)


def _heat_head(
    heat: Heat, starts: Sequence[float], cell: float, top: float, *, slanted: bool
) -> list[str]:
    parts, done = [], 0
    every = _label_every(cell, slanted=slanted)
    ends = [*starts, max(starts[-1] + cell, 480.0)] if starts else []
    for title, labels in heat.groups:
        room = ends[done + len(labels)] - starts[done]
        parts.append(text(starts[done], 16, shorten(title, int(room / LETTER)), "quiet small"))
        for i in range(0, len(labels), every):
            x = starts[done + i] + cell / 2 - 0.75
            said = shorten(labels[i], LABEL)
            css = "small" if slanted else "mid small"
            parts.append(text(x, top - 8, said, css, slanted=slanted))
        done += len(labels)
    return parts


def _mean_bars(heat: Heat, at: tuple[float, float], size: tuple[float, float]) -> list[str]:
    (left, top), (width, row) = at, size
    most = max(heat.high, default=0.0) or 1.0
    parts = [
        text(left, top - 8, "mean; line from lowest to highest fold", "quiet small"),
    ]
    for r, (mean, low, high) in enumerate(zip(heat.mean, heat.low, heat.high, strict=True)):
        y = top + r * row
        middle = y + row / 2 - 0.75
        parts.append(rect(left, y + 4, (width * mean / most, row - 9.5), "bar"))
        a, b = left + width * low / most, left + width * high / most
        parts.append(line(a, middle, (b, middle), "range"))
        parts.append(text(left + width + 52, middle + 4, f"{mean:.1%}", "end small"))
    return parts


def draw_confusion(confusion: Confusion) -> Drawing:
    """Return counts of true by predicted classes, shaded by their share of the true class."""
    n, left = len(confusion.labels), 132.0
    width = HALF if n <= HALF_CLASSES else FULL
    most, room = 136.0 if confusion.large else 96.0, width - left - 8
    rise = _rise(confusion.labels, min(most, room / max(n, 1)))
    cell, top = min(most, (room - rise) / max(n, 1)), 42.0 + max(rise, 14.0)
    css = "mid" if cell > ROOMY else "mid small"
    parts = [
        text(left, 16, "predicted", "quiet small"),
        text(left - 10, top - 10, "true", "end quiet small"),
    ]
    for i, label in enumerate(confusion.labels):
        middle = top + i * cell + cell / 2
        parts.append(text(left - 10, middle + 4, shorten(label, 18), "end"))
        x = left + i * cell + cell / 2
        look = "small" if rise else "mid small"
        parts.append(text(x, top - 10, shorten(label, LABEL), look, slanted=rise > 0))
    for r, counts in enumerate(confusion.counts):
        total = sum(counts) or 1
        for c, count in enumerate(counts):
            x, y = left + c * cell, top + r * cell
            shade = level(count / total)
            parts.append(rect(x, y, (cell - 1.5, cell - 1.5), f"r{shade}"))
            at = (x + cell / 2 - 0.75, y + cell / 2 + 3.5)
            parts.append(text(*at, _short_count(count), f"{css} t{shade}"))
    height = top + n * cell
    parts += scale(left, height + 14, 1.0)
    return max(left + n * cell + 8 + rise, HALF), height + 44, parts


def _short_count(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"
