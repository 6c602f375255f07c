"""The panels of classes: confusion, and what the probabilities of several classes are worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.figures import (
    Cell,
    Chart,
    Confusion,
    Figure,
    Histogram,
    Series,
    Table,
    TableColumn,
)
from tabnet_auto.view.rates import (
    along,
    calibration_bins,
    precision_points,
    roc_points,
    sample_note,
    shares,
)
from tabnet_auto.view.report_data import Floats, MulticlassPredictions
from tabnet_auto.view.svg import N_COLOURS

N_CLASSES = 26
N_CURVES = N_COLOURS
"""Classes with a curve of their own, the most frequent ones: as many as there are colours."""
FALSE_ALARMS = (0.01, 0.05, 0.1, 0.25)
RECALLS = (0.5, 0.8, 0.95)

Points = Callable[[Floats, NDArray[np.int64]], tuple[Floats, Floats, float]]
"""Points of a curve and its area, of probabilities and who is of the class."""


def confusion(predictions: MulticlassPredictions, n_classes: int = N_CLASSES) -> Confusion:
    """Return the confusion matrix; beyond ``n_classes`` the rarer classes become one."""
    counts, labels = np.asarray(predictions.counts), list(predictions.labels)
    right = share_right(counts)  # before rare classes become one, and confusing them seems right
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
    columns = (
        TableColumn("True class"),
        *(TableColumn(f"as {label}", "count") for label in labels),
    )
    rows: list[tuple[Cell, ...]] = [
        (label, *(int(v) for v in row)) for label, row in zip(labels, counts, strict=True)
    ]
    return Confusion(
        title=f"Confusion matrix: {right:.1%} right",
        alt=f"Confusion matrix of {len(labels)} classes, {right:.1%} right",
        labels=tuple(labels),
        counts=tuple(tuple(int(v) for v in row) for row in counts),
        table=Table("True class by predicted class", columns, tuple(rows)),
        note=note,
    )


def share_right(counts: NDArray[np.int64]) -> float:
    """Return the share of the diagonal of a confusion matrix."""
    total = int(counts.sum())
    return float(np.trace(counts)) / total if total else math.nan


def class_table(predictions: MulticlassPredictions) -> Table:
    """Return each class with its rows, and how well it is told from the others.

    Recall and precision are of labels; areas, of probabilities, where there are some.
    """
    counts = np.asarray(predictions.counts)
    true, named, hit = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    columns = [
        TableColumn("Class"),
        TableColumn("Rows", "count"),
        TableColumn("Recall", "share"),
        TableColumn("Precision", "share"),
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            label,
            int(true[i]),
            float(hit[i] / true[i]) if true[i] else None,
            float(hit[i] / named[i]) if named[i] else None,
        )
        for i, label in enumerate(predictions.labels)
    ]
    caption = "Recall: how many of a class were found. Precision: how often its name was right."
    if len(predictions.truth):
        columns += [TableColumn("AUC", "score"), TableColumn("AP", "score")]
        areas = (_areas(predictions, i) for i in range(len(rows)))
        rows = [(*row, *pair) for row, pair in zip(rows, areas, strict=True)]
        caption += " Areas below the curves, the class against the rest: AUC, of the ROC curve; "
        caption += "AP, average precision."
    return Table(caption, tuple(columns), tuple(rows), source="fit.oof")


def _areas(predictions: MulticlassPredictions, i: int) -> tuple[float, float]:
    own = predictions.probability[:, i], (predictions.truth == i).astype(np.int64)
    return roc_points(*own)[2], precision_points(*own)[2]


# --- probabilities of several classes ---------------------------------------------------------


def class_figures(predictions: MulticlassPredictions) -> tuple[Figure, ...]:
    """Return what the probabilities are worth; nothing where they were not kept."""
    if not len(predictions.truth):
        return ()
    return (
        class_roc(predictions), class_precision(predictions), confidence_chart(predictions),
        confidence_histogram(predictions),
    )  # fmt: skip


def drawn_classes(predictions: MulticlassPredictions) -> list[int]:
    """Return the classes that have a curve, the most frequent first."""
    counts = np.bincount(predictions.truth, minlength=len(predictions.labels))
    order = np.argsort(-counts, kind="stable")[:N_CURVES]
    return [int(i) for i in order if counts[i]]


def class_roc(predictions: MulticlassPredictions) -> Chart:
    """Return the ROC curve of every frequent class against the rest."""
    series, areas = [], []
    rows: list[tuple[Cell, ...]] = []
    for line, truth, fpr, tpr, area in _curves(predictions, roc_points):
        areas.append(area)
        series.append(line)
        found = np.interp(FALSE_ALARMS, fpr, tpr)
        rows.append((line.label, int(truth.sum()), area, *map(float, found)))
    columns = [TableColumn("Class"), TableColumn("Rows", "count"), TableColumn("AUC", "score")]
    columns += [TableColumn(f"Found at {at:.0%}", "share") for at in FALSE_ALARMS]
    says = _mean_words("AUC", areas)
    return Chart(
        title=f"ROC by class: {says}",
        alt=f"ROC curves of {len(series)} classes, each against the rest, out of fold, {says}",
        x_label="share of the others flagged",
        y_label="share of the class found",
        series=tuple(series),
        table=Table(
            "Share found where some of the others are flagged", tuple(columns), tuple(rows)
        ),
        note=f"{_drawn_note(predictions, len(series))} The dashed diagonal is guessing."
        + _sampled(predictions),
        unit=True,
        legend=True,
    )


def class_precision(predictions: MulticlassPredictions) -> Chart:
    """Return precision against recall of every frequent class against the rest."""
    series, areas = [], []
    rows: list[tuple[Cell, ...]] = []
    for line, truth, recall, precision, area in _curves(predictions, precision_points):
        areas.append(area)
        series.append(line)
        at = np.minimum(np.searchsorted(recall, np.array(RECALLS) - 1e-12), len(recall) - 1)
        found = map(float, precision[at])
        rows.append((line.label, float(truth.mean()), area, *found))
    columns = [
        TableColumn("Class"), TableColumn("Share of rows", "share"), TableColumn("AP", "score"),
    ]  # fmt: skip
    columns += [TableColumn(f"At recall {at:.0%}", "share") for at in RECALLS]
    says = _mean_words("AP", areas)
    return Chart(
        title=f"Precision and recall by class: {says}",
        alt=f"Precision against recall of {len(series)} classes out of fold, {says}",
        x_label="recall: share of the class found",
        y_label="precision: share of the flagged",
        series=tuple(series),
        table=Table("Precision at some recalls", tuple(columns), tuple(rows)),
        note=f"{_drawn_note(predictions, len(series))} AP: average precision. Guessing "
        "has the class's share of the rows." + _sampled(predictions),
        unit=True,
        diagonal=False,
        legend=True,
    )


def _curves(
    predictions: MulticlassPredictions, points: Points
) -> Iterator[tuple[Series, NDArray[np.int64], Floats, Floats, float]]:
    """Yield every frequent class against the rest: its line, who is of it, points, and area."""
    for group, i in enumerate(drawn_classes(predictions)):
        truth = (predictions.truth == i).astype(np.int64)
        x, y, area = points(predictions.probability[:, i], truth)
        keep = along(x, y)
        drawn = tuple(map(float, x[keep])), tuple(map(float, y[keep]))
        yield Series(predictions.labels[i], *drawn, group=group), truth, x, y, area


def _mean_words(name: str, areas: Sequence[float]) -> str:
    known = [area for area in areas if math.isfinite(area)]
    return f"mean {name} {sum(known) / len(known):.4f}" if known else f"{name} not defined"


def _drawn_note(predictions: MulticlassPredictions, n: int) -> str:
    total = len(predictions.labels)
    if n == total:
        return "Each class against the rest, the most frequent first."
    return (
        f"Each of the {n} most frequent of {total} classes against the rest; the mean is of these."
    )


def _sampled(predictions: MulticlassPredictions) -> str:
    return sample_note(len(predictions.truth), predictions.n_rows)


def confidence_chart(predictions: MulticlassPredictions) -> Chart:
    """Return how often the predicted class was right where it was predicted with p."""
    confidence, right = _confidence(predictions)
    means = f"Mean probability {confidence.mean():.1%}, {right.mean():.1%} right. "
    return calibration(
        confidence, right, "mean probability of the predicted class", "share that is right",
        means, _sampled(predictions),
    )  # fmt: skip


def confidence_histogram(predictions: MulticlassPredictions) -> Histogram:
    """Return how the probability of the predicted class is spread where it is right, and wrong."""
    confidence, right = _confidence(predictions)
    return probability_histogram(
        confidence,
        {"right": right == 1, "wrong": right == 0},
        "Probability of the predicted class",
        "probability of the predicted class",
        "Each side adds up to 100%, whatever its size." + _sampled(predictions),
    )


def _confidence(predictions: MulticlassPredictions) -> tuple[Floats, NDArray[np.int64]]:
    rows = np.arange(len(predictions.truth))
    right = (predictions.predicted == predictions.truth).astype(np.int64)
    return predictions.probability[rows, predictions.predicted], right


# --- probabilities of two classes and of more -------------------------------------------------


def calibration(
    probability: Floats,
    truth: NDArray[np.int64],
    x_label: str,
    y_label: str,
    lead: str,
    sample: str,
) -> Chart:
    """Return how often something came true where it was predicted with p.

    ``lead`` and ``sample`` begin and end the note.
    """
    bins = calibration_bins(probability, truth)
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
        x_label=x_label,
        y_label=y_label,
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
        note=f"{lead}On the diagonal, probabilities can be taken at their word. "
        f"Mean gap {gap:.1%}; bars are 95% intervals.{sample}",
        unit=True,
    )


def probability_histogram(
    probability: Floats,
    groups: dict[str, NDArray[np.bool_]],
    title: str,
    x_label: str,
    note: str,
    *,
    wide: bool = False,
) -> Histogram:
    """Return how the probabilities of groups of rows are spread over 25 bins."""
    edges = np.linspace(0.0, 1.0, 26)
    found = [shares(probability[rows], edges) for rows in groups.values()]
    columns = (
        TableColumn("Probability from", "score"),
        TableColumn("to", "score"),
        *(TableColumn(f"Of all {name}", "share") for name in groups),
    )
    rows = tuple(
        (float(edges[i]), float(edges[i + 1]), *(float(share[i]) for share in found))
        for i in range(len(edges) - 1)
    )
    return Histogram(
        title=title,
        alt=f"Histograms of the {x_label}: {', '.join(groups)}",
        x_label=x_label,
        edges=tuple(map(float, edges)),
        series=tuple(
            (name, tuple(map(float, share))) for name, share in zip(groups, found, strict=True)
        ),
        table=Table("Share of each group by probability", columns, rows),
        note=note,
        wide=wide,
    )
