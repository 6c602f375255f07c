"""How good the models are on rows that they did not learn from, as labels or values are decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.decisions import Decision, row_parts, tune_decision
from tabnet_auto.ensemble.blend import HeldOut
from tabnet_auto.ensemble.choose import fold_scores
from tabnet_auto.train.members import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """Out-of-fold scores under the user's metric, and the rule by which labels were decided.

    ``total`` of the blend, ``folds (n_folds,)`` of the blend by fold, ``members (M,)`` of every
    network on its own validation rows.
    """

    decision: Decision
    total: float
    folds: Floats
    members: Floats


def score_models(task: Task, held: HeldOut, oof: Floats) -> Scores:
    """Score the blend's out-of-fold predictions ``oof (n, ...)`` and every network's.

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
    members = [
        task.score(decision.cross_fitted(held.own[seed][fold], part[rows]), rows)
        for fold, rows in enumerate(held.rows)
        for seed in range(n_seeds)
    ]
    total = task.score(decided, np.arange(n_rows))
    return Scores(decision, total, fold_scores(task, decided), np.array(members))
