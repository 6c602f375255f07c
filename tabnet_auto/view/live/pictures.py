"""Two drawings of the dashboard's own: rows of cells shaded by attention, and bars in pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from tabnet_auto.view.draw import picture_svg
from tabnet_auto.view.figures import Figure
from tabnet_auto.view.svg import (
    FULL,
    document,
    level,
    line,
    minus,
    rect,
    scale,
    shorten,
    text,
)

_SHORT_NAME = 10  # letters
_LETTER_WIDTH = 6.6
_CELL_WIDTHS = 52.0, 124.0
_TWIN_CELL, _TWIN_LETTERS = 140.0, 18


@dataclass(frozen=True)
class Picture:
    """An SVG document with its size, heading, description and note."""

    title: str
    alt: str
    svg: str
    width: int
    height: int
    note: str = ""


@dataclass(frozen=True)
class RowGrid:
    """Rows of the data: each column's cell in words, shaded by the attention it got.

    ``heads`` and ``words`` are the leading columns (row, prediction, truth) without a shade.
    """

    heads: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    weights: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Twin:
    """One or two bars a column of the data, with the cells in words."""

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Diverging:
    """One bar a column of the data to the left or right of zero."""

    below: str
    above: str
    columns: tuple[str, ...]
    values: tuple[float, ...]


def from_figure(figure: Figure) -> Picture:
    """Draw a figure of the report."""
    svg, width, height = picture_svg(figure)
    return Picture(figure.title, figure.alt, svg, width, height, figure.note)


def draw_grid(grid: RowGrid, title: str, alt: str, note: str) -> Picture:
    """Draw rows of cells; the darker a cell, the more attention it got."""
    cells = [[cell or "missing" for cell in row] for row in grid.cells]
    heads = [_in_two(name) for name in grid.columns]
    n_lead, row, top = len(grid.heads), 26.0, 40.0 + 13.0 * any(len(head) > 1 for head in heads)
    widths = [
        *(_room([head, *words]) for head, *words in zip(grid.heads, *grid.words, strict=True)),
        *(_room([*head, *own]) for head, *own in zip(heads, *cells, strict=True)),
    ]
    starts = list(accumulate(widths, initial=0.0))
    width, height = max(starts[-1] + 6, 480.0), top + len(grid.words) * row + 34
    peak = max((v for weights in grid.weights for v in weights), default=0.0) or 1.0
    parts = _grid_head(grid.heads, heads, starts, top)
    for r, words in enumerate(grid.words):
        y = top + r * row
        middle = y + row / 2 + 3.5
        for i, word in enumerate(words):
            css = "small" if i else "strong small"
            parts.append(text(starts[i] + 6, middle, shorten(word, _letters(widths[i])), css))
        for c, weight in enumerate(grid.weights[r]):
            shade, x, room = level(weight / peak), starts[n_lead + c], widths[n_lead + c]
            parts.append(rect(x, y, (room - 1.5, row - 1.5), f"r{shade}"))
            shown = shorten(cells[r][c], _letters(room))
            parts.append(text(x + room / 2, middle, shown, f"mid small t{shade}"))
    parts += scale(starts[n_lead], height - 20, peak, " of the attention")
    svg = document(width, height, parts, ramp=True)
    return Picture(title, alt, svg, round(width), round(height), note)


def _grid_head(
    lead: Sequence[str], heads: Sequence[list[str]], starts: Sequence[float], top: float
) -> list[str]:
    """Return the names above the cells, the last line of each just above them."""
    parts = [text(starts[i] + 6, top - 12, name, "quiet small") for i, name in enumerate(lead)]
    for head, (left, right) in zip(heads, pairwise(starts[len(lead) :]), strict=True):
        for above, name in enumerate(reversed(head)):
            shown = shorten(name, _letters(right - left))
            parts.append(text((left + right) / 2, top - 12 - 13 * above, shown, "mid small"))
    return parts


def _in_two(name: str) -> list[str]:
    """Return a long name on two lines where it has a place to break, else on one.

    >>> [_in_two(name) for name in ("age", "housing_median_age", "hours-per-week")]
    [['age'], ['housing_', 'median_age'], ['hours-', 'per-week']]
    """
    places = [found.end() for found in re.finditer(r"[-_. ](?=.)", name)]
    if len(name) <= _SHORT_NAME or not places:
        return [name]
    at = min(places, key=lambda place: abs(place - len(name) / 2))
    return [name[:at], name[at:]]


def _room(words: Sequence[str]) -> float:
    """Return the width that lets all words be read, within bounds."""
    low, high = _CELL_WIDTHS
    letters = max(len(word) + sum(map(str.isupper, word)) / 4 for word in words)
    return min(max(_LETTER_WIDTH * letters + 12.0, low), high)


def _letters(width: float) -> int:
    return int((width - 8.0) / _LETTER_WIDTH)


def draw_twin(twin: Twin, title: str, alt: str, note: str) -> Picture:
    """Draw the bars of each column; cells that differ are set in bold."""
    n = len(twin.labels)
    row, top, name, cells = 10.0 + 14 * n, 40.0, 172.0, (_TWIN_CELL,) * n
    left = name + sum(cells) + 12
    width, height, bar = FULL, top + len(twin.columns) * row + 8, FULL - left - 58
    most = max((v for pair in twin.values for v in pair), default=0.0) or 1.0
    parts = [text(left, top - 13, "attention", "quiet small")]
    for i, label in enumerate(twin.labels):
        x = name + 8 + sum(cells[:i])
        parts.append(rect(x, top - 22, (10, 10), f"f{i}"))
        parts.append(text(x + 15, top - 13, shorten(label, _TWIN_LETTERS), "small"))
    for r, column in enumerate(twin.columns):
        y = top + r * row
        parts.append(line(4, y - 1, (width - 6, y - 1), "grid"))
        parts.append(text(name - 10, y + row / 2 + 3, shorten(column, 24), "end"))
        differ = twin.cells[r][0] != twin.cells[r][-1]
        for i, word in enumerate(twin.cells[r]):
            css = "strong small" if differ else "small"
            shown = shorten(word or "missing", _TWIN_LETTERS)
            parts.append(text(name + 8 + sum(cells[:i]), y + row / 2 + 3, shown, css))
        for i, value in enumerate(twin.values[r]):
            at = y + 4 + i * 14
            parts.append(rect(left, at, (max(bar * value / most, 1.0), 12), f"f{i}"))
            parts.append(text(width - 8, at + 10, f"{value:.1%}", "end small"))
    return Picture(title, alt, document(width, height, parts), round(width), round(height), note)


def draw_diverging(bars: Diverging, title: str, alt: str, note: str) -> Picture:
    """Draw bars to both sides of zero."""
    row, top, name, half = 24.0, 34.0, 172.0, 170.0
    zero = name + 56 + half
    width, height = zero + half + 62, top + len(bars.columns) * row + 8
    most = max((abs(v) for v in bars.values), default=0.0) or 1.0
    parts = [
        text(zero - 8, 16, f"more for {shorten(bars.below, 30)}", "end quiet small"),
        text(zero + 8, 16, f"more for {shorten(bars.above, 30)}", "quiet small"),
        line(zero, top - 6, (zero, height - 6), "axis"),
    ]
    for r, (column, value) in enumerate(zip(bars.columns, bars.values, strict=True)):
        y, size = top + r * row, half * abs(value) / most
        parts.append(text(name - 10, y + 15, shorten(column, 24), "end"))
        below = value < 0
        parts.append(rect(zero - size * below, y + 4, (size, 14), "f1" if below else "f0"))
        at, css = (zero - size - 6, "end small") if below else (zero + size + 6, "small")
        points = round(value * 100, 1)
        parts.append(text(at, y + 15, minus(f"{points:+.1f}") if points else "0.0", css))
    return Picture(title, alt, document(width, height, parts), round(width), round(height), note)
