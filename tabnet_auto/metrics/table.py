"""The metric table: one row a metric, and one a family of metrics with a number in the name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tabnet_auto.errors import InputError
from tabnet_auto.metrics import labels, ranking, values
from tabnet_auto.metrics.metric import Metric, ScoreFunction, Tuning, score_confusion
from tabnet_auto.metrics.objective import Objective

_BINARY = ("binary",)
_MANY = ("multiclass",)
_CLASSES = ("binary", "multiclass")
_VALUES = ("regression",)


def _sklearn(name: str, **fixed: Any) -> ScoreFunction:
    return partial(ranking.sklearn_score, name, **fixed)


def _of_labels(
    name: str, of_confusion: Callable[..., Any], tasks: tuple[str, ...], tuning: Tuning = "argmax"
) -> Metric:
    return Metric(
        name, partial(score_confusion, of_confusion), True, "labels", tasks,
        tuning=tuning, of_confusion=of_confusion,
    )  # fmt: skip


def _of_values(name: str, function: ScoreFunction, objective: Objective, **more: Any) -> Metric:
    return Metric(name, function, False, "values", _VALUES, objective=objective, **more)


# What is learned for a metric of values. SMAPE is close to the absolute difference of logarithms
# where errors are small; MAPE and RMSPE are absolute and squared errors of rows weighted by the
# inverse of the value and of its square.
_MEAN = Objective()
_MEDIAN = Objective("absolute")
_LOG_MEAN = Objective(transform="log1p")
_LOG_MEDIAN = Objective("absolute", transform="log1p")

_LABEL_METRICS = (
    # Accuracy, which micro F1 is where a row has one class, is greatest at the most probable class.
    _of_labels("accuracy", labels.accuracy, _CLASSES),
    _of_labels("balanced_accuracy", labels.balanced_accuracy, _CLASSES, "offsets"),
    _of_labels("f1", labels.f_beta, _BINARY, "offsets"),
    _of_labels("f1_macro", labels.f1_macro, _CLASSES, "offsets"),
    _of_labels("f1_micro", labels.accuracy, _CLASSES),
    _of_labels("f1_weighted", labels.f1_weighted, _CLASSES, "offsets"),
    _of_labels("mcc", labels.mcc, _CLASSES, "offsets"),
    _of_labels("cohen_kappa", labels.cohen_kappa, _CLASSES, "offsets"),
    _of_labels("quadratic_weighted_kappa", labels.quadratic_weighted_kappa, _CLASSES,
               "cut_points"),
)  # fmt: skip

_PROBABILITY_METRICS = (
    Metric("roc_auc", ranking.roc_auc, True, "positive", _BINARY),
    Metric("roc_auc_ovr", ranking.roc_auc_ovr, True, "probabilities", _MANY),
    Metric("roc_auc_ovr_weighted", partial(ranking.roc_auc_ovr, by_share=True), True,
           "probabilities", _MANY),
    Metric("roc_auc_ovo", ranking.roc_auc_ovo, True, "probabilities", _MANY),
    Metric("roc_auc_ovo_weighted", partial(ranking.roc_auc_ovo, by_share=True), True,
           "probabilities", _MANY),
    Metric("average_precision", ranking.average_precision, True, "probabilities", _CLASSES),
    Metric("normalized_gini", ranking.normalized_gini, True, "positive",
           ("binary", "regression"), domain="non_negative", instead="r2"),
    Metric("amex", ranking.amex, True, "positive", _BINARY),
    Metric("log_loss", ranking.log_loss, False, "probabilities", _CLASSES, row_by_row=True),
    Metric("brier", ranking.brier, False, "probabilities", _CLASSES, row_by_row=True),
)  # fmt: skip

_VALUE_METRICS = (
    _of_values("rmse", values.rmse, _MEAN),
    _of_values("mse", _sklearn("mean_squared_error"), _MEAN),
    _of_values("mae", _sklearn("mean_absolute_error"), _MEDIAN),
    _of_values("median_absolute_error", _sklearn("median_absolute_error"), _MEDIAN),
    _of_values("mape", _sklearn("mean_absolute_percentage_error"),
               Objective("absolute", relative=1)),
    _of_values("smape", values.smape, _LOG_MEDIAN, domain="non_negative", instead="mae"),
    _of_values("rmspe", values.rmspe, Objective(relative=2), domain="non_zero"),
    _of_values("rmsle", values.rmsle, _LOG_MEAN, domain="non_negative"),
    _of_values("msle", values.msle, _LOG_MEAN, domain="non_negative"),
    _of_values("poisson_deviance", partial(values.deviance, name="mean_poisson_deviance"),
               Objective("poisson"), domain="non_negative"),
    _of_values("gamma_deviance", partial(values.deviance, name="mean_gamma_deviance"),
               Objective("gamma"), domain="positive", instead="poisson_deviance or rmse"),
    Metric("r2", values.r2, True, "values", _VALUES),
)  # fmt: skip

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (*_PROBABILITY_METRICS, *_LABEL_METRICS, *_VALUE_METRICS)
}
"""Metrics by name."""

DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}

ALIASES: dict[str, str] = {
    "auc": "roc_auc",
    "gini": "normalized_gini",
    "kappa": "cohen_kappa",
    "logloss": "log_loss",
    "qwk": "quadratic_weighted_kappa",
    "matthews_corrcoef": "mcc",
    "brier_score": "brier",
    "neg_brier_score": "brier",
    "neg_log_loss": "log_loss",
    "neg_mean_absolute_error": "mae",
    "neg_mean_absolute_percentage_error": "mape",
    "neg_mean_gamma_deviance": "gamma_deviance",
    "neg_mean_poisson_deviance": "poisson_deviance",
    "neg_mean_squared_error": "mse",
    "neg_mean_squared_log_error": "msle",
    "neg_median_absolute_error": "median_absolute_error",
    "neg_root_mean_squared_error": "rmse",
    "neg_root_mean_squared_log_error": "rmsle",
    "pinball": "pinball@0.5",
    "mean_pinball_loss": "pinball@0.5",
    "top_k_accuracy": "top_k_accuracy@2",
}
"""Other names of the same metrics: Kaggle's, and scikit-learn's, whose ``neg_`` only turns the
sign; errors here are positive, and less is better."""


@dataclass(frozen=True)
class Family:
    """Metrics with a number in the name, ``map@3``: how to make one, and which numbers fit."""

    make: Callable[[str, float], Metric]
    tasks: tuple[str, ...]
    whole: bool
    below: float
    example: str

    def read(self, text: str) -> float | None:
        """Return the number that the text after ``@`` names, None where it does not fit."""
        try:
            number = float(text)
        except ValueError:
            return None
        if not 0 < number < self.below or (self.whole and number != int(number)):
            return None
        return number


def _first_k(name: str, function: ScoreFunction, k: float) -> Metric:
    first = partial(function, k=int(k))
    return Metric(name, first, True, "probabilities", _MANY, row_by_row=True)


def _map_at_k(name: str, k: float) -> Metric:
    return _first_k(name, ranking.map_at_k, k)


def _top_k(name: str, k: float) -> Metric:
    return _first_k(name, ranking.top_k_accuracy, k)


def _f_beta(name: str, beta: float) -> Metric:
    return _of_labels(name, partial(labels.f_beta, beta=beta), _BINARY, "offsets")


def _pinball(name: str, quantile: float) -> Metric:
    function = _sklearn("mean_pinball_loss", alpha=quantile)
    return _of_values(name, function, Objective("pinball", quantile))


FAMILIES: dict[str, Family] = {
    "map": Family(_map_at_k, _MANY, True, float("inf"), "map@3"),
    "top_k_accuracy": Family(_top_k, _MANY, True, float("inf"), "top_k_accuracy@5"),
    "f_beta": Family(_f_beta, _BINARY, False, float("inf"), "f_beta@2"),
    "pinball": Family(_pinball, _VALUES, False, 1.0, "pinball@0.9"),
}
"""Families by the name before ``@``: first K classes, weight of recall, quantile."""


def find_metric(name: str) -> Metric | None:
    """Return the metric of that name, alias, or name with a number; None if there is none.

    Capitals make no difference.

    Raises
    ------
    InputError
        If the number in the name does not fit.
    """
    name = ALIASES.get(name.lower(), name.lower())
    head, at, number = name.partition("@")
    if not at or head not in FAMILIES:
        return METRICS.get(name)
    family = FAMILIES[head]
    value = family.read(number)
    if value is None:
        kind = "whole number" if family.whole else "number"
        limit = "" if family.below == float("inf") else f" and below {family.below:g}"
        raise InputError(
            f"{head}@ takes a {kind} above 0{limit}, however: {name!r}. Pass {family.example!r}."
        )
    return family.make(name, value)


def names_for(task: str) -> Iterable[str]:
    """Return the names that fit a task, one example of each family among them."""
    yield from (name for name, metric in METRICS.items() if task in metric.tasks)
    yield from (family.example for family in FAMILIES.values() if task in family.tasks)
