"""What the data suggest about the folds where the user has not said it: said, never done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.cells import to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.folds.plan import read_plan
from tabnet_auto.schema import Column, Schema
from tabnet_auto.table import Table

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 50
"""Rows from which repetition and drift are looked for."""
MIN_ENTITIES = 10
"""Entities below which a column is rather a category that new rows will share."""
MAX_DISTINCT = 0.9
"""Share of distinct values up to which rows of an entity repeat."""
PERIODS = 5
"""Periods of equally many rows that the target is compared over."""
DRIFT_SHARE = 0.02
"""Share of the target's variance between periods from which there is drift ..."""
DRIFT_ROWS = 30.0
"""... if share times rows reaches this: of targets without drift one in 200,000 does."""

_ENTITY = re.compile(
    r"(?:^|[\s_.-])(?:id|ids|uuid|guid|key|ticket)$|[a-z](?:ID|Id)$"
    r"|^(?:user|customer|client|patient|subject|session|account|household|person|device|player|"
    r"machine|vehicle|employee|student|store|shop|seller|merchant)(?:id|[\s_.-]?(?:no|num|number)"
    r"|[\s_.-]?name)?$"
)


_TIME = re.compile(r"^(?:date|datetime|epoch|period|season|time|timestamp|year)$")
"""Names of columns whose numbers say when a row came. Names that end so say it of other things:
a construction year is a house's, not a row's."""


def offer_notes(table: Table, schema: Schema, y: NDArray[Any], folds: object) -> list[str]:
    """Say which argument would keep repeated entities together, or go forward in time.

    Each for users who have not given it: with both, folds do both. Nothing is said where ``folds``
    is more than a number or an ``"auto"`` plan. ``table`` holds the rows of ``y (n,)``.
    """
    plan = read_plan(folds)
    if plan is None or plan.rule != "auto" or len(y) < MIN_ROWS:
        return []
    free = [column for column in schema if column.name not in table.ignore]
    notes: list[str] = []
    if table.groups is None:
        notes += _entities(table.frame, free, plan.n_folds)
    if table.time is None:
        notes += _drifts(table.frame, free, y, schema.classes)
    return notes


def _entities(frame: pd.DataFrame, columns: Iterable[Column], n_folds: int) -> Iterator[str]:
    for column in columns:
        if not _ENTITY.search(column.name) and not _ENTITY.search(column.name.lower()):
            continue
        texts = [text for text in to_text(frame[column.name]) if text is not None]
        n_entities = len(set(texts))
        if max(MIN_ENTITIES, n_folds) <= n_entities <= MAX_DISTINCT * len(texts):
            yield (
                f"column {column.name!r} names {n_entities} entities in {len(texts)} rows, which "
                "fall into training and validation alike: scores hold for known entities. If new "
                f"rows are of new ones, pass groups={column.name!r}"
            )


def _drifts(
    frame: pd.DataFrame, columns: Iterable[Column], y: NDArray[Any], classes: tuple[Any, ...]
) -> Iterator[str]:
    for column in columns:
        when, there = _times(frame[column.name], column)
        share = _between_periods(when[there], y[there], classes)
        if share >= max(DRIFT_SHARE, DRIFT_ROWS / max(int(there.sum()), 1)):
            yield (
                f"the target drifts along {column.name!r}: {share:.0%} of its variance lies "
                f"between {PERIODS} periods, which fall into training and validation alike: "
                "scores hold for known periods. If new rows are later ones, pass "
                f"time={column.name!r}"
            )


def says_when(column: Column) -> bool:
    """Whether a column says when a row came: its dates do, or numbers by their name."""
    if column.role == "datetime":
        return True
    return column.role in ("numeric", "discrete") and bool(_TIME.search(column.name.lower()))


def _times(series: pd.Series[Any], column: Column) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return when each row came, and of which rows that is known: of none, if it is no time."""
    if not says_when(column):
        return np.zeros(len(series)), np.zeros(len(series), dtype=bool)
    if column.role == "datetime":
        instants = parse_datetime(series, day_first=prefers_day_first(series))
        return instants, ~np.isnat(instants)
    values = to_float(series)
    return values, ~np.isnan(values)


def _between_periods(when: NDArray[Any], y: NDArray[Any], classes: tuple[Any, ...]) -> float:
    """Share of the target's variance between periods; the mean over classes by their variance."""
    if len(y) < MIN_ROWS:
        return 0.0
    place = np.searchsorted(np.sort(when), when, side="left")  # rows of one instant together
    period = place * PERIODS // len(y)
    columns = np.eye(len(classes))[y] if classes else y.astype(np.float64)[:, None]
    columns = columns - columns.mean(axis=0)
    total = float((columns**2).sum())
    sums = [(columns[period == p].sum(axis=0) ** 2).sum() / max((period == p).sum(), 1)
            for p in range(PERIODS)]  # fmt: skip
    return float(sum(sums)) / total if total > 0 else 0.0
