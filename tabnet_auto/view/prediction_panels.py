"""The panels of out-of-fold predictions, one set a task: pure functions of the report's data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tabnet_auto.view.class_panels import (
    calibration,
    class_figures,
    confusion,
    probability_histogram,
    share_right,
)
from tabnet_auto.view.figures import (
    Chart,
    Confusion,
    Figure,
    Histogram,
    Scatter,
    Series,
    Table,
    TableColumn,
)
from tabnet_auto.view.rates import along, precision_points, roc_points, sample_note, shares, spaced
from tabnet_auto.view.report_data import (
    BinaryPredictions,
    MulticlassPredictions,
    RegressionPredictions,
    ReportData,
)
from tabnet_auto.view.tables import format_cell

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
        return (confusion(predictions), *class_figures(predictions))
    if isinstance(predictions, RegressionPredictions):
        return (truth_scatter(predictions), residual_histogram(predictions))
    return ()


def roc_chart(predictions: BinaryPredictions) -> Chart:
    """Return the ROC curve with its area, thinned for drawing after the area is computed."""
    fpr, tpr, area = roc_points(predictions.probability, predictions.truth)
    keep = along(fpr, tpr)
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
        note="The dashed diagonal is guessing." + _sampled(predictions),
        unit=True,
    )


def precision_chart(predictions: BinaryPredictions) -> Chart:
    """Return precision against recall, thinned for drawing, with the base rate."""
    recall, precision, average = precision_points(predictions.probability, predictions.truth)
    keep = along(recall, precision)
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
        note=f"The dashed line is guessing ({base:.1%} of the rows)." + _sampled(predictions),
        unit=True,
        diagonal=False,
    )


def threshold_confusion(predictions: BinaryPredictions) -> Confusion:
    """Return the confusion matrix of flagging every row at or above the model's threshold."""
    threshold = predictions.threshold
    flagged = (predictions.probability >= threshold).astype(np.int64)
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (predictions.truth.astype(np.int64), flagged), 1)
    made = confusion(MulticlassPredictions([predictions.negative, predictions.positive], counts))
    note = (
        f"{made.note} As the model decides: {predictions.positive!r} from a probability of "
        f"{threshold:.3g}.{_sampled(predictions)}"
    )
    title = f"Confusion at {threshold:.3g}: {share_right(counts):.1%} right"
    return replace(made, title=title, note=note, large=True)


def truth_scatter(predictions: RegressionPredictions) -> Scatter:
    """Return predicted against true values, evenly thinned to what a picture can show."""
    truth, predicted = predictions.truth, predictions.predicted
    keep = spaced(len(truth), N_POINTS)
    error = predicted - truth
    spread = float(np.var(truth)) if len(truth) else 0.0
    r2 = 1.0 - float(np.mean(error**2)) / spread if spread > 0 else math.nan
    columns = (TableColumn("True value", "score"), TableColumn("Predicted", "score"))
    by_truth = np.argsort(truth, kind="stable")[spaced(len(truth), 21)]
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
        note="On the diagonal a prediction is right." + _sampled(predictions) + few,
    )


def residual_histogram(predictions: RegressionPredictions, n_bins: int = 41) -> Histogram:
    """Return how prediction minus truth is spread; the outer bins hold the far tails."""
    error = predictions.predicted - predictions.truth
    error = error[np.isfinite(error)]
    reach = float(np.quantile(np.abs(error), 0.99)) if len(error) else 1.0
    reach = reach or 1.0
    edges = np.linspace(-reach, reach, n_bins + 1)
    share = shares(np.clip(error, -reach, reach), edges)
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
        f"The outermost bars hold the largest 1% of errors.{_sampled(predictions)}",
    )


def calibration_chart(predictions: BinaryPredictions) -> Chart:
    """Return how often the positive class came true where it was predicted with p."""
    return calibration(
        predictions.probability, predictions.truth, "mean predicted probability",
        f"share that is {predictions.positive!r}", "", _sampled(predictions),
    )  # fmt: skip


def class_histogram(predictions: BinaryPredictions) -> Histogram:
    """Return how the predicted probabilities of each class are spread."""
    positive = predictions.truth == 1
    return probability_histogram(
        predictions.probability,
        {f"truly {predictions.negative}": ~positive, f"truly {predictions.positive}": positive},
        "Predicted probability by true class",
        f"predicted probability of {predictions.positive!r}",
        "Each class adds up to 100%, whatever its size." + _sampled(predictions),
        wide=True,
    )


def _sampled(predictions: BinaryPredictions | RegressionPredictions) -> str:
    return sample_note(len(predictions.truth), predictions.n_rows)
