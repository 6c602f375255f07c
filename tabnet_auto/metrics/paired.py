"""Whether one way to label rows is better than another, beyond the noise of the rows at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

N_RESAMPLES = 200
"""Resamples of the rows that the standard error comes from."""


@dataclass(frozen=True)
class Gain:
    """How much better the second way scores, and the standard error of that difference."""

    gain: float
    error: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the gain is more than one standard error above 0 (the one-SE rule)."""
        return self.gain > self.error


def paired_gain(
    of_confusion: Callable[[Floats], Floats],
    y: NDArray[Any],
    plain: Positions,
    other: Positions,
    weight: Floats,
    n_classes: int,
) -> Gain:
    """Compare two labelings of the same rows by a score of their confusion matrices.

    The standard error is the bootstrap's (Efron 1979), paired: each resample counts a row alike
    for both. Rows of one class and the same two labels are drawn together, by a Poisson number
    of their mean weight.

    Parameters
    ----------
    of_confusion
        Scores of confusion matrices ``(..., n_classes, n_classes)``; greater is better.
    y, plain, other
        ``(n,)`` class positions: the truth and the two labelings.
    weight
        ``(n,)`` sample weights.
    """
    cell, counts = np.unique((y * n_classes + plain) * n_classes + other, return_inverse=True)
    n_rows, total = np.bincount(counts), np.bincount(counts, weight)
    drawn = np.random.default_rng(0).poisson(n_rows, size=(N_RESAMPLES, len(cell)))
    sizes = np.concatenate([total[None], drawn * (total / n_rows)])
    truth, labels = cell // n_classes**2, cell % n_classes**2
    scores = [
        of_confusion(_matrices(sizes, truth * n_classes + own, n_classes))
        for own in (labels // n_classes, labels % n_classes)
    ]
    gains = scores[1] - scores[0]
    return Gain(float(gains[0]), float(np.nanstd(gains[1:])))


def _matrices(sizes: Floats, position: Positions, k: int) -> Floats:
    """Confusion matrices ``(n, k, k)`` of cell sizes ``(n, n_cells)`` at flat positions."""
    order = np.argsort(position, kind="stable")
    first, starts = np.unique(position[order], return_index=True)
    flat = np.zeros((len(sizes), k * k))
    flat[:, first] = np.add.reduceat(sizes[:, order], starts, axis=1)
    return flat.reshape(-1, k, k)
