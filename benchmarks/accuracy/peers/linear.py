"""A constant, and logistic or ridge regression on one-hot columns."""

from __future__ import annotations

import warnings
from time import monotonic
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.measures import log_loss
from benchmarks.accuracy.sets import Problem
from benchmarks.accuracy.tables import Tables, make_tables, mean_of, spread

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Regularisation tried on each fold's validation rows (C, or the inverse of ridge's alpha)."""


def run_constant(problem: Problem, _clock: Clock) -> Answer:
    """Predict class shares or the mean: the error of a system that delivers nothing."""
    n = len(problem.test)
    if problem.task == "regression":
        return Answer(np.full(n, problem.y.mean()))
    shares = np.bincount(problem.y, minlength=len(problem.classes)) / len(problem.y)
    return Answer(np.tile(shares, (n, 1)))


def run_linear(problem: Problem, clock: Clock) -> Answer:
    """Fit each fold with the strength that its validation rows prefer."""
    tables = make_tables(problem)
    parts, strengths = [], []
    for i, (own, held) in enumerate(problem.folds):
        deadline = clock.deadline(len(problem.folds) - i)
        part, strength = _fit_fold(problem, tables, own, held, deadline)
        parts.append(part)
        strengths.append(strength)
    return Answer(mean_of(parts), {"strengths": strengths})


def _fit_fold(
    problem: Problem, tables: Tables, own: np.ndarray, held: np.ndarray, deadline: float
) -> tuple[np.ndarray, float]:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(tables.numbers)),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=10), list(tables.categories)),
    )
    x_own = columns.fit_transform(tables.train.iloc[own])
    x_held = columns.transform(tables.train.iloc[held])
    best: tuple[float, float, Any] | None = None
    for strength in STRENGTHS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = _model(problem.task, strength).fit(x_own, problem.y[own])
        loss = _loss(problem, model, x_held, problem.y[held])
        if best is None or loss < best[0]:
            best = (loss, strength, model)
        if monotonic() > deadline:
            break
    return _predict(problem, best[2], columns.transform(tables.test)), best[1]


def _model(task: str, strength: float) -> Any:
    if task == "regression":
        return Ridge(alpha=1.0 / strength)
    return LogisticRegression(C=strength, max_iter=1000)


def _predict(problem: Problem, model: Any, x: Any) -> np.ndarray:
    if problem.task == "regression":
        return model.predict(x)
    return spread(model.predict_proba(x), model.classes_, len(problem.classes))


def _loss(problem: Problem, model: Any, x: Any, y: np.ndarray) -> float:
    predicted = _predict(problem, model, x)
    if problem.task == "regression":
        return float(np.mean((predicted - y) ** 2))
    return log_loss(y, predicted)
