"""How good the models are on rows that they did not learn from, as labels or values are decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.train import Companion
from tabnet_auto.decisions import Decision, row_parts, tune_decision
from tabnet_auto.ensemble.blend import HeldOut
from tabnet_auto.ensemble.choose import fold_scores
from tabnet_auto.train.members import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """Out-of-fold scores under the user's metric, and the rule by which labels were decided.

    ``total`` of the blend, ``folds (n_folds,)`` of the blend by fold, ``members (M,)`` of every
    network on its own validation rows, ``companions (n_companions, n_folds)`` of their members.
    """

    decision: Decision
    total: float
    folds: Floats
    members: Floats
    companions: Floats

    def scored(self, companions: Iterable[Companion]) -> tuple[Companion, ...]:
        """Return the companions with their scores by the rule for labels."""
        return tuple(
            replace(one, scores=tuple(own.tolist()))
            for one, own in zip(companions, self.companions, strict=True)
        )


def score_models(task: Task, held: HeldOut, oof: Floats) -> Scores:
    """Score the blend's out-of-fold predictions ``oof (n, ...)`` and every model's.

    A rule for labels is tuned on the blend's predictions, cross-fitted: it decides rows that
    did not tune it.
    """
    n_rows, design = len(oof), task.design
    assert design.y is not None
    weight = None if design.weight is None else design.weight[:n_rows]
    decision = tune_decision(task.metric, design.y[:n_rows], oof, weight, task.folds)
    part = row_parts(task.folds, n_rows)
    decided = decision.cross_fitted(oof, part)
    n_seeds = task.folds.n_seeds
    alone = np.array([
        [task.score(decision.cross_fitted(own, part[rows]), rows)
         for own, rows in zip(model, held.rows, strict=True)]
        for model in held.own
    ])  # fmt: skip
    total = task.score(decided, np.arange(n_rows))
    return Scores(
        decision, total, fold_scores(task, decided), alone[:n_seeds].T.ravel(), alone[n_seeds:]
    )
