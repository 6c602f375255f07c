"""scikit-learn's histogram gradient boosting, stopped where the fold's validation loss is best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.estimators import boosted_arrays
from tabnet_auto.companions.lesson import Fitted, Lesson, Rows, align, loss
from tabnet_auto.companions.trees import Boosted
from tabnet_auto.metrics.objective import Loss

MAX_ROUNDS = 1000
PATIENCE = 50
"""Rounds without a better validation loss after which the training ends."""
FIRST_ROUNDS = 50
"""Rounds between two looks at the validation loss, at first; later half as many as there are."""
LEAVES = (31, 8)
"""Leaves of a tree at most: many for what is irregular, few where labels are noisy."""
FEW_ROWS = 10_000
"""Training rows up to which threads wait for each other longer than they save: one is faster."""
MAX_CATEGORY_CODES = 250
"""Codes of a column up to which it is split by category; scikit-learn allows 255 bins."""
LOSSES: dict[Loss, str] = {
    "squared": "squared_error", "absolute": "absolute_error", "pinball": "quantile",
    "poisson": "poisson", "gamma": "gamma",
}  # fmt: skip
"""What scikit-learn calls the losses of values."""


def train_hist(lesson: Lesson) -> Fitted:
    """Learn one fold with native categories.

    scikit-learn takes no validation rows in all supported versions: the model is grown in
    pieces (``warm_start``), and the rounds after the best one are cut off. The validation rows
    choose the size of the trees, too, where there is time to try the second.
    """
    from threadpoolctl import threadpool_limits

    n_threads = 1 if len(lesson.train.y) <= FEW_ROWS else lesson.n_threads
    with threadpool_limits(n_threads, "openmp"):
        return _alike(lesson) if lesson.valid is None else _best(lesson, lesson.valid)


def _alike(lesson: Lesson) -> Fitted:
    """Train as many rounds as are asked for, of trees as large as those of the fold's member."""
    n_rounds, leaves = lesson.n_rounds or MAX_ROUNDS, LEAVES[0]
    if isinstance(lesson.like, Boosted):
        leaves = min((size for size in LEAVES if size >= lesson.like.leaves), default=leaves)
    classes, target = lesson.numbered()
    model = _model(lesson, leaves).set_params(max_iter=n_rounds)
    model.fit(lesson.train.matrix.x, target, sample_weight=lesson.train.weight)
    return boosted_arrays(model, classes, lesson.n_classes, n_rounds)


def _best(lesson: Lesson, valid: Rows) -> Fitted:
    """Train until the validation loss is best, of trees of the size whose best is less."""
    start = monotonic()
    best, best_loss = _grow(lesson, valid, LEAVES[0])
    taken = monotonic() - start
    left = None if lesson.seconds is None else lesson.seconds - taken
    if left is None or left >= taken:
        other, other_loss = _grow(replace(lesson, seconds=left), valid, LEAVES[1])
        best = other if other_loss < best_loss else best
    return best


def _grow(lesson: Lesson, valid: Rows, leaves: int) -> tuple[Fitted, float]:
    """Train trees of one size until the validation loss is best; return it as well."""
    train, (classes, target) = lesson.train, lesson.numbered()
    model = _model(lesson, leaves)
    best, best_loss = 1, np.inf
    start, done = monotonic(), 0
    while done < MAX_ROUNDS and done - best < PATIENCE:
        seconds = None if lesson.seconds is None else lesson.seconds - (monotonic() - start)
        if (more := _next_rounds(done, monotonic() - start, seconds)) == 0:
            break
        model.set_params(max_iter=done + more)
        model.fit(train.matrix.x, target, sample_weight=train.weight)
        losses = list(_losses(model, lesson, valid, classes, done))
        if min(losses) < best_loss:
            best, best_loss = done + 1 + int(np.argmin(losses)), min(losses)
        done += more
    return boosted_arrays(model, classes, lesson.n_classes, best), best_loss


def _next_rounds(done: int, gone: float, left: float | None) -> int:
    """Rounds to add: half as many again, fewer where time is short, none where it is up."""
    more = min(max(FIRST_ROUNDS, done // 2), MAX_ROUNDS - done)
    if left is None:
        return more
    if done == 0:  # however short the time, there is an answer; and how fast rounds are
        return FIRST_ROUNDS // 5
    affordable = int(left / (gone / done))
    return min(more, affordable) if affordable >= 5 else 0


def _model(lesson: Lesson, leaves: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    categorical = [0 < n <= MAX_CATEGORY_CODES for n in lesson.train.matrix.n_levels]
    common = {
        "learning_rate": 0.05, "max_leaf_nodes": leaves, "min_samples_leaf": 5, "max_features": 0.5,
        "early_stopping": False, "warm_start": True,
        "categorical_features": np.array(categorical) if any(categorical) else None,
        "random_state": lesson.seed % (2**31),
    }  # fmt: skip
    if lesson.n_classes:
        return HistGradientBoostingClassifier(**common)
    quantile = lesson.objective.quantile if lesson.objective.loss == "pinball" else None
    return HistGradientBoostingRegressor(
        loss=LOSSES[lesson.objective.loss], quantile=quantile, **common
    )


def _losses(
    model: Any, lesson: Lesson, valid: Rows, classes: NDArray[np.int64], done: int
) -> Iterator[float]:
    """Yield the validation loss after each round beyond the first ``done``."""
    x, n_classes = valid.matrix.x, lesson.n_classes
    stages = model.staged_predict_proba(x) if n_classes else model.staged_predict(x)
    for number, predicted in enumerate(stages):
        if number >= done:
            whole = align(predicted, classes, n_classes) if n_classes else predicted
            yield loss(whole, valid, lesson.objective)
