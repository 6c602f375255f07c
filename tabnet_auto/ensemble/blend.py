"""How models are combined: weights, or a stacker; and every row by models that never saw it.

A *model* is one configuration across all folds: an attention TabNet of one seed, or a companion.
Its members, one a fold, share its weight equally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.folds import Folds, Rows

Floats = NDArray[np.float64]

TINY = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""
NEVER = -30.0
"""Score, in logarithms, of a class that the stacker never saw."""


@dataclass(frozen=True)
class Blend:
    """How models are averaged: one non-negative weight a model, summing to 1.

    Probabilities and values are averaged as they are: the mean of probabilities keeps the
    blend's log-loss at or below the models' mean (Jensen's inequality). A ``temperature`` below 1
    makes the mean of probabilities surer (:func:`temper`).
    """

    weights: tuple[float, ...]
    temperature: float = 1.0

    def apply(self, predictions: Floats) -> Floats:
        """Average predictions ``(K, n, ...)`` over the models."""
        blended: Floats = np.tensordot(np.asarray(self.weights), predictions, axes=1)
        return blended if self.temperature == 1.0 else temper(blended, self.temperature)

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which :func:`blend_from_json` rebuilds."""
        return {
            "kind": "mean", "weights": list(self.weights), "temperature": self.temperature,
        }  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """A linear model of the models' predictions: ridge for values, logistic for classes.

    ``coef`` holds one row an output and one column an input, ``intercept`` one number an
    output. The inputs are the K predicted values; the K log-odds for two classes; the logarithms
    of K times C probabilities, model by model, for C classes.
    """

    coef: tuple[tuple[float, ...], ...]
    intercept: tuple[float, ...]
    n_models: int

    @property
    def weights(self) -> tuple[float, ...]:
        """Each model's share of the absolute coefficients; shares sum to 1."""
        size = np.abs(np.array(self.coef)).reshape(len(self.coef), self.n_models, -1).sum((0, 2))
        return tuple((size / size.sum() if size.sum() > 0 else size + 1 / len(size)).tolist())

    def apply(self, predictions: Floats) -> Floats:
        """Combine predictions ``(K, n, ...)``."""
        raw = stack_inputs(predictions) @ np.array(self.coef).T + np.array(self.intercept)
        if predictions.ndim == 2:
            values: Floats = raw[:, 0]
            return values
        if raw.shape[1] == 1:
            raw = np.concatenate([np.zeros_like(raw), raw], axis=1)
        odds = np.exp(raw - raw.max(axis=1, keepdims=True, initial=NEVER))
        shares: Floats = odds / odds.sum(axis=1, keepdims=True)
        return shares

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which :func:`blend_from_json` rebuilds."""
        coef = [list(row) for row in self.coef]
        return {"kind": "stack", "coef": coef, "intercept": list(self.intercept),
                "n_models": self.n_models}  # fmt: skip


AnyBlend = Blend | Stack


def temper(predicted: Floats, temperature: float) -> Floats:
    """Raise probabilities ``(..., C)`` to the power 1 / temperature; they sum to 1 again."""
    logs = np.log(predicted.clip(TINY)) / temperature
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def stack_inputs(predictions: Floats) -> Floats:
    """Lay the models' predictions ``(K, n, ...)`` side by side as a stacker's inputs."""
    if predictions.ndim == 2:
        return predictions.T
    logs = np.log(predictions.clip(TINY, 1.0 - TINY))
    if predictions.shape[2] == 2:
        odds: Floats = (logs[:, :, 1] - logs[:, :, 0]).T
        return odds
    return logs.transpose(1, 0, 2).reshape(predictions.shape[1], -1)


def blend_from_json(data: dict[str, Any]) -> AnyBlend:
    """Read back what ``to_json`` returned."""
    if data["kind"] == "mean":
        return Blend(tuple(data["weights"]), data["temperature"])
    coef = tuple(tuple(row) for row in data["coef"])
    return Stack(coef, tuple(data["intercept"]), data["n_models"])


def uniform(n_models: int) -> Blend:
    """Weigh all models alike: the floor that no out-of-fold selection can overfit."""
    return Blend((1.0 / n_models,) * n_models)


def by_seed(members: Floats, n_seeds: int) -> Floats:
    """Mean over the folds of the members of each seed: ``(M, n, ...)`` to ``(n_seeds, n, ...)``."""
    means: Floats = members.reshape(len(members) // n_seeds, n_seeds, *members.shape[1:]).mean(
        axis=0
    )
    return means


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Every model's predictions of the rows that each fold held out.

    ``own[k][f]`` are model k's predictions ``(n_f, ...)`` of ``rows[f] (n_f,)``, by the member
    that learned from fold f's training rows; ``n_rows`` counts all rows.
    """

    own: tuple[tuple[Floats, ...], ...]
    rows: tuple[Rows, ...]
    n_rows: int

    @property
    def n_models(self) -> int:
        """Number of models."""
        return len(self.own)

    def combine(self, blends: Sequence[AnyBlend]) -> Floats:
        """Predict each fold's rows by that fold's blend; ``(n_rows, ...)``.

        A row that several folds hold out gets the mean of their predictions; one that no fold
        holds out (in time-forward splits, the first) gets NaN.
        """
        total = np.zeros((self.n_rows, *self.own[0][0].shape[1:]))
        count = np.zeros(self.n_rows)
        for fold, (rows, blend) in enumerate(zip(self.rows, blends, strict=True)):
            total[rows] += blend.apply(np.stack([model[fold] for model in self.own]))
            count[rows] += 1.0
        count[count == 0.0] = np.nan
        return total / count.reshape(-1, *[1] * (total.ndim - 1))

    def cube(self) -> Floats:
        """Out-of-fold predictions of every model alone, ``(K, n_rows, ...)``."""
        alone = np.eye(self.n_models)
        return np.stack(
            [self.combine([Blend(tuple(row.tolist()))] * len(self.rows)) for row in alone]
        )


def held_out_rows(folds: Folds) -> tuple[Rows, ...]:
    """Return the validation rows of every fold; its members share them."""
    return tuple(folds.valid[folds.of_fold(fold)[0]] for fold in range(folds.n_folds))
