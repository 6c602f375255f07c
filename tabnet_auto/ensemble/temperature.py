"""How sure a blend of probabilities is: a temperature, learned out of fold.

Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2. A mean of several
models is less sure than each of them, and than the truth lets it be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.ensemble.blend import Floats, temper

COLDEST = 0.25
"""The least temperature that is looked at."""
MAX_CELLS = 200_000
"""Probabilities that a temperature is learned from, at most: it is one number."""


def learn_temperature(
    predicted: Floats, y: NDArray[np.int64], weight: NDArray[np.floating] | None
) -> float:
    """Return the temperature, 1 at most, at which the log-loss is least.

    New rows are predicted by the mean of all folds, which is no surer than the one fold that
    predicts a held-out row: the best temperature of held-out rows is the most for theirs.

    Parameters
    ----------
    predicted
        ``(n, n_classes)`` out-of-fold probabilities.
    y, weight
        ``(n,)`` class positions, and sample weights if there are any.
    """
    from scipy.optimize import minimize_scalar

    n, n_classes = predicted.shape
    some = np.linspace(0, n - 1, min(n, max(MAX_CELLS // n_classes, 1))).astype(np.int64)
    own, truth = predicted[some], y[some]
    counts = np.ones(len(some)) if weight is None else weight[some]

    def loss(temperature: float) -> float:
        likely = temper(own, temperature)[np.arange(len(some)), truth]
        return float(-np.sum(counts * np.log(likely.clip(1e-15))))

    found = minimize_scalar(loss, bounds=(COLDEST, 1.0), method="bounded", options={"xatol": 0.005})
    return float(found.x) if found.fun < loss(1.0) else 1.0
