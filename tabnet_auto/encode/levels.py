"""Statistics of the levels of a high-cardinality column, cross-fitted where it matters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.config import EncodeConfig
from tabnet_auto.design import FloatArray, IntArray
from tabnet_auto.encode.tables import target_scale
from tabnet_auto.folds import Rows
from tabnet_auto.schema import Schema

# A sigmoid of this width, relative to the smoothing, gives a level with a single row a weight
# of about 0.1, as the usual count / (count + smoothing) does.
_SIGMOID_WIDTH = 0.4
# Targets have a spread of about 1, so a smaller spread of their means is rounding.
_ROUNDING = 1e-9
# Of a weight of zero, as good as.
_LARGEST_EXPONENT = 500.0


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """The statistics of one high-cardinality column, a value for each shared code.

    ``table``
        ``(n_sources, n_codes, n_statistics)`` float32, learned from each training set and
        standardised over its rows. An unseen level has the overall target mean and frequency
        zero; missing is a level of its own, so a statistic is never NaN.
    """

    table: FloatArray

    def encode(self, codes: IntArray) -> FloatArray:
        """Return the statistics of rows; ``(n,)`` codes to ``(n_sources, n, n_statistics)``."""
        result: FloatArray = self.table[:, codes]
        return result

    def select(self, sources: IntArray) -> LevelStatistics:
        """Return the statistics of some training sets only."""
        return replace(self, table=self.table[sources])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays to be saved."""
        return {"table": self.table}


def statistic_names(schema: Schema, config: EncodeConfig) -> tuple[str, ...]:
    """Return what the statistics of a high-cardinality column are called, frequency last."""
    if schema.task == "regression":
        return ("mean", "frequency")
    if len(schema.classes) == 2:
        return (f"share of {schema.classes[1]}", "frequency")
    if len(schema.classes) > config.max_statistic_classes:
        return ("frequency",)
    return (*(f"share of {label}" for label in schema.classes), "frequency")


@dataclass(frozen=True)
class StatisticPlan:
    """What is the same for all high-cardinality columns.

    ``names`` of the statistics; for each training set its ``rows``, its ``targets``
    ``(len(rows), n_targets)`` whose means within a level are taken, and its ``inner`` fold
    numbers ``(len(rows),)``; and the ``smoothing``.
    """

    names: tuple[str, ...]
    rows: tuple[Rows, ...]
    targets: tuple[FloatArray, ...]
    inner: tuple[IntArray, ...]
    smoothing: float


def plan_statistics(
    schema: Schema,
    sources: tuple[Rows, ...],
    y: NDArray[np.generic],
    seed: int,
    config: EncodeConfig,
    groups: IntArray | None = None,
) -> StatisticPlan:
    """Prepare targets and inner folds of every training set once for all columns.

    Rows of a group stay together in the inner folds, too; ``groups (n,)`` are their numbers.
    """
    names = statistic_names(schema, config)
    return StatisticPlan(
        names=names,
        rows=sources,
        targets=tuple(_targets(y[rows], schema.task, len(names) - 1) for rows in sources),
        inner=tuple(
            inner_folds(len(rows), config.n_statistic_folds, seed)
            if groups is None
            else grouped_inner_folds(groups[rows], config.n_statistic_folds, seed)
            for rows in sources
        ),
        smoothing=config.statistic_smoothing,
    )


def fit_column(
    codes: IntArray, n_codes: int, plan: StatisticPlan
) -> tuple[LevelStatistics, tuple[FloatArray, ...]]:
    """Learn one column's statistics from every training set.

    Parameters
    ----------
    codes
        ``(n,)`` shared codes of all rows.
    n_codes
        Number of shared codes.
    plan
        Training sets, their targets and inner folds.

    Returns
    -------
    statistics
        For rows outside a training set.
    values
        For each training set the cross-fitted ``(len(rows), n_statistics)`` of its own rows.
    """
    fitted = [
        fit_level_statistics(codes[rows], n_codes, targets, inner, plan.smoothing)
        for rows, targets, inner in zip(plan.rows, plan.targets, plan.inner, strict=True)
    ]
    table = np.stack([table for table, _ in fitted])
    return LevelStatistics(table), tuple(values for _, values in fitted)


