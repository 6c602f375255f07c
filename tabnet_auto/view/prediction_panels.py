"""The panels of out-of-fold predictions, one set a task: pure functions of the report's data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.figures import (
    Cell,
    Chart,
    Confusion,
    Figure,
    Histogram,
    Scatter,
    Series,
    Table,
    TableColumn,
)
from tabnet_auto.view.report_data import (
    BinaryPredictions,
    Floats,
    MulticlassPredictions,
    RegressionPredictions,
    ReportData,
)
from tabnet_auto.view.tables import format_cell

N_CLASSES = 20
N_POINTS = 1500


def prediction_figures(data: ReportData) -> tuple[Figure, ...]:
    """Return the pictures that fit the task; none where there are no predictions."""
    predictions = data.predictions
    if isinstance(predictions, BinaryPredictions):
        return (
            roc_chart(predictions), precision_chart(predictions), calibration_chart(predictions),
            threshold_confusion(predictions), class_histogram(predictions),
        )  # fmt: skip
    if isinstance(predictions, MulticlassPredictions):
        return (confusion(predictions),)
    if isinstance(predictions, RegressionPredictions):
        return (truth_scatter(predictions), residual_histogram(predictions))
    return ()


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


def roc_chart(predictions: BinaryPredictions) -> Chart:
    """Return the ROC curve with its area, thinned for drawing after the area is computed."""
    fpr, tpr, area = roc_points(predictions.probability, predictions.truth)
    keep = _spaced(len(fpr), 200)
    tenths = np.linspace(0.0, 1.0, 11)
    rows = tuple(
        (float(t), float(v)) for t, v in zip(tenths, np.interp(tenths, fpr, tpr), strict=True)
    )
    columns = (
        TableColumn("False positive rate", "share"),
        TableColumn("True positive rate", "share"),
    )
    shown = f"AUC {area:.4f}" if math.isfinite(area) else "AUC not defined: one class only"
    return Chart(
        title=f"ROC curve: {shown}",
        alt=f"ROC curve of out-of-fold predictions, {shown}",
        x_label=f"share of {predictions.negative!r} flagged",
        y_label=f"share of {predictions.positive!r} found",
        series=(Series("model", tuple(map(float, fpr[keep])), tuple(map(float, tpr[keep]))),),
        table=Table("Points of the ROC curve", columns, rows),
        note="The dashed diagonal is guessing." + _sample_note(predictions),
        unit=True,
    )


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


def precision_chart(predictions: BinaryPredictions) -> Chart:
    """Return precision against recall, thinned for drawing, with the base rate."""
    recall, precision, average = precision_points(predictions.probability, predictions.truth)
    keep = _spaced(len(recall), 200)
    base = float(predictions.truth.mean()) if len(predictions.truth) else math.nan
    tenths = np.linspace(0.1, 1.0, 10)
    at = np.minimum(np.searchsorted(recall, tenths - 1e-12), len(recall) - 1)
    columns = (TableColumn("Recall", "share"), TableColumn("Precision", "share"))
    rows = tuple((float(recall[i]), float(precision[i])) for i in at)
    shown = f"average precision {average:.4f}" if math.isfinite(average) else "not defined"
    return Chart(
        title=f"Precision and recall: {shown}",
        alt=f"Precision against recall out of fold, {shown}; guessing has {base:.1%}",
        x_label=f"recall: share of {predictions.positive!r} found",
        y_label="precision: share of the flagged",
        series=(
            Series("model", tuple(map(float, recall[keep])), tuple(map(float, precision[keep]))),
            Series("guessing", (0.0, 1.0), (base, base), group=6, style="dashed"),
        ),
        table=Table("Points of the curve", columns, rows),
        note=f"The dashed line is guessing ({base:.1%} of the rows)." + _sample_note(predictions),
        unit=True,
        diagonal=False,
    )


def threshold_confusion(predictions: BinaryPredictions, threshold: float = 0.5) -> Confusion:
    """Return the confusion matrix of flagging every row at or above the threshold."""
    flagged = (predictions.probability >= threshold).astype(np.int64)
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (predictions.truth.astype(np.int64), flagged), 1)
    made = confusion(MulticlassPredictions([predictions.negative, predictions.positive], counts))
    note = f"{made.note} Flagged from a probability of {threshold:g}." + _sample_note(predictions)
    title = f"Confusion at {threshold:g}: {_right(counts):.1%} right"
    return replace(made, title=title, note=note, large=True)


def _right(counts: NDArray[np.int64]) -> float:
    total = int(counts.sum())
    return float(np.trace(counts)) / total if total else math.nan


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


def calibration_chart(predictions: BinaryPredictions) -> Chart:
    """Return how often the positive class came true where it was predicted with p."""
    bins = calibration_bins(predictions.probability, predictions.truth)
    total = sum(b[4] for b in bins)
    gap = sum(abs(b[0] - b[1]) * b[4] for b in bins) / total if total else math.nan
    columns = (
        TableColumn("Mean predicted", "share"),
        TableColumn("Came true", "share"),
        TableColumn("95% from", "share"),
        TableColumn("to", "share"),
        TableColumn("Rows", "count"),
    )
    return Chart(
        title="Calibration",
        alt=f"Predicted against observed share in {len(bins)} bins; mean gap {gap:.1%}",
        x_label="mean predicted probability",
        y_label=f"share that is {predictions.positive!r}",
        series=(
            Series(
                "bins",
                tuple(b[0] for b in bins),
                tuple(b[1] for b in bins),
                style="points",
                low=tuple(b[2] for b in bins),
                high=tuple(b[3] for b in bins),
            ),
        ),
        table=Table("Calibration by bins of equal size", columns, tuple(bins)),
        note=f"On the diagonal, probabilities can be taken at their word. Mean gap {gap:.1%}; "
        "bars are 95% intervals." + _sample_note(predictions),
        unit=True,
    )


def class_histogram(predictions: BinaryPredictions, n_bins: int = 25) -> Histogram:
    """Return how the predicted probabilities of each class are spread."""
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    positive = predictions.truth == 1
    groups = ((predictions.negative, ~positive), (predictions.positive, positive))
    shares = [_shares(predictions.probability[rows], edges) for _, rows in groups]
    columns = (
        TableColumn("Probability from", "score"),
        TableColumn("to", "score"),
        *(TableColumn(f"Of all {name!r}", "share") for name, _ in groups),
    )
    rows = tuple(
        (float(edges[i]), float(edges[i + 1]), *(float(share[i]) for share in shares))
        for i in range(n_bins)
    )
    return Histogram(
        title="Predicted probability by true class",
        alt=f"Histograms of the predicted probability of {predictions.positive!r} by true class",
        x_label=f"predicted probability of {predictions.positive!r}",
        edges=tuple(map(float, edges)),
        series=tuple(
            (f"truly {name}", tuple(map(float, share)))
            for (name, _), share in zip(groups, shares, strict=True)
        ),
        table=Table("Share of each class by predicted probability", columns, rows),
        note="Each class adds up to 100%, whatever its size." + _sample_note(predictions),
        wide=True,
    )


def _shares(values: Floats, edges: Floats) -> Floats:
    counts = np.histogram(values, bins=edges)[0].astype(np.float64)
    return counts / counts.sum() if counts.sum() else counts


def confusion(predictions: MulticlassPredictions, n_classes: int = N_CLASSES) -> Confusion:
    """Return the confusion matrix; beyond ``n_classes`` the rarer classes become one."""
    counts, labels = np.asarray(predictions.counts), list(predictions.labels)
    note = "Counts; colour is the share of the true class (row)."
    if len(labels) > n_classes:
        order = np.argsort(-counts.sum(axis=1), kind="stable")
        keep, rest = np.sort(order[: n_classes - 1]), np.sort(order[n_classes - 1 :])
        note += f" The {len(rest)} rarest classes are one here."
        folded = np.zeros((n_classes, n_classes), dtype=np.int64)
        place = np.full(len(labels), n_classes - 1)
        place[keep] = np.arange(n_classes - 1)
        np.add.at(folded, (place[:, None], place[None, :]), counts)
        counts, labels = folded, [*(labels[i] for i in keep), f"{len(rest)} others"]
    right = _right(counts)
    columns = (
        TableColumn("True class"),
        *(TableColumn(f"as {label}", "count") for label in labels),
    )
    rows: list[tuple[Cell, ...]] = [
        (label, *(int(v) for v in row)) for label, row in zip(labels, counts, strict=True)
    ]
    return Confusion(
        title=f"Confusion matrix: {right:.1%} on the diagonal",
        alt=f"Confusion matrix of {len(labels)} classes, {right:.1%} on the diagonal",
        labels=tuple(labels),
        counts=tuple(tuple(int(v) for v in row) for row in counts),
        table=Table("True class by predicted class", columns, tuple(rows)),
        note=note,
    )


def class_table(predictions: MulticlassPredictions) -> Table:
    """Return each class with its rows, how many were found, and how often its name was right."""
    counts = np.asarray(predictions.counts)
    true, named, hit = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    columns = (
        TableColumn("Class"),
        TableColumn("Rows", "count"),
        TableColumn("Recall", "share"),
        TableColumn("Precision", "share"),
    )
    rows = tuple(
        (
            label,
            int(true[i]),
            float(hit[i] / true[i]) if true[i] else None,
            float(hit[i] / named[i]) if named[i] else None,
        )
        for i, label in enumerate(predictions.labels)
    )
    return Table(
        "Recall: how many of a class were found. Precision: how often its name was right.",
        columns,
        rows,
    )


def truth_scatter(predictions: RegressionPredictions) -> Scatter:
    """Return predicted against true values, evenly thinned to what a picture can show."""
    truth, predicted = predictions.truth, predictions.predicted
    keep = _spaced(len(truth), N_POINTS)
    error = predicted - truth
    spread = float(np.var(truth)) if len(truth) else 0.0
    r2 = 1.0 - float(np.mean(error**2)) / spread if spread > 0 else math.nan
    columns = (TableColumn("True value", "score"), TableColumn("Predicted", "score"))
    by_truth = np.argsort(truth, kind="stable")[_spaced(len(truth), 21)]
    rows = tuple((float(truth[i]), float(predicted[i])) for i in by_truth)
    few = f" {N_POINTS:,} points are drawn." if len(keep) < len(truth) else ""
    return Scatter(
        title=f"Predicted against true: R² {r2:.3f}",
        alt=f"Scatter of predicted against true values, R squared {r2:.3f}",
        x_label="true value",
        y_label="out-of-fold prediction",
        x=tuple(map(float, truth[keep])),
        y=tuple(map(float, predicted[keep])),
        table=Table("Some rows from the smallest to the largest true value", columns, rows),
        note="On the diagonal a prediction is right." + _sample_note(predictions) + few,
    )


def residual_histogram(predictions: RegressionPredictions, n_bins: int = 41) -> Histogram:
    """Return how prediction minus truth is spread; the outer bins hold the far tails."""
    error = predictions.predicted - predictions.truth
    error = error[np.isfinite(error)]
    reach = float(np.quantile(np.abs(error), 0.99)) if len(error) else 1.0
    reach = reach or 1.0
    edges = np.linspace(-reach, reach, n_bins + 1)
    share = _shares(np.clip(error, -reach, reach), edges)
    median = float(np.median(error)) if len(error) else math.nan
    columns = (
        TableColumn("Error from", "score"),
        TableColumn("to", "score"),
        TableColumn("Rows", "share"),
    )
    rows = tuple((float(edges[i]), float(edges[i + 1]), float(share[i])) for i in range(n_bins))
    return Histogram(
        title="Residuals",
        alt=f"Histogram of prediction minus truth, median {median:.4g}",
        x_label="prediction minus truth",
        edges=tuple(map(float, edges)),
        series=(("rows", tuple(map(float, share))),),
        table=Table("Share of rows by error", columns, rows),
        note=f"Median {format_cell(float(median), 'score')}. "
        f"The outermost bars hold the largest 1% of errors.{_sample_note(predictions)}",
    )


def _sample_note(predictions: BinaryPredictions | RegressionPredictions) -> str:
    n = len(predictions.truth)
    return f" From a sample of {n:,} of {predictions.n_rows:,} rows." * (predictions.n_rows > n)


def _spaced(n: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` positions out of ``n``, evenly spaced, both ends included."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, most)).round().astype(np.int64))
