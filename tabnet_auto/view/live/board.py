"""The widgets: every control changes one field of the state, one function draws each tab.

Only core ipywidgets that exist in 7.7 and 8.1 are used; nothing here is shared by two boards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tabnet_auto.view.live import controls
from tabnet_auto.view.live.controls import Binding
from tabnet_auto.view.live.editors import Editors
from tabnet_auto.view.live.markup import error_html, panel_html
from tabnet_auto.view.live.panels import (
    Render,
    attention_panel,
    cohort_panel,
    compare_panel,
    rows_panel,
    what_if_panel,
)
from tabnet_auto.view.live.rows import Rows
from tabnet_auto.view.live.source import Source
from tabnet_auto.view.live.threshold import judgements, threshold_panel
from tabnet_auto.view.svg import asset

TABS: dict[str, Render] = {
    "Attention": attention_panel,
    "Rows": rows_panel,
    "What if": what_if_panel,
    "Compare": compare_panel,
    "Cohorts": cohort_panel,
    "Threshold": threshold_panel,
}
"""Titles of the tabs, and what draws them."""


class Board:
    """One dashboard's widgets. ``root`` is the widget to display, ``view`` the state."""

    def __init__(self, source: Source, rows: Rows | None) -> None:
        import ipywidgets

        self.source, self.rows = source, rows
        self.view = controls.first_view(source, rows)
        self.syncing = False
        self.error = ipywidgets.HTML()
        self.outputs = {title: ipywidgets.HTML() for title in self._titles()}
        self.editors = None if rows is None else Editors(rows, self._edit)
        self.open_row = controls.RowOpener(self._open) if rows is not None else None
        self.bindings: list[Binding] = []
        shared = self._bind(controls.shared(source, rows))
        self.tabs = ipywidgets.Tab(children=[self._tab(title) for title in self.outputs])
        for i, title in enumerate(self.outputs):
            self.tabs.set_title(i, title)
        self.tabs.observe(self._guarded(lambda _: self.render()), names="selected_index")
        style = ipywidgets.HTML(f"<style>{asset('page.css')}{asset('dashboard.css')}</style>")
        self.root = ipywidgets.VBox([style, controls.line(shared), self.error, self.tabs])
        self.root.add_class("ta-board")
        self._guarded(lambda _: self.render())(None)

    def _titles(self) -> list[str]:
        missing = set() if judgements(self.source, self.rows) else {"Threshold"}
        if self.source.refitted:  # what validation rows say is of the folds' networks
            missing.add("Attention")
        return [title for title in TABS if title not in missing]

    def _tab(self, title: str) -> Any:
        import ipywidgets

        own = self._bind(controls.of_tab(title, self.source, self.rows))
        parts: list[Any] = [controls.line(own)] if own else []
        if title == "Rows" and self.open_row is not None:
            parts.append(self.open_row.widget)
        if title == "What if" and self.editors is not None:
            parts.append(self.editors.widget)
        return ipywidgets.VBox([*parts, self.outputs[title]])

    # --- from a control to the state ------------------------------------------------------------

    def _bind(self, bindings: list[Binding]) -> list[Any]:
        for binding in bindings:
            self.bindings.append(binding)
            binding.widget.observe(self._guarded(partial(self._changed, binding)), names="value")
        return [binding.widget for binding in bindings]

    def _changed(self, binding: Binding, change: Any) -> None:
        self.set(binding.field, binding.meant(change["new"]))

    def set(self, field: str, value: Any) -> None:
        """Change one field of the state, and draw what is to be seen of it."""
        if not self.syncing:
            self.view = self.view.changed(field, value)
            self.render()

    def _edit(self, column: str, typed: str | None) -> None:
        def change(_: Any) -> None:
            if not self.syncing:
                edits = () if column == "" else self.view.edited(column, typed)
                self.view = self.view.changed("edits", edits)
                self.render()

        self._guarded(change)(None)

    def _open(self, field: str, row: int) -> None:
        def change(_: Any) -> None:
            self.view = self.view.changed(field, row)
            title = "What if" if field == "row" else "Compare"
            # The menu is on another tab, so that a tab opens here, which draws it.
            self.tabs.selected_index = list(self.outputs).index(title)

        self._guarded(change)(None)

    def _guarded(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback whose errors are shown: a widget's own are lost in a log."""

        def call(change: Any) -> None:
            try:
                act(change)
            except Exception as error:  # noqa: BLE001 - whatever it is, the user must see it
                self.error.value = error_html(error)
                self.outputs[self.title].value = ""

        return call

    # --- from the state to what is seen ---------------------------------------------------------

    @property
    def title(self) -> str:
        """Title of the tab that is open."""
        return list(self.outputs)[self.tabs.selected_index or 0]

    def render(self) -> None:
        """Let the controls say what the state says, and draw the tab that is open."""
        title = self.title
        self._sync()
        panel = TABS[title](self.source, self.rows, self.view)
        self.outputs[title].value = panel_html(panel, title.lower().replace(" ", "-"))
        self.error.value = ""

    def _sync(self) -> None:
        self.syncing = True
        try:
            for binding in self.bindings:
                binding.show(self.rows, self.view, self.title)
            if self.editors is not None and self.title == "What if":
                self.editors.show(self.source, self.view)
            if self.open_row is not None and self.rows is not None and self.title == "Rows":
                self.open_row.show(self.rows, self.view)
        finally:
            self.syncing = False
