"""Panels become pictures: every one an ``<img>`` with its numbers in a table below.

Pictures are data URIs because notebooks strip inline SVG from pages they do not trust and leave
its words behind. All functions are pure: the same panel gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from tabnet_auto.view.figures import (
    Chart,
    Confusion,
    Figure,
    Heat,
    Histogram,
    Paired,
    Scatter,
    Series,
    Strip,
    Table,
)
from tabnet_auto.view.svg import (
    N_COLOURS,
    Frame,
    bare_percent,
    data_uri,
    document,
    escape,
    level,
    line,
    minus,
    number,
    rect,
    scale,
    shorten,
    span,
    text,
    tick_label,
    ticks,
)
from tabnet_auto.view.tables import format_alike, format_cell, table_html

HALF_CLASSES = 8
"""A confusion matrix of up to so many classes fits half the page's width."""
_NAME_WIDTH = 24  # letters of a column name that fit beside a heat map
_CLOUD_LAYERS = 6
_DOT_WIDTH = 9.0
# Widths of a picture across the page, and of two side by side.
_FULL, _HALF = 980.0, 464.0
_RIGHT = 26.0  # so that half of a tick's label fits right of the frame
_N_NUMBERS_INLINE = 200  # rows of the table below a picture


# --- figures ----------------------------------------------------------------------------------


def figure_html(figure: Figure) -> str:
    """Return a titled picture with its note and its numbers."""
    return (
        f'<figure class="ta-figure"><figcaption class="ta-caption">{escape(figure.title)}'
        f"</figcaption>{picture_html(figure)}"
        + (f'<p class="ta-note">{escape(figure.note)}</p>' if figure.note else "")
        + _numbers(figure.table)
        + "</figure>"
    )


def picture_html(figure: Figure) -> str:
    """Return the picture alone, as an image that carries its description."""
    svg, width, height = picture_svg(figure)
    alt = escape(figure.alt)
    return (
        f'<div class="ta-scroll"><img role="img" alt="{alt}" aria-label="{alt}" '
        f'width="{width}" height="{height}" src="{data_uri(svg)}"></div>'
    )


def picture_svg(figure: Figure) -> tuple[str, int, int]:
    """Return the SVG document of a panel, its width and its height."""
    painter = _PAINTERS[type(figure)]
    width, height, parts = painter(figure)
    ramp = isinstance(figure, Heat | Confusion)
    return document(width, height, parts, ramp=ramp), round(width), round(height)


def _numbers(table: Table) -> str:
    if not table.rows:
        return ""
    rows = table.rows[:_N_NUMBERS_INLINE]
    more = len(table.rows) - len(rows)
    caption = f"{table.caption} (first {len(rows)} of {len(table.rows)})" if more else table.caption
    small = Table(caption, table.columns, rows, table.lead)
    return f'<details class="ta-details"><summary>Numbers</summary>{table_html(small)}</details>'


# --- charts -----------------------------------------------------------------------------------

Drawing = tuple[float, float, list[str]]


def _chart(chart: Chart) -> Drawing:
    width, height = (_HALF, 420.0) if chart.unit else (_HALF, 300.0)
    frame = _chart_frame(chart, width, height)
    parts = frame.axes(chart.x_label, chart.y_label, percent=(chart.unit, chart.unit))
    if chart.unit and chart.diagonal:
        parts.append(line(frame.px(0), frame.py(0), (frame.px(1), frame.py(1)), "guide"))
    inside = "".join(_series(frame, series) for series in chart.series)
    box = rect(frame.left - 4, frame.top - 4, (frame.width + 8, frame.height + 8), "")
    parts.append(f'<clipPath id="c">{box}</clipPath><g clip-path="url(#c)">{inside}</g>')
    parts += _legend(chart, width)
    return width, height, parts


def _chart_frame(chart: Chart, width: float, height: float) -> Frame:
    top = 30.0 if chart.unit else 52.0
    if chart.unit:
        x = y = (0.0, 1.0)
    else:
        xs = [v for series in chart.series for v in series.x if math.isfinite(v)]
        x = (min(xs, default=0.0), max(xs, default=1.0))
        x = x if x[0] < x[1] else (x[0] - 0.5, x[1] + 0.5)
        ys = [v for series in chart.series for v in series.y]
        cap = chart.ceiling
        y = span([v for v in ys if cap is None or v <= cap])
    return Frame(58, top, width - 58 - _RIGHT, height - top - 46, x, y)


def _legend(chart: Chart, width: float) -> list[str]:
    """Return one entry a colour, where there are few enough to tell apart."""
    named: dict[int, Series] = {}
    for series in chart.series:
        if named.get(series.group, series).style == "dashed":  # solid ones stand for their group
            named[series.group] = series
        named.setdefault(series.group, series)
    if chart.unit or len(named) < 2:
        return []
    if len(named) > N_COLOURS:
        return [text(width - 16, 18, f"{len(named)} members", "end quiet small")]
    each = min(110.0, (width - 16) / len(named))
    letters = int((each - 24) / 6.4)
    out = []
    for i, (group, series) in enumerate(named.items()):
        x = 2 + i * each
        style = "dashed" if series.style == "dashed" else "line"
        out.append(line(x, 14, (x + 14, 14), f"{style} s{group % N_COLOURS}"))
        out.append(text(x + 19, 18, shorten(series.label, max(letters, 3)), "small"))
    return out


