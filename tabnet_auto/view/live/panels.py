"""The dashboard's panels: pure functions of what the user chose and what the model says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.figures import Heat, Table, TableColumn
from tabnet_auto.view.live import code
from tabnet_auto.view.live.cohorts import cohort_words, cohorts_of
from tabnet_auto.view.live.edits import changed_row
from tabnet_auto.view.live.pictures import (
    Diverging,
    Picture,
    RowGrid,
    Twin,
    draw_diverging,
    draw_grid,
    draw_twin,
    from_figure,
)
from tabnet_auto.view.live.rows import (
    Rows,
    Sample,
    cell_words,
    label_of,
    n_pages,
    page_of,
    prediction_words,
    short_words,
    truth_words,
    value_words,
)
from tabnet_auto.view.live.source import Floats, Source
from tabnet_auto.view.live.state import ALL_COLUMNS, View
from tabnet_auto.view.svg import minus

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]
NO_ROWS = (
    "This model came without rows. Pass some to see what it reads in each of them: "
    "fit.dashboard(frame), with a data frame or the path of a CSV or Parquet file."
)

EVERY_ROW = "'Rows where' chooses for the tabs Rows and Cohorts: this is of all validation rows."
REFITTED = (
    "The networks learned from all training rows: if these are among them, predictions are better "
    "than those of new rows."
)


@dataclass(frozen=True)
class Panel:
    """What one tab shows: large figures, pictures, a table to export, notes, a line of Python."""

    tiles: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]
    table: Table
    line: str
    notes: tuple[str, ...] = ()


Render = Callable[[Source, "Rows | None", View], Panel]


# --- choices ----------------------------------------------------------------------------------


def of_networks(values: Floats, view: View) -> Floats:
    """Return ``(fold, ...)`` of ``(fold, seed, ...)``: one seed's, or the mean over the seeds."""
    chosen: Floats = values.mean(axis=1) if view.seed is None else values[:, view.seed]
    return chosen


def columns_for(source: Source, view: View) -> Ints:
    """Return the positions of the columns to show, the most-read first.

    ``view.words`` keeps the columns whose names hold one of the words; where none does, the
    panel is empty and says so.
    """
    mean = source.members.mean(axis=(0, 1))
    order = np.argsort(-mean, kind="stable")
    wanted = [word.strip().lower() for word in view.words.split(",") if word.strip()]
    kept = [i for i in order if not wanted or any(w in source.features[i].lower() for w in wanted)]
    return np.array(kept[: min(view.n_columns, ALL_COLUMNS)], dtype=np.int64)


def chosen_words(source: Source, view: View) -> str:
    """Return which networks and steps the numbers are of.

    The words name folds, seeds and steps from 1, as the report does.
    """
    words = ["all folds" if view.fold is None else f"fold {view.fold + 1}"]
    if source.refitted:
        words = ["refitted on all rows"]
    if source.n_seeds > 1:
        words.append("all seeds" if view.seed is None else f"seed {view.seed + 1}")
    if source.n_steps > 1:
        words.append("mean over steps" if view.step is None else f"step {view.step + 1}")
    return ", ".join(words)


def _column_note(source: Source, shown: Ints) -> str:
    if len(shown) == 0:
        return "No column's name holds these words: clear the filter."
    if len(shown) == len(source.features):
        return ""
    return f"{len(shown)} of {len(source.features)} columns are shown, the most-read first."


def _sample_note(sample: Sample) -> str:
    n = len(sample.position)
    return f"{n:,} of {sample.n_all:,} rows, evenly spaced." if n < sample.n_all else ""


def _trained_note(rows: Rows) -> str:
    if rows.known is None:
        return REFITTED if rows.source.refitted else ""
    return (
        "These are the training rows (the same targets in the same order): predictions are "
        "out-of-fold. Attention is the chosen folds' own; most of them learned from the row."
    )


def _notes(*notes: str) -> tuple[str, ...]:
    return tuple(note for note in notes if note)


# --- attention of the whole model ---------------------------------------------------------------


