"""The dashboard as a user holds it: it shows what fits where the code runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from tabnet_auto.errors import InputError
from tabnet_auto.view.live.board import Board
from tabnet_auto.view.live.rows import Rows
from tabnet_auto.view.live.source import Source
from tabnet_auto.view.place import Mode, choose_place


class Dashboard:
    """What a model looks at, to be asked with controls; the last line of a cell shows it.

    In a notebook that somebody watches it is a page of widgets, in a batch run the report,
    elsewhere text. ``display(dashboard)`` shows it from within a cell.

    Parameters
    ----------
    source
        The model.
    data
        Rows to look at, in the forms of ``predict``; None where there are none.
    page
        Makes the static page.
    mode
        ``"auto"``, ``"live"``, ``"page"`` or ``"text"``.
    """

    def __init__(
        self, source: Source, data: object, page: Callable[[], str], mode: Mode = "auto"
    ) -> None:
        self.place = choose_place(mode)
        self.source, self.page = source, page
        self.rows = None if data is None else Rows(source, _some_rows(source, data))
        self._board: Board | None = None

    @property
    def board(self) -> Board:
        """The widgets and their state; made when first asked for."""
        if self._board is None:
            self._board = Board(self.source, self.rows)
        return self._board

    @property
    def widget(self) -> Any:
        """The live dashboard as an ipywidget, to be put into a layout of one's own."""
        return self.board.root

    def _ipython_display_(self) -> None:
        import IPython.display

        display: Callable[..., None] = IPython.display.display
        if self.place == "text":
            display({"text/plain": repr(self)}, raw=True)
            return
        live = f"ta-live-{uuid.uuid4().hex[:12]}"
        display(
            {"text/html": _hidden_beside(live, self.page()), "text/plain": repr(self)}, raw=True
        )
        if self.place == "live":
            # Two outputs: one with both forms would lose the page where widgets do not load.
            self.widget.add_class(live)
            display(self.widget)

    def __repr__(self) -> str:
        mean = self.source.members.mean(axis=(0, 1))
        top = ", ".join(f"{self.source.features[i]} {mean[i]:.0%}" for i in np.argsort(-mean)[:5])
        whose = "attention of the folds" if self.source.refitted else "attention"
        rows = "no rows" if self.rows is None else f"{len(self.rows):,} rows"
        return (
            f"Dashboard of {self.source.target!r} with {rows}; {whose}: {top}\n"
            "Its controls need a notebook; fit.report(path) writes a page."
        )


def _some_rows(source: Source, data: object) -> Any:
    frame = source.read(data)
    if len(frame) == 0:
        raise InputError("A dashboard needs at least one row, however: the frame has 0.")
    return frame


def _hidden_beside(live: str, page: str) -> str:
    """Return the page with a rule that hides it while the live view is really drawn."""
    rule = f"body:has(.{live}) .ta-static-{live}{{display:none}}"
    return f'<div class="ta-static-{live}"><style>{rule}</style>{page}</div>'
