"""Two drawings of the dashboard's own: rows of cells shaded by attention, and bars in pairs."""

from __future__ import annotations

from dataclasses import dataclass

from tabnet_auto.view.draw import picture_svg
from tabnet_auto.view.figures import Figure
from tabnet_auto.view.svg import (
    document,
    level,
    line,
    rect,
    shorten,
    text,
)


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
    lead, cell, row, top = (52.0, 128.0, 92.0), 92.0, 26.0, 40.0
    starts = [0.0, *(sum(lead[: i + 1]) for i in range(len(grid.heads)))]
    left = starts[-1]
    width, height = left + len(grid.columns) * cell + 6, top + len(grid.words) * row + 34
    peak = max((v for weights in grid.weights for v in weights), default=0.0) or 1.0
    parts = [
        text(starts[i] + 6, top - 12, head, "quiet small") for i, head in enumerate(grid.heads)
    ]
    for c, name in enumerate(grid.columns):
        parts.append(text(left + c * cell + cell / 2, top - 12, shorten(name, 13), "mid small"))
    for r, words in enumerate(grid.words):
        y = top + r * row
        middle = y + row / 2 + 3.5
        css = "strong small"
        for i, word in enumerate(words):
            parts.append(text(starts[i] + 6, middle, shorten(word, int(lead[i] / 7)), css))
            css = "small"
        for c, weight in enumerate(grid.weights[r]):
            shade, x = level(weight / peak), left + c * cell
            parts.append(rect(x, y, (cell - 1.5, row - 1.5), f"r{shade}"))
            shown = shorten(grid.cells[r][c], 12) if grid.cells[r][c] else "missing"
            parts.append(text(x + cell / 2, middle, shown, f"mid small t{shade}"))
    parts += _ramp(left, height - 20, peak)
    svg = document(max(width, 480.0), height, parts, ramp=True)
    return Picture(title, alt, svg, round(max(width, 480.0)), round(height), note)


def _ramp(left: float, top: float, peak: float) -> list[str]:
    steps = [rect(left + 22 + i * 5, top, (5.5, 10), f"r{i}") for i in range(24)]
    end = left + 22 + 24 * 5 + 8
    return [
        text(left, top + 9.5, "0%", "quiet small"),
        *steps,
        text(end, top + 9.5, f"{peak:.0%} of the attention", "quiet small"),
    ]


def draw_twin(twin: Twin, title: str, alt: str, note: str) -> Picture:
    """Draw the bars of each column; cells that differ are set in bold."""
    n = len(twin.labels)
    row, top, name, cells, bar = 10.0 + 14 * n, 40.0, 172.0, (108.0,) * n, 420.0
    left = name + sum(cells) + 12
    width, height = left + bar + 58, top + len(twin.columns) * row + 8
    most = max((v for pair in twin.values for v in pair), default=0.0) or 1.0
    parts = [text(left, top - 13, "attention", "quiet small")]
    for i, label in enumerate(twin.labels):
        x = name + 8 + sum(cells[:i])
        parts.append(rect(x, top - 22, (10, 10), f"f{i}"))
        parts.append(text(x + 15, top - 13, shorten(label, 13), "small"))
    for r, column in enumerate(twin.columns):
        y = top + r * row
        parts.append(line(4, y - 1, (width - 6, y - 1), "grid"))
        parts.append(text(name - 10, y + row / 2 + 3, shorten(column, 24), "end"))
        differ = twin.cells[r][0] != twin.cells[r][-1]
        for i, word in enumerate(twin.cells[r]):
            css = "strong small" if differ else "small"
            parts.append(
                text(
                    name + 8 + sum(cells[:i]), y + row / 2 + 3, shorten(word or "missing", 13), css
                )
            )
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
        parts.append(text(at, y + 15, f"{round(value * 100, 1) + 0.0:+.1f}", css))
    return Picture(title, alt, document(width, height, parts), round(width), round(height), note)