def attention_panel(source: Source, _: Rows | None, view: View) -> Panel:
    """Return mean attention over validation rows: columns by folds, or by one fold's steps."""
    members = source.members if view.step is None else source.steps[:, :, view.step]
    by_fold = of_networks(members, view)
    if view.fold is None:
        group, labels, cells = "fold", [str(i + 1) for i in range(len(by_fold))], by_fold
    elif view.step is None:
        cells = of_networks(source.steps, view)[view.fold]
        group, labels = "step", [str(i + 1) for i in range(len(cells))]
    else:
        cells, group = by_fold[view.fold][None], "step"
        labels = [str(view.step + 1)]
    mean = by_fold.mean(axis=0) if view.fold is None else by_fold[view.fold]
    shown = columns_for(source, view)
    names = [source.features[i] for i in shown]
    heads = tuple(TableColumn(f"{group} {label}", "share") for label in labels)
    table = Table(
        f"Share of attention: {chosen_words(source, view)}",
        (TableColumn("Column"), TableColumn("Mean", "share", bar=True), *heads),
        tuple((source.features[i], float(mean[i]), *map(float, cells[:, i])) for i in shown),
    )
    top = ", ".join(f"{source.features[i]} {mean[i]:.1%}" for i in np.argsort(-mean)[:3])
    heat = Heat(
        title=f"What the networks look at: {chosen_words(source, view)}",
        alt=f"Attention to {len(shown)} columns by {group}; most read: {top}",
        rows=tuple(names),
        groups=((group, tuple(labels)),),
        values=tuple(tuple(map(float, cells[:, i])) for i in shown),
        table=table,
        mean=tuple(float(mean[i]) for i in shown),
        low=tuple(float(cells[:, i].min()) for i in shown),
        high=tuple(float(cells[:, i].max()) for i in shown),
        note="Share of the attention in percent, the mean over validation rows.",
    )
    pictures = (from_figure(heat),) if len(shown) else ()
    line = code.summary_line(source, view)
    where = EVERY_ROW if view.where.strip() else ""
    return Panel((), pictures, table, line, _notes(_column_note(source, shown), where))


# --- rows -------------------------------------------------------------------------------------


def rows_panel(source: Source, rows: Rows | None, view: View) -> Panel:
    """Return one screen of rows: cells shaded by their attention, with prediction and truth."""
    if rows is None:
        return _empty()
    sample = rows.sample(view.where)
    page = page_of(sample, view)
    shown = columns_for(source, view)
    weights = sample.attention.pick(view.fold, view.seed, view.step)[np.ix_(page, shown)]
    names = [source.features[i] for i in shown]
    cells = [[cell_words(sample.frame[name].iloc[r]) for name in names] for r in page]
    short = [[short_words(sample.frame[name].iloc[r]) for name in names] for r in page]
    words = [_row_words(sample, int(r)) for r in page]
    heads = ("row", "prediction", *(("truth",) if sample.truth is not None else ()))
    grid = RowGrid(
        heads, tuple(words), tuple(names), tuple(map(tuple, short)),
        tuple(tuple(map(float, row)) for row in weights),
    )  # fmt: skip
    title = f"Rows {view.order}: {chosen_words(source, view)}"
    alt = f"Attention of {len(page)} rows to {len(shown)} columns, screen {view.page}"
    note = (
        "A cell shows the row's value; the stronger its colour, the more the networks look at it."
    )
    table = Table(
        title,
        tuple([TableColumn(h) for h in heads] + [TableColumn(n) for n in names]
              + [TableColumn(f"attention: {n}", "share") for n in names]),
        tuple((*words[k], *cells[k], *map(float, weights[k])) for k in range(len(page))),
    )  # fmt: skip
    notes = _notes(
        _sample_note(sample), _trained_note(rows), _column_note(source, shown),
        f"Screen {min(view.page, n_pages(sample))} of {n_pages(sample):,}.",
    )  # fmt: skip
    line = code.rows_line(view, sample.position[page])
    return Panel((), (draw_grid(grid, title, alt, note),), table, line, notes)


