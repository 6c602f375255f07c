"""The panels of learning curves: pure functions of the report's data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tabnet_auto.view.figures import Chart, Series, Table, TableColumn
from tabnet_auto.view.report_data import Curve, ReportData
from tabnet_auto.view.run_state import mean_of
from tabnet_auto.view.svg import N_COLOURS

N_CURVE_POINTS = 10_000
"""Points that all curves of a chart have together: many members of long runs stay a small file."""


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
    return Table("Members at their best epochs", columns, rows, source="fit.trace")


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
    every = _every(data.curves)
    scores = [_series(curve, curve.score, i, every) for i, curve in enumerate(data.curves)]
    mean = mean_words(scores)
    says = f" Strong: the {mean}; faint: the members." if mean else ""
    says += f" One epoch in {every} is drawn." if every > 1 else ""
    loss = _loss_chart(data.curves, table, best_text, says)
    score = Chart(
        title=f"{data.metric_name} on each member's validation rows",
        alt=f"{data.metric_name} by epoch for {len(data.curves)} members; {best_text}",
        x_label="epoch",
        y_label=data.metric_name,
        series=tuple(with_means(scores)),
        table=table,
        note=f"{'Higher' if data.greater_is_better else 'Lower'} is better. "
        f"A dot marks the epoch that was kept.{says}",
    )
    return (loss, score) if any(_finite(s.y) for s in scores) else (loss,)


def _loss_chart(curves: Sequence[Curve], table: Table, best_text: str, says: str) -> Chart:
    every = _every(curves)
    train = [_series(c, c.train_loss, i, every, dashed=True) for i, c in enumerate(curves)]
    valid = [_series(c, c.valid_loss, i, every) for i, c in enumerate(curves)]
    means = [one for one in with_means(train) if one.style == "dashed"]
    series = [*means, *with_means(valid)]
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
        note="Solid: validation. Dashed: training. A dot marks the epoch that was kept."
        f"{says}{cut}",
        ceiling=ceiling,
    )


def with_means(series: Sequence[Series]) -> list[Series]:
    """Return lines that can be told apart: one a fold, or one for all of more folds than colours.

    It is the mean of its members, which are faint lines behind it. One member is its own mean.
    """
    mixed = _more_than_colours(series)
    bundles: dict[int, list[Series]] = {}
    for one in series:
        group = 0 if mixed else one.group
        bundles.setdefault(group, []).append(replace(one, group=group))
    faint = [replace(one, style="faint") for own in bundles.values() if len(own) > 1 for one in own]
    return [*faint, *(_mean(own) if len(own) > 1 else own[0] for own in bundles.values())]


def mean_words(series: Sequence[Series]) -> str:
    """Say what the lines of :func:`with_means` are; nothing where they are the members' own."""
    if _more_than_colours(series):
        return "mean of all folds"
    return "mean of a fold's seeds" if len({one.group for one in series}) < len(series) else ""


def _more_than_colours(series: Sequence[Series]) -> bool:
    return len({one.group for one in series}) > N_COLOURS


def _mean(lines: Sequence[Series]) -> Series:
    """Return the mean of lines; one that has ended counts with its last value."""
    x = max((own.x for own in lines), key=len)
    ys = [np.interp(x, own.x, own.y).tolist() for own in lines]
    return replace(lines[0], x=x, y=tuple(map(mean_of, zip(*ys, strict=True))), mark=None)


def _every(curves: Sequence[Curve]) -> int:
    """Return of how many epochs one is drawn."""
    return max(1, math.ceil(2 * sum(len(curve.epochs) for curve in curves) / N_CURVE_POINTS))


def _series(
    curve: Curve, values: Sequence[float], group: int, every: int, *, dashed: bool = False
) -> Series:
    """Return a curve: one epoch in ``every``, the last, and the best, which is marked."""
    best = None if dashed else _at(curve, values)
    marked = best is not None and math.isfinite(best)
    places = range(len(curve.epochs))
    kept = [i for i in places if curve.epochs[i] == curve.best_epoch]
    drawn = sorted({*places[::every], *places[-1:], *kept})
    return Series(
        label=curve.label if curve.fold is None else f"fold {curve.fold + 1}",
        x=tuple(float(curve.epochs[i]) for i in drawn),
        y=tuple(float(values[i]) for i in drawn),
        group=group if curve.fold is None else curve.fold,
        style="dashed" if dashed else "line",
        mark=(float(curve.best_epoch), float(best)) if marked and best is not None else None,
    )


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]
