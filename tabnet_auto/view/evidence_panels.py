"""The panels of scores, steps, rows, cohorts, trust and drift: pure functions of the data."""

from __future__ import annotations

import math

import numpy as np

from tabnet_auto.view.figures import (
    Cell,
    Chart,
    Heat,
    Histogram,
    Paired,
    Series,
    Strip,
    Table,
    TableColumn,
)
from tabnet_auto.view.panels import N_STEP_ROWS, shown_note, top_columns
from tabnet_auto.view.report_data import FOLD_MEAN, Drift, ReportData, TrustCurves
from tabnet_auto.view.tables import format_cell

N_TABLE_ROWS = 12
N_LOOKED_AT = 3
N_COHORT_CELLS = 12


# --- scores -----------------------------------------------------------------------------------


def score_strip(data: ReportData) -> Strip | None:
    """Return the scores of every fold, one line a model and one a seed where there are some."""
    rows: list[tuple[str, tuple[float, ...]]] = [
        (str(row["name"]), tuple(float(v) for v in row["folds"]))
        for row in data.leaderboard
        if row.get("folds")
    ]
    if not rows or max(len(values) for _, values in rows) < 2:
        return None
    columns = (
        TableColumn("Model"),
        TableColumn("Mean", "score"),
        TableColumn("± folds", "score"),
        TableColumn("Lowest", "score"),
        TableColumn("Highest", "score"),
    )
    cells: list[tuple[Cell, ...]] = []
    for name, values in rows:
        known = np.array([v for v in values if math.isfinite(v)] or [math.nan])
        spread = float(known.std(ddof=1)) if len(known) > 1 else None
        cells.append((name, float(known.mean()), spread, float(known.min()), float(known.max())))
    better = "further right is better" if data.greater_is_better else "further left is better"
    first = cells[0]
    spread_words = f" ± {format_cell(first[2], 'score')}" if first[2] is not None else ""
    return Strip(
        title=f"{data.metric_name} of every fold",
        alt=f"{data.metric_name} of each fold for {len(rows)} models; {first[0]}: "
        f"{format_cell(first[1], 'score')}{spread_words}",
        x_label=data.metric_name,
        rows=tuple(name for name, _ in rows),
        values=tuple(values for _, values in rows),
        table=Table("Scores over the folds", columns, tuple(cells)),
        note="A dot is a fold's score on its validation rows; "
        f"the bar is their mean; {better}. The number is the mean ± the standard deviation of "
        "the folds; the score in the headline is of all rows together.",
    )


# --- steps ------------------------------------------------------------------------------------


def step_bars(data: ReportData) -> Paired | None:
    """Return each step's share of the hidden state beside the loss without its choice."""
    work = data.step_work
    if work is None or not work.size.size:
        return None
    size, change, harm = (values.mean(axis=0) for values in (work.size, work.change, work.harm))
    names = tuple(f"step {s + 1}" for s in range(len(size)))
    columns = (
        TableColumn("Step"),
        TableColumn("Share of the hidden state", "share"),
        TableColumn("Prediction moves by", "score"),
        TableColumn("Loss rises by", "score"),
        TableColumn("Lowest fold", "score"),
        TableColumn("Highest fold", "score"),
    )
    low, high = work.harm.min(axis=0), work.harm.max(axis=0)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(float(values[s]) for values in (size, change, harm, low, high)))
        for s, name in enumerate(names)
    )
    measured = bool(np.isfinite(harm).all())
    note = (
        "Left: how much of what all steps add to the hidden state comes from the step. Right: "
        "rise of the loss on held-out rows when the step looks at all columns alike; about zero "
        f"means that its choice adds nothing. The prediction then moves by {_list(change)} "
        f"({work.unit})."
        if measured
        else "How much of what all steps add to the hidden state comes from the step."
    )
    right = tuple(float(v) if measured else 0.0 for v in harm)
    return Paired(
        title="What each step adds",
        alt=f"Share and worth of {len(names)} steps; "
        + ", ".join(f"{name} {share:.0%}" for name, share in zip(names, size, strict=True)),
        rows=names,
        left_label="share of the hidden state",
        left=tuple(float(v) for v in size),
        right_label="rise of the loss without its choice" if measured else "not measured",
        right=right,
        table=Table("What each step does, mean over the folds", columns, rows),
        note=note,
    )