def _series(frame: Frame, series: Series) -> str:
    colour = series.group % N_COLOURS
    if series.style == "points":
        ends = zip(series.x, series.low, series.high, strict=False)
        out = "".join(
            line(frame.px(x), frame.py(a), (frame.px(x), frame.py(b)), f"whisker s{colour}")
            for x, a, b in ends
        )
        return out + "".join(
            _dot(frame, x, y, colour) for x, y in zip(series.x, series.y, strict=True)
        )
    out = f'<path class="{series.style} s{colour}" d="{frame.path(series.x, series.y)}"/>'
    return out + _dot(frame, *series.mark, colour) if series.mark is not None else out


def _dot(frame: Frame, x: float, y: float, colour: int) -> str:
    at = f'cx="{number(frame.px(x))}" cy="{number(frame.py(y))}"'
    return f'<circle class="dot f{colour % N_COLOURS}" {at} r="{number(_DOT_WIDTH / 2)}"/>'


def _histogram(histogram: Histogram) -> Drawing:
    two = len(histogram.series) > 1
    width, height = (_FULL, 300.0) if histogram.wide else (_HALF, 420.0)
    edges = histogram.edges
    most = max((v for _, values in histogram.series for v in values), default=0.0) or 1.0
    top = 52.0 if two else 30.0
    area = (width - 58 - _RIGHT, height - top - 46)
    frame = Frame(58, top, *area, (edges[0], edges[-1]), (0.0, most * 1.05))
    unit = edges[0] == 0.0 and edges[-1] == 1.0
    parts = frame.axes(histogram.x_label, "share of rows", percent=(unit, True))
    for i, (label, values) in enumerate(histogram.series):
        xs = [v for pair in pairwise(edges) for v in pair]
        ys = [v for value in values for v in (value, value)]
        outline = frame.path([edges[0], *xs, edges[-1]], [0.0, *ys, 0.0])
        parts.append(f'<path class="area f{i}" d="{outline}Z"/>')
        parts.append(f'<path class="line s{i}" style="stroke-width:1.5" d="{outline}"/>')
        if two:
            x = 2 + i * 170
            parts.append(rect(x, 8, (12, 12), f"f{i}"))
            parts.append(text(x + 18, 18, shorten(label, 22), "small"))
    if edges[0] < 0.0 < edges[-1]:
        zero = frame.px(0.0)
        parts.append(line(zero, frame.top, (zero, frame.top + frame.height), "guide"))
    return width, height, parts


def _scatter(scatter: Scatter) -> Drawing:
    width, height = _HALF, 420.0
    both = span([*scatter.x, *scatter.y], 0.03)
    frame = Frame(58, 30, width - 58 - _RIGHT, height - 30 - 46, both, both)
    parts = frame.axes(scatter.x_label, scatter.y_label, percent=(False, False))
    # Points of one path do not darken where they overlap; a few layers show the density.
    for layer in range(_CLOUD_LAYERS):
        pairs = zip(scatter.x[layer::_CLOUD_LAYERS], scatter.y[layer::_CLOUD_LAYERS], strict=True)
        dots = "".join(
            f"M{number(frame.px(x))} {number(frame.py(y))}h0"
            for x, y in pairs
            if math.isfinite(x) and math.isfinite(y)
        )
        parts.append(f'<path class="cloud s0" d="{dots}"/>')
    low, high = both
    parts.append(line(frame.px(low), frame.py(low), (frame.px(high), frame.py(high)), "guide"))
    return width, height, parts


# --- heat maps --------------------------------------------------------------------------------


def _heat(heat: Heat) -> Drawing:
    n_cells = sum(len(labels) for _, labels in heat.groups)
    many = len(heat.groups) > 1
    cell = min(58.0, max(9.0, (_FULL - 220 if many else 320.0) / max(n_cells, 1)))
    row = 22.0 if len(heat.rows) <= 24 else 19.0
    left, top, gap = 172.0, 44.0, 14.0
    starts = _starts(heat.groups, left, cell, gap)
    right = left + n_cells * cell + (len(heat.groups) - 1) * gap
    peak = max((v for values in heat.values for v in values), default=0.0) or 1.0
    parts = _heat_head(heat, starts, cell, top)
    for r, (name, values) in enumerate(zip(heat.rows, heat.values, strict=True)):
        y = top + r * row
        parts.append(text(left - 10, y + row / 2 + 4, shorten(name, _NAME_WIDTH), "end"))
        for x, value in zip(starts, values, strict=True):
            shade = level(value / peak)
            size = (cell - 1.5, row - 1.5)
            parts.append(rect(x, y, size, f"r{shade}"))
            if cell >= 32:
                at = (x + cell / 2 - 0.75, y + row / 2 + 3.5)
                parts.append(text(*at, bare_percent(value), f"mid small t{shade}"))
    if heat.mean:
        width = max(_FULL - right - 110, 150.0)
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


