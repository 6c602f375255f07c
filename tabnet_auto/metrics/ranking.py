"""Scores of probabilities and of the order that they give the rows or the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[Any]

TOP_SHARE = 0.04
"""Share of the weight, best predictions first, in which AMEX looks for defaults."""
NEGATIVE_WEIGHT = 20.0
"""AMEX kept one in twenty of those who did not default, and weighs them accordingly."""


def sklearn_score(name: str, y: Any, prediction: Any, **keyword: Any) -> float:
    """Call a function of scikit-learn, imported when first used; a partial of it can be pickled."""
    import sklearn.metrics

    return float(getattr(sklearn.metrics, name)(y, prediction, **keyword))


# The metrics that every run has by default are computed here: importing scikit-learn's takes longer
# than the first epoch on small data.


def log_loss(y: Rows, p: Floats, sample_weight: Rows | None = None) -> float:
    """Mean negative logarithm of the true class's probability, at most 34.5 a row."""
    p = np.clip(p, 1e-15, 1.0)
    own = p[np.arange(len(y)), y] / p.sum(axis=1)
    return -float(np.average(np.log(own), weights=sample_weight))


def roc_auc(y: Rows, p: Floats, sample_weight: Rows | None = None) -> float:
    """Area under the ROC curve of the second class."""
    return area(y == 1, p, sample_weight)


def brier(y: Rows, p: Floats, sample_weight: Rows | None = None) -> float:
    """Mean squared error of the probabilities (Brier 1950).

    Of the second class where there are two, summed over the classes where there are more.
    """
    error = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
    return float(np.average(error, weights=sample_weight)) / (2 if p.shape[1] == 2 else 1)


def area(hit: Rows, p: Floats, weight: Rows | None = None) -> float:
    """Area under the ROC curve of weighted rows, ties counting half; much faster on few rows."""
    own = np.ones(len(p)) if weight is None else weight
    _, group = np.unique(p, return_inverse=True)
    up = np.bincount(group, own * hit)
    down = np.bincount(group, own * ~hit)
    below = np.cumsum(down) - down / 2
    return float((up * below).sum() / (up.sum() * down.sum()))


def roc_auc_ovr(
    y: Rows, p: Floats, labels: Rows, sample_weight: Rows | None = None, *, by_share: bool = False
) -> float:
    """One-vs-rest ROC AUC, mean over the classes that occur among the rows.

    ``by_share`` weighs each class by its share of the rows.
    """
    present = [k for k in labels if (y == k).any()]
    areas = [area(y == k, p[:, k], sample_weight) for k in present]
    own = np.ones(len(y)) if sample_weight is None else sample_weight
    shares = [own[y == k].sum() for k in present] if by_share else None
    return float(np.average(areas, weights=shares))


def roc_auc_ovo(
    y: Rows, p: Floats, labels: Rows, sample_weight: Rows | None = None, *, by_share: bool = False
) -> float:
    """One-vs-one ROC AUC (Hand and Till 2001), mean over the pairs that occur among the rows.

    ``by_share`` weighs each pair by its share of the rows.
    """
    own = np.ones(len(y)) if sample_weight is None else sample_weight
    present = [k for k in labels if (y == k).any()]
    areas, shares = [], []
    for i, a in enumerate(present):
        for b in present[i + 1 :]:
            rows = (y == a) | (y == b)
            hit, weight = y[rows] == a, own[rows]
            areas.append((area(hit, p[rows, a], weight) + area(~hit, p[rows, b], weight)) / 2)
            shares.append(weight.sum())
    return float(np.average(areas, weights=shares if by_share else None))


def average_precision(y: Rows, p: Floats, labels: Rows, sample_weight: Rows | None = None) -> float:
    """Mean precision over the rises of recall, without interpolation.

    Of the second class where there are two, else one-vs-rest: the mean over the classes that
    occur among the rows.
    """
    sought = labels[1:] if len(labels) == 2 else [k for k in labels if (y == k).any()]
    return float(np.mean([_precision(y == k, p[:, k], sample_weight) for k in sought]))


