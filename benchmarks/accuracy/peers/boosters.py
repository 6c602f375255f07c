"""Gradient-boosted trees, stopped early on each fold's validation rows or by the clock.

Each has two rows in the table of systems: the library's own defaults with enough rounds for early
stopping, and the tuned defaults published with RealMLP (Holzmueller et al. 2024, "Better by
default", arXiv 2407.04491, as in pytabkit 1.7.3). Categories and missing numbers go in natively.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.sets import Problem
from benchmarks.accuracy.tables import make_tables, mean_of, spread

Settings = Mapping[str, Any]
Rows = tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]
"""Training columns and targets of a fold, and its validation columns and targets."""
Fitted = tuple[Any, int, Callable[[pd.DataFrame], pd.DataFrame]]
"""A fold's model, its rounds, and how it wants a frame."""

LIGHTGBM = {"n_estimators": 10_000, "learning_rate": 0.05}
XGBOOST = {"n_estimators": 10_000, "learning_rate": 0.1}
CATBOOST = {"iterations": 1_000}
"""CatBoost's own number of rounds: its automatic learning rate is made for it."""

LIGHTGBM_TUNED = {
    "classes": {
        "n_estimators": 1000, "learning_rate": 0.04, "subsample": 0.75, "subsample_freq": 1,
        "num_leaves": 50, "min_child_samples": 40, "min_child_weight": 1e-7,
    },
    "regression": {
        "n_estimators": 1000, "learning_rate": 0.05, "subsample": 0.7, "subsample_freq": 1,
        "num_leaves": 100, "min_child_samples": 3, "min_child_weight": 1e-7,
    },
}  # fmt: skip
XGBOOST_TUNED = {
    "classes": {
        "n_estimators": 1000, "learning_rate": 0.08, "min_child_weight": 5e-6, "reg_lambda": 0.0,
        "max_depth": 6, "colsample_bylevel": 0.9, "subsample": 0.65,
    },
    "regression": {
        "n_estimators": 1000, "learning_rate": 0.05, "min_child_weight": 2.0, "reg_lambda": 0.0,
        "max_depth": 9, "subsample": 0.7,
    },
}  # fmt: skip
CATBOOST_TUNED = {
    "classes": {
        "iterations": 1000, "learning_rate": 0.08, "l2_leaf_reg": 1e-5, "boosting_type": "Plain",
        "bootstrap_type": "Bernoulli", "subsample": 0.9, "depth": 7, "random_strength": 0.8,
        "one_hot_max_size": 15, "leaf_estimation_iterations": 1, "border_count": 254,
    },
    "regression": {
        "iterations": 1000, "learning_rate": 0.09, "l2_leaf_reg": 1e-5, "boosting_type": "Plain",
        "bootstrap_type": "Bernoulli", "subsample": 0.9, "depth": 9, "random_strength": 0.0,
        "one_hot_max_size": 20, "leaf_estimation_iterations": 20, "border_count": 254,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """``patience`` rounds without a better validation loss; a ``deadline``; threads."""

    patience: int
    deadline: float
    threads: int


PATIENCE = 100
HIST_PATIENCE = 20
TUNED_PATIENCE = 300
MAX_HIST_LEVELS = 254
"""scikit-learn takes 255 categories a column; the last one is for the rarer levels."""
HIST_ROUNDS = 2_000
HIST_CHUNK = 20
"""Rounds between two looks at the clock: scikit-learn has no callback for it."""


def run_lightgbm(problem: Problem, clock: Clock) -> Answer:
    """LightGBM with its defaults, learning rate 0.05."""
    return _bag(problem, clock, _lightgbm_fold, LIGHTGBM, PATIENCE)


def run_lightgbm_tuned(problem: Problem, clock: Clock) -> Answer:
    """LightGBM with the tuned defaults."""
    return _bag(problem, clock, _lightgbm_fold, _of_task(LIGHTGBM_TUNED, problem), TUNED_PATIENCE)


def run_xgboost(problem: Problem, clock: Clock) -> Answer:
    """XGBoost with its defaults, learning rate 0.1."""
    return _bag(problem, clock, _xgboost_fold, XGBOOST, PATIENCE)


def run_xgboost_tuned(problem: Problem, clock: Clock) -> Answer:
    """XGBoost with the tuned defaults."""
    return _bag(problem, clock, _xgboost_fold, _of_task(XGBOOST_TUNED, problem), TUNED_PATIENCE)


def run_catboost(problem: Problem, clock: Clock) -> Answer:
    """CatBoost with its defaults."""
    return _bag(problem, clock, _catboost_fold, CATBOOST, PATIENCE)


def run_catboost_tuned(problem: Problem, clock: Clock) -> Answer:
    """CatBoost with the tuned defaults."""
    return _bag(problem, clock, _catboost_fold, _of_task(CATBOOST_TUNED, problem), TUNED_PATIENCE)


def run_hist(problem: Problem, clock: Clock) -> Answer:
    """HistGradientBoosting of scikit-learn with its defaults."""
    return _bag(problem, clock, _hist_fold, {}, HIST_PATIENCE)


def _of_task(tuned: Mapping[str, Settings], problem: Problem) -> Settings:
    return tuned["regression" if problem.task == "regression" else "classes"]


def _bag(problem: Problem, clock: Clock, fit: Any, settings: Settings, patience: int) -> Answer:
    tables = make_tables(problem)
    parts, rounds, cut = [], [], []
    for i, (own, held) in enumerate(problem.folds):
        deadline = clock.deadline(len(problem.folds) - i)
        limit = Limit(patience, deadline, clock.threads)
        data = (tables.train.iloc[own], problem.y[own], tables.train.iloc[held], problem.y[held])
        model, best, reading = fit(problem, data, settings, limit)
        parts.append(_predict(problem, model, reading(tables.test)))
        rounds.append(int(best))
        cut.append(monotonic() > deadline)
    return Answer(mean_of(parts), {"rounds": rounds, "cut": sum(cut)})


def _predict(problem: Problem, model: Any, test: pd.DataFrame) -> np.ndarray:
    if problem.task == "regression":
        return model.predict(test)
    return spread(model.predict_proba(test), model.classes_, len(problem.classes))


def _as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def _lightgbm_fold(problem: Problem, data: Rows, settings: Settings, limit: Limit) -> Fitted:
    regression = problem.task == "regression"
    kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
    model = kind(**settings, n_jobs=limit.threads, random_state=problem.seed, verbose=-1)
    x, y, x_held, y_held = data
    seen: list[float] = []

    def watch(env: Any) -> None:
        seen.append(env.evaluation_result_list[0][2])
        if monotonic() > limit.deadline:
            best = int(np.argmin(seen))
            raise lightgbm.callback.EarlyStopException(best, env.evaluation_result_list)

    stop = lightgbm.early_stopping(limit.patience, verbose=False)
    model.fit(x, y, eval_set=[(x_held, y_held)], callbacks=[watch, stop])
    return model, model.best_iteration_ or len(seen), _as_is


class _Watch(xgboost.callback.TrainingCallback):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline

    def after_iteration(self, _model: Any, _epoch: int, _evals_log: Any) -> bool:
        return monotonic() > self.deadline


def _xgboost_fold(problem: Problem, data: Rows, settings: Settings, limit: Limit) -> Fitted:
    regression = problem.task == "regression"
    kind = xgboost.XGBRegressor if regression else xgboost.XGBClassifier
    metrics = {"binary": "logloss", "multiclass": "mlogloss", "regression": "rmse"}
    stop = xgboost.callback.EarlyStopping(limit.patience, save_best=False)
    model = kind(
        **settings, tree_method="hist", enable_categorical=True, n_jobs=limit.threads,
        random_state=problem.seed, eval_metric=metrics[problem.task],
        callbacks=[stop, _Watch(limit.deadline)],
    )  # fmt: skip
    x, y, x_held, y_held = data
    model.fit(x, y, eval_set=[(x_held, y_held)], verbose=False)
    return model, model.best_iteration + 1, _as_is


class _CatBoostWatch:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def after_iteration(self, _info: Any) -> bool:
        return monotonic() <= self.deadline


def _catboost_fold(problem: Problem, data: Rows, settings: Settings, limit: Limit) -> Fitted:
    regression = problem.task == "regression"
    kind = catboost.CatBoostRegressor if regression else catboost.CatBoostClassifier
    x, y, x_held, y_held = data
    names = x.select_dtypes("category").columns.tolist()

    def as_text(frame: pd.DataFrame) -> pd.DataFrame:
        texts = {name: frame[name].astype(object).fillna("missing").astype(str) for name in names}
        return frame.assign(**texts)

    model = kind(
        **settings, cat_features=names, thread_count=limit.threads, random_seed=problem.seed,
        early_stopping_rounds=limit.patience, use_best_model=True, allow_writing_files=False,
        verbose=False,
    )  # fmt: skip
    watch = [_CatBoostWatch(limit.deadline)]
    model.fit(as_text(x), y, eval_set=(as_text(x_held), y_held), callbacks=watch)
    return model, model.get_best_iteration() + 1, as_text


def _hist_fold(problem: Problem, data: Rows, settings: Settings, limit: Limit) -> Fitted:
    # Threads are those of OMP_NUM_THREADS, which a cell sets.
    regression = problem.task == "regression"
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    x, y, x_held, y_held = data
    frequent = {
        name: x[name].value_counts().index[:MAX_HIST_LEVELS].to_list()
        for name in x.select_dtypes("category").columns
        if len(x[name].cat.categories) > MAX_HIST_LEVELS
    }

    def few_levels(frame: pd.DataFrame) -> pd.DataFrame:
        kept = {name: frame[name].cat.set_categories(levels) for name, levels in frequent.items()}
        return frame.assign(**kept)

    model = kind(
        **settings, warm_start=True, early_stopping=True, n_iter_no_change=limit.patience,
        random_state=problem.seed, max_iter=HIST_CHUNK,
    )  # fmt: skip
    while True:
        model.fit(few_levels(x), y, X_val=few_levels(x_held), y_val=y_held)
        stopped = model.n_iter_ < model.max_iter or model.max_iter >= HIST_ROUNDS
        if stopped or monotonic() > limit.deadline:
            break
        model.max_iter += HIST_CHUNK
    return model, model.n_iter_, few_levels