def _empty() -> Panel:
    return Panel((), (), Table("", (), ()), "fit.dashboard(frame)", (NO_ROWS,))


def _row_words(sample: Sample, r: int) -> tuple[str, ...]:
    words = (str(sample.position[r]), prediction_words(sample.prediction[r], sample.source))
    if sample.truth is None:
        return words
    return (*words, truth_words(float(sample.truth[r]), sample.source) or "unknown")


# --- one row, and two -------------------------------------------------------------------------


def what_if_panel(source: Source, rows: Rows | None, view: View) -> Panel:
    """Return one row as it is and as it would be: prediction and attention side by side."""
    if rows is None:
        return _empty()
    before = rows.one(view.row)
    frame = changed_row(before.frame, view.edits)
    # The same networks on both sides: an out-of-fold prediction would not be comparable.
    predicted = source.predict(before.frame), source.predict(frame) if view.edits else None
    after = source.attend(frame) if view.edits else before.attention
    first, second = predicted[0][0], predicted[0][0] if predicted[1] is None else predicted[1][0]
    tiles = [("Prediction", prediction_words(first, source))]
    if view.edits:
        tiles.append(("With the changes", prediction_words(second, source)))
        tiles.append(_moved(first, second, source))
    if before.truth is not None and not np.isnan(before.truth[0]):
        tiles.append(("Truth", truth_words(float(before.truth[0]), source)))
    pair = [
        frame_attention.pick(view.fold, view.seed, view.step)[0]
        for frame_attention in (before.attention, after)
    ]
    both = bool(view.edits)  # without a change one bar a column says it all
    shown = _changed_first(columns_for(source, view), source, view)
    title = f"Row {view.row}: {chosen_words(source, view)}"
    picture, table = _twin(
        source, shown, (before.frame, frame)[: 1 + both], pair[: 1 + both],
        ("as it is", "changed")[: 1 + both], title,
    )  # fmt: skip
    trained = _trained_note(rows) if rows.known is None else (
        "A training row: most of these networks learned from it, so its prediction is better "
        "than that of a new row. The Rows tab shows the out-of-fold one."
    )  # fmt: skip
    notes = _notes(trained, _column_note(source, shown))
    return Panel(tuple(tiles), (picture,), table, code.what_if_line(source, view, frame), notes)


def _changed_first(shown: Ints, source: Source, view: View) -> Ints:
    """Return the columns with the edited ones among them, even if hardly read."""
    edited = [source.features.index(name) for name, _ in view.edits if name in source.features]
    return np.array([*shown, *(i for i in edited if i not in shown)], dtype=np.int64)


def _moved(first: Floats, second: Floats, source: Source) -> tuple[str, str]:
    if not source.classes:
        return ("Moves by", minus(value_words(float(second - first), "+")))
    one = 1 if len(source.classes) == 2 else label_of(first, source)
    points = 100 * float(second[one] - first[one])
    return (f"P({source.classes[one]}) moves by", minus(f"{points:+.1f} points"))


def _twin(
    source: Source,
    shown: Ints,
    frames: tuple[pd.DataFrame, ...],
    weights: list[Floats],
    labels: tuple[str, ...],
    title: str,
) -> tuple[Picture, Table]:
    """Return one or two rows, column by column: cells and weights."""
    names = tuple(source.features[i] for i in shown)
    cells = tuple(tuple(cell_words(frame[name].iloc[0]) for frame in frames) for name in names)
    values = tuple(tuple(float(own[i]) for own in weights) for i in shown)
    most = max(range(len(names)), key=lambda k: abs(values[k][-1] - values[k][0]), default=None)
    alt = f"{title}. Attention of {' and '.join(labels)}"
    if most is not None and len(labels) == 2:
        alt += f"; it differs most at {names[most]}: {values[most][0]:.1%}, {values[most][1]:.1%}"
    picture = draw_twin(Twin(labels, names, cells, values), title, alt, "")
    columns = (
        TableColumn("Column"),
        *(TableColumn(f"value {label}") for label in labels),
        *(TableColumn(f"attention {label}", "share") for label in labels),
    )
    rows = tuple((names[k], *cells[k], *values[k]) for k in range(len(names)))
    return picture, Table(title, columns, rows)


