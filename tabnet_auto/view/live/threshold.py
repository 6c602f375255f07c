"""Where to cut a probability in two: confusion, and what the cut does to each score."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.view.figures import Chart, Confusion, Series, Table, TableColumn
from tabnet_auto.view.live import code
from tabnet_auto.view.live.panels import EVERY_ROW, Panel
from tabnet_auto.view.live.pictures import from_figure
from tabnet_auto.view.live.rows import Rows
from tabnet_auto.view.live.source import Floats, Judged, Source
from tabnet_auto.view.live.state import OUT_OF_FOLD, THIS_FRAME, View
from tabnet_auto.view.tables import DASH, format_cell

N_POINTS = 101
DRAWN = ("precision", "recall", "F1", "accuracy")


def judgements(source: Source, rows: Rows | None) -> list[str]:
    """Return what a threshold can be judged on here."""
    if len(source.classes) != 2:
        return []
    held_out = [OUT_OF_FOLD] if source.held_out is not None else []
    frame = (
        [THIS_FRAME] if rows is not None and rows.truth is not None and rows.known is None else []
    )
    return [*held_out, *frame]


def counts_at(judged: Judged, threshold: float) -> NDArray[np.int64]:
    """Return true by predicted class ``(2, 2)``; the second class from the threshold on."""
    hit = judged.prediction[:, 1] >= threshold
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (judged.truth.astype(np.int64), hit.astype(np.int64)), 1)
    return counts


def scores_of(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return what follows from a confusion matrix; NaN where a rate has no rows."""
    (tn, fp), (fn, tp) = counts.tolist()
    recall, specificity = _rate(tp, tp + fn), _rate(tn, tn + fp)
    root = math.sqrt(float(tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "accuracy": _rate(tp + tn, tp + tn + fp + fn),
        "balanced accuracy": (recall + specificity) / 2,
        "precision": _rate(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "F1": _rate(2 * tp, 2 * tp + fp + fn),
        "Matthews correlation": (tp * tn - fp * fn) / root if root else 0.0,
    }


def _rate(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def threshold_panel(source: Source, rows: Rows | None, view: View) -> Panel:
    """Return confusion and scores at the chosen threshold."""
    if view.judged_on not in judgements(source, rows):
        note = "A threshold needs a target with two classes, and rows whose truth is known."
        return Panel((), (), Table("", (), ()), "fit.predict_proba(frame)", (note,))
    judged = _judged(source, rows, view)
    counts = counts_at(judged, view.threshold)
    found = scores_of(counts)
    tiles = [(name, format_cell(found[name], "score")) for name in DRAWN]
    tiles.insert(0, _metric_tile(source, judged, view.threshold))
    negative, positive = source.classes
    scores = tuple((name, value) for name, value in found.items())
    table = Table(
        f"At threshold {view.threshold:.2f}, {view.judged_on}",
        (TableColumn("Score"), TableColumn("Value", "score")),
        (*scores, *(
            (f"truly {t}, predicted {p}", float(counts[i, j]))
            for i, t in enumerate(source.classes) for j, p in enumerate(source.classes)
        )),
    )  # fmt: skip
    confusion = Confusion(
        title=f"Confusion at {view.threshold:.2f}: {found['accuracy']:.1%} right",
        alt=f"Confusion matrix at threshold {view.threshold:.2f}: {counts.tolist()}",
        labels=(negative, positive),
        counts=tuple(tuple(row) for row in counts.tolist()),
        table=table,
        note=f"{positive!r} is predicted from a probability of {view.threshold:.2f}. Counts of "
        f"{len(judged.truth):,} rows; colour is the share of the true class.",
    )
    flatters = view.judged_on == THIS_FRAME
    note = "If the model learned from these rows, they flatter it." if flatters else (
        "Out-of-fold: no row is judged by a network that learned from it."
    )  # fmt: skip
    notes = [note, f"fit.predict cuts at {source.threshold:.3g}."]
    if view.where.strip() and not flatters:
        notes.append(EVERY_ROW)
    pictures = from_figure(confusion), from_figure(_curves(judged, view.threshold, table))
    sample = rows.sample(view.where) if rows is not None and flatters else None
    return Panel(tuple(tiles), pictures, table, code.threshold_line(view, sample), tuple(notes))


def _judged(source: Source, rows: Rows | None, view: View) -> Judged:
    if view.judged_on == OUT_OF_FOLD:
        assert source.held_out is not None
        return source.held_out
    assert rows is not None
    sample = rows.sample(view.where)
    assert sample.truth is not None
    known = ~np.isnan(sample.truth)
    if not known.any():
        raise InputError("A threshold needs rows whose truth is known, however: none of these is.")
    return Judged(sample.truth[known].astype(np.int64), sample.prediction[known])


def _metric_tile(source: Source, judged: Judged, threshold: float) -> tuple[str, str]:
    """Return the run's metric; one that looks at labels is taken at the threshold."""
    prediction: Floats = judged.prediction
    if source.metric_cuts:
        hit = (prediction[:, 1] >= threshold).astype(np.float64)
        prediction = np.column_stack([1.0 - hit, hit])
    try:
        value = source.score(judged.truth, prediction)
    except InputError:  # a metric of the user's own is not saved with a model
        return f"score by {source.metric}", DASH
    says = f"score by {source.metric}" + ("" if source.metric_cuts else ", any threshold")
    return says, format_cell(value, "score")


def _curves(judged: Judged, threshold: float, table: Table) -> Chart:
    at = np.linspace(0.0, 1.0, N_POINTS)
    found = [scores_of(counts_at(judged, float(t))) for t in at]
    now = scores_of(counts_at(judged, threshold))
    series = tuple(
        Series(
            name, tuple(map(float, at)), tuple(scores[name] for scores in found), group=i,
            mark=(threshold, now[name]) if math.isfinite(now[name]) else None,
        )
        for i, name in enumerate(DRAWN)
    )  # fmt: skip
    return Chart(
        title="What the threshold does",
        alt=f"{', '.join(DRAWN)} by threshold; dots at {threshold:.2f}",
        x_label="threshold",
        y_label="score",
        series=series,
        table=table,
        note="Dots mark the chosen threshold.",
    )
