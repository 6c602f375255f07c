"""Folds that go forward in time: learned from before, validated after."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.folds.members import Rows
from tabnet_auto.folds.plan import FoldPlan


def split_by_time(time: NDArray[Any], plan: FoldPlan) -> tuple[list[tuple[Rows, Rows]], str]:
    """Cut the rows, ordered by time, into a first training block and ``n_folds`` blocks to follow.

    Blocks have about as many rows, the first at least as many. A cut moves to the nearest change
    of time: rows of one instant are never on both sides. ``time (n,)`` are numbers or dates.

    Returns
    -------
    pairs
        For each fold sorted training and validation rows.
    rule
        The split in words.

    Raises
    ------
    InputError
        If there are too few instants, the gap leaves a fold without training rows, or it is no
        duration in the time column's units.
    """
    order = np.argsort(time, kind="stable")
    when = time[order]
    cuts = _cuts(when, plan.n_folds)
    gap = _read_gap(plan.gap, time)
    pairs = []
    for start, stop in pairwise(cuts):
        first = 0 if plan.window == "expanding" else max(0, start - cuts[0])
        # The rows of an instant stay together at the old end, too.
        first = int(np.searchsorted(when, when[first], side="left"))
        train = np.arange(first, start)
        train = train[when[start] - when[train] >= gap]
        if len(train) == 0:
            raise InputError(
                "The gap must leave training rows in every fold, however: with "
                f"gap={plan.gap!r} nothing precedes the validation rows from {when[start]}. "
                "Pass a smaller gap or fewer folds."
            )
        pairs.append((np.sort(order[train]), np.sort(order[start:stop])))
    rule = f"{plan.n_folds} folds forward in time"
    rule += ", training windows of equal size" if plan.window == "sliding" else ""
    return pairs, rule + (f", gap {plan.gap}" if plan.gap != 0 else "")


def _cuts(when: NDArray[Any], n_folds: int) -> list[int]:
    """Return the first row of each validation block, and the end."""
    n_rows = len(when)
    size = n_rows // (n_folds + 1)
    starts = np.flatnonzero(when[1:] != when[:-1]) + 1
    if len(starts) < n_folds:
        raise InputError(
            f"There must be more instants than folds by time, however: {len(starts) + 1} different "
            f"times for folds={n_folds}. Pass folds={max(len(starts), 2)} or another time column."
        )
    cuts: list[int] = []
    low = 0
    for i in range(n_folds):
        # Enough changes of time must be left for the cuts that follow.
        allowed = starts[low : len(starts) - (n_folds - 1 - i)]
        nearest = int(np.abs(allowed - (n_rows - (n_folds - i) * size)).argmin())
        cuts.append(int(allowed[nearest]))
        low += nearest + 1
    return [*cuts, n_rows]


def _read_gap(gap: Any, time: NDArray[Any]) -> Any:
    """Return the gap in what differences of the time column are."""
    is_date = time.dtype.kind == "M"
    try:
        length = _duration(gap) if is_date else np.float64(gap)
        usable = bool(length >= type(length)(0))
    except (TypeError, ValueError):
        usable = False
    if not usable:
        wanted = "a duration such as '7D'" if is_date else "a number in the time column's units"
        raise InputError(f"gap must be {wanted}, of 0 or more, however: gap={gap!r}.")
    return length


def _duration(gap: Any) -> np.timedelta64:
    import pandas as pd

    if isinstance(gap, int | float | np.number) and gap != 0:
        raise TypeError(gap)  # nanoseconds to pandas, and days to most readers
    return pd.Timedelta(gap).to_timedelta64()
