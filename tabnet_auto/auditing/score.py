"""How well one column alone tells something, on rows that did not help to learn it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_BINS = 64
"""Equally filled bins of a column of numbers, at most; missing values have one of their own."""
MAX_CLASSES = 20
"""The most frequent classes that are told apart."""
N_PARTS = 5
"""Parts of the rows, each told by what the others hold."""


class Told(NamedTuple):
    """What a column tells of a target out of part.

    ``r2``: share of the variance of the target (of its ranks, of its classes' indicators) that
    the means of the column's bins explain; 0 or less where they tell nothing. ``auc``: ROC AUC
    where the target has two classes, else NaN.
    """

    r2: float
    auc: float


def as_columns(y: NDArray[Any], n_classes: int) -> Floats:
    """Return what is explained, ``(n, K)``: a class's indicators, or ranks between 0 and 1."""
    import pandas as pd

    if not n_classes:
        ranks = pd.Series(y).rank().to_numpy(dtype=np.float64)
        return ranks[:, None] / max(len(y), 1)
    if n_classes == 2:
        return (y == 1).astype(np.float64)[:, None]
    frequent = np.argsort(-np.bincount(y, minlength=n_classes), kind="stable")[:MAX_CLASSES]
    return (y[:, None] == frequent).astype(np.float64)


def parts_of(n_rows: int, n_parts: int = N_PARTS) -> NDArray[np.int64]:
    """Deal rows into equal parts at random, always the same."""
    return np.random.default_rng(0).permutation(np.arange(n_rows) % n_parts)


def tell(x: Floats, target: Floats, part: NDArray[np.int64], *, is_level: bool) -> Told:
    """Explain ``target (n, K)`` by bins of a column ``x (n,)``, each level a bin of its own.

    A bin's mean is of the other parts' rows, with one row of the overall mean added: rare
    levels and empty bins tell little.
    """
    bins = _bins(x, is_level=is_level)
    n_bins = int(bins.max()) + 1
    n_parts = int(part.max()) + 1
    cell = part * n_bins + bins
    count = np.bincount(cell, minlength=n_parts * n_bins).reshape(n_parts, n_bins)
    n_others = len(x) - count.sum(axis=1)
    total, missed = 0.0, 0.0
    guess = np.empty(0)
    for own in target.T:
        sums = np.bincount(cell, own, n_parts * n_bins).reshape(n_parts, n_bins)
        mean = (sums.sum() - sums.sum(axis=1)) / n_others
        others = sums.sum(axis=0) - sums + mean[:, None]
        guess = (others / (count.sum(axis=0) - count + 1.0))[part, bins]
        missed += float(((own - guess) ** 2).sum())
        total += float(((own - mean[part]) ** 2).sum())
    two = target.shape[1] == 1 and bool(np.isin(target, (0.0, 1.0)).all())
    auc = area(guess, target[:, 0] == 1) if two else float("nan")
    return Told(1.0 - missed / total if total > 0 else 0.0, auc)


def _bins(x: Floats, *, is_level: bool) -> NDArray[np.int64]:
    """Return each row's bin, those of missing values last."""
    there = ~np.isnan(x)
    distinct, code = np.unique(x[there], return_inverse=True)
    bins = np.full(len(x), len(distinct), dtype=np.int64)
    n_bins = min(MAX_BINS, max(2, len(x) // 4))
    if len(distinct) > n_bins and not is_level:
        first = np.searchsorted(np.sort(x[there]), distinct)  # equal values share a bin
        code = (first * n_bins // int(there.sum()))[code]
        bins[:] = n_bins
    bins[there] = code
    return bins


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's correlation where both are there; 0 where one of them does not vary."""
    import pandas as pd

    there = ~(np.isnan(a) | np.isnan(b))
    ranks = [pd.Series(side[there]).rank().to_numpy() for side in (a, b)]
    ranks = [own - own.mean() for own in ranks if len(own)]
    spread = float(np.prod([np.sqrt((own**2).sum()) for own in ranks]))
    return float(np.prod(ranks, axis=0).sum()) / spread if ranks and spread > 0 else 0.0


def area(score: Floats, positive: NDArray[np.bool_]) -> float:
    """ROC AUC; NaN where one side is empty."""
    _, code = np.unique(score, return_inverse=True)
    n = int(code.max(initial=0)) + 1
    yes = np.bincount(code[positive], minlength=n)
    no = np.bincount(code[~positive], minlength=n)
    pairs = float(yes.sum()) * float(no.sum())
    if pairs == 0:
        return float("nan")
    return float((yes * (np.cumsum(no) - 0.5 * no)).sum()) / pairs
