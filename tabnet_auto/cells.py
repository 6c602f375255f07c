"""What a cell is: readers of numbers and text that fit every dtype.

:func:`to_float` and :func:`to_text` (and :func:`tabnet_auto.dates.parse_datetime`) turn any
column into plain numpy arrays. Each cell is read by itself, so a cell means the same in the frame
that was learned from and in the frame to predict, even where the column's dtype differs (integers
that became floats because one of them is missing).
"""

from __future__ import annotations

import datetime as dt
import numbers
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.errors import InputError

Family = Literal["bool", "number", "complex", "datetime", "duration", "category", "text"]
"""What a column's dtype says about its cells; ``"text"`` is also every object column."""

MISSING_WORDS: frozenset[str] = frozenset(
    {"", "?", "-", "--", ".", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "nat"}
)
"""Cells (lower case, stripped) that stand for a missing value where a number or date is read."""

_KINDS: dict[str, Family] = {
    "b": "bool",
    "i": "number",
    "u": "number",
    "f": "number",
    "c": "complex",
    "M": "datetime",
    "m": "duration",
}


# ---------------------------------------------------------------------------------------------
# families of dtypes
# ---------------------------------------------------------------------------------------------


def family(series: pd.Series[Any]) -> Family:
    """Return what the column's dtype says, for numpy, nullable, Arrow and text dtypes alike."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.PeriodDtype):
        return "datetime"
    # Arrow decimals are numbers of kind "O".
    if dtype.kind == "O" and pd.api.types.is_numeric_dtype(dtype):
        return "number"
    return _KINDS.get(dtype.kind, "text")


def is_uniform(series: pd.Series[Any]) -> bool:
    """Whether equal cells look equal: not so in object columns, where 1 == True."""
    if isinstance(series.dtype, pd.StringDtype) or series.dtype.kind != "O":
        return True
    return pd.api.types.infer_dtype(series, skipna=True) == "string"


def map_cells(
    series: pd.Series[Any],
    convert: Callable[[Any], object],
    empty: object,
    dtype: type | str,
) -> NDArray[Any]:
    """Apply ``convert`` to every cell that is not missing, once a distinct value where possible."""
    if is_uniform(series):
        codes, uniques = pd.factorize(series)
        # The items of a float32 array are float32, those of tolist are Python's longer floats.
        cells = np.asarray(uniques) if series.dtype.kind == "f" else uniques.tolist()
        table = _filled([convert(cell) for cell in cells], empty, dtype)
        return table[codes]  # code -1, missing, finds the last entry
    missing = pd.isna(series).to_numpy()
    pairs = zip(series.astype(object).tolist(), missing, strict=True)
    return _filled([empty if gone else convert(cell) for cell, gone in pairs], empty, dtype)[:-1]


def _filled(values: list[object], empty: object, dtype: type | str) -> NDArray[Any]:
    table = np.empty(len(values) + 1, dtype=dtype)
    table[:-1] = values
    table[-1] = empty
    return table


def by_category(
    series: pd.Series[Any], read: Callable[[pd.Series[Any]], NDArray[Any]], empty: object
) -> NDArray[Any]:
    """Read the categories, then hand them out."""
    categories = read(pd.Series(series.cat.categories))
    table = np.append(categories, np.array([empty], dtype=categories.dtype))
    return cast("NDArray[Any]", table[series.cat.codes.to_numpy()])


# ---------------------------------------------------------------------------------------------
# numbers
# ---------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_CURRENCY = "$€£¥₹"


def to_float(series: pd.Series[Any]) -> NDArray[np.float64]:
    """Return the column as float64, NaN where a cell is missing, infinite or no number.

    Truth values are 0 and 1, durations are seconds, text goes through
    :func:`parse_number_text`.

    Raises
    ------
    InputError
        If the column holds complex numbers or dates.
    """
    kind = family(series)
    if kind in ("complex", "datetime"):
        raise InputError(
            f"A numeric column must hold real numbers, however: column {str(series.name)!r} has "
            f"dtype {series.dtype}. Convert it, or give the column another role with roles=."
        )
    if kind == "category":
        return by_category(series, to_float, np.nan)
    if kind == "text":
        return parse_number_text(series)
    if kind == "duration":
        # pandas-stubs knows .dt of timedelta columns only by their static type.
        series = cast("Any", series).dt.total_seconds()
    # to_numpy may return the caller's own memory; infinities are replaced in a copy.
    if isinstance(series.dtype, np.dtype):  # looking for what is missing would take longest
        values = np.array(series.to_numpy(), dtype=np.float64)
    else:
        values = np.array(series.to_numpy(dtype="float64", na_value=np.nan))
    values[np.isinf(values)] = np.nan
    return values


def parse_number_text(series: pd.Series[Any]) -> NDArray[np.float64]:
    """Return numbers written as text as float64, NaN for what is not a number.

    Read are ``"12"``, ``" -1.5 "``, ``"1e3"``, thousands as in ``"1,234.5"``, a leading or
    trailing currency sign (``"$5"``, ``"5 €"``), a percentage as its number (``"12%"`` is 12),
    and an amount in brackets as negative (``"(5)"`` is -5). Cells that are numbers already are
    kept. Not read are decimal commas (``"3,14"``; ``"3,145"`` would be ambiguous), units
    (``"5 kg"``), hexadecimal and infinite numbers.
    """
    return map_cells(series, _number, np.nan, "float64")


def _number(cell: object) -> float:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", errors="replace")
    if isinstance(cell, str):
        return _number_of_text(cell)
    if isinstance(cell, dt.timedelta | np.timedelta64):
        return float(pd.Timedelta(cell).total_seconds())
    if isinstance(cell, numbers.Real | Decimal | np.bool_):
        return _finite(float(cell))
    return np.nan


def _number_of_text(text: str) -> float:
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return _finite(float(text))
    negative = text.startswith("(") and text.endswith(")")
    if negative:
        text = text[1:-1].strip()
    sign = text[:1] if text[:1] in "+-" else ""
    text = text[len(sign) :].strip().removesuffix("%").strip(_CURRENCY).strip()
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if not _PLAIN.fullmatch(text) or (text[:1] in "+-" and (sign or negative)):
        return np.nan
    value = _finite(float(text))
    return -value if negative or sign == "-" else value


def _finite(value: float) -> float:
    return value if np.isfinite(value) else np.nan


# ---------------------------------------------------------------------------------------------
# text
# ---------------------------------------------------------------------------------------------


def to_text(series: pd.Series[Any]) -> NDArray[np.object_]:
    """Return the column as text, one canonical spelling a value, None where missing.

    Whole numbers have no decimals whatever their dtype (3, 3.0 and ``Decimal(3)`` are ``"3"``),
    other floats their shortest spelling, truth values are ``"True"`` and ``"False"``, dates are
    ISO, bytes are decoded as UTF-8, anything else is its ``str``. White space around text is
    removed; blank cells and infinite numbers are missing.
    """
    if family(series) == "category":
        return by_category(series, to_text, None)
    return map_cells(series, cell_text, None, object)


def cell_text(cell: object) -> str | None:
    """Return the canonical spelling of one cell that is not missing; see :func:`to_text`."""
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, numbers.Integral):
        return str(int(cell))
    if isinstance(cell, numbers.Real | Decimal):
        return _number_text(cell)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="replace").strip() or None
    if isinstance(cell, dt.date | np.datetime64):
        return _timestamp_text(cell)
    if isinstance(cell, np.ndarray):
        # Lists of a polars or Arrow column arrive as arrays; their str would break lines.
        return str(cell.tolist())
    return str(cell).strip() or None


def _number_text(value: Any) -> str | None:
    number = float(value)
    if not np.isfinite(number):
        return None
    if number.is_integer():
        return str(int(number))
    # A float32 has its own shortest spelling: 0.1, and not 0.10000000149011612.
    return str(value) if isinstance(value, np.floating) else repr(number)


def _timestamp_text(cell: dt.date | np.datetime64) -> str:
    try:
        return str(pd.Timestamp(cell).isoformat())
    except (ValueError, OverflowError):
        return str(cell)


def plain_cell(cell: object) -> object:
    """Return a numpy scalar as Python shows it: 3, and not np.int64(3)."""
    return cell.item() if isinstance(cell, np.generic) else cell
