"""The report's numbers: one input record, and pure functions that turn it into panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.view.figures import (
    Cell,
    Chart,
    Confusion,
    Figure,
    Heat,
    Histogram,
    Paired,
    Scatter,
    Series,
    Table,
    TableColumn,
)

Floats = NDArray[np.float64]

HEADLINE = ("score", "metric", "task", "target", "rows", "columns")
"""Summary entries that are shown large, in this order, where a key ends with the word."""
STABILITY_BANDS = ((0.9, "very high"), (0.7, "high"), (0.5, "moderate"), (-1.0, "low"))
N_HEAT_ROWS = 40
N_STEP_ROWS = 20
N_STEP_CELLS = 48
N_CLASSES = 20
N_POINTS = 1500


@dataclass(frozen=True)
class Curve:
    """How one member learned; the lists have one entry an epoch, NaN where not measured.

    Members of one ``fold`` (from 0) share a colour; without it every member has its own.
    """

    label: str
    epochs: list[int]
    train_loss: list[float]
    valid_loss: list[float]
    score: list[float]
    best_epoch: int
    fold: int | None = None


@dataclass(frozen=True, eq=False)
class BinaryPredictions:
    """Out-of-fold probabilities of ``positive`` and whether each row truly is (1) or not (0).

    ``n_rows`` is the number of rows the sample was drawn from; 0 means it is no sample.
    """

    positive: str
    negative: str
    probability: Floats
    truth: NDArray[np.int64]
    n_rows: int = 0


@dataclass(frozen=True, eq=False)
class MulticlassPredictions:
    """Out-of-fold counts, true class by predicted class, in the order of ``labels``."""

    labels: list[str]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RegressionPredictions:
    """Out-of-fold predictions and true values of the same rows.

    ``n_rows`` is the number of rows the sample was drawn from; 0 means it is no sample.
    """

    predicted: Floats
    truth: Floats
    n_rows: int = 0


Predictions = BinaryPredictions | MulticlassPredictions | RegressionPredictions


@dataclass(frozen=True)
class Trust:
    """Whether it hurts to lose what the attention reads.

    ``harm[i]`` is what is lost when ``columns[i]`` is scrambled (negative: something is won),
    ``method`` says what that is and how it was measured, ``attention[i]`` is the column's mean
    share, ``agreement`` the rank correlation of the two over all columns.
    """

    columns: list[str]
    attention: list[float]
    harm: list[float]
    agreement: float
    method: str = "rise of the validation loss with one column shuffled at a time"


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report shows, as plain data.

    ``leaderboard`` has one record a model: ``name``, ``folds`` (the score of each fold),
    ``mean``, ``seconds``, ``weight`` (its share of the blend).
    ``attention`` is ``(fold, column)`` with rows that sum to 1, ``attention_steps`` is
    ``(fold, step, column)``; both are empty where no network was trained.
    ``stability`` is the mean Spearman correlation between the folds' attention.
    ``schema_rows`` has one record a column: ``name, role, reason, dtype, n_unique, missing``.
    ``predictions`` and ``trust`` may be missing.
    """

    title: str
    summary: dict[str, str]
    leaderboard: list[dict[str, Any]]
    metric_name: str
    greater_is_better: bool
    curves: list[Curve]
    columns: list[str]
    attention: Floats
    attention_steps: Floats
    stability: float
    schema_rows: list[dict[str, Any]]
    notes: list[str]
    predictions: Predictions | None
    reproduce: str
    trust: Trust | None = field(default=None)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit the column names: a shifted label would go unseen."""
        for name, array in (("attention", self.attention), ("steps", self.attention_steps)):
            if array.size and array.shape[-1] != len(self.columns):
                raise InputError(
                    f"{name} must have one value a column ({len(self.columns)}), however: its "
                    f"shape is {array.shape}. Pass `columns` in the order of the last axis."
                )

    @property
    def has_attention(self) -> bool:
        """Whether there are masks to show."""
        return self.attention.size > 0


# --- overview ---------------------------------------------------------------------------------


def split_summary(
    summary: dict[str, str],
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the entries to show large, and the rest, each as pairs of label and value."""
    large: list[tuple[str, str]] = []
    for word in HEADLINE:
        large += [
            (key, value)
            for key, value in summary.items()
            if key.lower().split()[-1:] == [word] and (key, value) not in large
        ]
    return large, [pair for pair in summary.items() if pair not in large]


