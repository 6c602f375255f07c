"""Greedy selection of models with replacement, on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.ensemble.blend import Blend, Floats, uniform
from tabnet_auto.folds import Rows

Score = Callable[[Floats, Rows], float]
"""``score(predictions, rows)``, greater is better; NaN where it is not defined."""

N_BAGS = 8
"""Random halves of the rows that the selection is repeated on."""
MAX_BAG_ROWS = 10_000
"""Rows of one half at most: more decide nothing, and cost time."""
MAX_STEPS = 32
"""Models that one selection adds at most."""
USUAL_STEPS = 16
"""Models that one selection adds, about."""
FEW_ROWS = 500
"""Rows of one half where time is short, at least."""
PATIENCE = 5
"""Steps without a better score after which a selection ends."""


def greedy_blend(
    cube: Floats, rows: Rows, score: Score, *, seed: int, until: float | None = None
) -> Blend:
    """Choose weights by ensemble selection (Caruana et al., ICML 2004).

    From the best model on, the model whose joining makes the mean score best is added again and
    again; the best ensemble on the way counts, a model's weight is how often it is in it.
    Against overfitting, the selection is bagged: repeated on random halves of the rows, and the
    weights averaged (the paper bags over models; with the few models of a run, rows vary more).

    Parameters
    ----------
    cube
        ``(K, n, ...)`` out-of-fold predictions of K models for ``rows``.
    rows
        ``(n,)`` row positions, for ``score``.
    score
        What the mean of models is judged by.
    seed
        Of the halves.
    until
        A ``time.monotonic()`` instant: no further half is begun after it. The first always is,
        of as many rows as there is time for.
    """
    rng = np.random.default_rng(seed)
    size = min(max(len(rows) // 2, min(len(rows), 20)), MAX_BAG_ROWS)
    if until is not None:
        size = _affordable(size, cube, rows, score, until)
    weights: list[Floats] = []
    for _ in range(N_BAGS):
        if weights and until is not None and monotonic() >= until:
            break
        half = np.sort(rng.choice(len(rows), size=size, replace=False))
        counts = _select(cube[:, half], rows[half], score)
        weights.append(counts / max(counts.sum(), 1))
    total = np.sum(weights, axis=0)
    if not total.any():  # the score is defined on none of the halves
        return uniform(len(cube))
    return Blend(tuple((total / total.sum()).tolist()))


def _affordable(size: int, cube: Floats, rows: Rows, score: Score, until: float) -> int:
    """Return of how many rows one selection takes the time that is left; of ``size`` at most."""
    start = monotonic()
    score(cube[0, :size], rows[:size])
    now = monotonic()
    share = (until - now) / max(USUAL_STEPS * len(cube) * (now - start), 1e-9)
    return min(size, max(FEW_ROWS, int(share * size)))


def _select(cube: Floats, rows: Rows, score: Score) -> NDArray[np.int64]:
    """How often each model is in the best ensemble of one selection; ``(K,)``."""
    counts = np.zeros(len(cube), dtype=np.int64)
    best, best_score, since = counts, -np.inf, 0
    total = np.zeros(cube.shape[1:])
    for step in range(MAX_STEPS):
        scores = np.array([score((total + model) / (step + 1), rows) for model in cube])
        scores[np.isnan(scores)] = -np.inf
        chosen = int(scores.argmax())
        total = total + cube[chosen]
        counts = counts + np.eye(len(cube), dtype=np.int64)[chosen]
        if scores[chosen] > best_score:
            best, best_score, since = counts, scores[chosen], 0
        elif (since := since + 1) >= PATIENCE:
            break
    return best
