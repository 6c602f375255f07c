"""Tables become markup: how a number is written, and the HTML of a whole table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabnet_auto.view.figures import Cell, Form, Table, TableColumn
from tabnet_auto.view.svg import escape, minus

ROOM = 100_000
"""Bytes that the rows of a table may take: a page with many tables stays small."""
DASH = "–"
"""What a table says where there is no number."""


def format_cell(value: Cell, form: Form) -> str:
    """Return a cell's text.

    >>> [format_cell(v, f) for v, f in ((0.12345, "share"), (0.9, "score"), (None, "count"))]
    ['12.3%', '0.9000', '–']
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    if isinstance(value, str):
        return value
    if form == "share":
        return "<0.1%" if 0 < value < 0.0005 else f"{value:.1%}"
    if form == "count":
        return f"{value:,.0f}"
    if form == "seconds":
        return _duration(float(value))
    return _score(float(value)) if form == "score" else str(value)


def _score(value: float) -> str:
    """Return a metric's value: four decimals, or five digits where it is large or tiny."""
    if value and abs(value) < 0.001:
        return f"{value:.3g}"
    if abs(value) < 100:
        return f"{value:.4f}"
    return f"{value:,.1f}" if abs(value) < 1e7 else f"{value:.5g}"


def _duration(seconds: float) -> str:
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_alike(values: Sequence[float], form: Form) -> list[str]:
    """Return numbers that stand below each other; scores with equally many decimals.

    Beside a large one, a tiny number's digits are noise.

    >>> format_alike([0.1292, 0.0017, -0.000464, 0.0000348, 0.0], "score")
    ['0.1292', '0.0017', '-0.0005', '≈ 0', '0.0000']
    """
    peak = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    alike = form == "score" and 0.0 < peak < 1.0
    decimals = max(4, 2 - math.floor(math.log10(peak))) if alike else 0

    def shown(value: float) -> str:
        if 0.0 < abs(value) < peak / 2000:
            return "≈ 0"
        fixed = alike and math.isfinite(value)
        return f"{value:.{decimals}f}" if fixed else format_cell(value, form)

    return [shown(value) for value in values]


def cell_number(value: float) -> str:
    """Return a cell of the data with four digits, or two decimals where they are more.

    >>> [cell_number(v) for v in (0.0154618, -122.4194, 3.8, 63042.0, 1.5e22, float("nan"))]
    ['0.01546', '-122.42', '3.8', '63042', '1.5e+22', '']
    """
    if not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    if not 100 <= abs(value) < 1e15:
        return f"{value:.4g}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def table_html(table: Table, *, css: str = "", sticky: bool = False, room: int = ROOM) -> str:
    """Return a table; the page's script sorts ``ta-sortable`` ones, and searches them.

    Parameters
    ----------
    table
        What to show.
    css
        Further class names.
    sticky
        Whether the rows scroll below a standing header.
    room
        Bytes that its rows may take; the caption says how many there are of more.
    """
    rows = _rows(table, room)
    head = "".join(map(_head, table.columns))
    words = escape(_caption(table, len(rows)))
    caption = f"<caption>{words}</caption>" if words else ""
    wrap = "ta-scroll ta-tall" if sticky else "ta-scroll"
    label = words or "table"
    return (
        f'<div class="{wrap}" role="group" aria-label="{label}" tabindex="0">'
        f'<table class="ta-table {css}">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _head(column: TableColumn) -> str:
    css = _css(column, number=column.form != "text")
    return f'<th scope="col"{css}>{_breakable(column.label)}</th>'


def _rows(table: Table, room: int) -> list[str]:
    """Return the markup of the rows, as many as have room."""
    peaks = [_peak(table, i) for i in range(len(table.columns))]
    made: list[str] = []
    for r, row in enumerate(table.rows):
        cells = "".join(
            _cell(value, column, peak, first=c == 0)
            for c, (value, column, peak) in enumerate(zip(row, table.columns, peaks, strict=True))
        )
        markup = f"<tr{_lead(table, r)}>{cells}</tr>"
        room -= len(markup.encode())
        if room < 0:
            break
        made.append(markup)
    return made


def _caption(table: Table, shown: int) -> str:
    """Return what the table is, how many of its rows are shown, and where the others are."""
    if shown == len(table.rows):
        return table.caption
    source = f"; all of them: {table.source}" if table.source else ""
    return f"{table.caption} (the first {shown:,} of {len(table.rows):,}{source})"


def _breakable(label: str) -> str:
    """Return a label that, where its column lets it, goes on below after a space or underscore."""
    safe = escape(label)
    return safe if " " in label else safe.replace("_", "_<wbr>")


def _lead(table: Table, row: int) -> str:
    return ' class="ta-lead"' if row == table.lead else ""


def _css(column: TableColumn, *, number: bool) -> str:
    names = " ".join(["ta-num"] * number + ["ta-screen"] * column.screen)
    return f' class="{names}"' if names else ""


def _peak(table: Table, position: int) -> float:
    if not table.columns[position].bar:
        return 0.0
    values = [row[position] for row in table.rows]
    return max((v for v in values if isinstance(v, int | float) and math.isfinite(v)), default=0.0)


def _cell(value: Cell, column: TableColumn, peak: float, *, first: bool) -> str:
    words = format_cell(value, column.form)
    if isinstance(value, str):  # names stand in the first column
        shown = _breakable(words) if first else escape(words)
    else:
        shown = escape(minus(words))
    tag, scope = ("th", ' scope="row"') if first else ("td", "")
    number = bar = ""
    if isinstance(value, int | float) and math.isfinite(value):
        number = f' data-v="{value:.6g}"'
        if peak > 0 and value > 0:
            bar = f'<i class="ta-bar" style="--w:{value / peak:.3f}" aria-hidden="true"></i>'
    css = _css(column, number=column.form != "text" and not number)
    return f"<{tag}{scope}{css}{number}>{shown}{bar}</{tag}>"
