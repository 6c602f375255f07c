"""The sections of the report: which panels stand in which, and the words that lead in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tabnet_auto.view.class_panels import class_table
from tabnet_auto.view.curve_panels import curve_charts
from tabnet_auto.view.draw import figure_html
from tabnet_auto.view.draw_maps import HALF_CLASSES
from tabnet_auto.view.evidence_panels import (
    agreement_table,
    cohort_heat,
    drift_bars,
    drift_classes,
    drift_histogram,
    drift_sentence,
    rows_table,
    score_strip,
    step_bars,
    trust_chart,
)
from tabnet_auto.view.figures import Figure, Histogram, Table
from tabnet_auto.view.panels import (
    attention_heat,
    audit_table,
    leaderboard_table,
    schema_table,
    search_table,
    split_summary,
    stability_sentence,
    step_heat,
    trust_bars,
)
from tabnet_auto.view.prediction_panels import prediction_figures
from tabnet_auto.view.report_data import MulticlassPredictions, ReportData
from tabnet_auto.view.svg import escape
from tabnet_auto.view.tables import ROOM, table_html

HONEST = (
    "Attention weights show what the model reads. They are not by themselves proof of what "
    "matters: of two columns that say the same, the model may read either, and a column can be "
    "read without changing the prediction."
)
_UNTESTED = (
    "This report holds no test of what is lost without each column, so take the ranking as a "
    "description of the model, not of the world."
)
SCHEMA_ROOM = 330_000
"""Bytes of the table of columns: the one place of the page that names them all."""
LONG_FACT = 60
"""Letters from which a fact has a line of its own, below the others."""


def tiles(data: ReportData) -> str:
    """Return the summary: the score and its setting large, the rest as facts."""
    large, rest = split_summary(data.summary)
    shown = "".join(
        f'<div class="ta-tile{" ta-tile-main" if i == 0 else ""}"><dt>{escape(key)}</dt>'
        # A long name of a target breaks after an underscore rather than inside a word.
        f"<dd>{escape(value).replace('_', '_<wbr>')}</dd></div>"
        for i, (key, value) in enumerate(large)
    )
    facts = "".join(
        f'<div class="ta-fact{" ta-fact-long" if len(value) > LONG_FACT else ""}">'
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>"
        for key, value in sorted((*rest, *data.plan.items()), key=lambda x: len(x[1]) > LONG_FACT)
    )
    return (f'<dl class="ta-tiles">{shown}</dl>' if shown else "") + (
        f'<dl class="ta-facts">{facts}</dl>' if facts else ""
    )


def wide(figure: Figure) -> str:
    """Return a picture across the page."""
    return f'<div class="ta-wide">{figure_html(figure)}</div>'


def _overview(data: ReportData) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes)
    strip = score_strip(data)
    return (
        tiles(data)
        + (f'<h3 class="ta-sub">Notes</h3><ul class="ta-notes">{notes}</ul>' if notes else "")
        + (wide(strip) if strip is not None else "")
    )


def _leaderboard(data: ReportData) -> str:
    board = leaderboard_table(data)
    lead = (
        "Every model on the same folds. The blend averages the models by their weights; its fold "
        "scores are of rows that none of the averaged models learned from."
    )
    return _lead(lead) + _card(board, "ta-models")


def _search(data: ReportData) -> str:
    if data.search is None:
        return ""
    lead = (
        "Settings that every fold tried on its own training rows: most learned, the rest judged, "
        "and the worse half left at every rung. Inner scores chose, so they flatter what they "
        "chose; the scores of the leaderboard are of rows that had no part in their fold's search. "
        "Used: what a fold went on with, the best first."
    )
    table = search_table(data.search, data.metric_name)
    return _lead(lead) + _callout(data.search.words) + _card(table, "ta-trials", sticky=True)


def _curves(data: ReportData) -> str:
    charts = curve_charts(data)
    if not charts:
        return ""
    lead = (
        "Every member learns on its own training rows and is judged on rows it never saw. "
        "Curves that part early and widely mean that it memorised."
    )
    return _lead(lead) + _grid(charts)


def _attention(data: ReportData) -> str:
    heat = attention_heat(data)
    if heat is None:
        return ""
    return (
        _lead(
            "How much of its attention each fold's network gives to each column, averaged over "
            "its validation rows. Every fold adds up to 100%."
        )
        + f'<div class="ta-callout"><p><strong>{escape(stability_sentence(data))}</strong></p>'
        + f"<p>{HONEST}</p></div>"
        + _explorer("folds", wide(heat))
    )


def _steps(data: ReportData) -> str:
    heat = step_heat(data)
    if heat is None:
        return ""
    lead = (
        "The network reads in steps, each with a mask of its own. Steps that look alike add "
        "nothing to the reading; steps that differ divide the work."
    )
    bars = step_bars(data)
    return _lead(lead) + _explorer("steps", wide(heat)) + (wide(bars) if bars is not None else "")


def _rows(data: ReportData) -> str:
    table, rows = rows_table(data), data.rows
    if table is None or rows is None:
        return ""
    lead = (
        f"{len(rows.names):,} of {rows.n_rows:,} training rows, chosen because they tell "
        f"something: {escape(', '.join(rows.groups))}. "
        f"Error: {escape(rows.error_label)}, out of fold. Rows count from 0."
    )
    elsewhere = '<p class="ta-note">The others are in this page\'s explorer: it needs scripts.</p>'
    some = len(table.rows) < len(rows.names)
    return _lead(lead) + _explorer("rows", _card(table) + elsewhere * some)


def _cohorts(data: ReportData) -> str:
    heat = cohort_heat(data)
    if heat is None:
        return ""
    lead = (
        "Does the network look at other columns for other rows? Groups by truth, by size of the "
        "error, and by the values of the columns that it reads most."
    )
    return _lead(lead) + _explorer("cohorts", wide(heat))


def _trust(data: ReportData) -> str:
    bars = trust_bars(data)
    curves = [trust_chart(curves, "loss") for curves in data.trust_curves]
    if not data.has_attention:
        return ""
    if bars is None and not curves:
        return f'<div class="ta-callout"><p>{_UNTESTED}</p></div>'
    verdicts = dict.fromkeys(curve.verdict for curve in data.trust_curves if curve.verdict)
    lead = (
        "Does it hurt to lose what the network looks at? If columns that it reads can be scrambled "
        "without a loss, the attention does not say what the prediction rests on."
    )
    return (
        _lead(lead)
        + (_callout(*verdicts) if verdicts else "")
        + (wide(bars) if bars is not None else "")
        + (_grid(curves) if curves else "")
        + _agreements(data)
    )


def _agreements(data: ReportData) -> str:
    if not data.agreements:
        return ""
    return _card(agreement_table(data))


def _drift(data: ReportData) -> str:
    drift, bars = data.drift, drift_bars(data)
    if drift is None or bars is None:
        return ""
    predictions = drift_classes(drift) or drift_histogram(drift)
    lead = (
        "Where test rows differ from training rows in a column that the networks read, scores "
        "out of fold may promise too much."
    )
    return (
        _lead(lead)
        + _callout(drift_sentence(drift))
        + wide(bars)
        + (wide(predictions) if predictions is not None else "")
    )


def _audit(data: ReportData) -> str:
    if data.audit is None:
        return ""
    lead = (
        "What the data showed before anything was trained. A warning: scores may promise too "
        f"much. A remark is worth knowing. Looked at: {escape(data.audit.scope)}."
    )
    if not data.audit.findings:
        return _lead(lead) + _callout("Nothing was found.")
    return _lead(lead) + _card(audit_table(data.audit))


def _predictions(data: ReportData) -> str:
    figures = prediction_figures(data)
    if not figures:
        return ""
    lead = "All predictions here are out of fold: no row is judged by a model that learned from it."
    broad = [figure for figure in figures if isinstance(figure, Histogram) and figure.wide]
    half = [figure for figure in figures if figure not in broad]
    body = _grid(half) if half else ""
    if isinstance(data.predictions, MulticlassPredictions):
        body = _classes(data.predictions, half)
    return _lead(lead) + body + "".join(wide(figure) for figure in broad)


def _classes(predictions: MulticlassPredictions, figures: list[Figure]) -> str:
    """Return the confusion matrix and its classes, side by side where both fit, then curves."""
    matrix, *curves = figures
    card = _card(class_table(predictions), "ta-classes", sticky=True)
    if len(predictions.labels) <= HALF_CLASSES:
        head = f'<div class="ta-grid">{figure_html(matrix)}{card}</div>'
    else:
        head = wide(matrix) + card
    return head + (_grid(curves) if curves else "")


def _columns(data: ReportData) -> str:
    if not data.schema_rows:
        return ""
    lead = "What each column was taken for, and why. Roles can be overridden by name."
    return _lead(lead) + _card(schema_table(data), "ta-schema", sticky=True, room=SCHEMA_ROOM)


def _reproduce(data: ReportData) -> str:
    if not data.reproduce.strip():
        return ""
    lead = "These lines repeat the run with the same data and the same versions."
    if "=..." in data.reproduce:
        lead += " Dots stand for an object that was passed: pass the same."
    code = escape(data.reproduce.strip())
    return _lead(lead) + (
        f'<pre class="ta-code" tabindex="0" role="group" aria-label="Python code">{code}</pre>'
    )


def _lead(text: str) -> str:
    return f'<p class="ta-lead-text">{text}</p>'


def _card(table: Table, css: str = "", *, sticky: bool = False, room: int = ROOM) -> str:
    """Return a table on a card of its own."""
    made = table_html(table, css=f"ta-sortable {css}".strip(), sticky=sticky, room=room)
    return f'<div class="ta-card">{made}</div>'


def _callout(*sentences: str) -> str:
    """Return what a section comes to, set apart."""
    words = "".join(f"<p><strong>{escape(sentence)}</strong></p>" for sentence in sentences)
    return f'<div class="ta-callout">{words}</div>'


def _grid(figures: Iterable[Figure]) -> str:
    return f'<div class="ta-grid">{"".join(figure_html(figure) for figure in figures)}</div>'


def _explorer(name: str, static: str) -> str:
    """Return what is shown until, and unless, the script puts its explorer in this place."""
    return f'<div data-view="{name}"><div class="ta-static">{static}</div></div>'


@dataclass(frozen=True)
class Section:
    """One section: its anchor, its word in the navigation, its heading, and its body.

    A section whose body is empty is left out.
    """

    name: str
    word: str
    title: str
    body: Callable[[ReportData], str]


SECTIONS = (
    Section("overview", "Overview", "Overview", _overview),
    Section("leaderboard", "Leaderboard", "Leaderboard", _leaderboard),
    Section("search", "Search", "Search", _search),
    Section("curves", "Learning", "Learning curves", _curves),
    Section("attention", "Folds", "Attention per fold", _attention),
    Section("steps", "Steps", "Attention per step", _steps),
    Section("rows", "Rows", "Rows", _rows),
    Section("cohorts", "Groups", "Groups of rows", _cohorts),
    Section("trust", "Trust", "Trust", _trust),
    Section("drift", "Drift", "Drift", _drift),
    Section("audit", "Data", "Before training", _audit),
    Section("predictions", "Predictions", "Predictions", _predictions),
    Section("columns", "Columns", "Columns", _columns),
    Section("reproduce", "Reproduce", "Reproduce", _reproduce),
)
