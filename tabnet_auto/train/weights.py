"""How much each row counts in each member's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.metrics.objective import Objective

Floats = NDArray[np.float64]
SMALL_VALUES = 0.01
"""Quantile of |y| below which a value's inverse grows no further: a few values near zero would
otherwise be all that is learned."""


def loss_weights(
    y: NDArray[Any],
    weight: NDArray[np.floating] | None,
    train_rows: Sequence[NDArray[np.int64]],
    objective: Objective,
) -> NDArray[np.float32] | None:
    """Sample weights times what the objective adds, with mean 1 over a member's training rows.

    ``y (n,)`` are class positions or values, ``weight (n,)`` sample weights or None. The result
    is ``(M, n)``; what is learned from rows, class shares and small values, is learned from the
    member's training rows. None where all rows count alike.
    """
    if weight is None and objective.class_weight is None and not objective.relative:
        return None
    given = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    own = [given * _class_factor(y, given, rows, objective) * _inverse(y, rows, objective)
           for rows in train_rows]  # fmt: skip
    scaled = [w / w[rows].mean() for w, rows in zip(own, train_rows, strict=True)]
    return np.stack(scaled).astype(np.float32)


def _class_factor(
    y: NDArray[Any], given: Floats, rows: NDArray[np.int64], objective: Objective
) -> Floats | float:
    """Weight of each row's class; balanced, classes have equal weight among the training rows."""
    if objective.class_weight is None:
        return 1.0
    if objective.class_weight == "balanced":
        mass = np.bincount(y[rows], given[rows], int(y.max()) + 1)
        factor = np.divide(mass.sum(), mass, out=np.ones(len(mass)), where=mass > 0)
    else:
        factor = np.asarray(objective.class_weight, dtype=np.float64)
    of_rows: Floats = factor[y]
    return of_rows


def _inverse(y: NDArray[Any], rows: NDArray[np.int64], objective: Objective) -> Floats | float:
    """``1 / |y|`` to the objective's power."""
    if not objective.relative:
        return 1.0
    size = np.abs(y.astype(np.float64))
    floor = max(float(np.quantile(size[rows], SMALL_VALUES)), 1e-6 * float(size[rows].max()))
    inverse: Floats = (1.0 / np.maximum(size, floor or 1.0)) ** objective.relative
    return inverse
