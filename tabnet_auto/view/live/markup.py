"""A panel as HTML: figures, pictures, numbers, and what can be taken away from it."""

from __future__ import annotations

import base64
import csv
import io
import traceback

from tabnet_auto.errors import TabNetAutoError
from tabnet_auto.view.figures import Table
from tabnet_auto.view.live.panels import Panel
from tabnet_auto.view.live.pictures import Picture
from tabnet_auto.view.svg import data_uri, escape
from tabnet_auto.view.tables import table_html

OFFER = "for (const it of this.closest('.ta-dash').querySelectorAll('button')) it.hidden = false"
"""Run when a picture is drawn: where nothing in a panel may run, no PNG is offered."""
CONVERT = (
    "const picture = this.closest('.ta-dash').querySelectorAll('.ta-figure img')[{number}];"
    "const canvas = document.createElement('canvas');"
    "canvas.width = 2 * picture.naturalWidth; canvas.height = 2 * picture.naturalHeight;"
    "canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);"
    "const link = document.createElement('a'); link.download = '{file}';"
    "link.href = canvas.toDataURL('image/png'); link.click()"
)
"""Save a picture that stands above as PNG, drawn by the browser at twice its size."""


def panel_html(panel: Panel, name: str) -> str:
    """Return a panel; ``name`` begins the names of the files that can be saved from it."""
    tiles = "".join(
        f'<div class="ta-tile"><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>'
        for key, value in panel.tiles
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in panel.notes)
    pictures = "".join(_figure(picture) for picture in panel.pictures)
    return (
        '<div class="ta-report ta-dash">'
        + (f'<dl class="ta-tiles">{tiles}</dl>' if tiles else "")
        + f'<div class="ta-dash-pictures">{pictures}</div>'
        + (f'<ul class="ta-notes">{notes}</ul>' if notes else "")
        + _numbers(panel.table)
        + _take_away(panel, name)
        + "</div>"
    )


def _figure(picture: Picture) -> str:
    alt = escape(picture.alt)
    note = f'<p class="ta-note">{escape(picture.note)}</p>' if picture.note else ""
    return (
        # Pictures stand side by side where there is room; a wide one scrolls before it shrinks.
        f'<figure class="ta-figure" style="flex-basis:{picture.width * 0.9:.0f}px">'
        f'<figcaption class="ta-caption">{escape(picture.title)}'
        f'</figcaption><div class="ta-scroll"><img role="img" alt="{alt}" aria-label="{alt}" '
        f'width="{picture.width}" height="{picture.height}" src="{data_uri(picture.svg)}" '
        f'style="min-width:{picture.width * 0.75:.0f}px" onload="{OFFER}"></div>'
        f"{note}</figure>"
    )


def _numbers(table: Table) -> str:
    if not table.rows:
        return ""
    return f'<details class="ta-details"><summary>Numbers</summary>{table_html(table)}</details>'


def _take_away(panel: Panel, name: str) -> str:
    """Return links that save the pictures and the table, and the lines of Python."""
    links = []
    for i, picture in enumerate(panel.pictures):
        what = f"Picture {i + 1}" if len(panel.pictures) > 1 else "Picture"
        file = f"{name}{f'-{i + 1}' if i else ''}"
        links.append(_link(what, "SVG", f"{file}.svg", data_uri(picture.svg)))
        press = CONVERT.format(number=i, file=f"{file}.png")
        links.append(f'<button type="button" hidden onclick="{press}">Save {what} (PNG)</button>')
    if panel.table.rows:
        text = base64.b64encode(table_csv(panel.table).encode("utf-8-sig")).decode()
        links.append(_link("Table", "CSV", f"{name}.csv", f"data:text/csv;base64,{text}"))
    code = escape(panel.line)
    return (
        f'<div class="ta-dash-take">{"".join(links)}</div><p class="ta-dash-same">The same in '
        f'Python</p><pre class="ta-code" tabindex="0" role="group" aria-label="Python code">{code}'
        "</pre>"
    )


def _link(what: str, form: str, file: str, address: str) -> str:
    return f'<a class="ta-dash-link" download="{file}" href="{address}">Save {what} ({form})</a>'


def table_csv(table: Table) -> str:
    """Return a table as CSV with all digits; missing cells are empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.label for column in table.columns])
    writer.writerows(["" if cell is None else cell for cell in row] for row in table.rows)
    return out.getvalue()


def error_html(error: Exception) -> str:
    """Return what went wrong: the rule broken by the input, or an unforeseen error in full."""
    detail = ""
    if not isinstance(error, TabNetAutoError):
        lines = escape("".join(traceback.format_exception(error)))
        detail = (
            f'<details class="ta-details"><summary>Details</summary><pre class="ta-code">{lines}'
            "</pre></details>"
        )
    says = str(error) if isinstance(error, TabNetAutoError) else f"{type(error).__name__}: {error}"
    return (
        '<div class="ta-report ta-dash"><div class="ta-dash-error" role="alert">'
        f"{escape(says)}{detail}</div></div>"
    )
