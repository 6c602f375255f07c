"""What-if: one row with some cells changed, each read as its column's own kind of cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabnet_auto.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


def read_cell(typed: str, column: pd.Series[Any]) -> Any:
    """Return what the user typed as a cell of the column; blank is missing.

    Raises
    ------
    InputError
        If the text does not fit a column of numbers, dates or truth values.
    """
    import pandas as pd

    text = typed.strip()
    if not text:
        return None
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf":
        try:
            number = float(text.replace(",", ""))
        except ValueError:
            raise _unfit(column, "a number", typed) from None
        whole = number == np.floor(number) and kind in "iu"
        return int(number) if whole else number
    if kind == "b":
        if text.lower() not in _TRUE + _FALSE:
            raise _unfit(column, "true or false", typed)
        return text.lower() in _TRUE
    if kind == "M":
        try:
            return pd.Timestamp(text)
        except ValueError:
            raise _unfit(column, "a date", typed) from None
    return text


def _unfit(column: pd.Series[Any], rule: str, typed: str) -> InputError:
    return InputError(
        f"{str(column.name)!r} must be {rule} or blank (missing), however: {typed!r}."
    )


def changed_row(row: pd.DataFrame, edits: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    """Return the one-row frame with the edited cells in place."""
    import pandas as pd

    changed = row.copy()
    for name, typed in edits:
        cell = read_cell(typed, row[name])
        column = pd.Series([cell], index=row.index, dtype=object)
        # Back to the column's own kind where the cell fits it; a fraction among integers does not.
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            column = column.astype("float64" if isinstance(cell, float) else "int64")
        elif cell is None and getattr(row[name].dtype, "kind", "O") in "iuf":
            column = column.astype("float64")
        elif cell is None or getattr(row[name].dtype, "kind", "O") in "bM":
            column = column.astype(row[name].dtype) if cell is not None else column
        changed[name] = column
    return changed
