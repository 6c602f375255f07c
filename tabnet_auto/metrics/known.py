"""scikit-learn's functions that are rows of the table, in whichever way the user passes them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from tabnet_auto.metrics.metric import Metric
from tabnet_auto.metrics.table import find_metric

FUNCTIONS: dict[str, str] = {
    "accuracy_score()": "accuracy",
    "average_precision_score()": "average_precision",
    "balanced_accuracy_score()": "balanced_accuracy",
    "brier_score_loss()": "brier",
    "cohen_kappa_score()": "cohen_kappa",
    "cohen_kappa_score(weights='quadratic')": "quadratic_weighted_kappa",
    "f1_score()": "f1",
    "f1_score(average='macro')": "f1_macro",
    "f1_score(average='micro')": "f1_micro",
    "f1_score(average='weighted')": "f1_weighted",
    "fbeta_score()": "f_beta",
    "log_loss()": "log_loss",
    "matthews_corrcoef()": "mcc",
    "mean_absolute_error()": "mae",
    "mean_absolute_percentage_error()": "mape",
    "mean_gamma_deviance()": "gamma_deviance",
    "mean_pinball_loss()": "pinball",
    "mean_poisson_deviance()": "poisson_deviance",
    "mean_squared_error()": "mse",
    "mean_squared_log_error()": "msle",
    "median_absolute_error()": "median_absolute_error",
    "r2_score()": "r2",
    "roc_auc_score()": "roc_auc",
    "roc_auc_score(average='weighted', multi_class='ovo')": "roc_auc_ovo_weighted",
    "roc_auc_score(average='weighted', multi_class='ovr')": "roc_auc_ovr_weighted",
    "roc_auc_score(multi_class='ovo')": "roc_auc_ovo",
    "roc_auc_score(multi_class='ovr')": "roc_auc_ovr",
    "root_mean_squared_error()": "rmse",
    "root_mean_squared_log_error()": "rmsle",
    "top_k_accuracy_score()": "top_k_accuracy",
}
"""Names of rows and families by a call: the keywords that are not at their default, sorted."""

NUMBERS = {"fbeta_score": "beta", "mean_pinball_loss": "alpha", "top_k_accuracy_score": "k"}
"""The keyword that becomes the number in a family's name."""

_LOSSES = ("_error", "_loss", "_deviance")


def is_scikit_learns(function: Any) -> bool:
    """Whether a function is one of ``sklearn.metrics``."""
    return str(getattr(function, "__module__", "")).startswith("sklearn.metrics.")


def is_loss(function: Any) -> bool:
    """Whether less is better, by scikit-learn's way to name its functions."""
    return is_scikit_learns(function) and function.__name__.endswith(_LOSSES)


def row_of(function: Any, keywords: dict[str, Any], classes: Sequence[object]) -> Metric | None:
    """Return the row of the table that a call of a function is; None where it is none.

    ``classes`` are the user's labels by position: what scikit-learn looks for is 1 or the
    ``pos_label``, rows look for the second class.
    """
    if not is_scikit_learns(function):
        return None
    parameters = inspect.signature(function).parameters
    if not set(keywords) <= set(parameters):
        return None
    said = {k: v for k, v in keywords.items() if not _same(v, parameters[k].default)}
    if not _looks_for_second(said, parameters, classes):
        return None
    number = ""
    if function.__name__ in NUMBERS:
        name = NUMBERS[function.__name__]
        number = f"@{said.pop(name, parameters[name].default):.12g}"
    listed = ", ".join(f"{name}={said[name]!r}" for name in sorted(said))
    found = FUNCTIONS.get(f"{function.__name__}({listed})")
    return None if found is None else find_metric(found + number)


def _looks_for_second(said: dict[str, Any], parameters: Any, classes: Sequence[object]) -> bool:
    """Whether it is the second class that is looked for; takes ``pos_label`` out of ``said``."""
    if "pos_label" not in parameters:
        return True
    wanted = said.pop("pos_label", None)
    if wanted is not None:
        return len(classes) == 2 and classes[1] == wanted
    return parameters["pos_label"].default != 1 or len(classes) != 2 or classes[0] != 1


def _same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, str | int | float) and value == default)
