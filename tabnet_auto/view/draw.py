"""Panels become pictures: every one an ``<img>`` with its numbers in a table below.

Pictures are data URIs because notebooks strip inline SVG from pages they do not trust and leave
its words behind. All functions are pure: the same panel gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from tabnet_auto.view.draw_maps import draw_confusion, draw_heat
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
    FULL,
    HALF,
    N_COLOURS,
    NAME_WIDTH,
    Drawing,
    Frame,
    data_uri,
    document,
    escape,
    line,
    minus,
    number,
    rect,
    shorten,
    span,
    text,
    tick_label,
    ticks,
)
from tabnet_auto.view.tables import format_alike, format_cell, table_html

_CLOUD_LAYERS = 6
_DOT_WIDTH = 9.0
_LEGEND_ROW = 20.0
_RIGHT = 26.0  # so that half of a tick's label fits right of the frame
_PRINTED = (25, 8)  # rows and columns of a table that is printed though it is closed


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
    brief = len(table.rows) <= _PRINTED[0] and len(table.columns) <= _PRINTED[1]
    return (
        f'<details class="ta-details{" ta-brief" if brief else ""}"><summary>Numbers</summary>'
        f"{table_html(table, css='ta-sortable')}</details>"
    )


# --- charts -----------------------------------------------------------------------------------


def _chart(chart: Chart) -> Drawing:
    legend, below = _legend(chart, HALF)
    width, height = (HALF, 420.0 + below) if chart.unit else (HALF, 300.0)
    frame = _chart_frame(chart, width, height, 30.0 + below if chart.unit else 52.0)
    parts = frame.axes(chart.x_label, chart.y_label, percent=(chart.unit, chart.unit))
    if chart.unit and chart.diagonal:
        parts.append(line(frame.px(0), frame.py(0), (frame.px(1), frame.py(1)), "guide"))
    inside = "".join(_series(frame, series) for series in chart.series)
    box = rect(frame.left - 4, frame.top - 4, (frame.width + 8, frame.height + 8), "")
    parts.append(f'<clipPath id="c">{box}</clipPath><g clip-path="url(#c)">{inside}</g>')
    return width, height, parts + legend


def _chart_frame(chart: Chart, width: float, height: float, top: float) -> Frame:
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


def _legend(chart: Chart, width: float) -> tuple[list[str], float]:
    """Return one entry a colour, where there are few enough to tell apart, and their height."""
    named: dict[int, Series] = {}
    for series in chart.series:
        if series.style == "line" or series.group not in named:  # solid ones stand for their group
            named[series.group] = series
    if (chart.unit and not chart.legend) or len(named) < 2:
        return [], 0.0
    if len(named) > N_COLOURS:
        return [text(width - 16, 18, f"{len(named)} members", "end quiet small")], _LEGEND_ROW
    # A chart from 0 to 1 grows with its legend, so names may go on below; others have one line.
    longest = max(len(series.label) for series in named.values())
    most = (width - 16) / max(24 + 6.4 * longest, 110.0)
    a_row = int(min(max(most, 2), len(named))) if chart.unit else len(named)
    each = (width - 16) / a_row if chart.unit else min(110.0, (width - 16) / a_row)
    letters = int((each - 24) / 6.4)
    out = []
    for i, (group, series) in enumerate(named.items()):
        x, y = 2 + i % a_row * each, 18 + i // a_row * _LEGEND_ROW
        style = "dashed" if series.style == "dashed" else "line"
        out.append(line(x, y - 4, (x + 14, y - 4), f"{style} s{group % N_COLOURS}"))
        out.append(text(x + 19, y, shorten(series.label, max(letters, 3)), "small"))
    return out, -(-len(named) // a_row) * _LEGEND_ROW


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
    if series.mark is None:
        return out
    width = _DOT_WIDTH * (0.6 if series.style == "faint" else 1.0)
    return out + _dot(frame, *series.mark, colour, width)


def _dot(frame: Frame, x: float, y: float, colour: int, width: float = _DOT_WIDTH) -> str:
    at = f'cx="{number(frame.px(x))}" cy="{number(frame.py(y))}"'
    return f'<circle class="dot f{colour % N_COLOURS}" {at} r="{number(width / 2)}"/>'


def _histogram(histogram: Histogram) -> Drawing:
    two = len(histogram.series) > 1
    width, height = (FULL, 300.0) if histogram.wide else (HALF, 420.0)
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
    width, height = HALF, 420.0
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


# --- bars and strips ------------------------------------------------------------------------


def _paired(paired: Paired) -> Drawing:
    row, left, top, width = 22.0, 172.0, 34.0, 310.0
    second = left + width + 90
    most = max((paired.left_full, *paired.left)) or 1.0
    low = min((0.0, *paired.right))
    reach = max((paired.right_full, *paired.right, *paired.right_mark)) - low or 1.0
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
        parts.append(text(left - 10, y + 14, shorten(name, NAME_WIDTH), "end"))
        parts.append(rect(left, y + 4, (width * share / most, 13), "bar"))
        parts.append(text(left + width + 46, y + 14, format_cell(share, "share"), "end small"))
        size, below = width * abs(harm) / reach, harm < 0
        mark = paired.right_mark[r] if paired.right_mark else -math.inf
        css = "bar-below" if below else "bar" if harm > mark else "bar-pale"
        parts.append(rect(zero - size * below, y + 4, (size, 13), css))
        if paired.right_mark:
            at = zero + width * mark / reach
            parts.append(line(at, y + 2, (at, y + 19), "range"))
        parts.append(text(second + width + 64, y + 14, minus(shown[r]), "end small"))
    return second + width + 70, bottom + 12, parts


def _strip(strip: Strip) -> Drawing:
    row, left, right = 34.0, 190.0, 150.0
    n_folds = max((len(values) for values in strip.values), default=0)
    top = 34.0 if n_folds <= N_COLOURS else 10.0
    height = top + 14 + len(strip.rows) * row
    found = [v for values in strip.values for v in values]
    frame = Frame(left, top, FULL - left - right, height - top, span(found, 0.08), (0.0, 1.0))
    parts = _fold_dots(n_folds, left) if n_folds <= N_COLOURS else []
    for tick in ticks(*frame.x, 6):
        at = frame.px(tick)
        parts.append(line(at, frame.top, (at, height), "grid"))
        parts.append(text(at, height + 18, tick_label(tick), "mid quiet small"))
    parts.append(text(left + frame.width / 2, height + 38, strip.x_label, "mid"))
    for r, (name, values) in enumerate(zip(strip.rows, strip.values, strict=True)):
        y = frame.top + (r + 0.5) * row
        known = [v for v in values if math.isfinite(v)]
        parts.append(text(left - 12, y + 4, shorten(name, NAME_WIDTH), "end"))
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
        parts.append(text(FULL - 6, y + 4, words, "end small"))
    return FULL, height + 48, parts


def _fold_dots(n_folds: int, left: float) -> list[str]:
    """Return which colour is which fold's."""
    parts = []
    for fold in range(n_folds):
        x = left + 8 + fold * 70
        parts.append(f'<circle class="dot f{fold}" cx="{x}" cy="10" r="{number(_DOT_WIDTH / 2)}"/>')
        parts.append(text(x + 10, 14, f"fold {fold + 1}", "small"))
    return parts


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
    Heat: draw_heat,
    Histogram: _histogram,
    Scatter: _scatter,
    Confusion: draw_confusion,
    Paired: _paired,
    Strip: _strip,
}
