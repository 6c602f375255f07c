"""What a dashboard asks of a model: plain facts and plain callables, so that it knows no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowAttention:
    """Attention of every network to every row.

    ``masks``
        ``(fold, seed, step, row, column)``; the last axis sums to 1.
    ``size``
        ``(fold, seed, step, row)``: how much a step weighs in the mean over the steps.
    """

    masks: NDArray[np.float32]
    size: NDArray[np.float32]

    def pick(
        self, fold: int | None = None, seed: int | None = None, step: int | None = None
    ) -> Floats:
        """Return weights ``(row, column)`` of one fold, seed and step; None is the mean over all.

        Positions count from 0. Steps are averaged by their size, folds and seeds alike.
        """
        here = (_only(fold), _only(seed))
        masks, size = self.masks[here], self.size[here]
        if step is None:
            weight = size[..., None]
            picked = (masks * weight).sum(axis=2) / weight.sum(axis=2).clip(1e-12)
        else:
            picked = masks[:, :, step]
        mean: Floats = picked.mean(axis=(0, 1), dtype=np.float64)
        return mean


def _only(position: int | None) -> slice:
    return slice(None) if position is None else slice(position, position + 1)


@dataclass(frozen=True, eq=False)
class Judged:
    """Predictions of rows whose truth is known.

    ``truth (n,)`` holds class positions or values, ``prediction`` probabilities
    ``(n, n_classes)`` or values ``(n,)``.
    """

    truth: NDArray[Any]
    prediction: Floats


@dataclass(frozen=True, eq=False)
class Source:
    """A model as the dashboard sees it.

    Attributes
    ----------
    target, task, classes, metric
        What is predicted; ``classes`` are the labels as text, empty for values.
    metric_cuts
        Whether the metric looks at labels, so that a threshold moves it.
    features
        The D columns that are learned from, in the order of the last axis of all weights.
    members, steps
        Mean attention ``(fold, seed, D)``, and of each step ``(fold, seed, step, D)``, over
        validation rows.
    refitted
        Whether the networks learned from all rows: they have no validation rows, ``members`` and
        ``steps`` are the means of the folds' networks, and only order the columns.
    held_out
        Out-of-fold predictions of the training rows, where there are any.
    read
        Any table of the user's to a frame whose index counts the rows; raises InputError.
    decide
        Class positions ``(n,)`` that are predicted from probabilities ``(n, n_classes)``.
    threshold
        Probability from which the second of two classes is predicted.
    predict
        Probabilities ``(n, n_classes)`` or values ``(n,)`` of a frame's rows.
    attend
        Attention to a frame's rows.
    truth
        Class positions or values ``(n,)``, NaN where missing; None for a frame without them.
    trained_on
        Out-of-fold predictions of the frame's rows if it is the training frame, else None.
    score
        The metric of ``truth`` and predictions in the form of ``predict``.
    """

    target: str
    task: str
    classes: tuple[str, ...]
    metric: str
    metric_cuts: bool
    features: tuple[str, ...]
    members: Floats
    steps: Floats
    refitted: bool
    held_out: Judged | None
    read: Callable[[object], pd.DataFrame]
    decide: Callable[[Floats], NDArray[np.int64]]
    threshold: float
    predict: Callable[[pd.DataFrame], Floats]
    attend: Callable[[pd.DataFrame], RowAttention]
    truth: Callable[[pd.DataFrame], Floats | None]
    trained_on: Callable[[pd.DataFrame], Floats | None]
    score: Callable[[NDArray[Any], Floats], float]

    @property
    def n_folds(self) -> int:
        """Folds that were trained."""
        return self.steps.shape[0]

    @property
    def n_seeds(self) -> int:
        """Networks a fold."""
        return self.steps.shape[1]

    @property
    def n_steps(self) -> int:
        """Decision steps of a network."""
        return self.steps.shape[2]
