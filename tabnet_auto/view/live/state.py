"""What the user has chosen: one frozen record; every control changes one field of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

OUT_OF_FOLD, THIS_FRAME = "out-of-fold", "this frame"
"""What a threshold is judged on."""
ALL_COLUMNS = 60
"""Columns that a picture shows at most."""

RESETS: dict[str, dict[str, Any]] = {
    "row": {"edits": ()},
    "where": {"page": 1},
    "order": {"page": 1},
    "cohort": {"first": 0, "second": None},
}
"""What goes back to its start when a field changes."""


@dataclass(frozen=True)
class View:
    """The state of a dashboard.

    ``fold``, ``seed`` and ``step`` count from 0, None is the mean over all. ``words`` filters
    the columns by their names (any of the words, separated by commas), ``n_columns`` of the
    most-read ones are shown. ``where`` is a pandas query over the frame, ``order`` a key of
    :data:`tabnet_auto.view.live.rows.ORDERS`, ``page`` counts screens of
    rows from 1. ``row`` and
    ``other`` are row positions in the user's frame. ``edits`` are the cells of ``row`` that
    the user changed, as typed. ``cohort`` is a key of
    :func:`tabnet_auto.view.live.cohorts.cohort_keys`, ``first`` and ``second`` are positions
    among its cohorts; None leaves the second to them.
    """

    fold: int | None = None
    seed: int | None = None
    step: int | None = None
    words: str = ""
    n_columns: int = 10
    where: str = ""
    order: str = "as they come"
    page: int = 1
    row: int = 0
    other: int = 1
    edits: tuple[tuple[str, str], ...] = ()
    cohort: str = ""
    first: int = 0
    second: int | None = None
    threshold: float = 0.5
    judged_on: str = OUT_OF_FOLD

    def changed(self, field: str, value: Any) -> View:
        """Return the state after a control changed one field."""
        if getattr(self, field) == value:
            return self
        return replace(self, **{**RESETS.get(field, {}), field: value})

    def edited(self, column: str, typed: str | None) -> tuple[tuple[str, str], ...]:
        """Return the edits with one cell changed, or put back with None."""
        kept = tuple(edit for edit in self.edits if edit[0] != column)
        return kept if typed is None else (*kept, (column, typed))