def leaderboard_table(data: ReportData) -> Table:
    """Return the models from best to worst by mean, the best one pointed out."""
    sign = -1.0 if data.greater_is_better else 1.0

    def rank(row: dict[str, Any]) -> float:
        mean = float(row["mean"])
        return math.inf if math.isnan(mean) else sign * mean

    rows = sorted(data.leaderboard, key=rank)
    n_folds = max((len(row.get("folds", [])) for row in rows), default=0)
    columns = (
        TableColumn("Model"),
        TableColumn("Mean", "score"),
        TableColumn("± folds", "score"),
        *(TableColumn(f"Fold {i + 1}", "score") for i in range(n_folds)),
        TableColumn("Time", "seconds"),
        TableColumn("Blend weight", "share", bar=True),
    )
    return Table(
        caption=f"{data.metric_name}, {'higher' if data.greater_is_better else 'lower'} is better",
        columns=columns,
        rows=tuple(_leader_row(row, n_folds) for row in rows),
        lead=0 if len(rows) > 1 else None,
    )


def _leader_row(row: dict[str, Any], n_folds: int) -> tuple[Cell, ...]:
    folds = [float(score) for score in row.get("folds", [])]
    spread = float(np.std(folds, ddof=1)) if len(folds) > 1 else None
    padded: list[Cell] = [*folds, *[None] * (n_folds - len(folds))]
    return (
        str(row["name"]), row["mean"], spread, *padded, row.get("seconds"), row.get("weight"),
    )  # fmt: skip


def schema_table(data: ReportData) -> Table:
    """Return every column of the frame with its role, the reason, and its mean attention."""
    mean = _mean_by_name(data)
    rows = tuple(
        (
            str(row["name"]),
            str(row["role"]).replace("_", " "),
            str(row["reason"]),
            str(row["dtype"]),
            int(row["n_unique"]),
            float(row["missing"]),
            mean.get(str(row["name"])),
        )
        for row in data.schema_rows
    )
    columns = (
        TableColumn("Column"),
        TableColumn("Role"),
        TableColumn("Reason"),
        TableColumn("Type"),
        TableColumn("Distinct", "count"),
        TableColumn("Missing", "share"),
        TableColumn("Attention", "share", bar=True),
    )
    return Table("Every column: what it was taken for, and why", columns, rows)


def _mean_by_name(data: ReportData) -> dict[str, float]:
    if not data.has_attention:
        return {}
    means = data.attention.mean(axis=0)
    return {name: float(mean) for name, mean in zip(data.columns, means, strict=True)}


# --- learning curves --------------------------------------------------------------------------


def curve_table(curves: Sequence[Curve], metric_name: str) -> Table:
    """Return one row a member: how long it learned, and where it was best."""
    columns = (
        TableColumn("Member"),
        TableColumn("Epochs", "count"),
        TableColumn("Best epoch", "count"),
        TableColumn("Training loss there", "score"),
        TableColumn("Validation loss there", "score"),
        TableColumn(f"{metric_name} there", "score"),
    )
    rows = tuple(
        (
            curve.label,
            len(curve.epochs),
            curve.best_epoch,
            _at(curve, curve.train_loss),
            _at(curve, curve.valid_loss),
            _at(curve, curve.score),
        )
        for curve in curves
    )
    return Table("Every member at its best epoch", columns, rows)


def _at(curve: Curve, values: Sequence[float]) -> float | None:
    """Return the value at the member's best epoch."""
    found = [v for epoch, v in zip(curve.epochs, values, strict=False) if epoch == curve.best_epoch]
    return float(found[0]) if found else None


def curve_charts(data: ReportData) -> tuple[Chart, ...]:
    """Return the loss of all members over the epochs, and their score, best epochs marked."""
    if not data.curves:
        return ()
    table = curve_table(data.curves, data.metric_name)
    best = [curve.best_epoch for curve in data.curves]
    best_text = f"best epochs {min(best)} to {max(best)}" if min(best) < max(best) else (
        f"best epoch {best[0]}"
    )  # fmt: skip
    loss = _loss_chart(data.curves, table, best_text)
    scores = tuple(_series(curve, curve.score, i) for i, curve in enumerate(data.curves))
    score = Chart(
        title=f"{data.metric_name} on each member's validation rows",
        alt=f"{data.metric_name} by epoch for {len(data.curves)} members; {best_text}",
        x_label="epoch",
        y_label=data.metric_name,
        series=scores,
        table=table,
        note=f"{'Higher' if data.greater_is_better else 'Lower'} is better. "
        "A dot marks the epoch that was kept.",
    )
    return (loss, score) if any(_finite(s.y) for s in scores) else (loss,)