def _precision(hit: Rows, p: Floats, weight: Rows | None) -> float:
    """Precision of weighted rows down to each prediction, weighted by what it finds."""
    own = np.ones(len(p)) if weight is None else weight
    _, group = np.unique(-p, return_inverse=True)
    found, seen = np.bincount(group, own * hit), np.cumsum(np.bincount(group, own))
    return float((found * np.cumsum(found) / seen).sum() / found.sum())


def normalized_gini(y: Rows, p: Floats, sample_weight: Rows | None = None) -> float:
    """Gini coefficient of the target in the order of the predictions, over that of its own order.

    For two classes it is 2 * AUC - 1. Rows of equal prediction share what they hold. NaN where
    the target is all equal or sums to 0.
    """
    own = np.ones(len(p)) if sample_weight is None else sample_weight
    best = _gini(y, y, own)
    return _gini(y, p, own) / best if best > 0 else float("nan")


def _gini(y: Rows, p: Rows, weight: Rows) -> float:
    """Twice the area between the Lorenz curve, greatest prediction first, and the diagonal."""
    _, group = np.unique(-p, return_inverse=True)
    mass = np.bincount(group, weight)
    held = np.bincount(group, weight * y)
    if held.sum() <= 0:
        return 0.0
    mass, held = mass / mass.sum(), held / held.sum()
    return float(2 * (mass * (np.cumsum(held) - held / 2)).sum() - 1)


def amex(y: Rows, p: Floats, sample_weight: Rows | None = None) -> float:
    """Mean of normalised Gini and share of the defaults among the top 4 %.

    The metric of Kaggle's "American Express - Default Prediction": both parts weigh a row
    without default twenty times. Rows of equal prediction share what they hold.
    """
    own = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = np.where(y == 0, NEGATIVE_WEIGHT, 1.0) * own
    return 0.5 * (_amex_gini(y, p, weight) / _amex_gini(y, y, weight) + _capture(y, p, weight, own))


def _evened(order_by: Rows, *columns: Rows) -> list[Floats]:
    """Sort columns by descending values, and share them out among rows of equal value."""
    _, group, count = np.unique(-order_by, return_inverse=True, return_counts=True)
    return [np.repeat(np.bincount(group, column) / count, count) for column in columns]


def _amex_gini(y: Rows, p: Rows, weight: Rows) -> float:
    mass, found = _evened(p, weight, weight * y)
    lorenz, even = np.cumsum(found) / found.sum(), np.cumsum(mass) / mass.sum()
    return float(((lorenz - even) * mass).sum())


def _capture(y: Rows, p: Rows, weight: Rows, own: Rows) -> float:
    mass, found = _evened(p, weight, own * y)
    top = np.cumsum(mass) <= int(TOP_SHARE * mass.sum())
    return float(found[top].sum() / found.sum())


def _rank(y: Rows, p: Floats) -> NDArray[np.int64]:
    """Place of the true class among the classes, 1 the most probable; ties by class."""
    own = p[np.arange(len(y)), y][:, None]
    before = np.arange(p.shape[1]) < y[:, None]
    rank: NDArray[np.int64] = 1 + ((p > own) | ((p == own) & before)).sum(axis=1)
    return rank


def map_at_k(y: Rows, p: Floats, sample_weight: Rows | None = None, *, k: int) -> float:
    """Mean average precision of the first ``k`` classes where one is true: the mean of 1 / rank."""
    rank = _rank(y, p)
    return float(np.average(np.where(rank <= k, 1.0 / rank, 0.0), weights=sample_weight))


def top_k_accuracy(y: Rows, p: Floats, sample_weight: Rows | None = None, *, k: int) -> float:
    """Share of rows whose class is among the ``k`` most probable ones."""
    return float(np.average(_rank(y, p) <= k, weights=sample_weight))
