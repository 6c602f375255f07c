"""How far the test rows are from the training rows, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.cells import to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.evidence.record import Drift, Floats
from tabnet_auto.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 5000
"""Rows of either side that are compared, at most."""
N_DEALS = 40
"""Random deals that tell what chance does."""


def sample_positions(n: int) -> NDArray[np.int64]:
    """Return at most ``SAMPLE`` evenly spaced positions out of ``n``."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, SAMPLE)).astype(np.int64))


def measure_drift(
    schema: Schema, train: pd.DataFrame, test: pd.DataFrame, predicted: Floats
) -> Drift:
    """Compare the columns of test and training rows.

    ``predicted`` are predictions of the test rows at :func:`sample_positions`.
    """
    here = train.iloc[sample_positions(len(train))]
    there = test.iloc[sample_positions(len(test))]
    columns = [column for column in schema.used if column.role != "text"]
    pairs = [_shift_of_column(here[c.name], there[c.name], c) for c in columns]
    return Drift(
        columns=[column.name for column in columns],
        shift=np.array([shift for shift, _ in pairs], dtype=np.float64),
        chance=np.array([chance for _, chance in pairs], dtype=np.float64),
        predicted=predicted,
        n_test=len(test),
    )


def _shift_of_column(
    train: pd.Series[Any], test: pd.Series[Any], column: Column
) -> tuple[float, float]:
    if column.role in ("numeric", "discrete", "datetime"):
        a, b = (_values(series, column) for series in (train, test))
        return shift_of(a, b, ordered=True)
    a, b = (
        np.array(["" if text is None else str(text) for text in to_text(series)])
        for series in (train, test)
    )
    return shift_of(a, b, ordered=False)


def _values(series: pd.Series[Any], column: Column) -> Floats:
    if column.role != "datetime":
        return to_float(series)
    instants = parse_datetime(series, day_first=prefers_day_first(series))
    values = instants.astype("datetime64[s]").astype(np.float64)
    values[np.isnat(instants)] = np.nan
    return values


def shift_of(
    train: NDArray[Any], test: NDArray[Any], *, ordered: bool, seed: int = 0
) -> tuple[float, float]:
    """Return the distance of two samples, and what chance alone would reach.

    Parameters
    ----------
    train, test
        Values ``(n,)`` and ``(m,)``; NaN counts as a value of its own.
    ordered
        Whether order means something: then the distance is Kolmogorov and Smirnov's, the
        largest difference of the distribution functions (missing values come last), otherwise
        the total variation, half the sum of the differences of all shares.
    seed
        Of the random deals.

    Returns
    -------
    tuple of float
        The distance, from 0 to 1, and the 95 % quantile of the distance when the same rows are
        dealt to two sides of these sizes at random.
    """
    pooled = np.concatenate([train, test])
    n_train, n = len(train), len(pooled)
    if n_train in (0, n):
        return float("nan"), float("nan")
    _, code = np.unique(pooled, return_inverse=True)
    n_codes = int(code.max()) + 1
    rng = np.random.default_rng(seed)
    side = np.arange(n) < n_train
    found = _distance(code, side, n_codes, ordered=ordered)
    dealt = [
        _distance(code, rng.permutation(side), n_codes, ordered=ordered) for _ in range(N_DEALS)
    ]
    return found, float(np.quantile(dealt, 0.95))


def _distance(
    code: NDArray[np.int64], side: NDArray[np.bool_], n_codes: int, *, ordered: bool
) -> float:
    gap = np.bincount(code[side], minlength=n_codes) / side.sum()
    gap = gap - np.bincount(code[~side], minlength=n_codes) / (~side).sum()
    return float(np.abs(np.cumsum(gap)).max() if ordered else 0.5 * np.abs(gap).sum())
