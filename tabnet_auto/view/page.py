"""The report as one HTML document that needs nothing else, and its short form for notebooks."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from tabnet_auto.view.panels import attention_heat, leaderboard_table, stability_sentence
from tabnet_auto.view.report_data import ReportData
from tabnet_auto.view.room import PAGE, fit_explorers
from tabnet_auto.view.sections import HONEST, SECTIONS, tiles, wide
from tabnet_auto.view.svg import asset, cell_css, escape
from tabnet_auto.view.tables import table_html

FRAME = 100_000
"""Bytes of a page that are neither sections nor packed numbers: scripts, styles, titles."""
EMBEDDED = 1_000_000
"""Bytes of a page inside a notebook's output, at most: a notebook may hold several."""
_ELSEWHERE = "More of it: fit.dashboard(frame) here, or fit.report(path) as a page."
_NOT_TRUSTED = (
    "A notebook that is not trusted shows no report here: trust it, or write the report as a page "
    "with fit.report(path)."
)
_SCRIPTS = ("grid.js", "page.js", "views.js")


def render_page(data: ReportData, most: int = PAGE) -> str:
    """Return the whole report as one self-contained HTML document.

    It loads nothing from anywhere, which its content security policy also enforces. Without
    scripts it says everything in pictures and tables; with them tables sort and filter, and
    the attention can be explored by fold, step, row and group of rows.

    Parameters
    ----------
    data
        The numbers to show.
    most
        Bytes that its explorers may fill the document up to.

    Returns
    -------
    str
        The document, to be written as UTF-8.
    """
    made = [(section, section.body(data)) for section in SECTIONS]
    shown = [(section, body) for section, body in made if body]
    links = "".join(
        f'<li><a class="ta-nav-link" href="#{section.name}">{section.word}</a></li>'
        for section, _ in shown
    )
    packed, left_out = "", dict[str, str]()
    if data.has_attention:
        size = sum(len(body.encode()) for _, body in shown)
        packed, left_out = fit_explorers(data, most - FRAME - size)
    main = "".join(
        f'<section class="ta-section" id="{section.name}" aria-labelledby="{section.name}-title">'
        f'<h2 class="ta-heading" id="{section.name}-title">{section.title}</h2>{body}'
        f"{_left_out(left_out.get(section.name))}</section>"
        for section, body in shown
    )
    held = f'<div id="ta-data" hidden>{packed}</div>' if packed else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en" class="ta-root">\n<head>\n{_head(data.title)}</head>\n'
        f'<body class="ta-report ta-page"><a class="ta-skip" href="#overview">Skip to content</a>'
        f'<div class="ta-wrap"><header class="ta-header"><p class="ta-kicker">tabnet_auto report'
        f'</p><h1 class="ta-title">{escape(data.title)}</h1></header></div>'
        f'<nav class="ta-nav" aria-label="Sections"><div class="ta-wrap">'
        f'<ul class="ta-nav-list">{links}</ul></div></nav>'
        f'<main class="ta-wrap">{main}'
        f'<footer class="ta-footer">{HONEST}</footer></main>'
        f"{held}<script>{_script()}</script></body>\n</html>\n"
    )


def _left_out(words: str | None) -> str:
    return f'<p class="ta-note">{escape(words)}</p>' if words else ""


def render_fragment(data: ReportData) -> str:
    """Return the short form for a notebook's output: summary, leaderboard and heat map.

    All styles hang on one root class and there is no script, so it neither changes nor depends
    on the page around it.

    Parameters
    ----------
    data
        The numbers to show.
    """
    return _fragment(data, f'<p class="ta-note">{_ELSEWHERE}</p>')


def render_framed(data: ReportData) -> str:
    """Return the short form for a notebook's output, with the whole page to be opened below it.

    The page is a document of its own in a frame that may run its script and nothing else, so that
    it explores without a kernel. Notebooks that are not trusted leave the frame out, and the
    short form says what there is.

    Parameters
    ----------
    data
        The numbers to show.
    """
    page = escape(render_page(data, EMBEDDED))
    return _fragment(
        data,
        '<details class="ta-details"><summary>The whole report</summary>'
        f'<iframe class="ta-frame" title="report" sandbox="allow-scripts" srcdoc="{page}"></iframe>'
        f'<p class="ta-note">{_NOT_TRUSTED}</p></details>',
    )


def _fragment(data: ReportData, more: str) -> str:
    heat = attention_heat(data, 20)
    attention = ""
    if heat is not None:
        sentence = escape(stability_sentence(data))
        attention = wide(heat) + f'<p class="ta-note">{sentence} {HONEST}</p>'
    return (
        f'<div class="ta-report ta-fragment"><style>{asset("page.css")}</style>'
        f'<p class="ta-title">{escape(data.title)}</p>{tiles(data)}'
        f'<div class="ta-card">{table_html(leaderboard_table(data), css="ta-models")}</div>'
        f"{attention}{more}</div>"
    )


@cache
def _script() -> str:
    return "\n".join(asset(name) for name in _SCRIPTS)


def _head(title: str) -> str:
    script = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    # Whatever a column's name may hold, no other script runs and nothing is fetched.
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
    css = asset("page.css") + asset("explore.css") + cell_css()
    return (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{css}</style>\n"
    )