def _targets(y: NDArray[np.generic], task: str, n_targets: int) -> FloatArray:
    if task == "regression":
        center, scale = target_scale(y, task)
        values: FloatArray = (y.astype(np.float64)[:, None] - center) / scale
        return values
    # The second class of two; all classes of more.
    classes = np.array([1]) if n_targets == 1 else np.arange(n_targets)
    hits: FloatArray = np.equal(y[:, None], classes).astype(np.float64)
    return hits


def inner_folds(n_rows: int, n_folds: int, seed: int) -> IntArray:
    """Deal rows into inner folds of equal size at random; ``(n_rows,)`` fold numbers."""
    dealt = np.arange(n_rows) % max(min(n_folds, n_rows), 1)
    return np.random.default_rng(seed).permutation(dealt)


def grouped_inner_folds(groups: IntArray, n_folds: int, seed: int) -> IntArray:
    """Deal whole groups into inner folds at random; ``(n,)`` group to ``(n,)`` fold numbers."""
    names, number = np.unique(groups, return_inverse=True)
    return inner_folds(len(names), n_folds, seed)[number]


def fit_level_statistics(
    codes: IntArray, n_codes: int, targets: FloatArray, inner: IntArray, smoothing: float
) -> tuple[FloatArray, FloatArray]:
    """Learn one column's statistics from one training set.

    A training row's own target must not reach its statistic: its target means come from the
    other inner folds, and its frequency does not count the row itself. So a level that occurs
    once looks in training exactly as an unseen level looks later.

    Parameters
    ----------
    codes
        ``(n,)`` shared codes of the training rows.
    n_codes
        Number of shared codes.
    targets
        ``(n, n_targets)`` numbers whose mean within a level is taken.
    inner
        ``(n,)`` from :func:`inner_folds`.
    smoothing
        Rows at which a level's own mean weighs as much as the overall mean.

    Returns
    -------
    table
        ``(n_codes, n_targets + 1)`` float32, for rows outside the training set.
    values
        ``(n, n_targets + 1)`` float32, for the training rows. Both are standardised by mean and
        spread of these values.
    """
    # category_encoders.CountEncoder would map level by level what is one bincount of codes.
    count = np.bincount(codes, minlength=n_codes)
    table = np.column_stack([_target_table(codes, n_codes, targets, smoothing), np.log1p(count)])
    values = np.empty((len(codes), table.shape[1]))
    values[:, -1] = np.log1p(count[codes] - 1)
    for number in np.unique(inner):
        held, fit = inner == number, inner != number
        means = _target_table(codes[fit], n_codes, targets[fit], smoothing)
        values[held, :-1] = means[codes[held]]
    center, spread = values.mean(axis=0), values.std(axis=0)
    spread[spread < _ROUNDING] = 1.0
    return (
        ((table - center) / spread).astype(np.float32),
        ((values - center) / spread).astype(np.float32),
    )


def _target_table(
    codes: IntArray, n_codes: int, targets: FloatArray, smoothing: float
) -> FloatArray:
    """Smoothed mean of each target by code, less the overall mean; ``(n_codes, n_targets)``.

    Less the overall mean, because that mean differs between inner folds and is lower where the
    held-out rows have high targets: left in, it would tell the network about them.
    """
    if len(codes) == 0:
        return np.zeros((n_codes, targets.shape[1]))
    count = np.bincount(codes, minlength=n_codes)
    # Micci-Barreca (2001), as category_encoders.TargetEncoder computes it, of which importing alone
    # takes longer than this: a sigmoid of the count weighs the level's own mean.
    width = max(_SIGMOID_WIDTH * smoothing, _ROUNDING)
    weight = 1.0 / (1.0 + np.exp(np.minimum((smoothing - count) / width, _LARGEST_EXPONENT)))
    sums = [np.bincount(codes, t - t.mean(), minlength=n_codes) for t in targets.T]
    own = np.column_stack(sums) if sums else np.zeros((n_codes, 0))
    means: FloatArray = own * (weight / np.maximum(count, 1))[:, None]
    return means
