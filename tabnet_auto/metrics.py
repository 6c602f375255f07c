"""The metric table: name, function, direction, and what it needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError, did_you_mean

Need = Literal["labels", "probabilities", "positive", "values"]
"""What a metric looks at: predicted class, all class probabilities, the probability of the
second class (binary), or predicted values."""

ScoreFunction = Callable[..., float]


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    ``function(y_true, y_pred, sample_weight=None)`` in scikit-learn's order; ``y_true`` holds
    class positions (or the user's own labels where ``labels`` is True) or values. A function that
    is not ``weighted`` takes no ``sample_weight``: it counts all rows alike.
    """

    name: str
    function: ScoreFunction
    greater_is_better: bool
    need: Need
    tasks: tuple[str, ...]
    labels: bool = False
    weighted: bool = True

    def score(
        self,
        y: NDArray[Any],
        prediction: NDArray[np.floating],
        weight: NDArray[np.floating] | None = None,
        classes: NDArray[Any] | None = None,
    ) -> float:
        """Score predictions of the rows ``y``.

        ``prediction`` is ``(n, n_classes)`` probabilities or ``(n,)`` values; ``y`` is ``(n,)``
        class positions or values; ``classes`` are the user's labels by position. NaN where the
        metric is not defined on these rows (one class only, say).
        """
        keyword: dict[str, Any] = {}
        if weight is not None and self.weighted:
            counts = weight > 0  # scikit-learn warns where only rows without weight have a class
            y, prediction = y[counts], prediction[counts]
            keyword["sample_weight"] = weight[counts]
        if len(y) == 0 or (self.needs_two_classes and len(np.unique(y)) < 2):
            return float("nan")
        truth, seen = y, self._view(prediction)
        if self.labels and classes is not None:
            truth = classes[y]
            seen = classes[seen] if self.need == "labels" else seen
        if self.need == "probabilities" and _takes(self.function, "labels"):
            named = self.labels and classes is not None
            keyword["labels"] = classes if named else np.arange(prediction.shape[1])
        return float(self.function(truth, seen, **keyword))

    @property
    def needs_two_classes(self) -> bool:
        """Whether the metric is not defined on rows of one class."""
        return self.need in ("positive", "probabilities")

    def _view(self, prediction: NDArray[np.floating]) -> NDArray[Any]:
        if self.need == "labels":
            return prediction.argmax(axis=1)
        if self.need == "positive":
            return prediction[:, 1]
        return prediction

    def better(self, a: float, b: float) -> bool:
        """Whether score ``a`` is better than ``b``."""
        return a > b if self.greater_is_better else a < b


_CLASSES = ("binary", "multiclass")
_VALUES = ("regression",)


def _sklearn(name: str, **fixed: Any) -> ScoreFunction:
    """Return a function of scikit-learn, imported when first used; it can be pickled."""
    return partial(_call_sklearn, name, **fixed)


def _call_sklearn(name: str, y: Any, prediction: Any, **keyword: Any) -> float:
    import sklearn.metrics

    return float(getattr(sklearn.metrics, name)(y, prediction, **keyword))


def _log_loss(y: Any, p: Any, labels: Any, **keyword: Any) -> float:
    p = np.clip(p, 1e-15, 1.0)
    p = p / p.sum(axis=1, keepdims=True)
    return _call_sklearn("log_loss", y, p, labels=labels, **keyword)


def _roc_auc_ovr(y: Any, p: Any, labels: Any, **keyword: Any) -> float:
    """One-vs-rest ROC AUC, mean over the classes that occur among the rows."""
    areas = [_call_sklearn("roc_auc_score", y == k, p[:, k], **keyword)
             for k in labels if (y == k).any()]  # fmt: skip
    return float(np.mean(areas))


def _balanced_accuracy(y: Any, label: Any, **keyword: Any) -> float:
    """Mean recall of the classes that occur among the rows."""
    present = np.unique(y)
    return _call_sklearn("recall_score", y, label, labels=present, average="macro", **keyword)


def _mcc(y: Any, label: Any, **keyword: Any) -> float:
    """Matthews correlation; 0, as scikit-learn has it, where truth or prediction is one class."""
    if len(np.unique(y)) < 2 or len(np.unique(label)) < 2:
        return 0.0
    return _call_sklearn("matthews_corrcoef", y, label, **keyword)


