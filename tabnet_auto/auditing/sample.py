"""Rows as one matrix of numbers, train and test read alike: what all checks look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.cells import to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.schema import Column, Schema
from tabnet_auto.table import Table

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

MAX_CELLS = 2_000_000
"""Cells of either side that are read, at most: longer tables are sampled evenly."""
_NUMBERS = ("numeric", "discrete")


@dataclass(frozen=True, eq=False)
class Sample:
    """Training rows, and test rows if there are any, in the order in which they came.

    ``x (n, D)`` and ``x_test (m, D)``
        The used columns as numbers: instants in seconds, levels as positions in alphabetical
        order among the levels of both sides; NaN where missing.
    ``is_level (D,)``
        Whether a column's numbers are levels.
    ``ids (n, K)``
        Identifiers, read the same way; they are not learned from.
    ``y (n,)``
        Class positions or values.
    ``labels (n,)`` and ``test_labels (m,)``
        Equal numbers for equal targets, where the test frame holds the target too; else None.
    ``place (n,)``
        Where in the caller's table a row stands.
    ``groups (n,)``
        The user's groups as numbers, if given.
    """

    columns: tuple[str, ...]
    x: Floats
    is_level: NDArray[np.bool_]
    x_test: Floats | None
    id_names: tuple[str, ...]
    ids: Floats
    y: NDArray[Any]
    labels: NDArray[np.int64] | None
    test_labels: NDArray[np.int64] | None
    schema: Schema
    place: NDArray[np.int64]
    groups: NDArray[np.int64] | None

    @property
    def n_rows(self) -> int:
        """Rows of the training side."""
        return len(self.x)


def spaced(n: int, at_most: int) -> NDArray[np.int64]:
    """Return at most so many evenly spaced positions out of ``n``."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, max(at_most, 1))).astype(np.int64))


def take_sample(
    table: Table, schema: Schema, y: NDArray[Any], test: pd.DataFrame | None, at_most: int
) -> Sample:
    """Read at most ``at_most`` rows of either side."""
    import pandas as pd

    place = spaced(len(y), at_most)
    train = table.frame.iloc[place]
    other = None if test is None else test.iloc[spaced(len(test), at_most)]
    used = [c for c in schema.used if other is None or c.name in other.columns]
    ids = [c for c in schema if c.role == "identifier"]
    read = [_read(train, other, column) for column in used]
    labels, test_labels = _labels(train, other, table.target)
    groups = None if table.groups is None else pd.factorize(table.groups)[0][place]
    return Sample(
        columns=tuple(column.name for column in used),
        x=_stack([here for here, _ in read], len(place)),
        is_level=np.array([_is_level(column) for column in used], dtype=bool),
        x_test=None if other is None else _stack([there for _, there in read], len(other)),
        id_names=tuple(column.name for column in ids),
        ids=_stack([_read(train, None, column)[0] for column in ids], len(place)),
        y=y[place], labels=labels, test_labels=test_labels, schema=schema,
        place=place, groups=groups,
    )  # fmt: skip


def rows_for(n_columns: int) -> int:
    """Rows of so many columns that are read, at most."""
    return max(2_000, MAX_CELLS // max(n_columns, 1))


def _labels(
    train: pd.DataFrame, test: pd.DataFrame | None, target: str
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    import pandas as pd

    if test is None or target not in test.columns:
        return None, None
    texts = [to_text(frame[target]) for frame in (train, test)]
    codes = pd.factorize(np.concatenate(texts), use_na_sentinel=False)[0]
    return codes[: len(train)], codes[len(train) :]


def _stack(columns: Sequence[Floats], n_rows: int) -> Floats:
    return np.stack(columns, axis=1) if columns else np.empty((n_rows, 0))


def _is_level(column: Column) -> bool:
    return column.role not in (*_NUMBERS, "datetime", "identifier")


def _read(train: pd.DataFrame, test: pd.DataFrame | None, column: Column) -> tuple[Floats, Floats]:
    """Read a column of both sides alike; nothing for a side that is not there."""
    sides = [frame[column.name] for frame in (train, test) if frame is not None]
    if column.role in _NUMBERS:
        found = [to_float(series) for series in sides]
    elif column.role == "datetime":
        found = [_seconds(series, day_first=prefers_day_first(sides[0])) for series in sides]
    else:
        found = _positions(sides)
    return found[0], (found[1] if len(found) > 1 else np.empty(0))


def _seconds(series: pd.Series[Any], *, day_first: bool) -> Floats:
    instants = parse_datetime(series, day_first=day_first)
    values = instants.astype("datetime64[s]").astype(np.float64)
    values[np.isnat(instants)] = np.nan
    return values


def _positions(sides: Sequence[pd.Series[Any]]) -> list[Floats]:
    """Return levels as positions in one order for all sides: numbers by size, text by letters."""
    import pandas as pd

    texts = np.concatenate([to_text(series) for series in sides])
    codes, levels = pd.factorize(texts)
    numbers = pd.to_numeric(pd.Series(levels, dtype=object), errors="coerce").to_numpy()
    order = np.argsort(levels.astype(str) if np.isnan(numbers).any() else numbers, kind="stable")
    position = np.empty(len(levels) + 1)
    position[order] = np.arange(len(levels))
    position[-1] = np.nan
    found = position[codes]
    return np.split(found, np.cumsum([len(series) for series in sides])[:-1])
