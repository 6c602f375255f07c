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
    level,
    line,
    rect,
    scale,
    shorten,
    text,
)

HALF_CLASSES = 8
"""A confusion matrix of up to so many classes fits half the page's width."""


def draw_heat(heat: Heat) -> Drawing:
    """Return one row of shaded cells a column of the data, with the mean and its range beside."""
    n_cells = sum(len(labels) for _, labels in heat.groups)
    many = len(heat.groups) > 1
    cell = min(58.0, max(9.0, (FULL - 220 if many else 320.0) / max(n_cells, 1)))
    row = 22.0 if len(heat.rows) <= 24 else 19.0
    left, top, gap = 172.0, 44.0, 14.0
    starts = _starts(heat.groups, left, cell, gap)
    right = left + n_cells * cell + (len(heat.groups) - 1) * gap
    known = [v for values in heat.values for v in values if math.isfinite(v)]
    peak = max(known, default=0.0) or 1.0
    parts = _heat_head(heat, starts, cell, top)
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
        width = max(FULL - right - 110, 150.0)
        parts += _mean_bars(heat, (right + 32, top), (width, row))
        right += 32 + width + 72
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


def _heat_head(heat: Heat, starts: Sequence[float], cell: float, top: float) -> list[str]:
    parts, done = [], 0
    for title, labels in heat.groups:
        parts.append(text(starts[done], 16, title, "quiet small"))
        every = math.ceil(20 / cell)  # so narrow cells do not print their labels over each other
        for i, label in enumerate(labels):
            if i % every == 0:
                x = starts[done + i] + cell / 2 - 0.75
                parts.append(text(x, top - 8, label, "mid small"))
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
    n = len(confusion.labels)
    left, top = 132.0, 56.0
    width = HALF if n <= HALF_CLASSES else FULL
    cell = min(136.0 if confusion.large else 96.0, (width - left - 8) / max(n, 1))
    parts = [
        text(left, 16, "predicted", "quiet small"),
        text(left - 10, top - 10, "true", "end quiet small"),
    ]
    for i, label in enumerate(confusion.labels):
        middle = top + i * cell + cell / 2
        parts.append(text(left - 10, middle + 4, shorten(label, 18), "end"))
        letters = max(3, int((cell - 5) / 7))
        x = left + i * cell + cell / 2
        parts.append(text(x, top - 10, shorten(label, letters), "mid small"))
    for r, counts in enumerate(confusion.counts):
        total = sum(counts) or 1
        for c, count in enumerate(counts):
            x, y = left + c * cell, top + r * cell
            shade = level(count / total)
            parts.append(rect(x, y, (cell - 1.5, cell - 1.5), f"r{shade}"))
            at = (x + cell / 2 - 0.75, y + cell / 2 + 3.5)
            parts.append(text(*at, _short_count(count), f"mid small t{shade}"))
    height = top + n * cell
    parts += scale(left, height + 14, 1.0)
    return max(left + n * cell + 8, HALF), height + 44, parts


def _short_count(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"
