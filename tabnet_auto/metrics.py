"""The metric table: name, function, direction, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    class positions (or the user's own labels where ``labels`` is True) or values.
    """

    name: str
    function: ScoreFunction
    greater_is_better: bool
    need: Need
    tasks: tuple[str, ...]
    labels: bool = False

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
        keyword = {} if weight is None else {"sample_weight": weight}
        truth, seen = y, self._view(prediction)
        if self.labels and classes is not None:
            truth = classes[y]
            seen = classes[seen] if self.need == "labels" else seen
        if self.need in ("positive", "probabilities") and len(np.unique(y)) < 2:
            return float("nan")
        if self.need == "probabilities" and not self.labels:
            keyword["labels"] = np.arange(prediction.shape[1])
        return float(self.function(truth, seen, **keyword))

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


def _log_loss(y: Any, p: Any, **keyword: Any) -> float:  # noqa: ANN401
    from sklearn.metrics import log_loss

    p = np.clip(p, 1e-15, 1.0)
    return float(log_loss(y, p / p.sum(axis=1, keepdims=True), **keyword))


def _roc_auc_ovr(y: Any, p: Any, **keyword: Any) -> float:  # noqa: ANN401
    """One-vs-rest ROC AUC, mean over the classes that occur among the rows."""
    from sklearn.metrics import roc_auc_score

    weight = keyword.get("sample_weight")
    present = [k for k in range(p.shape[1]) if 0 < np.count_nonzero(y == k) < len(y)]
    return float(
        np.mean([roc_auc_score(y == k, p[:, k], sample_weight=weight) for k in present])
    )


def _sklearn(name: str, **fixed: Any) -> ScoreFunction:  # noqa: ANN401
    def function(y: Any, prediction: Any, **keyword: Any) -> float:  # noqa: ANN401
        import sklearn.metrics

        return float(getattr(sklearn.metrics, name)(y, prediction, **fixed, **keyword))

    return function


def _rmsle(y: Any, value: Any, **keyword: Any) -> float:  # noqa: ANN401
    """Root mean squared logarithmic error; predictions below zero count as zero."""
    if np.min(y) < 0:
        raise InputError(f"rmsle needs a target that is never negative, however: {np.min(y)}.")
    return _sklearn("root_mean_squared_log_error")(y, np.maximum(value, 0.0), **keyword)


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
        Metric("balanced_accuracy", _sklearn("balanced_accuracy_score"), True, "labels",
               _CLASSES),
        Metric("f1", _sklearn("f1_score"), True, "labels", ("binary",)),
        Metric("f1_macro", _sklearn("f1_score", average="macro"), True, "labels", _CLASSES),
        Metric("mcc", _sklearn("matthews_corrcoef"), True, "labels", _CLASSES),
        Metric("rmse", _sklearn("root_mean_squared_error"), False, "values", _VALUES),
        Metric("mae", _sklearn("mean_absolute_error"), False, "values", _VALUES),
        Metric("mape", _sklearn("mean_absolute_percentage_error"), False, "values", _VALUES),
        Metric("rmsle", _rmsle, False, "values", _VALUES),
        Metric("r2", _sklearn("r2_score"), True, "values", _VALUES),
        Metric("median_absolute_error", _sklearn("median_absolute_error"), False, "values",
               _VALUES),
    )
}  # fmt: skip

DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def get_metric(metric: Any, task: str) -> Metric:  # noqa: ANN401 - name, callable or scorer
    """Return the metric for ``"auto"``, a name of the table, a scikit-learn scorer or a callable.

    A callable is called as ``function(y_true, y_pred)`` with labels (or values) as the user
    wrote them, and greater must be better; for another direction or probabilities pass
    ``sklearn.metrics.make_scorer(...)``.

    Raises
    ------
    InputError
        If the name is not in the table or the metric does not fit the task.
    """
    if isinstance(metric, Metric):
        return metric
    if metric == "auto":
        return METRICS[DEFAULT_METRIC[task]]
    if isinstance(metric, str):
        if metric not in METRICS:
            raise InputError(
                f"metric must be one of {', '.join(METRICS)}, however: {metric!r}."
                f"{did_you_mean(metric, METRICS)}"
            )
        found = METRICS[metric]
        if task not in found.tasks:
            fitting = [name for name, other in METRICS.items() if task in other.tasks]
            raise InputError(
                f"metric {metric!r} is for {' and '.join(found.tasks)} targets, however: this "
                f"target is {task}. Choose from {', '.join(fitting)}, or pass task=."
            )
        return found
    if hasattr(metric, "_score_func"):
        return _from_scorer(metric, task)
    if callable(metric):
        need: Need = "values" if task == "regression" else "labels"
        name = getattr(metric, "__name__", type(metric).__name__)
        return Metric(name, metric, True, need, (task,), labels=True)
    raise InputError(
        f"metric must be a name, a callable or a scikit-learn scorer, however: {metric!r}."
    )


def metric_by_name(name: str, task: str, greater_is_better: bool) -> Metric:  # noqa: FBT001
    """Return a metric of the table, or the name and direction of one that was the user's own.

    A saved model keeps no code: scoring again with a metric of one's own needs the function.
    """
    if name in METRICS and task in METRICS[name].tasks:
        return METRICS[name]

    def unknown(*_: Any, **__: Any) -> float:  # noqa: ANN401
        raise InputError(
            f"The model was scored with {name!r}, a function that is not saved with it. "
            "Score predictions with that function itself."
        )

    return Metric(name, unknown, greater_is_better, "labels", (task,))


def _from_scorer(scorer: Any, task: str) -> Metric:  # noqa: ANN401
    wanted = scorer._response_method  # noqa: SLF001 - scikit-learn has no public accessor
    wanted = wanted if isinstance(wanted, str) else wanted[0]
    if task == "regression":
        need: Need = "values"
    elif wanted == "predict":
        need = "labels"
    else:
        need = "positive" if task == "binary" else "probabilities"
    sign, keyword = scorer._sign, scorer._kwargs  # noqa: SLF001

    def function(y: Any, prediction: Any, **more: Any) -> float:  # noqa: ANN401
        return float(scorer._score_func(y, prediction, **keyword, **more))  # noqa: SLF001

    name = getattr(scorer._score_func, "__name__", "scorer")  # noqa: SLF001
    return Metric(name, function, sign > 0, need, (task,), labels=True)
