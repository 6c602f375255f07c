"""The training table as the caller gave it: rows with a target, and what is said about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.cells import family, plain_cell, to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame, resolve_column
from tabnet_auto.schema import Schema
from tabnet_auto.target import split_target

if TYPE_CHECKING:
    import pandas as pd

GIVEN_AS = "given as "
"""How a column's reason begins, or goes on, where it serves as groups, time or weight."""


@dataclass(frozen=True, eq=False)
class Table:
    """The rows that have a target.

    ``frame`` holds all columns with labels as text and rows counted from 0; ``has_target`` says
    for every row of the caller's frame whether it is among them. ``ignore`` names the columns
    that are not learned from, and why; ``groups``, ``time`` and ``weight`` hold their values.
    """

    frame: pd.DataFrame
    target: str
    has_target: NDArray[np.bool_]
    notes: tuple[str, ...]
    ignore: dict[str, str]
    groups: NDArray[Any] | None
    time: NDArray[Any] | None
    weight: NDArray[np.float64] | None

    def take(self, rows: NDArray[np.int64], note: str) -> Table:
        """Return some of the rows, by increasing position; a note says why."""
        has_target = np.zeros_like(self.has_target)
        has_target[np.flatnonzero(self.has_target)[rows]] = True
        frame = self.frame.iloc[rows].reset_index(drop=True)
        groups, time, weight = (
            None if values is None else values[rows]
            for values in (self.groups, self.time, self.weight)
        )
        return replace(
            self, frame=frame, has_target=has_target, notes=(*self.notes, note), groups=groups,
            time=time, weight=weight,
        )  # fmt: skip

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lay values of the rows with a target over all of the caller's rows, NaN elsewhere."""
        spread = np.full((len(self.has_target), *values.shape[1:]), np.nan)
        spread[self.has_target] = values
        return spread


def read_table(
    train: object,
    target: object,
    *,
    groups: object = None,
    time: object = None,
    weight: object = None,
) -> Table:
    """Read a frame, set rows without a target aside, and take the special columns' values.

    Raises
    ------
    InputError
        If a column is unknown, is the target, or holds values that its purpose does not allow.
    """
    frame = read_frame(train)
    name = resolve_column(target, frame, "target")
    features, series, has_target, notes = split_target(frame, name)
    kept = features.assign(**{name: series})
    special = {
        role: resolve_column(label, frame, role)
        for role, label in (("groups", groups), ("time", time), ("weight", weight))
        if label is not None
    }
    for role, label in special.items():
        if label == name:
            raise InputError(
                f"{role} must be another column than the target, however: {role}={name!r} is the "
                "target."
            )
    found = _groups(kept[special["groups"]]) if "groups" in special else None
    return Table(
        frame=kept,
        target=name,
        has_target=has_target,
        notes=(*notes, *_without_group(found)),
        ignore=_ignored(special),
        groups=found,
        time=read_order(kept[special["time"]]) if "time" in special else None,
        weight=_weights(kept[special["weight"]]) if "weight" in special else None,
    )


def _groups(series: pd.Series[Any]) -> NDArray[Any]:
    """Return each row's group as text; rows without one are a group together."""
    return np.array([text if text is not None else "" for text in to_text(series)], dtype=object)


def _ignored(special: dict[str, str]) -> dict[str, str]:
    """Say of each special column what it was given as; one may serve twice."""
    given: dict[str, list[str]] = {}
    for role, label in special.items():
        given.setdefault(label, []).append(f"{role}=")
    return {label: f"{GIVEN_AS}{' and '.join(roles)}" for label, roles in given.items()}


def special_columns(schema: Schema) -> dict[str, str]:
    """Return the special columns of a schema by what they were given as."""
    return {
        role.removesuffix("="): column.name
        for column in schema
        if (given := column.reason.partition(GIVEN_AS)[2])
        for role in given.split(" and ")
    }


def _without_group(groups: NDArray[Any] | None) -> Iterator[str]:
    n_without = 0 if groups is None else int((groups == "").sum())
    if n_without:
        rows = "1 row has" if n_without == 1 else f"{n_without} rows have"
        yield f"{rows} no value of groups=: folds keep them together, as one group"


def read_order(series: pd.Series[Any]) -> NDArray[Any]:
    """Return sortable values of a time column: numbers, or instants."""
    if family(series) == "number":
        values: NDArray[Any] = to_float(series)
        missing = np.isnan(values)
    else:
        values = parse_datetime(series, day_first=prefers_day_first(series))
        missing = np.isnat(values)
    if missing.any():
        raise InputError(
            f"time must have a number or a date in every row, however: {series.name!r} has none "
            f"in {int(missing.sum())} rows. Fill or drop these rows."
        )
    return values


def _weights(series: pd.Series[Any]) -> NDArray[np.float64]:
    values = to_float(series)
    bad = np.flatnonzero(np.isnan(values) | (values < 0))
    if len(bad):
        raise InputError(
            f"weight must have a number of 0 or more in every row, however: {series.name!r} holds "
            f"{plain_cell(series.iloc[bad[0]])!r} among {len(bad)} such rows. Fill or drop them."
        )
    if values.sum() == 0:
        raise InputError(
            f"Weights must not all be zero, however: {series.name!r} is 0 in all {len(values)} "
            "rows. Check weight=."
        )
    return values
