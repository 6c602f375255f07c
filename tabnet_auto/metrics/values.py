"""Scores of predicted values that scikit-learn does not have, or has with other rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.metrics.ranking import sklearn_score

Floats = NDArray[np.float64]

SMALLEST = 1e-12
"""Predictions below it count as this where a deviance needs them above 0."""


def r2(y: Any, value: Floats, **keyword: Any) -> float:
    """Coefficient of determination; not defined on a single row."""
    return sklearn_score("r2_score", y, value, **keyword) if len(y) > 1 else float("nan")


def rmse(y: Any, value: Floats, sample_weight: Any = None) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.average((y - value) ** 2, weights=sample_weight)))


def rmsle(y: Any, value: Floats, **keyword: Any) -> float:
    """Root mean squared logarithmic error; predictions below zero count as zero."""
    below = np.maximum(value, 0.0)
    return sklearn_score("root_mean_squared_log_error", y, below, **keyword)


def msle(y: Any, value: Floats, **keyword: Any) -> float:
    """Mean squared logarithmic error; predictions below zero count as zero."""
    return sklearn_score("mean_squared_log_error", y, np.maximum(value, 0.0), **keyword)


def smape(y: Any, value: Floats, sample_weight: Any = None) -> float:
    """Mean of 2 |y - p| / (|y| + |p|), from 0 to 2; 0 where both are 0."""
    size = np.abs(y) + np.abs(value)
    error = np.divide(2 * np.abs(y - value), size, out=np.zeros(len(size)), where=size > 0)
    return float(np.average(error, weights=sample_weight))


def rmspe(y: Any, value: Floats, sample_weight: Any = None) -> float:
    """Root mean squared percentage error, as a share: sqrt(mean(((y - p) / y)^2))."""
    return float(np.sqrt(np.average(((y - value) / y) ** 2, weights=sample_weight)))


def deviance(y: Any, value: Floats, sample_weight: Any = None, *, name: str) -> float:
    """Mean deviance of scikit-learn; predictions that are not above 0 count as almost 0."""
    above = np.maximum(value, SMALLEST)
    return sklearn_score(name, y, above, sample_weight=sample_weight)
