"""What one training set says about scales, levels and the target; stacked into MemberTables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.config import EncodeConfig
from tabnet_auto.design import (
    FIRST_LEVEL_CODE,
    MISSING_CODE,
    FloatArray,
    IntArray,
    MemberTables,
)

SMALL_TRAINING_SET = 200
"""Up to so many training rows every level gets an embedding: rarity says little there."""

_TINY = float(np.finfo(np.float64).tiny)
_NORMAL_IQR = 1.349  # interquartile range of a standard normal variable


@dataclass(frozen=True)
class SourceTables:
    """What one training set says; the fields are one entry each of :class:`MemberTables`."""

    quantiles: FloatArray
    center: FloatArray
    scale: FloatArray
    lookup: IntArray
    n_rows: IntArray


def fit_tables(
    x_num: FloatArray,
    codes: IntArray,
    n_codes: tuple[int, ...],
    minimum: tuple[int, ...],
    config: EncodeConfig,
) -> SourceTables:
    """Learn all tables but the target's from one training set.

    ``x_num`` are ``(n_sample, n_numeric)`` values of a sample of its rows, ``codes`` the
    ``(n, n_category)`` shared codes of all of them; see :func:`level_lookup` for the rest.
    """
    quantiles, center, scale = numeric_tables(x_num, config.n_quantiles)
    lookup, n_rows = level_lookup(codes, n_codes, minimum, config.max_levels)
    return SourceTables(quantiles, center, scale, lookup, n_rows)


def stack_tables(parts: list[SourceTables], targets: list[tuple[float, float]]) -> MemberTables:
    """Stack the tables of training sets and the centre and scale of their targets."""
    return MemberTables(
        quantiles=np.stack([part.quantiles for part in parts]),
        center=np.stack([part.center for part in parts]),
        scale=np.stack([part.scale for part in parts]),
        lookup=np.stack([part.lookup for part in parts]),
        n_levels=np.stack([part.n_rows for part in parts]).max(axis=0),
        y_center=np.array([center for center, _ in targets]),
        y_scale=np.array([scale for _, scale in targets]),
    )


def numeric_tables(
    x_num: FloatArray, n_quantiles: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Learn quantiles, centre and scale of numeric features.

    The scale is the interquartile range of a normal variable's standard deviation; where that
    is zero half the full range (RealMLP's rule), where that is zero too, 1.

    Parameters
    ----------
    x_num
        ``(n, n_numeric)`` raw values of training rows, NaN where missing.
    n_quantiles
        Number of evenly spaced probabilities from 0 to 1.

    Returns
    -------
    quantiles
        ``(n_numeric, n_quantiles)``, non-decreasing, a repeated value counting for one at most;
        zero for a feature without a value.
    center, scale
        ``(n_numeric,)``; 0 and 1 for a feature without a value.
    """
    ordered = np.sort(x_num, axis=0)  # NaN goes last
    count = np.count_nonzero(~np.isnan(ordered), axis=0)
    quantiles = np.array(
        [_spread_quantiles(v[:n], n_quantiles) for v, n in zip(ordered.T, count, strict=True)]
    ).reshape(-1, n_quantiles)
    low, center, high = _quantiles_of_sorted(ordered, count, np.array([0.25, 0.5, 0.75])).T
    first, last = _quantiles_of_sorted(ordered, count, np.array([0.0, 1.0])).T
    # Divided before subtracted: the difference of two huge values would overflow.
    scale = high / _NORMAL_IQR - low / _NORMAL_IQR
    scale = np.where(scale > _TINY, scale, last / 2 - first / 2)
    return quantiles, center, np.where(scale > _TINY, scale, 1.0)


def _spread_quantiles(ordered: FloatArray, n_quantiles: int) -> FloatArray:
    """Quantiles of sorted values in which a repeated value counts for one quantile at most.

    Plain quantiles of a column that is mostly zeros are mostly zero, and leave no resolution
    for the values that tell rows apart.
    """
    if len(ordered) == 0:
        return np.zeros(n_quantiles)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    count = np.diff(starts, append=len(ordered))
    mass = np.minimum(count, max(1.0, len(ordered) / n_quantiles))
    place = np.cumsum(mass) - mass / 2
    at = np.linspace(place[0], place[-1], n_quantiles)
    # Halved before interpolated: the difference of two huge values would overflow.
    between: FloatArray = 2.0 * np.interp(at, place, ordered[starts] / 2.0)
    return np.maximum.accumulate(between)


def _quantiles_of_sorted(
    ordered: FloatArray, count: IntArray, probability: FloatArray
) -> FloatArray:
    """Linear quantiles of sorted columns, ``(n_columns, n_probabilities)``.

    ``numpy.nanquantile`` goes column by column in Python as soon as there is one NaN.
    """
    if ordered.shape[0] == 0:
        return np.zeros((ordered.shape[1], len(probability)))
    position = probability[:, None] * np.maximum(count - 1, 0)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(ordered, below, axis=0)
    high = np.take_along_axis(ordered, above, axis=0)
    share = position - below
    # Weighted and not low + share * (high - low), which overflows for values of +-1e308.
    between = np.where(low == high, low, low * (1.0 - share) + high * share)
    # Rounding may turn a step round by one unit in the last place.
    between = np.maximum.accumulate(between, axis=0)
    result: FloatArray = np.where(count > 0, between, 0.0).T
    return result


def level_lookup(
    codes: IntArray, n_codes: tuple[int, ...], minimum: tuple[int, ...], max_levels: int
) -> tuple[IntArray, IntArray]:
    """Learn which levels get an embedding row of their own.

    Parameters
    ----------
    codes
        ``(n, n_category)`` shared codes of training rows.
    n_codes, minimum
        For each feature the number of shared codes, and the rows a level needs.
    max_levels
        Most levels with a row of their own, the frequent ones first.

    Returns
    -------
    lookup
        ``(sum(n_codes),)`` int32 embedding row of each shared code: 0 unknown, 1 missing, then
        levels by descending count, ties by code.
    n_rows
        ``(n_category,)`` int64 embedding rows used, unknown and missing included.
    """
    parts = [np.zeros(0, dtype=np.int32)]
    n_rows = np.zeros(len(n_codes), dtype=np.int64)
    for feature, size in enumerate(n_codes):
        count = np.bincount(codes[:, feature], minlength=size)
        count[:FIRST_LEVEL_CODE] = 0
        frequent = np.argsort(-count, kind="stable")[:max_levels]
        frequent = frequent[count[frequent] >= minimum[feature]]
        row = np.zeros(size, dtype=np.int32)
        row[MISSING_CODE] = MISSING_CODE
        row[frequent] = np.arange(len(frequent), dtype=np.int32) + FIRST_LEVEL_CODE
        parts.append(row)
        n_rows[feature] = FIRST_LEVEL_CODE + len(frequent)
    return np.concatenate(parts), n_rows


def minimum_count(role: str, n_rows: int, config: EncodeConfig) -> int:
    """Return the training rows that a level of a column of this role needs, at least 1."""
    if role == "high_cardinality":
        return max(config.min_level_count_high, 1)
    return max(config.min_level_count, 1) if n_rows > SMALL_TRAINING_SET else 1


def target_scale(y: NDArray[np.generic], task: str) -> tuple[float, float]:
    """Return mean and standard deviation of the training rows' values; 0 and 1 for classes."""
    if task != "regression":
        return 0.0, 1.0
    values = y.astype(np.float64)
    spread = float(values.std())
    return float(values.mean()), spread if spread > _TINY else 1.0
