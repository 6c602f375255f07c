"""One small reader a role: a column of any dtype becomes numbers, level texts, or texts.

Readers learn nothing from rows. What a reader must know of the whole training column (which
parts of a date vary, which of day and month comes first) is written down in a
:class:`ColumnPlan`; it describes the column's form and holds no statistic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.cells import MISSING_WORDS, cell_text, to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.design import FIRST_LEVEL_CODE, MISSING_CODE, UNKNOWN_CODE, FloatArray, IntArray
from tabnet_auto.errors import InputError, SchemaMismatchError, did_you_mean
from tabnet_auto.frames import list_names
from tabnet_auto.schema import Role, Schema

Texts = NDArray[np.object_]

_EPOCH = np.datetime64("2000-01-01", "us")
_DAY = np.timedelta64(1, "D")
_WEEKDAYS = np.array(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], dtype=object)
_MONTHS = np.array(
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    dtype=object,
)
# A column of 0 and 1 may come back as truth values, and the other way round.
_TRUTH = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class ColumnPlan:
    """How one column is read, now and for every later frame.

    ``parts`` are the parts of a date that varied in the training frame, of ``"year"``,
    ``"week"`` and ``"day"`` (cyclic numbers), ``"month"`` and ``"weekday"`` (categories).
    """

    name: str
    role: Role
    parts: tuple[str, ...] = ()
    day_first: bool = False

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """The numeric features this column becomes."""
        if self.role in ("numeric", "discrete"):
            return (self.name,)
        if self.role == "text":
            return (f"{self.name}:length", f"{self.name}:words")
        if self.role == "datetime":
            cycles = [part for part in ("year", "week", "day") if part in self.parts]
            waves = [f"{self.name}:{part} {wave}" for part in cycles for wave in ("sin", "cos")]
            return (f"{self.name}:days", *waves)
        return ()

    @property
    def category_names(self) -> tuple[str, ...]:
        """The category features this column becomes."""
        if self.role in ("boolean", "categorical", "high_cardinality"):
            return (self.name,)
        if self.role == "discrete":
            return (f"{self.name}:level",)
        calendar = [part for part in ("month", "weekday") if part in self.parts]
        return tuple(f"{self.name}:{part}" for part in calendar)


@dataclass(frozen=True)
class Cells:
    """A frame's cells as plain arrays.

    ``x_num``
        ``(n, n_numeric)`` float64.
    ``levels``
        For each category feature ``(n,)`` level texts, None where missing.
    ``texts``
        For each text column, by name, ``(n,)`` texts, None where missing.
    """

    x_num: FloatArray
    levels: tuple[Texts, ...]
    texts: dict[str, Texts]


@dataclass(frozen=True)
class _Block:
    numbers: tuple[FloatArray, ...] = ()
    levels: tuple[Texts, ...] = ()
    text: Texts | None = None


def plan_columns(frame: pd.DataFrame, schema: Schema) -> tuple[ColumnPlan, ...]:
    """Decide how each used column is read; see :class:`ColumnPlan`."""
    names = tuple(column.name for column in schema.used)
    by_name = dict(zip(names, _select(frame, names), strict=True))
    plans = []
    for column in schema.used:
        plan = ColumnPlan(column.name, column.role)
        if column.role == "datetime":
            series = by_name[column.name]
            day_first = prefers_day_first(series)
            parts = _varying_parts(parse_datetime(series, day_first=day_first))
            plan = ColumnPlan(column.name, column.role, parts, day_first)
        plans.append(plan)
    return tuple(plans)


def read_cells(frame: pd.DataFrame, plans: tuple[ColumnPlan, ...]) -> Cells:
    """Read the planned columns of a frame; other columns are ignored, nothing is changed.

    Raises
    ------
    SchemaMismatchError
        If a column is missing, occurs twice, or none of its values can be read.
    """
    selected = _select(frame, tuple(plan.name for plan in plans))
    blocks = [_READERS[p.role](p, series) for p, series in zip(plans, selected, strict=True)]
    numbers = [column for block in blocks for column in block.numbers]
    return Cells(
        x_num=np.column_stack(numbers) if numbers else np.zeros((len(frame), 0)),
        levels=tuple(level for block in blocks for level in block.levels),
        texts={
            plan.name: block.text
            for plan, block in zip(plans, blocks, strict=True)
            if block.text is not None
        },
    )


def learn_vocabulary(levels: Texts) -> Texts:
    """Return the distinct levels in sorted order; ``(n_levels,)``.

    Sorted, so that the order of two levels does not depend on the rows they occur in.
    """
    vocabulary: Texts = np.sort(np.asarray(pd.unique(levels[levels != None]), dtype=object))  # noqa: E711
    return vocabulary


def encode_levels(levels: Texts, vocabulary: Texts) -> NDArray[np.int32]:
    """Return shared codes; ``(n,)`` level texts to ``(n,)`` int32, 0 for an unseen level."""
    position, distinct = pd.factorize(levels)
    found = pd.Index(vocabulary, dtype=object).get_indexer(pd.Index(distinct, dtype=object))
    table = np.full(len(distinct) + 1, MISSING_CODE, dtype=np.int32)
    table[:-1] = np.where(found < 0, UNKNOWN_CODE, found + FIRST_LEVEL_CODE)
    return table[position]  # -1, missing, is the last entry


def _select(frame: pd.DataFrame, names: tuple[str, ...]) -> list[pd.Series[Any]]:
    """Columns by their label as text."""
    labels = [str(label) for label in frame.columns]
    occurs = Counter(labels)
    missing = [name for name in names if name not in occurs]
    if missing:
        extra = [label for label in labels if label not in names]
        hints = "".join(did_you_mean(name, extra) for name in missing[:3])
        raise SchemaMismatchError(
            "The frame must have every column that was learned from, however: "
            f"{list_names(missing)} {'is' if len(missing) == 1 else 'are'} missing.{hints} "
            "Add or rename the columns; a column of missing values will do."
        )
    twice = [name for name in names if occurs[name] > 1]
    if twice:
        raise SchemaMismatchError(
            f"Column labels must be unique, however: {list_names(twice)} occur more than once. "
            "Rename or drop the surplus columns."
        )
    found = {str(label): series for label, series in frame.items()}
    return [found[name] for name in names]


# ---------------------------------------------------------------------------------------------
# the readers
# ---------------------------------------------------------------------------------------------


def _read_numeric(plan: ColumnPlan, series: pd.Series[Any]) -> _Block:
    return _Block(numbers=(_numbers(plan, series),))


def _read_discrete(plan: ColumnPlan, series: pd.Series[Any]) -> _Block:
    values = _numbers(plan, series)
    # Through the number, so that 3, 3.0 and "3" are one level whatever the dtype.
    position, distinct = pd.factorize(values)
    names = [cell_text(value) for value in distinct.tolist()]
    return _Block(numbers=(values,), levels=(_hand_out(names, position),))


def _read_levels(plan: ColumnPlan, series: pd.Series[Any]) -> _Block:
    levels = to_text(series)
    if plan.role == "boolean":
        position, distinct = pd.factorize(levels)
        levels = _hand_out([_TRUTH.get(text.lower(), text) for text in distinct], position)
    return _Block(levels=(levels,))


def _read_text(plan: ColumnPlan, series: pd.Series[Any]) -> _Block:
    del plan  # texts are read alike in every column
    texts = to_text(series)
    length = [np.nan if text is None else len(text) for text in texts]
    words = [np.nan if text is None else len(text.split()) for text in texts]
    return _Block(numbers=(np.array(length, float), np.array(words, float)), text=texts)


def _read_datetime(plan: ColumnPlan, series: pd.Series[Any]) -> _Block:
    stamps = parse_datetime(series, day_first=plan.day_first)
    _check_read(plan, series, np.isnat(stamps))
    absent = np.isnat(stamps)
    numbers = [(stamps - _EPOCH) / _DAY]
    for part in ("year", "week", "day"):
        if part in plan.parts:
            angle = 2 * np.pi * _fraction(stamps, part)
            numbers += [np.sin(angle), np.cos(angle)]
    levels = []
    for part, names, index in (
        ("month", _MONTHS, _month(stamps)),
        ("weekday", _WEEKDAYS, _weekday(stamps)),
    ):
        if part in plan.parts:
            levels.append(_hand_out(names.tolist(), np.where(absent, -1, index)))
    return _Block(numbers=tuple(numbers), levels=tuple(levels))


_READERS: dict[str, Callable[[ColumnPlan, pd.Series[Any]], _Block]] = {
    "numeric": _read_numeric,
    "discrete": _read_discrete,
    "boolean": _read_levels,
    "categorical": _read_levels,
    "high_cardinality": _read_levels,
    "datetime": _read_datetime,
    "text": _read_text,
}


def _numbers(plan: ColumnPlan, series: pd.Series[Any]) -> FloatArray:
    try:
        values = to_float(series)
    except InputError as error:
        raise SchemaMismatchError(str(error)) from error
    _check_read(plan, series, np.isnan(values))
    return values


def _check_read(plan: ColumnPlan, series: pd.Series[Any], unread: NDArray[np.bool_]) -> None:
    """Fail if there are values and none of them could be read: the column is another one."""
    if len(unread) == 0 or not unread.all():
        return
    # Infinite numbers and words such as "n/a" are missing and not unreadable.
    present = [t for t in to_text(series) if t is not None and t.lower() not in MISSING_WORDS]
    if present:
        kind = "a date" if plan.role == "datetime" else "a number"
        raise SchemaMismatchError(
            f"Column {plan.name!r} is read as {plan.role}, however: none of its {len(present)} "
            f"values is {kind}, for example {present[0]!r}. Pass the values it was learned "
            "from, or give it another role with roles= when fitting."
        )


def _hand_out(names: list[str | None], position: IntArray) -> Texts:
    """Names by position, None at -1."""
    table = np.empty(len(names) + 1, dtype=object)
    table[:-1] = names
    return table[position]


# ---------------------------------------------------------------------------------------------
# parts of dates; values where the date is missing are never looked at
# ---------------------------------------------------------------------------------------------


def _varying_parts(stamps: NDArray[np.datetime64]) -> tuple[str, ...]:
    """Parts worth a feature: those that vary, and a weekday only where days are recorded."""
    stamps = stamps[~np.isnat(stamps)]
    daily = bool((_day_of_month(stamps) != 1).any())
    weekly = daily and len(np.unique(_weekday(stamps))) > 1
    seasonal = len(np.unique(_fraction(stamps, "year"))) > 1
    monthly = len(np.unique(_month(stamps))) > 1
    hourly = len(np.unique(_fraction(stamps, "day"))) > 1
    varying = {
        "year": seasonal,
        "week": weekly,
        "day": hourly,
        "month": monthly,
        "weekday": weekly,
    }
    return tuple(part for part, varies in varying.items() if varies)


def _fraction(stamps: NDArray[np.datetime64], part: str) -> FloatArray:
    """How far the year, week or day has gone, from 0 to 1; NaN where missing."""
    days = stamps.astype("datetime64[D]")
    if part == "day":
        gone: FloatArray = (stamps - days) / _DAY
        return gone
    if part == "week":
        return np.where(np.isnat(stamps), np.nan, _weekday(stamps) / 7)
    gone = (days - stamps.astype("datetime64[Y]").astype("datetime64[D]")) / _DAY
    return gone / 365.25


def _weekday(stamps: NDArray[np.datetime64]) -> IntArray:
    # Day 0, 1970-01-01, was a Thursday.
    return (stamps.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _month(stamps: NDArray[np.datetime64]) -> IntArray:
    return stamps.astype("datetime64[M]").astype(np.int64) % 12


def _day_of_month(stamps: NDArray[np.datetime64]) -> FloatArray:
    days: FloatArray = (stamps.astype("datetime64[D]") - stamps.astype("datetime64[M]")) / _DAY
    return days + 1