def _confusion(confusion: Confusion) -> Drawing:
    n = len(confusion.labels)
    left, top = 132.0, 56.0
    width = _HALF if n <= HALF_CLASSES else _FULL
    cell = min(96.0, (width - left - 8) / max(n, 1))
    parts = [
        text(left, 16, "predicted", "quiet small"),
        text(left - 10, top - 10, "true", "end quiet small"),
    ]
    for i, label in enumerate(confusion.labels):
        middle = top + i * cell + cell / 2
        parts.append(text(left - 10, middle + 4, shorten(label, 18), "end"))
        letters = max(3, int(cell / 7))
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
    return max(left + n * cell + 8, _HALF), height + 44, parts


def _short_count(count: int) -> str:
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"


def _paired(paired: Paired) -> Drawing:
    row, left, top, width = 22.0, 172.0, 34.0, 310.0
    second = left + width + 90
    most = max(paired.left, default=0.0) or 1.0
    low = min((0.0, *paired.right))
    reach = max((paired.right_full, *paired.right)) - low or 1.0
    zero = second + width * -low / reach
    bottom = top + len(paired.rows) * row
    shown = format_alike(paired.right, paired.right_form)
    parts = [
        text(left, 16, paired.left_label, "quiet small"),
        text(second, 16, shorten(paired.right_label, 40), "quiet small"),
        line(zero, top - 6, (zero, bottom), "axis"),
    ]
    for r, name in enumerate(paired.rows):
        y = top + r * row
        share, harm = paired.left[r], paired.right[r]
        parts.append(text(left - 10, y + 14, shorten(name, _NAME_WIDTH), "end"))
        parts.append(rect(left, y + 4, (width * share / most, 13), "bar"))
        parts.append(text(left + width + 46, y + 14, format_cell(share, "share"), "end small"))
        size, below = width * abs(harm) / reach, harm < 0
        css = "bar-below" if below else "bar"
        parts.append(rect(zero - size * below, y + 4, (size, 13), css))
        parts.append(text(second + width + 64, y + 14, minus(shown[r]), "end small"))
    return second + width + 70, bottom + 12, parts


def _strip(strip: Strip) -> Drawing:
    row, left, right = 34.0, 190.0, 150.0
    height = 24 + len(strip.rows) * row
    found = [v for values in strip.values for v in values]
    frame = Frame(left, 10, _FULL - left - right, height - 10, span(found, 0.08), (0.0, 1.0))
    parts = []
    for tick in ticks(*frame.x, 6):
        at = frame.px(tick)
        parts.append(line(at, frame.top, (at, height), "grid"))
        parts.append(text(at, height + 18, tick_label(tick), "mid quiet small"))
    parts.append(text(left + frame.width / 2, height + 38, strip.x_label, "mid"))
    for r, (name, values) in enumerate(zip(strip.rows, strip.values, strict=True)):
        y = frame.top + (r + 0.5) * row
        known = [v for v in values if math.isfinite(v)]
        parts.append(text(left - 12, y + 4, shorten(name, _NAME_WIDTH), "end"))
        parts.append(line(left, y, (left + frame.width, y), "grid"))
        if not known:
            continue
        mean = sum(known) / len(known)
        spread = math.sqrt(sum((v - mean) ** 2 for v in known) / max(len(known) - 1, 1))
        lifts = _lifts([frame.px(value) for value in values])
        for fold, (value, lift) in enumerate(zip(values, lifts, strict=True)):
            if math.isfinite(value):
                parts.append(_dot(frame, value, 1 - (y + lift - frame.top) / frame.height, fold))
        middle = frame.px(mean)
        parts.append(line(middle, y - 11, (middle, y + 11), "range"))
        words = minus(f"{format_cell(mean, 'score')} ± {format_cell(spread, 'score')}")
        parts.append(text(_FULL - 6, y + 4, words, "end small"))
    return _FULL, height + 48, parts


def _lifts(places: Sequence[float]) -> list[float]:
    """Return how far each dot leaves its line, so that none hides its neighbour."""
    lifts = [0.0] * len(places)
    order = sorted((i for i, x in enumerate(places) if math.isfinite(x)), key=places.__getitem__)
    for last, i in pairwise(order):
        if places[i] - places[last] < _DOT_WIDTH:
            lifts[i] = {0.0: -7.0, -7.0: 7.0, 7.0: 0.0}[lifts[last]]
    return lifts


_PAINTERS: dict[type, Callable[[Any], Drawing]] = {
    Chart: _chart,
    Heat: _heat,
    Histogram: _histogram,
    Scatter: _scatter,
    Confusion: _confusion,
    Paired: _paired,
    Strip: _strip,
}