def _list(values: np.ndarray) -> str:
    words = [f"{value:.2g}" for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# --- rows -------------------------------------------------------------------------------------


def rows_table(data: ReportData) -> Table | None:
    """Return the rows of the first group with what their own fold looked at most."""
    rows = data.rows
    if rows is None or not rows.groups:
        return None
    name, chosen = next(iter(rows.groups.items()))
    columns = (
        TableColumn("Row"),
        TableColumn("Truth"),
        TableColumn("Predicted"),
        TableColumn("Error", "score"),
        TableColumn("Looked at most"),
    )
    weights = rows.peak * (rows.levels.astype(np.float64) / 255.0) ** 2
    mean = (rows.sizes[..., None] * weights).sum(axis=2).mean(axis=1)  # (fold, n, column)
    made = []
    for i in chosen[:N_TABLE_ROWS]:
        own = mean[max(rows.held_out[i], 0), i]
        top = np.argsort(-own, kind="stable")[:N_LOOKED_AT]
        seen = ", ".join(
            f"{data.columns[c]} = {rows.cells[i][c] or 'missing'} ({own[c]:.0%})" for c in top
        )
        made.append((rows.names[i], rows.truth[i], rows.predicted[i], rows.error[i], seen))
    more = len(chosen) - len(made)
    some = f": {len(made)} of {len(chosen)}" if more else ""
    return Table(f"Rows with the {name} out of fold{some}", columns, tuple(made))


# --- cohorts ----------------------------------------------------------------------------------


def cohort_heat(data: ReportData, n_rows: int = N_STEP_ROWS) -> Heat | None:
    """Return the mean attention of the groups of the first two groupings."""
    cohorts = data.cohorts
    if cohorts is None or not cohorts.by:
        return None
    first_two = list(dict.fromkeys(cohorts.by))[:2]
    parts = {
        by: [i for i, other in enumerate(cohorts.by) if other == by][:N_COHORT_CELLS]
        for by in first_two
    }
    shown = [i for part in parts.values() for i in part]
    top = top_columns(data, n_rows)
    columns = (
        TableColumn("Column"),
        *(TableColumn(f"{cohorts.by[i]}: {cohorts.label[i]}", "share") for i in shown),
    )
    every = top_columns(data, len(data.columns))
    rows = tuple((data.columns[c], *(float(cohorts.mean[i, c]) for i in shown)) for c in every)
    return Heat(
        title=f"Attention by {' and by '.join(first_two)}",
        alt=f"Mean attention of {len(shown)} groups of rows to {len(top)} columns",
        rows=tuple(data.columns[c] for c in top),
        groups=tuple((by, tuple(cohorts.label[i] for i in part)) for by, part in parts.items()),
        values=tuple(tuple(float(cohorts.mean[i, c]) for i in shown) for c in top),
        table=Table(
            "Mean attention by group of rows", columns, rows, source="fit.evidence.cohorts"
        ),
        note=f"Means over {cohorts.total:,} rows, each read by networks new to it."
        f"{shown_note(len(top), len(every))}{_elsewhere(len(cohorts.by) - len(shown))}",
    )


def _elsewhere(n: int) -> str:
    """Say where the groups are that a picture has no room for."""
    return f" {n} more groups are in this page's explorer: it needs scripts." if n else ""


# --- trust ------------------------------------------------------------------------------------


def trust_chart(curves: TrustCurves, metric: str) -> Chart:
    """Return the loss while columns are taken away, or given, in several orders."""
    deletion = curves.kind == "deletion"
    taken = "taken away" if deletion else "given"
    columns = (
        TableColumn(f"Columns {taken}", "share"),
        *(TableColumn(name, "score") for name in curves.losses),
    )
    rows = tuple(
        (share, *(losses[i] for losses in curves.losses.values()))
        for i, share in enumerate(curves.share)
    )
    own = ""
    if {"attention", FOLD_MEAN} <= set(curves.losses):
        own = f" Attention: each row's own order; {FOLD_MEAN}: one order for all rows of a fold."
    return Chart(
        title="Deletion" if deletion else "Insertion",
        alt=f"{metric} while columns are {taken} in {len(curves.losses)} orders. {curves.verdict}",
        x_label=f"share of columns {taken}",
        y_label="validation loss",
        series=tuple(
            Series(
                name,
                tuple(curves.share),
                tuple(losses),
                group=i,
                style="dashed" if name == "random" else "line",
            )
            for i, (name, losses) in enumerate(curves.losses.items())
        ),
        table=Table(f"Loss by share of columns {taken}", columns, rows),
        note=f"Columns are {taken} one after another, those first that an order puts first: the "
        f"sooner the loss {'rises' if deletion else 'falls'}, the better the order knows what "
        f"counts.{own}",
    )


def agreement_table(data: ReportData) -> Table:
    """Return how far folds, seeds and rows agree."""
    return Table(
        "Agreement on one common set of rows",
        (TableColumn("Of what"), TableColumn("Value", "score")),
        data.agreements,
    )


# --- drift ------------------------------------------------------------------------------------


CLEAR_SHIFT = 0.1
"""A shift whose bar is drawn in full where no column moved further: tiny ones must look tiny."""


def drift_bars(data: ReportData, n_rows: int = N_STEP_ROWS) -> Paired | None:
    """Return attention beside the shift from training to test rows, what matters most first."""
    drift = data.drift
    if drift is None or not drift.columns:
        return None
    mean = dict(zip(data.columns, data.attention.mean(axis=0), strict=True))
    share = [float(mean.get(name, 0.0)) for name in drift.columns]
    beyond = [max(s - c, 0.0) for s, c in zip(drift.shift, drift.chance, strict=True)]
    order = sorted(range(len(share)), key=lambda i: (-share[i] * beyond[i], -beyond[i], -share[i]))
    top = order[:n_rows]
    columns = (
        TableColumn("Column"),
        TableColumn("Attention", "share", bar=True),
        TableColumn("Shift", "share"),
        TableColumn("Chance reaches", "share"),
        TableColumn("Beyond chance"),
    )
    rows = tuple(
        (drift.columns[i], share[i], drift.shift[i], drift.chance[i], "yes" if beyond[i] else "no")
        for i in order
    )
    return Paired(
        title="Is what the networks read the same in the test rows?",
        alt=f"Attention and shift of {len(top)} columns. {drift_sentence(drift)}",
        rows=tuple(drift.columns[i] for i in top),
        left_label="attention",
        left=tuple(share[i] for i in top),
        right_label="shift, and what chance reaches",
        right=tuple(drift.shift[i] for i in top),
        right_form="share",
        right_full=CLEAR_SHIFT,
        right_mark=tuple(drift.chance[i] for i in top),
        table=Table("Attention and shift by column", columns, rows, source="fit.evidence.drift"),
        note="Shift: the largest difference of the distribution functions of a number, half the "
        "sum of the differences of all shares of a category; 0% is none, 100% is complete. The "
        "line is what random dealing reaches in 19 of 20 cases: a pale bar ends before it. Columns "
        f"that are read and shifted come first. A full bar is {CLEAR_SHIFT:.0%}, or the largest."
        f"{shown_note(len(top), len(order), 'first')}",
    )


def drift_sentence(drift: Drift) -> str:
    """Say how many columns moved further than chance does."""
    moved = [
        (shift - chance, name)
        for name, shift, chance in zip(drift.columns, drift.shift, drift.chance, strict=True)
        if shift > chance
    ]
    if not moved:
        return f"No column of the {drift.n_test:,} test rows moved further than chance does."
    most = max(moved)[1]
    noun = "column" if len(drift.columns) == 1 else "columns"
    return (
        f"{len(moved)} of {len(drift.columns)} {noun} moved further between training and test "
        f"rows than random dealing does in 19 of 20 cases, most of all {most!r}; by chance alone "
        f"about {max(1, round(len(drift.columns) / 20))} would."
    )


def drift_classes(drift: Drift, n_rows: int = N_STEP_ROWS) -> Paired | None:
    """Return the mean probability of every class in training rows beside that in test rows."""
    if not drift.classes:
        return None
    pairs = zip(drift.classes, map(float, drift.train), map(float, drift.test), strict=True)
    rows = sorted(pairs, key=lambda row: -max(row[1:]))
    top = rows[:n_rows]
    columns = (
        TableColumn("Class"),
        TableColumn("Training rows", "share"),
        TableColumn("Test rows", "share"),
    )
    furthest = max(rows, key=lambda row: abs(row[1] - row[2]))
    says = f"Furthest apart: {furthest[0]!r}, {furthest[1]:.1%} and {furthest[2]:.1%}."
    some = f" The {len(top)} likeliest of {len(rows)} classes are shown." * (len(top) < len(rows))
    longest = max(max(row[1:]) for row in rows)
    return Paired(
        title="Predictions of training and test rows",
        alt=f"Mean predicted probability of {len(top)} classes in training and test rows. {says}",
        rows=tuple(row[0] for row in top),
        left_label="training rows, out of fold",
        left=tuple(row[1] for row in top),
        left_full=longest,
        right_label="test rows",
        right=tuple(row[2] for row in top),
        right_form="share",
        right_full=longest,
        table=Table("Mean probability by class", columns, tuple(rows), source="fit.oof"),
        note=f"Mean predicted probability of each class. {says}{some}",
    )


def drift_histogram(drift: Drift, n_bins: int = 30) -> Histogram | None:
    """Return how out-of-fold and test predictions are spread over the same bins."""
    if drift.classes:
        return None
    train, test = drift.train[np.isfinite(drift.train)], drift.test[np.isfinite(drift.test)]
    if not len(train) or not len(test):
        return None
    low, high = 0.0, 1.0
    if not drift.of_class:
        both = np.concatenate([train, test])
        low, high = (float(v) for v in np.quantile(both, [0.005, 0.995]))
        high = high if high > low else low + 1.0
    edges = np.linspace(low, high, n_bins + 1)
    shares = [
        np.histogram(np.clip(values, low, high), edges)[0] / len(values) for values in (train, test)
    ]
    columns = (
        TableColumn("From", "score"),
        TableColumn("to", "score"),
        TableColumn("Training rows", "share"),
        TableColumn("Test rows", "share"),
    )
    rows = tuple(
        (float(edges[i]), float(edges[i + 1]), float(shares[0][i]), float(shares[1][i]))
        for i in range(n_bins)
    )
    what = f"predicted probability of {drift.of_class!r}" if drift.of_class else "prediction"
    here, there = (format_cell(float(values.mean()), "score") for values in (train, test))
    means = f"mean {here} in training, {there} in test rows"
    tails = "" if drift.of_class else " The outermost bars hold the far tails."
    return Histogram(
        title="Predictions of training and test rows",
        alt=f"Histograms of the {what}; {means}",
        x_label=what,
        edges=tuple(map(float, edges)),
        series=(
            ("training, out of fold", tuple(map(float, shares[0]))),
            ("test rows", tuple(map(float, shares[1]))),
        ),
        table=Table("Share of rows by prediction", columns, rows),
        note=f"{means[0].upper()}{means[1:]}. Each side adds up to 100%.{tails}",
        wide=True,
    )
