"""What can be drawn: frozen records of numbers and labels, without a word of markup.

:mod:`tabnet_auto.view.panels` and :mod:`tabnet_auto.view.prediction_panels` make them,
:mod:`tabnet_auto.view.draw` and :mod:`tabnet_auto.view.tables` turn them into markup.
Every picture carries its numbers as a :class:`Table` and says in ``alt`` what is to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cell = str | float | int | None
Form = Literal["text", "score", "count", "share", "seconds"]
"""How a table's column is written: words, a metric's value, an integer, a percentage, a time."""
Style = Literal["line", "faint", "dashed", "points"]


@dataclass(frozen=True)
class TableColumn:
    """One column of a table.

    ``bar`` asks for a small bar behind a share; a ``screen`` column is not printed, for a sheet
    of paper does not scroll.
    """

    label: str
    form: Form = "text"
    bar: bool = False
    screen: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of plain cells; ``None`` and NaN are shown as a dash.

    ``lead`` is the position of the row to point out (the best model), if any. ``source`` is the
    Python that has all rows, for a table that is too long to be shown.
    """

    caption: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    lead: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Series:
    """One line or one set of points of a chart.

    ``group`` picks the colour, ``mark`` is a point to set a dot on, ``low`` and ``high`` are
    the ends of error bars (empty: none). NaN breaks a line.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    group: int = 0
    style: Style = "line"
    mark: tuple[float, float] | None = None
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Chart:
    """Lines and points over two axes.

    ``unit`` is a chart from 0 to 1 on both axes (ROC, calibration), with the diagonal drawn in
    where ``diagonal`` says so; ``legend`` names its lines, as other charts do by themselves.
    ``ceiling`` cuts the vertical axis, so that a wild first epoch does not flatten the rest.
    """

    title: str
    alt: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    table: Table
    note: str = ""
    unit: bool = False
    diagonal: bool = True
    legend: bool = False
    ceiling: float | None = None


@dataclass(frozen=True)
class Heat:
    """A heat map of shares, one row a column of the data, with the mean and its spread beside.

    ``groups`` are the blocks of cells of a row: a heading and the label of each cell.
    ``mean``, ``low`` and ``high`` have one value a row; empty means no bars.
    """

    title: str
    alt: str
    rows: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    values: tuple[tuple[float, ...], ...]
    table: Table
    mean: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Histogram:
    """Shares of rows per bin, one or more groups over the same bins; ``wide`` fills the page."""

    title: str
    alt: str
    x_label: str
    edges: tuple[float, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    table: Table
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Scatter:
    """Points with the diagonal on which prediction and truth agree."""

    title: str
    alt: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    table: Table
    note: str = ""


@dataclass(frozen=True)
class Confusion:
    """Counts of true (rows) against predicted (columns) classes.

    ``large`` cells of few classes make it as tall as the charts from 0 to 1 that stand beside it.
    """

    title: str
    alt: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    table: Table
    note: str = ""
    large: bool = False


@dataclass(frozen=True)
class Paired:
    """Two bars a row on scales of their own: what is read, and what is lost without it.

    ``right`` may be negative; its zero line is drawn. A bar of ``left_full`` or ``right_full`` is
    as long as can be, so that small values look small; without it the largest is. ``right_mark``
    has a line for each bar, which is pale where it does not reach it.
    """

    title: str
    alt: str
    rows: tuple[str, ...]
    left_label: str
    left: tuple[float, ...]
    right_label: str
    right: tuple[float, ...]
    table: Table
    note: str = ""
    right_form: Form = "score"
    left_full: float = 0.0
    right_full: float = 0.0
    right_mark: tuple[float, ...] = ()


@dataclass(frozen=True)
class Strip:
    """Dots on one axis, one line of them a row, with their mean; NaN is left out."""

    title: str
    alt: str
    x_label: str
    rows: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    table: Table
    note: str = ""


Figure = Chart | Heat | Histogram | Scatter | Confusion | Paired | Strip
