"""Scores of predicted classes, each a function of the confusion matrix.

All take weighted confusion matrices ``(..., k, k)``, truth in rows and prediction in columns, and
return ``(...)`` scores: one matrix is a score, a stack of them a search for a decision rule.
Where a score is 0 / 0 it is 0, as in scikit-learn with ``zero_division=0``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def confusion_matrix(
    y: NDArray[Any],
    label: NDArray[Any],
    n_classes: int,
    sample_weight: NDArray[np.floating] | None = None,
) -> Floats:
    """Weighted counts of truth (rows) and prediction (columns); ``(n_classes, n_classes)``."""
    cells = np.bincount(y * n_classes + label, sample_weight, n_classes * n_classes)
    return cells.astype(np.float64).reshape(n_classes, n_classes)


def _ratio(above: Floats, below: Floats) -> Floats:
    ratio: Floats = np.divide(
        above, below, out=np.zeros(np.broadcast(above, below).shape), where=below != 0
    )
    return ratio


def _margins(c: Floats) -> tuple[Floats, Floats, Floats]:
    """Hits, truth and predictions of each class; ``(..., k)``."""
    return np.diagonal(c, axis1=-2, axis2=-1), c.sum(axis=-1), c.sum(axis=-2)


def accuracy(c: Floats) -> Floats:
    """Share of rows that are right."""
    return _ratio(np.trace(c, axis1=-2, axis2=-1), c.sum(axis=(-2, -1)))


def balanced_accuracy(c: Floats) -> Floats:
    """Mean recall of the classes that occur among the rows."""
    hits, truth, _ = _margins(c)
    return _ratio(_ratio(hits, truth).sum(axis=-1), (truth > 0).sum(axis=-1).astype(np.float64))


def _f_by_class(c: Floats, beta: float = 1.0) -> Floats:
    hits, truth, predicted = _margins(c)
    return _ratio((1 + beta**2) * hits, beta**2 * truth + predicted)


def f_beta(c: Floats, beta: float = 1.0) -> Floats:
    """F score of the second of two classes."""
    return _f_by_class(c, beta)[..., 1]


def f1_macro(c: Floats) -> Floats:
    """Mean F1 of the classes that occur in truth or prediction."""
    _, truth, predicted = _margins(c)
    occurring = (truth + predicted > 0).sum(axis=-1).astype(np.float64)
    return _ratio(_f_by_class(c).sum(axis=-1), occurring)


def f1_weighted(c: Floats) -> Floats:
    """Mean F1 of the classes by their share of the truth."""
    truth = c.sum(axis=-1)
    return _ratio((_f_by_class(c) * truth).sum(axis=-1), truth.sum(axis=-1))


def mcc(c: Floats) -> Floats:
    """Matthews correlation (Gorodkin 2004, R_K); 0 where truth or prediction is one class."""
    hits, truth, predicted = _margins(c)
    total = truth.sum(axis=-1)
    joint = hits.sum(axis=-1) * total - (truth * predicted).sum(axis=-1)
    spread_truth = total**2 - (truth**2).sum(axis=-1)
    spread_predicted = total**2 - (predicted**2).sum(axis=-1)
    # Rounding of weighted sums leaves a trace of spread where there is one class.
    one_class = np.minimum(spread_truth, spread_predicted) <= 1e-12 * total**2
    below = np.sqrt(np.maximum(spread_truth * spread_predicted, 0.0))
    return _ratio(joint, np.where(one_class, 0.0, below))


def _kappa(c: Floats, cost: Floats) -> Floats:
    """One less the cost of the errors over their cost if truth and prediction were unrelated."""
    _, truth, predicted = _margins(c)
    total = truth.sum(axis=-1)
    observed = (c * cost).sum(axis=(-2, -1))
    unrelated = np.einsum("...i,ij,...j->...", truth, cost, predicted)
    return np.where(unrelated > 0, 1.0 - _ratio(observed * total, unrelated), 0.0)


def cohen_kappa(c: Floats) -> Floats:
    """Agreement beyond chance (Cohen 1960); 0 where all rows are one class in both."""
    return _kappa(c, 1.0 - np.eye(c.shape[-1]))


def quadratic_weighted_kappa(c: Floats) -> Floats:
    """Agreement beyond chance of ordered classes, errors costing the square of their distance."""
    order = np.arange(c.shape[-1], dtype=np.float64)
    return _kappa(c, (order[:, None] - order) ** 2)
