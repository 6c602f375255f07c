"""From what the user passes as a metric to a row of the table, or to a metric of one's own."""

from __future__ import annotations

from functools import partial
from typing import Any

from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.metrics.metric import Metric, Need, takes
from tabnet_auto.metrics.objective import Objective
from tabnet_auto.metrics.table import (
    ALIASES,
    DEFAULT_METRIC,
    FAMILIES,
    METRICS,
    find_metric,
    names_for,
)


def get_metric(metric: Any, task: str) -> Metric:
    """Return the metric for ``"auto"``, a name of the table, a scikit-learn scorer or a callable.

    Names with a number are ``map@3``, ``top_k_accuracy@5``, ``f_beta@2`` and ``pinball@0.9``.
    A callable is called as ``function(y_true, y_pred)`` with labels (or values) as the user
    wrote them, and greater must be better; for another direction or probabilities pass
    ``sklearn.metrics.make_scorer(...)``. A metric of one's own is scored, but decisions are not
    tuned for it: it may be slow, and says nothing about how.

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
        return _from_scorer(metric, task)
    if callable(metric):
        need: Need = "values" if task == "regression" else "labels"
        weighted = takes(metric, "sample_weight")
        return Metric(
            _name_of(metric),
            metric,
            greater_is_better=True,
            need=need,
            tasks=(task,),
            labels=True,
            weighted=weighted,
        )
    raise InputError(
        f"metric must be a name, a callable or a scikit-learn scorer, however: {metric!r}."
    )


def _from_table(name: str, task: str) -> Metric:
    found = find_metric(name)
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


def _from_scorer(scorer: Any, task: str) -> Metric:
    function, fixed = scorer._score_func, scorer._kwargs  # noqa: SLF001 - scikit-learn has no
    wanted, sign = scorer._response_method, scorer._sign  # noqa: SLF001 - public accessors
    wanted = wanted if isinstance(wanted, str) else wanted[0]
    if task == "regression":
        need: Need = "values"
    elif wanted == "predict":
        need = "labels"
    else:
        need = "positive" if task == "binary" else "probabilities"
    return Metric(
        _name_of(function), partial(function, **fixed), sign > 0, need, (task,), labels=True,
        weighted=takes(function, "sample_weight"), objective=_objective_of(function, fixed),
    )  # fmt: skip


_LEARNED_AS = {
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "median_absolute_error": "median_absolute_error",
}
"""Functions of scikit-learn, defined on every target, that are not learned as squared error."""


def _objective_of(function: Any, fixed: dict[str, Any]) -> Objective:
    """Return how a scorer's function is learned: as its row of the table, if it has one."""
    name = _name_of(function)
    if name == "mean_pinball_loss":
        return Objective("pinball", fixed.get("alpha", 0.5))
    return METRICS[_LEARNED_AS[name]].objective if name in _LEARNED_AS else Objective()


def _name_of(function: Any) -> str:
    """Return a function's name; of a partial, the name of what it calls."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))
