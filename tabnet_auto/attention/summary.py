"""What a fit keeps about its attention: means, stability, permutation importance, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tabnet_auto.attention.curves import HARM_COLUMNS, Curves, measure_curves, shuffle_harm
from tabnet_auto.attention.read import (
    Floats,
    common_rows,
    held_out_sample,
    over_seeds,
    read_sample,
    read_weights,
)
from tabnet_auto.attention.stability import Stability, measure_stability, spearman
from tabnet_auto.train.members import Task

SAMPLE_ROWS = 2000
"""Validation rows of each member that the summary is taken over, at most."""
COMMON_ROWS = 256
"""Rows that all members read, to compare them."""
MAX_SHARE = 0.05
"""Share of the training's work that the checks may take; a step costs three forward passes."""
MIN_HARM_ROWS, MIN_CURVE_ROWS, MAX_CURVE_ROWS = 100, 50, 500
"""Rows that one shuffled column, and one point of a curve, are worth."""
CURVE_POINTS, FINE_CURVE_POINTS = 6, 11
"""Points of the curves made with a fit, and of those made without a bound."""


@dataclass(frozen=True, eq=False)
class AttentionSummary:
    """Mean attention over each member's own validation rows, as plain arrays.

    ``features``
        The D columns of the user, as text.
    ``members``
        ``(M, D)``: the steps averaged by their size; rows sum to 1.
    ``member_steps``
        ``(M, S, D)``: each step's mean weights; rows sum to 1.
    ``harm``
        ``(D,)``: by how much the validation loss rises, in the mean over members, when one
        column is shuffled among the validation rows (permutation importance; the check on what
        the attention says). Encoded parts of a column are shuffled together; NaN beyond the
        ``HARM_COLUMNS`` columns with the most attention, and where time was up.
    ``fold``
        Fold of each member.
    ``common``
        How far members agree on rows that all of them read.
    ``curves``
        Loss with columns taken away; None where time was up.
    """

    features: tuple[str, ...]
    members: Floats
    member_steps: Floats
    harm: Floats
    fold: tuple[int, ...]
    common: Stability
    curves: Curves | None

    @property
    def per_fold(self) -> Floats:
        """Mean attention of each fold over its seeds; ``(n_folds, D)``, rows sum to 1."""
        return over_seeds(self.members, self.fold).astype(float)

    @property
    def per_step(self) -> Floats:
        """Mean weights of each fold and step; ``(n_folds, S, D)``, rows sum to 1."""
        return over_seeds(self.member_steps, self.fold).astype(float)

    @property
    def per_seed(self) -> Floats:
        """Mean attention of each fold's seeds; ``(n_folds, K, D)``, rows sum to 1."""
        return self.members.reshape(len(set(self.fold)), -1, self.members.shape[-1])

    @property
    def per_seed_step(self) -> Floats:
        """Mean weights of each fold, seed and step; ``(n_folds, K, S, D)``, rows sum to 1."""
        return self.member_steps.reshape(len(set(self.fold)), -1, *self.member_steps.shape[1:])

    def stability(self) -> float:
        """Mean Spearman correlation between the folds' attention; NaN with one fold or column.

        Each fold's attention is of its own validation rows; ``common`` compares on equal rows.
        """
        per_fold = self.per_fold
        pairs = [
            spearman(per_fold[i], per_fold[j])
            for i in range(len(per_fold))
            for j in range(i + 1, len(per_fold))
        ]
        return float(np.mean(pairs)) if pairs else float("nan")

    def agreement(self) -> float:
        """Spearman correlation of mean attention with permutation importance."""
        return rank_agreement(self.per_fold.mean(axis=0), self.harm)

    def select(self, members: Sequence[int]) -> AttentionSummary:
        """Return the attention of some members; what was measured of all together stays."""
        index = list(members)
        return replace(
            self, members=self.members[index], member_steps=self.member_steps[index],
            fold=tuple(self.fold[i] for i in index),
        )  # fmt: skip

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return plain JSON data and named arrays from which :meth:`from_state` rebuilds."""
        arrays: dict[str, NDArray[Any]] = {
            "members": self.members, "member_steps": self.member_steps, "harm": self.harm,
        }  # fmt: skip
        described: dict[str, Any] = {"features": self.features, "common": asdict(self.common)}
        if self.curves is not None:
            described["curve_rows"] = self.curves.n_rows
            arrays |= {
                "removed": self.curves.removed, "deletion": self.curves.deletion,
                "insertion": self.curves.insertion,
            }  # fmt: skip
        return described, arrays

    @classmethod
    def from_state(
        cls, described: dict[str, Any], arrays: dict[str, NDArray[Any]], fold: tuple[int, ...]
    ) -> AttentionSummary:
        """Rebuild what :meth:`to_state` returned."""
        return cls(
            features=tuple(described["features"]),
            members=arrays["members"], member_steps=arrays["member_steps"], harm=arrays["harm"],
            fold=fold,
            common=Stability(**described["common"]),
            curves=Curves(
                arrays["removed"], arrays["deletion"], arrays["insertion"],
                described["curve_rows"],
            ) if "removed" in arrays else None,
        )  # fmt: skip


def rank_agreement(attention: Floats, harm: Floats) -> float:
    """Spearman correlation over the columns whose permutation importance is known."""
    known = ~np.isnan(harm)
    return spearman(attention[known], harm[known])


def summarize_attention(
    net: nn.Module, task: Task, deadline: float | None = None, row_steps: int | None = None
) -> AttentionSummary:
    """Measure the attention and check it, on each member's validation rows.

    Parameters
    ----------
    net
        Holds all members' best weights.
    task
        What they learned.
    deadline
        A ``time.monotonic()`` instant after which no further check is made.
    row_steps
        Rows that each member was trained on, counted as often as they came: the checks then
        take at most about ``MAX_SHARE`` of the training's time. None: no such bound.
    """
    net.eval()
    device = next(net.parameters()).device
    fold = task.folds.fold
    sample = held_out_sample(task, SAMPLE_ROWS, device)
    reading = read_sample(net, sample)
    mean = reading.weights.mean(axis=1, dtype=float)
    common = read_weights(net, common_rows(task.design, len(fold), COMMON_ROWS, device))
    passes = SAMPLE_ROWS * HARM_COLUMNS if row_steps is None else MAX_SHARE * 3 * row_steps / 2
    n_harm = max(MIN_HARM_ROWS, int(passes / min(HARM_COLUMNS, mean.shape[1])))
    harm = shuffle_harm(net, sample.first(n_harm), mean.mean(axis=0), deadline).mean(axis=0)
    n_curve = min(MAX_CURVE_ROWS, max(MIN_CURVE_ROWS, int(passes / (8 * CURVE_POINTS))))
    n_points = FINE_CURVE_POINTS if row_steps is None else CURVE_POINTS
    curves = measure_curves(net, sample.first(n_curve), harm, fold, n_points, deadline)
    return AttentionSummary(
        features=task.layout.columns, members=mean, member_steps=reading.steps, harm=harm,
        fold=fold, common=measure_stability(common, fold), curves=curves,
    )  # fmt: skip
