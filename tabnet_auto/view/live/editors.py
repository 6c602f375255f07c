"""The what-if form: one box for each column that is shown, with the row's cell in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabnet_auto.view.live.panels import columns_for
from tabnet_auto.view.live.rows import Rows, cell_words
from tabnet_auto.view.live.source import Source
from tabnet_auto.view.live.state import View
from tabnet_auto.view.svg import shorten

N_SUGGESTIONS = 40
"""Distinct cells up to which a box suggests them."""
_LOOKED_AT = 10_000

Edited = Callable[[str, "str | None"], None]
"""``edited(column, typed)``; None puts the cell back, and with an empty column all cells."""


class Editors:
    """Boxes for the cells of one row; ``widget`` is what is displayed."""

    def __init__(self, rows: Rows, edited: Edited) -> None:
        import ipywidgets

        self.rows, self.edited = rows, edited
        self.boxes: dict[str, Any] = {}
        self.made: dict[str, Any] = {}
        self.grid = ipywidgets.HBox(layout={"flex_flow": "row wrap"})
        reset = ipywidgets.Button(description="Put all back", layout={"width": "auto"})
        reset.on_click(lambda _: edited("", None))
        says = ipywidgets.HTML(
            '<div class="ta-report ta-dash-hint">Change a cell and press Enter; '
            "blank is missing.</div>"
        )
        head = ipywidgets.HBox([says, reset], layout={"align_items": "center"})
        self.widget = ipywidgets.VBox([head, self.grid])

    def show(self, source: Source, view: View) -> None:
        """Let the boxes hold the row's cells as they are edited."""
        names = [source.features[i] for i in columns_for(source, view)]
        names += [name for name, _ in view.edits if name not in names]
        if list(self.boxes) != names:
            self.boxes = {name: self._box(name) for name in names}
            self.grid.children = tuple(self.boxes.values())
        edits = dict(view.edits)
        for name, box in self.boxes.items():
            typed = edits.get(name, self._cell(name, view.row))
            if box.value != typed:
                box.value = typed

    def _cell(self, name: str, row: int) -> str:
        return cell_words(self.rows.frame[name].iloc[row])

    def _box(self, name: str) -> Any:
        """Return the column's box; made once, so that no view of it is left behind."""
        if name in self.made:
            return self.made[name]
        import ipywidgets

        look: dict[str, Any] = {
            "description": shorten(name, 18), "continuous_update": False,
            "layout": {"width": "315px"}, "style": {"description_width": "155px"},
        }  # fmt: skip
        found = self._suggestions(name)
        box = ipywidgets.Combobox(options=found, **look) if found else ipywidgets.Text(**look)
        box.observe(lambda change: self.edited(name, change["new"]), names="value")
        self.made[name] = box
        return box

    def _suggestions(self, name: str) -> tuple[str, ...]:
        column = self.rows.frame[name].iloc[:_LOOKED_AT]
        if getattr(column.dtype, "kind", "O") in "iufM":
            return ()
        found = sorted({cell_words(cell) for cell in column.tolist()} - {""})
        return tuple(found) if len(found) <= N_SUGGESTIONS else ()
