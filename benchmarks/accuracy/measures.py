"""Errors on the test rows; lower is better everywhere."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

ERRORS = {"binary": "1 - AUC", "multiclass": "log-loss", "regression": "RMSE / sd"}
SMALLEST = 1e-15
"""Probabilities are clipped to this: one sure mistake must not decide a set."""


def error_of(task: str, truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return 1 - AUC (binary), log-loss (multiclass), or RMSE over the standard deviation.

    ``truth`` are class positions (n,) or values (n,); ``predicted`` probabilities (n, classes)
    or values (n,).
    """
    check(task, truth, predicted)
    if task == "regression":
        return float(np.sqrt(np.mean((predicted - truth) ** 2)) / truth.std())
    if task == "binary":
        return 1.0 - float(roc_auc_score(truth, predicted[:, 1]))
    return log_loss(truth, predicted)


def scores_of(task: str, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return further figures that the paper's tables are read by."""
    if task == "regression":
        return {"rmse": float(np.sqrt(np.mean((predicted - truth) ** 2)))}
    hits = predicted.argmax(axis=1) == truth
    return {"accuracy": float(hits.mean()), "log_loss": log_loss(truth, predicted)}


def log_loss(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean negative log-probability of the true class, rows scaled to sum to one."""
    clipped = np.clip(np.asarray(predicted, dtype=float), SMALLEST, None)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return float(-np.log(clipped[np.arange(len(truth)), truth]).mean())


def check(task: str, truth: np.ndarray, predicted: np.ndarray) -> None:
    """Refuse predictions of another shape, and predictions that are no numbers."""
    wanted = 1 if task == "regression" else 2
    if predicted.ndim != wanted or len(predicted) != len(truth):
        raise ValueError(f"{len(truth)} predictions expected, however: shape {predicted.shape}")
    if not np.isfinite(predicted).all():
        raise ValueError("predictions must be finite, however: some are not")
