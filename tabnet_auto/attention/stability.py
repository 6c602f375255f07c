"""Whether folds and seeds look at the same columns, and rows are told apart at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Pairs = Iterable[tuple[int, int]]

TOP = 5
"""Columns whose overlap is counted, at most; fewer where there are fewer than twice as many."""


@dataclass(frozen=True)
class Stability:
    """Agreement of attention on one common set of rows, as named figures; NaN where undefined.

    ``fold_rank``, ``seed_rank``
        Mean Spearman correlation of the mean attention of two folds (of two seeds of a fold).
    ``fold_top``, ``seed_top``
        Mean Jaccard overlap of their ``top`` most-read columns: 1 the same ones, 0 none.
    ``fold_rows``, ``seed_rows``
        Mean cosine of the weights that two folds (seeds) give to the same row; 1 the same.
    ``spread``
        Mean Jensen-Shannon divergence in bits between a row's weights and the mean over rows,
        mean over folds: 0 where every row gets the same weights, at most 1. It says whether
        attention is instance-wise at all.
    ``chance_rows``
        What ``fold_rows`` would be if weights told rows apart at random: the mean cosine of two
        folds' weights on *different* rows. Agreement on rows is what exceeds it.
    ``top``, ``n_rows``
        Columns counted as the top, and rows of the common set.
    """

    fold_rank: float
    fold_top: float
    fold_rows: float
    seed_rank: float
    seed_top: float
    seed_rows: float
    spread: float
    chance_rows: float
    top: int
    n_rows: int


def measure_stability(weights: Floats, fold: Sequence[int]) -> Stability:
    """Compare members on the same rows.

    Parameters
    ----------
    weights
        ``(M, n, D)`` attention of every member for the same n rows.
    fold
        Fold of each member.
    """
    own = np.asarray(fold)
    folds = np.stack([weights[own == i].mean(axis=0) for i in sorted(set(fold))])
    n_rows, n_columns = weights.shape[1:]
    top = max(1, min(TOP, n_columns // 2))
    between_folds = list(combinations(range(len(folds)), 2))
    between_seeds = [(i, j) for i, j in combinations(range(len(own)), 2) if own[i] == own[j]]

    def compare(values: Floats, pairs: Pairs) -> tuple[float, float, float]:
        mean = values.mean(axis=1)
        return (
            _over(pairs, lambda i, j: spearman(mean[i], mean[j])),
            _over(pairs, lambda i, j: top_overlap(mean[i], mean[j], top)),
            _over(pairs, lambda i, j: _row_cosine(values[i], values[j])),
        )

    fold_rank, fold_top, fold_rows = compare(folds, between_folds)
    seed_rank, seed_top, seed_rows = compare(weights, between_seeds)
    shifted = np.roll(folds, max(1, n_rows // 2), axis=1)
    return Stability(
        fold_rank=fold_rank, fold_top=fold_top, fold_rows=fold_rows,
        seed_rank=seed_rank, seed_top=seed_top, seed_rows=seed_rows,
        spread=float(np.mean([row_spread(own_weights) for own_weights in folds])),
        chance_rows=_over(between_folds, lambda i, j: _row_cosine(folds[i], shifted[j])),
        top=top, n_rows=n_rows,
    )  # fmt: skip


def _over(pairs: Pairs, measure: Callable[[int, int], float]) -> float:
    values = [measure(i, j) for i, j in pairs]
    return float(np.mean(values)) if values else float("nan")


def spearman(a: Floats, b: Floats) -> float:
    """Rank correlation; NaN where one side does not vary."""
    from scipy.stats import rankdata

    x, y = rankdata(a), rankdata(b)
    if len(x) == 0 or x.std() == 0.0 or y.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def top_overlap(a: Floats, b: Floats, top: int) -> float:
    """Jaccard overlap of the ``top`` largest entries: shared ones over all of either.

    >>> top_overlap(np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.2, 0.3]), 2)
    0.3333333333333333
    """
    first, second = (set(np.argsort(-v, kind="stable")[:top].tolist()) for v in (a, b))
    return len(first & second) / len(first | second)


def _row_cosine(a: Floats, b: Floats) -> float:
    """Mean cosine of the rows of two ``(n, D)`` arrays."""
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(axis=1) / np.maximum(scale, 1e-12)))


def row_spread(weights: Floats) -> float:
    """Mean Jensen-Shannon divergence of rows ``(n, D)`` from their mean, in bits.

    Lin 1991, IEEE Trans. Inf. Theory 37(1), equation 3.3: ``H((p + q) / 2) - (H(p) + H(q)) / 2``.

    >>> row_spread(np.array([[0.5, 0.5], [0.5, 0.5]]))
    0.0
    """
    mean = weights.mean(axis=0, keepdims=True)
    between = _entropy((weights + mean) / 2) - (_entropy(weights) + _entropy(mean)) / 2
    return max(0.0, float(between.mean()))


def _entropy(p: Floats) -> Floats:
    return -(p * np.log2(np.maximum(p, 1e-12))).sum(axis=-1)
