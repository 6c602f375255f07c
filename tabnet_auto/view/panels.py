"""The panels of overview and attention: pure functions of the report's data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.figures import Cell, Heat, Paired, Table, TableColumn
from tabnet_auto.view.report_data import AuditTable, ReportData, SearchTrials

HEADLINE = ("score", "metric", "task", "target", "rows", "columns")
"""Summary entries that are shown large, in this order, where a key ends with the word."""
STABILITY_BANDS = ((0.9, "very high"), (0.7, "high"), (0.5, "moderate"), (-1.0, "low"))
N_HEAT_ROWS = 40
N_STEP_ROWS = 20
N_STEP_CELLS = 48
N_FOLD_COLUMNS = 8
"""Folds whose scores a sheet of paper has room for; of more the lowest and the highest."""


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
    many = n_folds > N_FOLD_COLUMNS
    columns = (
        TableColumn("Model"),
        TableColumn("Mean", "score"),
        TableColumn("± folds", "score"),
        *(TableColumn(f"{end} fold", "score") for end in ("Lowest", "Highest") if many),
        *(TableColumn(f"Fold {i + 1}", "score", screen=many) for i in range(n_folds)),
        TableColumn("Time", "seconds"),
        TableColumn("Blend weight", "share", bar=True),
    )
    return Table(
        caption=f"{data.metric_name}, {'higher' if data.greater_is_better else 'lower'} is better",
        columns=columns,
        rows=tuple(_leader_row(row, n_folds, many=many) for row in rows),
        lead=0 if len(rows) > 1 else None,
    )


def _leader_row(row: dict[str, Any], n_folds: int, *, many: bool) -> tuple[Cell, ...]:
    folds = [float(score) for score in row.get("folds", [])]
    spread = float(np.std(folds, ddof=1)) if len(folds) > 1 else None
    known = [score for score in folds if math.isfinite(score)]
    ends = (min(known, default=None), max(known, default=None)) if many else ()
    padded: list[Cell] = [*folds, *[None] * (n_folds - len(folds))]
    return (
        str(row["name"]), row["mean"], spread, *ends, *padded, row.get("seconds"),
        row.get("weight"),
    )  # fmt: skip


def search_table(search: SearchTrials, metric_name: str) -> Table:
    """Return every configuration of every fold, in order; ``Used`` ranks what a fold chose.

    What came of it stands before the settings, of which there may be more than fit the page.
    """
    columns = (
        TableColumn("Configuration"),
        TableColumn("Fold", "count"),
        TableColumn("Used", "count"),
        TableColumn("Rung", "count"),
        TableColumn(f"Inner {metric_name}", "score"),
        TableColumn("Inner loss", "score"),
        *(TableColumn(name, "score") for name in search.names),
    )
    rows = tuple(
        (
            f"{trial['number'] + 1}" if trial["number"] else "1 (preset)",
            trial["fold"] + 1, trial["rank"] or None, trial["rung"], trial["score"], trial["loss"],
            *trial["values"],
        )
        for trial in search.trials
    )  # fmt: skip
    return Table("Configurations by fold", columns, rows, source="fit.search.to_frame()")


def audit_table(audit: AuditTable) -> Table:
    """Return what was found in the data before training."""
    columns = tuple(TableColumn(name) for name in ("Finding", "Level", "What", "Way out"))
    return Table("Findings", columns, audit.findings)


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
    caption = "Columns: what each was taken for, and why"
    return Table(caption, columns, rows, source="fit.schema.rows()")


def _mean_by_name(data: ReportData) -> dict[str, float]:
    if not data.has_attention:
        return {}
    means = data.attention.mean(axis=0)
    return {name: float(mean) for name, mean in zip(data.columns, means, strict=True)}


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
        f"{data.stability:.2f}, each fold on its own validation rows): {meaning}."
    )


def top_columns(data: ReportData, n: int) -> NDArray[np.int64]:
    """Return the positions of the ``n`` columns with the largest mean attention, in order."""
    order = np.argsort(-data.attention.mean(axis=0), kind="stable")
    return order[:n].astype(np.int64)


def shown_note(n: int, total: int, which: str = "most-read") -> str:
    """Say that a picture shows ``n`` of ``total`` columns, where it does not show all."""
    return f" The {n} {which} of {total:,} columns are shown." if n < total else ""


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
        note += f"{shown_note(len(top), len(data.columns))} The others share {rest:.1%}."
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
    caption = "Share of attention by column and fold"
    return Table(caption, columns, rows, source="fit.attention.per_fold")


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
    caption = "Share of attention by column and step, mean over folds"
    return Heat(
        title="Attention by decision step",
        alt=f"Attention of {n_steps} steps to {len(top)} columns; {first}",
        rows=tuple(data.columns[i] for i in top),
        groups=tuple((f"step {s + 1}", labels) for s in range(n_steps)),
        values=tuple(tuple(float(v) for v in cube[:, :, i].ravel()) for i in top),
        table=Table(caption, head, rows, source="fit.attention.per_step"),
        note=("Within a step, one cell a fold." if each else "Means over the folds.")
        + shown_note(len(top), len(every)),
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
    caption = "Attention, and what is lost without the column"
    agreement = "Their rank correlation cannot be measured."
    if math.isfinite(trust.agreement):
        agreement = f"Rank correlation of the two: {trust.agreement:.2f}."
    return Paired(
        title="Does losing a column hurt?",
        alt=f"Attention and what is lost without it for {len(top)} columns. {agreement}",
        rows=tuple(trust.columns[i] for i in top),
        left_label="attention",
        left=tuple(trust.attention[i] for i in top),
        right_label="lost without it",
        right=tuple(trust.harm[i] for i in top),
        table=Table(caption, columns, rows, source="fit.attention.trust().harm"),
        note=f"What is lost: {trust.method}. {agreement}{shown_note(len(top), len(order))}",
    )