def compare_panel(source: Source, rows: Rows | None, view: View) -> Panel:
    """Return two rows side by side: cells, prediction and attention."""
    if rows is None:
        return _empty()
    pair = [rows.one(view.row), rows.one(view.other)]
    shown = columns_for(source, view)
    weights = [sample.attention.pick(view.fold, view.seed, view.step)[0] for sample in pair]
    title = f"Rows {view.row} and {view.other}: {chosen_words(source, view)}"
    labels = (f"row {view.row}", f"row {view.other}")
    picture, table = _twin(source, shown, tuple(s.frame for s in pair), weights, labels, title)
    tiles = []
    for label, sample in zip(labels, pair, strict=True):
        words = prediction_words(sample.prediction[0], source)
        if sample.truth is not None and not np.isnan(sample.truth[0]):
            words += f" (truth: {truth_words(float(sample.truth[0]), source)})"
        tiles.append((f"Prediction, {label}", words))
    overlap = float(np.minimum(weights[0], weights[1]).sum())
    tiles.append(("Attention in common", f"{overlap:.0%}"))
    notes = _notes(_trained_note(rows), _column_note(source, shown))
    line = code.rows_line(view, np.array([view.row, view.other]))
    return Panel(tuple(tiles), (picture,), table, line, notes)


# --- cohorts ----------------------------------------------------------------------------------


def cohort_panel(source: Source, rows: Rows | None, view: View) -> Panel:
    """Return mean attention of groups of rows, and the difference of two of them."""
    if rows is None:
        return _empty()
    sample = rows.sample(view.where)
    cohorts = cohorts_of(sample, view.cohort)
    means = cohorts.means(sample.attention.pick(view.fold, view.seed, view.step))
    shown, names = columns_for(source, view), cohorts.names
    title = f"Attention by {cohort_words(source, view.cohort)}: {chosen_words(source, view)}"
    sizes = [f"{name} ({n:,} rows)" for name, n in zip(names, cohorts.sizes(), strict=True)]
    table = Table(
        title,
        (TableColumn("Column"), *(TableColumn(name, "share") for name in sizes)),
        tuple((source.features[i], *map(float, means[:, i])) for i in shown),
    )
    key = "; ".join(sizes)
    heat = Heat(
        title=title,
        alt=f"Mean attention of {len(names)} cohorts to {len(shown)} columns. {key}",
        rows=tuple(source.features[i] for i in shown),
        groups=((cohort_words(source, view.cohort), cohorts.labels),),
        values=tuple(tuple(map(float, means[:, i])) for i in shown),
        table=table,
        note=key,
    )
    pictures = [from_figure(heat)]
    a, b = cohorts.pair(view)
    if a != b:
        pictures.append(_difference(source, means[a] - means[b], (names[b], names[a]), shown))
    notes = _notes(_sample_note(sample), _trained_note(rows), _column_note(source, shown))
    line = code.cohort_line(source, view, sample)
    return Panel((), tuple(pictures) if len(shown) else (), table, line, notes)


def _difference(source: Source, gap: Floats, names: tuple[str, str], shown: Ints) -> Picture:
    order = [int(i) for i in shown[np.argsort(-np.abs(gap[shown]), kind="stable")]]
    bars = Diverging(
        *names, tuple(source.features[i] for i in order), tuple(float(gap[i]) for i in order)
    )
    pair = f"{names[1]} against {names[0]}"
    most = f"{bars.columns[0]} {bars.values[0]:+.1%}" if order else "none"
    return draw_diverging(
        bars, f"Attention of {pair}", f"Difference of mean attention, {pair}; largest: {most}",
        "Difference of the two cohorts' mean attention, in percentage points.",
    )  # fmt: skip
