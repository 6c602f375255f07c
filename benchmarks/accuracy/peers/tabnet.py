"""pytorch-tabnet 4.1.0, prepared as its README and its notebooks do it."""

from __future__ import annotations

import warnings
from time import monotonic
from typing import Any

import numpy as np
import torch
from pytorch_tabnet.callbacks import Callback
from pytorch_tabnet.tab_model import TabNetClassifier, TabNetRegressor

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.sets import Problem
from benchmarks.accuracy.tables import Tables, fill_medians, make_tables, mean_of, spread

MAX_EPOCHS = 200
PATIENCE = 20
BATCH_SIZE = 1_024
VIRTUAL_BATCH_SIZE = 128
METRICS = {"binary": "auc", "multiclass": "logloss", "regression": "rmse"}


class _Watch(Callback):
    """Ends the training when the fold's share of the budget is spent; the best epoch is kept."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline

    def on_epoch_end(self, _epoch: int, _logs: Any = None) -> None:
        if monotonic() > self.deadline:
            self.trainer._stop_training = True  # noqa: SLF001 (as its own EarlyStopping does)


def run_tabnet(problem: Problem, clock: Clock) -> Answer:
    """Label-encoded levels with embeddings, imputed and scaled numbers, scaled targets."""
    torch.set_num_threads(clock.threads)
    tables = fill_medians(make_tables(problem))
    parts, epochs, cut = [], [], []
    for i, (own, held) in enumerate(problem.folds):
        deadline = clock.deadline(len(problem.folds) - i)
        part, n_epochs = _fit_fold(problem, tables, own, held, deadline)
        parts.append(part)
        epochs.append(n_epochs)
        cut.append(monotonic() > deadline)
    return Answer(mean_of(parts), {"epochs": epochs, "cut": sum(cut)})


def _fit_fold(
    problem: Problem, tables: Tables, own: np.ndarray, held: np.ndarray, deadline: float
) -> tuple[np.ndarray, int]:
    x, x_test, levels = _encode(tables, own)
    regression = problem.task == "regression"
    y = problem.y.astype(float)[:, None] if regression else problem.y
    centre, scale = (y[own].mean(), y[own].std() or 1.0) if regression else (0, 1)
    y = (y - centre) / scale if regression else y
    kind = TabNetRegressor if regression else TabNetClassifier
    model = kind(
        cat_idxs=list(levels), cat_dims=list(levels.values()), cat_emb_dim=1, seed=problem.seed,
        optimizer_params={"lr": 0.02}, scheduler_params={"step_size": 50, "gamma": 0.9},
        scheduler_fn=torch.optim.lr_scheduler.StepLR, device_name="cpu", verbose=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says which epoch was best
        model.fit(
            x[own], y[own], eval_set=[(x[held], y[held])], eval_metric=[METRICS[problem.task]],
            max_epochs=MAX_EPOCHS, patience=PATIENCE, batch_size=min(BATCH_SIZE, len(own)),
            virtual_batch_size=VIRTUAL_BATCH_SIZE, drop_last=False, compute_importance=False,
            callbacks=[_Watch(deadline)],
        )  # fmt: skip
    n_epochs = len(model.history["loss"])
    if regression:
        return model.predict(x_test).ravel() * scale + centre, n_epochs
    return spread(model.predict_proba(x_test), model.classes_, len(problem.classes)), n_epochs


def _encode(tables: Tables, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[int, int]]:
    """Scale numbers by the fold's training rows; level codes from 1, 0 for missing ones.

    Returns both matrices, and the number of codes by column position.
    """
    columns, test_columns, levels = [], [], {}
    for i, name in enumerate(tables.train.columns):
        parts = tables.train[name], tables.test[name]
        if name in tables.categories:
            columns.append(parts[0].cat.codes.to_numpy() + 1.0)
            test_columns.append(parts[1].cat.codes.to_numpy() + 1.0)
            levels[i] = len(parts[0].cat.categories) + 1
        else:
            values, test_values = (part.to_numpy() for part in parts)
            centre, scale = values[own].mean(), values[own].std() or 1.0
            columns.append((values - centre) / scale)
            test_columns.append((test_values - centre) / scale)
    return np.stack(columns, axis=1), np.stack(test_columns, axis=1), levels
