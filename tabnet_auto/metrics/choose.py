"""From what the user passes as a metric to a row of the table, or to a metric of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.metrics.known import FUNCTIONS, is_loss, row_of
from tabnet_auto.metrics.metric import Metric, Need, takes
from tabnet_auto.metrics.table import (
    ALIASES,
    DEFAULT_METRIC,
    FAMILIES,
    METRICS,
    find_metric,
    names_for,
)


def get_metric(metric: Any, task: str, classes: Sequence[object] = ()) -> Metric:
    """Return the metric for ``"auto"``, a name of the table, a scikit-learn scorer or a callable.

    Names with a number are ``map@3``, ``top_k_accuracy@5``, ``f_beta@2`` and ``pinball@0.9``;
    capitals make no difference. scikit-learn's functions and scorers are rows of the table where
    it has them (``classes`` are the user's labels by position). Another callable is called as
    ``function(y_true, y_pred)`` with labels (or values) as the user wrote them, and greater must
    be better; for another direction or probabilities pass ``sklearn.metrics.make_scorer(...)``.
    A metric of one's own is scored, but decisions are not tuned for it: it may be slow, and says
    nothing about how.

    Raises
    ------
    InputError
        If the name is not in the table or the metric does not fit the task.
    """
    if isinstance(metric, str):
        return _from_table(DEFAULT_METRIC[task] if metric == "auto" else metric, task)
    if isinstance(metric, Metric):
        return _check_task(metric, task)
    if hasattr(metric, "_score_func"):
        return _from_scorer(metric, task, classes)
    if callable(metric):
        return _from_callable(metric, task, classes)
    raise InputError(
        f"metric must be a name, a callable or a scikit-learn scorer, however: {metric!r}."
    )


def _from_table(name: str, task: str) -> Metric:
    found = find_metric(FUNCTIONS.get(f"{name}()", name))
    if found is None:
        known = [*METRICS, *(family.example for family in FAMILIES.values())]
        raise InputError(
            f"metric must be one of {', '.join(known)}, however: {name!r}."
            f"{did_you_mean(name, [*known, *ALIASES])}"
        )
    return _check_task(found, task)


def _check_task(metric: Metric, task: str) -> Metric:
    if task not in metric.tasks:
        raise InputError(
            f"metric {metric.name!r} is for {' and '.join(metric.tasks)} targets, however: this "
            f"target is {task}. Choose from {', '.join(names_for(task))}, or pass task=."
        )
    return metric


def metric_by_name(name: str, task: str, greater_is_better: bool) -> Metric:  # noqa: FBT001
    """Return a metric of the table, or the name and direction of one that was the user's own.

    A saved model keeps no code: scoring again with a metric of one's own needs the function.
    """
    try:
        found = find_metric(name)
    except InputError:  # a function of that name
        found = None
    if found is not None and found.name == name and task in found.tasks:
        return found
    return Metric(name, partial(_unknown, name), greater_is_better, "values", (task,))


def _unknown(name: str, *_: Any, **__: Any) -> float:
    raise InputError(
        f"The model was scored with {name!r}, a function that is not saved with it. "
        "Score predictions with that function itself."
    )


def _from_callable(function: Any, task: str, classes: Sequence[object]) -> Metric:
    plain = isinstance(function, partial) and not function.args
    called, fixed = (function.func, function.keywords) if plain else (function, {})
    row = row_of(called, fixed, classes)
    if row is not None:
        return _check_task(row, task)
    need: Need = "values" if task == "regression" else "labels"
    return Metric(
        _name_of(function), function, not is_loss(called), need, (task,), labels=True,
        weighted=takes(function, "sample_weight"),
    )  # fmt: skip


def _from_scorer(scorer: Any, task: str, classes: Sequence[object]) -> Metric:
    function, fixed = scorer._score_func, scorer._kwargs  # noqa: SLF001 - scikit-learn has no
    wanted, sign = scorer._response_method, scorer._sign  # noqa: SLF001 - public accessors
    wanted = wanted if isinstance(wanted, str) else wanted[0]
    if task == "regression":
        need: Need = "values"
    elif wanted == "predict":
        need = "labels"
    else:
        need = "positive" if task == "binary" else "probabilities"
    row = row_of(function, fixed, classes)
    if row is not None and task in row.tasks:
        sees_labels = row.need == "labels"
        if row.greater_is_better == (sign > 0) and sees_labels == (need == "labels"):
            return row
    return Metric(
        _name_of(function), partial(function, **fixed), sign > 0, need, (task,), labels=True,
        weighted=takes(function, "sample_weight"),
    )  # fmt: skip


def _name_of(function: Any) -> str:
    """Return a function's name; of a partial, the name of what it calls."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))
