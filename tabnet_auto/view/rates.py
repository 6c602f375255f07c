"""Rates of predictions against the truth: the numbers that panels draw."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.report_data import Floats


def roc_points(probability: Floats, truth: NDArray[np.int64]) -> tuple[Floats, Floats, float]:
    """Return false positive rates, true positive rates, and the area under the curve.

    Ties share one point, so the area is that of the rank statistic. NaN if a class is absent.
    """
    order = np.argsort(-probability, kind="stable")
    p, y = probability[order], truth[order].astype(bool)
    last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1) if len(p) else np.zeros(0, int)
    hits, misses = np.cumsum(y)[last], np.cumsum(~y)[last]
    if not len(last) or hits[-1] == 0 or misses[-1] == 0:
        return np.array([0.0, 1.0]), np.array([0.0, 1.0]), math.nan
    tpr = np.concatenate([[0.0], hits / hits[-1]])
    fpr = np.concatenate([[0.0], misses / misses[-1]])
    return fpr, tpr, float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))


def precision_points(probability: Floats, truth: NDArray[np.int64]) -> tuple[Floats, Floats, float]:
    """Return recalls, precisions, and the average precision; NaN without a positive row.

    Average precision is the sum of precisions weighted by the rise of recall, without
    interpolation between thresholds (scikit-learn's ``average_precision_score``).
    """
    order = np.argsort(-probability, kind="stable")
    p, y = probability[order], truth[order].astype(bool)
    last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1) if len(p) else np.zeros(0, int)
    hits = np.cumsum(y)[last]
    if not len(last) or hits[-1] == 0:
        return np.array([0.0, 1.0]), np.array([0.0, 0.0]), math.nan
    recall, precision = hits / hits[-1], hits / (last + 1)
    average = float(np.sum(np.diff(np.concatenate([[0.0], recall])) * precision))
    return recall, precision, average


def calibration_bins(
    probability: Floats, truth: NDArray[np.int64], n_bins: int = 10
) -> list[tuple[float, float, float, float, int]]:
    """Return ``(mean predicted, share true, low, high, rows)`` for bins of equal size.

    Rows with the same prediction stay in one bin. ``low`` and ``high`` are the 95% Wilson
    interval of the share.
    """
    if not len(probability):
        return []
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, n_bins + 1)))
    bins = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, len(edges) - 2)
    out = []
    for b in np.unique(bins):
        inside = bins == b
        n, share = int(inside.sum()), float(truth[inside].mean())
        low, high = _wilson(share, n)
        out.append((float(probability[inside].mean()), share, low, high, n))
    return out


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def shares(values: Floats, edges: Floats) -> Floats:
    """Return the share of the values in each bin; nothing but zeros where there are none."""
    counts = np.histogram(values, bins=edges)[0].astype(np.float64)
    return counts / counts.sum() if counts.sum() else counts


def spaced(n: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` positions out of ``n``, evenly spaced, both ends included."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, most)).round().astype(np.int64))


def sample_note(n: int, n_rows: int) -> str:
    """Say that ``n`` of ``n_rows`` rows are drawn, where it is a sample."""
    return f" From a sample of {n:,} of {n_rows:,} rows." * (n_rows > n)


def along(x: Floats, y: Floats, most: int = 200) -> NDArray[np.int64]:
    """Return at most about ``most`` positions evenly spaced along a curve, both ends included.

    By their number, points of a rare class would be passed over: they are among the first.
    """
    steps = np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0]))
    length = np.cumsum(steps)
    places = np.searchsorted(length, np.linspace(0.0, length[-1], min(len(x), most)))
    return np.unique([0, *np.minimum(places, len(x) - 1), len(x) - 1]).astype(np.int64)
