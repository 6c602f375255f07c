"""From the members' out-of-fold predictions to the blend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.folds import Folds

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """How members are averaged: one non-negative weight a member, summing to 1.

    Probabilities and values are averaged as they are: the mean of probabilities keeps the
    blend's log-loss at or below the members' mean (Jensen's inequality).
    """

    weights: tuple[float, ...]

    def apply(self, predictions: Floats) -> Floats:
        """Average predictions ``(M, n, ...)`` over the members."""
        blended: Floats = np.tensordot(np.asarray(self.weights), predictions, axes=1)
        return blended


def blend_members(folds: Folds) -> Blend:
    """Weigh all members alike: the floor that no out-of-fold selection can overfit."""
    return Blend((1.0 / folds.n_members,) * folds.n_members)


def blend_out_of_fold(own: Iterable[Floats], folds: Folds, blend: Blend, n_rows: int) -> Floats:
    """Blend, for every row, the members that did not learn from it.

    ``own[m]`` are member m's predictions of ``folds.valid[m]``, ``(n_valid, ...)``. Rows that
    no member held out (in time-forward splits, the first) are NaN.
    """
    total: Floats | None = None
    mass = np.zeros(n_rows)
    for member, (predictions, rows) in enumerate(zip(own, folds.valid, strict=True)):
        if total is None:
            total = np.zeros((n_rows, *predictions.shape[1:]))
        total[rows] += blend.weights[member] * predictions
        mass[rows] += blend.weights[member]
    if total is None:
        return np.full(n_rows, np.nan)
    mass[mass == 0.0] = np.nan
    return total / mass.reshape(-1, *[1] * (total.ndim - 1))