def _loss_chart(curves: Sequence[Curve], table: Table, best_text: str) -> Chart:
    series: list[Series] = []
    for i, curve in enumerate(curves):
        series.append(_series(curve, curve.train_loss, i, dashed=True))
        series.append(_series(curve, curve.valid_loss, i))
    settled = [v for s in series for v in _finite(s.y[max(1, len(s.y) // 20) :])]
    everything = [v for s in series for v in _finite(s.y)]
    ceiling = None
    if settled and max(everything) > max(settled) + 0.5 * (max(settled) - min(settled)):
        ceiling = max(settled)
    cut = " The first epochs leave the frame at the top." if ceiling is not None else ""
    return Chart(
        title="Loss",
        alt=f"Training and validation loss by epoch for {len(curves)} members; {best_text}",
        x_label="epoch",
        y_label="loss",
        series=tuple(series),
        table=table,
        note=f"Solid: validation. Dashed: training. A dot marks the epoch that was kept.{cut}",
        ceiling=ceiling,
    )


def _series(curve: Curve, values: Sequence[float], group: int, *, dashed: bool = False) -> Series:
    best = None if dashed else _at(curve, values)
    marked = best is not None and math.isfinite(best)
    return Series(
        label=curve.label if curve.fold is None else f"fold {curve.fold + 1}",
        x=tuple(float(epoch) for epoch in curve.epochs),
        y=tuple(float(value) for value in values),
        group=group if curve.fold is None else curve.fold,
        style="dashed" if dashed else "line",
        mark=(float(curve.best_epoch), float(best)) if marked and best is not None else None,
    )


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


# --- attention --------------------------------------------------------------------------------


def stability_words(stability: float) -> str:
    """Return the band of a mean rank correlation between folds in one word or two.

    >>> stability_words(0.93), stability_words(0.6), stability_words(float("nan"))
    ('very high', 'moderate', 'not measurable')
    """
    if math.isnan(stability):
        return "not measurable"
    return next((word for least, word in STABILITY_BANDS if stability >= least), "low")


def stability_sentence(data: ReportData) -> str:
    """Return what the agreement between the folds allows one to say."""
    word = stability_words(data.stability)
    if word == "not measurable":
        return "Agreement between folds cannot be measured here: it needs at least two folds."
    meaning = {
        "very high": "the folds rank the columns almost alike",
        "high": "the folds largely agree on which columns to read",
        "moderate": "the folds agree on the broad picture only; read single ranks with care",
        "low": "the folds read different columns; do not draw conclusions from one fold's ranking",
    }[word]
    return (
        f"Agreement between folds is {word} (mean rank correlation "
        f"{data.stability:.2f}): {meaning}."
    )


def top_columns(data: ReportData, n: int) -> NDArray[np.int64]:
    """Return the positions of the ``n`` columns with the largest mean attention, in order."""
    order = np.argsort(-data.attention.mean(axis=0), kind="stable")
    return order[:n].astype(np.int64)


def attention_heat(data: ReportData, n_rows: int = N_HEAT_ROWS) -> Heat | None:
    """Return folds by columns with mean and range, the most-read columns first."""
    if not data.has_attention:
        return None
    top = top_columns(data, n_rows)
    n_folds = data.attention.shape[0]
    mean = data.attention.mean(axis=0)
    low, high = data.attention.min(axis=0), data.attention.max(axis=0)
    first = ", ".join(f"{data.columns[i]} {mean[i]:.1%}" for i in top[:3])
    note = "Share of the attention a fold gives to a column, in percent."
    if len(top) < len(data.columns):
        rest = 1.0 - float(mean[top].sum())
        note += (
            f" The {len(top)} most-read of {len(data.columns)} columns are shown; "
            f"the others share {rest:.1%}."
        )
    return Heat(
        title="Attention by fold",
        alt=f"Attention of {n_folds} folds to {len(top)} columns; most read: {first}",
        rows=tuple(data.columns[i] for i in top),
        groups=(("fold", tuple(str(f + 1) for f in range(n_folds))),),
        values=tuple(tuple(float(v) for v in data.attention[:, i]) for i in top),
        table=attention_table(data),
        mean=tuple(float(mean[i]) for i in top),
        low=tuple(float(low[i]) for i in top),
        high=tuple(float(high[i]) for i in top),
        note=note,
    )


def attention_table(data: ReportData) -> Table:
    """Return the attention of every fold to every column, the most-read columns first."""
    n_folds = data.attention.shape[0]
    columns = (
        TableColumn("Column"),
        TableColumn("Mean", "share", bar=True),
        *(TableColumn(f"Fold {f + 1}", "share") for f in range(n_folds)),
    )
    mean = data.attention.mean(axis=0)
    rows = tuple(
        (data.columns[i], float(mean[i]), *(float(v) for v in data.attention[:, i]))
        for i in top_columns(data, len(data.columns))
    )
    return Table("Share of attention by column and fold", columns, rows)


def step_heat(data: ReportData, n_rows: int = N_STEP_ROWS) -> Heat | None:
    """Return one block a decision step; its cells are folds, or their mean where too many."""
    if not data.has_attention or not data.attention_steps.size:
        return None
    top = top_columns(data, n_rows)
    n_folds, n_steps, _ = data.attention_steps.shape
    each = n_folds * n_steps <= N_STEP_CELLS
    # (step, fold or 1, column)
    cube = np.moveaxis(data.attention_steps, 0, 1)
    cube = cube if each else cube.mean(axis=1, keepdims=True)
    labels = tuple(str(f + 1) for f in range(n_folds)) if each else ("mean",)
    by_step = data.attention_steps.mean(axis=0)
    first = "; ".join(
        f"step {s + 1} mostly reads {data.columns[int(by_step[s].argmax())]}"
        for s in range(n_steps)
    )
    head = (TableColumn("Column"), *(TableColumn(f"Step {s + 1}", "share") for s in range(n_steps)))
    every = top_columns(data, len(data.columns))
    rows = tuple((data.columns[i], *(float(v) for v in by_step[:, i])) for i in every)
    shown = f" The {len(top)} most-read columns are shown." if len(top) < len(every) else ""
    return Heat(
        title="Attention by decision step",
        alt=f"Attention of {n_steps} steps to {len(top)} columns; {first}",
        rows=tuple(data.columns[i] for i in top),
        groups=tuple((f"step {s + 1}", labels) for s in range(n_steps)),
        values=tuple(tuple(float(v) for v in cube[:, :, i].ravel()) for i in top),
        table=Table("Share of attention by column and step, mean over folds", head, rows),
        note=("Within a step, one cell a fold." if each else "Means over the folds.") + shown,
    )


def trust_bars(data: ReportData, n_rows: int = N_STEP_ROWS) -> Paired | None:
    """Return attention beside the loss of score without the column, most-read first."""
    trust = data.trust
    if trust is None or not trust.columns:
        return None
    order = sorted(range(len(trust.columns)), key=lambda i: -trust.attention[i])
    top = order[:n_rows]
    columns = (
        TableColumn("Column"),
        TableColumn("Attention", "share", bar=True),
        TableColumn("Lost without it", "score"),
    )
    rows = tuple((trust.columns[i], trust.attention[i], trust.harm[i]) for i in order)
    return Paired(
        title="Does losing a column hurt?",
        alt=f"Attention and what is lost without it for {len(top)} columns; "
        f"rank correlation {trust.agreement:.2f}",
        rows=tuple(trust.columns[i] for i in top),
        left_label="attention",
        left=tuple(trust.attention[i] for i in top),
        right_label="lost without it",
        right=tuple(trust.harm[i] for i in top),
        table=Table("Attention, and what is lost without the column", columns, rows),
        note=f"What is lost: {trust.method}. Rank correlation of the two: {trust.agreement:.2f}.",
    )


# --- predictions ------------------------------------------------------------------------------


def prediction_figures(data: ReportData) -> tuple[Figure, ...]:
    """Return the pictures that fit the task; none where there are no predictions."""
    predictions = data.predictions
    if isinstance(predictions, BinaryPredictions):
        return (
            roc_chart(predictions), calibration_chart(predictions), class_histogram(predictions),
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


def calibration_bins(
    probability: Floats, truth: NDArray[np.int64], n_bins: int = 10
) -> list[tuple[float, float, float, float, int]]:
    """Return ``(mean predicted, share true, low, high, rows)`` for bins of equal size.

    Rows with the same prediction stay in one bin. ``low`` and ``high`` are the 95 % Wilson
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
        TableColumn("95 % from", "share"),
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
        "bars are 95 % intervals." + _sample_note(predictions),
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
        note="Each class adds up to 100 %, whatever its size." + _sample_note(predictions),
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
    total = int(counts.sum())
    right = float(np.trace(counts)) / total if total else math.nan
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
        note=f"Median {median:.4g}. The outermost bars hold the largest 1 % of errors."
        + _sample_note(predictions),
    )


def _sample_note(predictions: BinaryPredictions | RegressionPredictions) -> str:
    n = len(predictions.truth)
    return f" From a sample of {n:,} of {predictions.n_rows:,} rows." * (predictions.n_rows > n)


def _spaced(n: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` positions out of ``n``, evenly spaced, both ends included."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, most)).round().astype(np.int64))
