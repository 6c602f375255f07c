"""Deletion and insertion: what columns do to the loss, taken away or given back in some order.

Deletion and insertion curves are those of Petsiuk et al. 2018 (RISE, arXiv 1806.07421); what is
taken away turns into the learned missing token instead of a made-up value. Column dropout in
training (``NetConfig.column_dropout``) shows the network such rows, so that a loss that rises
speaks of the column and not of a strange input (Hooker et al. 2019, ROAR, arXiv 1806.10758). The
published TabNet has no column dropout: there a missing cell reads as the median, and far down the
curves the input is strange to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tabnet_auto.attention.read import (
    Floats,
    Reading,
    Sample,
    blanked,
    mean_losses,
    over_seeds,
    read_sample,
    shuffled,
)

ORDERS = ("attention", "mean attention", "permutation importance", "random")
"""Each row's own attention; the fold's mean attention; the harm of shuffling; chance."""
HARM_COLUMNS = 64
"""Columns that are shuffled one by one, at most: each costs a pass over the sample."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Mean loss of each fold on its held-out rows, on a fixed grid of columns taken away.

    ``removed``
        ``(G,)`` numbers of columns, from 0 to all D.
    ``deletion``
        ``(orders, n_folds, G)``: that many columns missing, the first in the order first.
    ``insertion``
        The same shape: so many columns missing, the *last* in the order first; read from right
        to left, columns come back with the first in the order first.

    Losses are cross-entropy in nats, or half the squared error of the standardised target.
    ``orders`` are :data:`ORDERS`.
    """

    removed: NDArray[np.int64]
    deletion: Floats
    insertion: Floats
    n_rows: int
    orders: tuple[str, ...] = ORDERS

    def damage(self, order: str) -> Floats:
        """Mean rise of the loss along the deletion curve; ``(n_folds,)``, larger is stronger."""
        return self._area(self.deletion[self.orders.index(order)])

    def remainder(self, order: str) -> Floats:
        """Mean rise of the loss along the insertion curve; ``(n_folds,)``, smaller is better."""
        return self._area(self.insertion[self.orders.index(order)])

    def _area(self, loss: Floats) -> Floats:
        width = np.diff(self.removed) / self.removed[-1]
        rise = loss - loss[:, :1]
        area: Floats = ((rise[:, 1:] + rise[:, :-1]) / 2.0 * width).sum(axis=1)
        return area


def shuffle_harm(
    net: nn.Module,
    sample: Sample,
    attention: NDArray[np.floating],
    deadline: float | None = None,
) -> Floats:
    """Rise of the loss with one column shuffled among the rows; ``(M, D)``.

    Permutation importance (Breiman 2001; Fisher et al. 2019, arXiv 1801.01489), all encoded
    parts of a column together. NaN beyond the ``HARM_COLUMNS`` columns with the most
    ``attention (D,)``, and from the moment ``deadline`` (``time.monotonic()``) on.
    """
    base = mean_losses(net, sample)
    harm = np.full((len(base), len(attention)), np.nan)
    order = torch.from_numpy(np.random.default_rng(0).permutation(sample.n_rows))
    order = order.to(sample.y.device)
    for column in np.argsort(-attention, kind="stable")[:HARM_COLUMNS]:
        if _is_over(deadline):
            break
        rows = shuffled(sample.rows, int(column), order, sample.layout)
        harm[:, column] = mean_losses(net, replace(sample, rows=rows)) - base
    return harm


def measure_curves(
    net: nn.Module,
    sample: Sample,
    harm: Floats,
    fold: tuple[int, ...],
    n_points: int,
    deadline: float | None = None,
) -> Curves | None:
    """Take columns away in every order; None where ``deadline`` came first.

    ``harm (D,)`` gives the order of permutation importance; columns without it come last, by
    their attention. ``n_points`` is the size of the grid at most.
    """
    reading = read_sample(net, sample)
    n_columns = reading.weights.shape[2]
    removed = np.unique(np.linspace(0, n_columns, min(n_points, n_columns + 1)).round().astype(int))
    places = _places(reading, harm)
    shape = (len(ORDERS), len(fold), len(removed))
    deletion, insertion = np.empty(shape), np.empty(shape)
    for i, place in enumerate(places):
        rank = torch.from_numpy(place).to(sample.y.device)
        for j, n in enumerate(removed):
            if _is_over(deadline):
                return None
            deletion[i, :, j] = _without(net, sample, rank < int(n))
            insertion[i, :, j] = _without(net, sample, rank >= n_columns - int(n))
    by_fold = [
        np.stack([over_seeds(own, fold) for own in curve]) for curve in (deletion, insertion)
    ]
    return Curves(removed, by_fold[0].astype(float), by_fold[1].astype(float), sample.n_rows)


def _without(net: nn.Module, sample: Sample, gone: torch.Tensor) -> Floats:
    rows = blanked(sample.rows, gone, sample.layout)
    return mean_losses(net, replace(sample, rows=rows))


def _places(reading: Reading, harm: Floats) -> list[NDArray[np.int64]]:
    """For each order, at which place every row loses each column; ``(M, n, D)`` from 0."""
    weights = reading.weights.astype(float)
    mean = np.broadcast_to(weights.mean(axis=1, keepdims=True), weights.shape)
    known = np.where(np.isnan(harm), np.nanmin(harm, initial=0.0) - 2.0 + mean, harm)
    chance = np.random.default_rng(0).random(weights.shape)
    orders = (weights, mean, np.broadcast_to(known, weights.shape), chance)
    # Equal weights (a sparse map gives many) go in a random order, not from left to right.
    return [_rank(-values, chance) for values in orders]


def _rank(values: Floats, tie: Floats) -> NDArray[np.int64]:
    order = np.lexsort((tie, values), axis=2)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(values.shape[2])[None, None], axis=2)
    return places


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and monotonic() >= deadline