def _r2(y: Any, value: Any, **keyword: Any) -> float:
    """Coefficient of determination; not defined on a single row."""
    return _call_sklearn("r2_score", y, value, **keyword) if len(y) > 1 else float("nan")


def _rmsle(y: Any, value: Any, **keyword: Any) -> float:
    """Root mean squared logarithmic error; predictions below zero count as zero."""
    if np.min(y) < 0:
        raise InputError(
            f"rmsle needs a target that is never negative, however: {np.min(y)}. Choose rmse."
        )
    below = np.maximum(value, 0.0)
    return _call_sklearn("root_mean_squared_log_error", y, below, **keyword)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", _sklearn("roc_auc_score"), True, "positive", ("binary",)),
        Metric("roc_auc_ovr", _roc_auc_ovr, True, "probabilities", ("multiclass",)),
        Metric("average_precision", _sklearn("average_precision_score"), True, "positive",
               ("binary",)),
        Metric("log_loss", _log_loss, False, "probabilities", _CLASSES),
        Metric("brier", _sklearn("brier_score_loss"), False, "positive", ("binary",)),
        Metric("accuracy", _sklearn("accuracy_score"), True, "labels", _CLASSES),
        Metric("balanced_accuracy", _balanced_accuracy, True, "labels", _CLASSES),
        Metric("f1", _sklearn("f1_score", zero_division=0.0), True, "labels",
               ("binary",)),
        Metric("f1_macro", _sklearn("f1_score", average="macro", zero_division=0.0), True,
               "labels", _CLASSES),
        Metric("mcc", _mcc, True, "labels", _CLASSES),
        Metric("rmse", _sklearn("root_mean_squared_error"), False, "values", _VALUES),
        Metric("mae", _sklearn("mean_absolute_error"), False, "values", _VALUES),
        Metric("mape", _sklearn("mean_absolute_percentage_error"), False, "values", _VALUES),
        Metric("rmsle", _rmsle, False, "values", _VALUES),
        Metric("r2", _r2, True, "values", _VALUES),
        Metric("median_absolute_error", _sklearn("median_absolute_error"), False, "values",
               _VALUES),
    )
}  # fmt: skip

DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def get_metric(metric: Any, task: str) -> Metric:
    """Return the metric for ``"auto"``, a name of the table, a scikit-learn scorer or a callable.

    A callable is called as ``function(y_true, y_pred)`` with labels (or values) as the user
    wrote them, and greater must be better; for another direction or probabilities pass
    ``sklearn.metrics.make_scorer(...)``.

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
        weighted = _takes(metric, "sample_weight")
        return Metric(_name_of(metric), metric, True, need, (task,), True, weighted)
    raise InputError(
        f"metric must be a name, a callable or a scikit-learn scorer, however: {metric!r}."
    )


def _from_table(name: str, task: str) -> Metric:
    if name not in METRICS:
        raise InputError(
            f"metric must be one of {', '.join(METRICS)}, however: {name!r}."
            f"{did_you_mean(name, METRICS)}"
        )
    return _check_task(METRICS[name], task)


def _check_task(metric: Metric, task: str) -> Metric:
    if task not in metric.tasks:
        fitting = [name for name, other in METRICS.items() if task in other.tasks]
        raise InputError(
            f"metric {metric.name!r} is for {' and '.join(metric.tasks)} targets, however: this "
            f"target is {task}. Choose from {', '.join(fitting)}, or pass task=."
        )
    return metric


def metric_by_name(name: str, task: str, greater_is_better: bool) -> Metric:  # noqa: FBT001
    """Return a metric of the table, or the name and direction of one that was the user's own.

    A saved model keeps no code: scoring again with a metric of one's own needs the function.
    """
    if name in METRICS and task in METRICS[name].tasks:
        return METRICS[name]

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
        weighted=_takes(function, "sample_weight"),
    )  # fmt: skip


def _name_of(function: Any) -> str:
    """Return a function's name; of a partial, the name of what it calls."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _takes(function: Any, keyword: str) -> bool:
    try:
        return keyword in inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C, say
        return False
