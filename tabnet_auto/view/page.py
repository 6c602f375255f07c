"""The report as one HTML document that needs nothing else, and its short form for notebooks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from tabnet_auto.view.draw import HALF_CLASSES, figure_html
from tabnet_auto.view.figures import Figure, Histogram
from tabnet_auto.view.panels import (
    attention_heat,
    curve_charts,
    leaderboard_table,
    schema_table,
    split_summary,
    stability_sentence,
    step_heat,
    trust_bars,
)
from tabnet_auto.view.prediction_panels import class_table, confusion, prediction_figures
from tabnet_auto.view.report_data import MulticlassPredictions, ReportData
from tabnet_auto.view.svg import asset, escape
from tabnet_auto.view.tables import table_html

HONEST = (
    "Attention weights show what the model reads. They are not by themselves proof of what "
    "matters: of two columns that say the same, the model may read either, and a column can be "
    "read without changing the prediction."
)
_UNTESTED = (
    "This report holds no test of what is lost without each column, so take the ranking as a "
    "description of the model, not of the world."
)


def render_page(data: ReportData) -> str:
    """Return the whole report as one self-contained HTML document.

    It loads nothing from anywhere, which its content security policy also enforces, and says
    everything without scripts; these only sort and filter tables.

    Parameters
    ----------
    data
        The numbers to show.

    Returns
    -------
    str
        The document, to be written as UTF-8.
    """
    sections = [
        ("overview", "Overview", _overview(data)),
        ("curves", "Learning curves", _curves(data)),
        ("attention", "Attention per fold", _attention(data)),
        ("steps", "Attention per step", _steps(data)),
        ("predictions", "Predictions", _predictions(data)),
        ("columns", "Columns", _columns(data)),
        ("reproduce", "Reproduce", _reproduce(data)),
    ]
    shown = [(name, title, body) for name, title, body in sections if body]
    links = "".join(
        f'<li><a class="ta-nav-link" href="#{name}">{title}</a></li>' for name, title, _ in shown
    )
    main = "".join(
        f'<section class="ta-section" id="{name}" aria-labelledby="{name}-title">'
        f'<h2 class="ta-heading" id="{name}-title">{title}</h2>{body}</section>'
        for name, title, body in shown
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en" class="ta-root">\n<head>\n{_head(data.title)}</head>\n'
        f'<body class="ta-report ta-page"><a class="ta-skip" href="#overview">Skip to content</a>'
        f'<div class="ta-wrap"><header class="ta-header"><p class="ta-kicker">tabnet_auto report'
        f'</p><h1 class="ta-title">{escape(data.title)}</h1></header></div>'
        f'<nav class="ta-nav" aria-label="Sections"><div class="ta-wrap">'
        f'<ul class="ta-nav-list">{links}</ul></div></nav>'
        f'<main class="ta-wrap">{main}'
        f'<footer class="ta-footer">{HONEST}</footer></main>'
        f"<script>{asset('page.js')}</script></body>\n</html>\n"
    )


def render_fragment(data: ReportData) -> str:
    """Return the short form for a notebook's output: summary, leaderboard and heat map.

    All styles hang on one root class and there is no script, so it neither changes nor depends
    on the page around it.

    Parameters
    ----------
    data
        The numbers to show.
    """
    heat = attention_heat(data, 20)
    attention = ""
    if heat is not None:
        sentence = escape(stability_sentence(data))
        attention = _wide(heat) + f'<p class="ta-note">{sentence} {HONEST}</p>'
    return (
        f'<div class="ta-report ta-fragment"><style>{asset("page.css")}</style>'
        f'<p class="ta-title">{escape(data.title)}</p>{_tiles(data)}'
        f'<div class="ta-card">{table_html(leaderboard_table(data))}</div>{attention}</div>'
    )


def _head(title: str) -> str:
    script = base64.b64encode(hashlib.sha256(asset("page.js").encode()).digest()).decode()
    # Whatever a column's name may hold, no other script runs and nothing is fetched.
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{asset('page.css')}</style>\n"
    )


# --- sections ---------------------------------------------------------------------------------


def _tiles(data: ReportData) -> str:
    large, rest = split_summary(data.summary)
    tiles = "".join(
        f'<div class="ta-tile{" ta-tile-main" if i == 0 else ""}"><dt>{escape(key)}</dt>'
        f"<dd>{escape(value)}</dd></div>"
        for i, (key, value) in enumerate(large)
    )
    facts = "".join(
        f'<div class="ta-fact"><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>'
        for key, value in rest
    )
    return (f'<dl class="ta-tiles">{tiles}</dl>' if tiles else "") + (
        f'<dl class="ta-facts">{facts}</dl>' if facts else ""
    )


def _overview(data: ReportData) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes)
    board = leaderboard_table(data)
    return (
        _tiles(data)
        + (f'<h3 class="ta-sub">Notes</h3><ul class="ta-notes">{notes}</ul>' if notes else "")
        + '<h3 class="ta-sub">Leaderboard</h3>'
        + f'<div class="ta-card">{table_html(board, css="ta-sortable")}</div>'
    )


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
    trust = trust_bars(data)
    untested = f"<p>{_UNTESTED}</p>" if trust is None else ""
    return (
        _lead(
            "How much of its attention each fold's network gives to each column, averaged over "
            "its validation rows. Every fold adds up to 100 %."
        )
        + f'<div class="ta-callout"><p><strong>{escape(stability_sentence(data))}</strong></p>'
        + f"<p>{HONEST}</p>{untested}</div>"
        + _wide(heat)
        + (_wide(trust) if trust is not None else "")
    )


def _steps(data: ReportData) -> str:
    heat = step_heat(data)
    if heat is None:
        return ""
    lead = (
        "The network reads in steps, each with a mask of its own. Steps that look alike add "
        "nothing to the reading; steps that differ divide the work."
    )
    return _lead(lead) + _wide(heat)


def _predictions(data: ReportData) -> str:
    figures = prediction_figures(data)
    if not figures:
        return ""
    lead = "All predictions here are out of fold: no row is judged by a model that learned from it."
    wide = [figure for figure in figures if isinstance(figure, Histogram) and figure.wide]
    half = [figure for figure in figures if figure not in wide]
    body = _grid(half) if half else ""
    if isinstance(data.predictions, MulticlassPredictions):
        body = _classes(data.predictions)
    return _lead(lead) + body + "".join(_wide(figure) for figure in wide)


def _classes(predictions: MulticlassPredictions) -> str:
    """Return the confusion matrix and its classes, side by side where both fit."""
    picture = confusion(predictions)
    table = table_html(class_table(predictions), css="ta-sortable", sticky=True)
    card = f'<div class="ta-card">{table}</div>'
    if len(picture.labels) <= HALF_CLASSES:
        return f'<div class="ta-grid">{figure_html(picture)}{card}</div>'
    return _wide(picture) + card


def _columns(data: ReportData) -> str:
    if not data.schema_rows:
        return ""
    # Hidden until the script that makes it work has run.
    search = (
        '<div class="ta-filter" data-filter="ta-schema" hidden><label>Filter columns '
        '<input type="search" autocomplete="off" placeholder="name, role or reason"></label>'
        '<span class="ta-count" role="status"></span></div>'
    )
    table = table_html(schema_table(data), css="ta-sortable ta-schema", sticky=True)
    lead = "What each column was taken for, and why. Roles can be overridden by name."
    return _lead(lead) + search + f'<div class="ta-card">{table}</div>'


def _reproduce(data: ReportData) -> str:
    if not data.reproduce.strip():
        return ""
    lead = "These lines repeat the run with the same data and the same versions."
    code = escape(data.reproduce.strip())
    return _lead(lead) + (
        f'<pre class="ta-code" tabindex="0" role="group" aria-label="Python code">{code}</pre>'
    )


def _lead(text: str) -> str:
    return f'<p class="ta-lead-text">{text}</p>'


def _grid(figures: Iterable[Figure]) -> str:
    return f'<div class="ta-grid">{"".join(figure_html(figure) for figure in figures)}</div>'


def _wide(figure: Figure) -> str:
    return f'<div class="ta-wide">{figure_html(figure)}</div>'
