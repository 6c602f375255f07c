"""RealMLP_TD and TabM_D of pytabkit, validated on cross-entropy or RMSE as its README advises.

RealMLP's schedule has to reach its end, and TabM takes no time limit: a few epochs of a small part
of the rows are timed first, and the number of epochs is what fits the budget, at most the
default. The timing counts as the system's time. RealMLP trains its folds side by side.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
import torch  # noqa: F401 (loaded before the clock starts)
from pytabkit import (
    RealMLP_TD_Classifier,
    RealMLP_TD_Regressor,
    TabM_D_Classifier,
    TabM_D_Regressor,
)

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.sets import N_FOLDS, Problem
from benchmarks.accuracy.tables import Tables, fill_medians, make_tables, mean_of, spread

REALMLP_EPOCHS = 256
TABM_EPOCHS = 1_000
TABM_PATIENCE = 16
"""pytabkit's default; it ends TabM long before the epochs do, where there is time for it."""
TRIAL_ROWS = 1_280
TRIAL_VALID_ROWS = 128
TRIAL_EPOCHS = 4
"""Epochs of the longer of two timed fits: what both need besides their epochs drops out."""
SPEND = 0.9
"""Share of the time left that is planned: an epoch's time varies on a busy machine."""


def run_realmlp(problem: Problem, clock: Clock) -> Answer:
    """RealMLP_TD without label smoothing (advised for AUC and log-loss), five folds batched."""
    tables = fill_medians(make_tables(problem))
    held = np.stack([valid for _, valid in problem.folds])
    shared = {"n_cv": N_FOLDS, "val_metric_name": _metric(problem)}
    if problem.task != "regression":
        shared["use_ls"] = False
    kinds = (RealMLP_TD_Classifier, RealMLP_TD_Regressor)
    trial_rows, trial_held = _trial(problem, np.arange(len(problem.y)), N_FOLDS)
    epoch = _seconds(problem, clock, tables, kinds, shared, (trial_rows, trial_held))
    epochs = _affordable(clock.left(), epoch * len(problem.y) / len(trial_rows), REALMLP_EPOCHS)
    model = _make(problem, clock, kinds, {**shared, "n_epochs": epochs})
    # A net under the plan: a machine that got slower ends the training, best epoch kept.
    limit = max(1, int(clock.left()))
    model.fit(tables.train, problem.y, val_idxs=held, time_to_fit_in_seconds=limit)
    notes = {"epochs": epochs, "of": REALMLP_EPOCHS, "cut": int(epochs < REALMLP_EPOCHS)}
    return Answer(_predict(problem, model, tables.test), notes)


def run_tabm(problem: Problem, clock: Clock) -> Answer:
    """TabM_D, fold after fold."""
    tables = fill_medians(make_tables(problem))
    shared = {"n_cv": 1, "val_metric_name": _metric(problem)}
    kinds = (TabM_D_Classifier, TabM_D_Regressor)
    trial = _trial(problem, np.arange(len(problem.y)), 1)
    epoch = _seconds(problem, clock, tables, kinds, shared, trial)
    parts, planned = [], []
    for i, (own, held) in enumerate(problem.folds):
        seconds = clock.left() / (N_FOLDS - i)
        epochs = _affordable(seconds, epoch * len(own) / len(trial[0]), TABM_EPOCHS)
        model = _make(problem, clock, kinds, {**shared, "n_epochs": epochs})
        start = monotonic()
        model.fit(
            tables.train.iloc[own], problem.y[own],
            X_val=tables.train.iloc[held], y_val=problem.y[held],
        )  # fmt: skip
        spent = monotonic() - start
        # Where the plan was not reached by patience, it is the better clock for the next fold.
        epoch = max(epoch, spent / epochs * len(trial[0]) / len(own))
        parts.append(_predict(problem, model, tables.test))
        planned.append(epochs)
    return Answer(
        mean_of(parts), {"epochs_at_most": planned, "cut": sum(n <= TABM_PATIENCE for n in planned)}
    )


def _metric(problem: Problem) -> str:
    return "rmse" if problem.task == "regression" else "cross_entropy"


def _make(problem: Problem, clock: Clock, kinds: tuple[Any, Any], settings: dict[str, Any]) -> Any:
    kind = kinds[problem.task == "regression"]
    return kind(**settings, device="cpu", n_threads=clock.threads, random_state=problem.seed)


def _trial(problem: Problem, rows: np.ndarray, n_models: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to time an epoch on (each class among them), and positions held out for each model."""
    rng = np.random.default_rng(problem.seed)
    shuffled = rng.permutation(rows)[: TRIAL_ROWS + TRIAL_VALID_ROWS]
    first = np.array([np.flatnonzero(problem.y == code)[0] for code in range(len(problem.classes))])
    chosen = np.unique(np.concatenate([shuffled, first.astype(int)]))
    # No class may be held out whole; the values of the trial's model are never used.
    n_held = min(TRIAL_VALID_ROWS, len(chosen) // 5)
    candidates = np.flatnonzero(~np.isin(chosen, first))[:n_held]
    return chosen, np.tile(candidates, (n_models, 1))


def _seconds(
    problem: Problem,
    clock: Clock,
    tables: Tables,
    kinds: tuple[Any, Any],
    shared: dict[str, Any],
    trial: tuple[np.ndarray, np.ndarray],
) -> float:
    """Time an epoch on the trial rows, as what more epochs add to a fit."""
    rows, held = trial
    frame, y = tables.train.iloc[rows], problem.y[rows]
    spent = {}
    for epochs in (1, 1, TRIAL_EPOCHS):  # the first fit also loads code
        model = _make(problem, clock, kinds, {**shared, "n_epochs": epochs})
        start = monotonic()
        model.fit(frame, y, val_idxs=held)
        spent[epochs] = monotonic() - start
    return max(1e-3, (spent[TRIAL_EPOCHS] - spent[1]) / (TRIAL_EPOCHS - 1))


def _affordable(seconds: float, epoch: float, most: int) -> int:
    return int(np.clip(SPEND * seconds / epoch, 1, most))


def _predict(problem: Problem, model: Any, test: pd.DataFrame) -> np.ndarray:
    if problem.task == "regression":
        return np.asarray(model.predict(test), dtype=float).ravel()
    return spread(model.predict_proba(test), model.classes_, len(problem.classes))
