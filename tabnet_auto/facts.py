"""The facts of a column: its cells read once, as numbers, dates or levels, and how they repeat."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.cells import MISSING_WORDS, family, parse_number_text, to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.errors import InputError
from tabnet_auto.schema import Column, Role

SAMPLE = 5000
"""Distinct values looked at where looking at all would be slow."""
NUMBER_SHARE = 0.90
"""Share of the cells of a text column that must be numbers for it to be numeric."""
DATE_SHARE = 0.95
"""The same for dates."""
MAX_WHOLE = 2**53
"""Up to here floats hold every whole number."""
KEPT_SHARE = 0.95
"""Share of the distinct whole numbers beyond that must stay distinct as floats."""
MAX_LEVELS = 30
"""Levels up to which text is categorical; beyond, high-cardinality."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?")
_LEADING_ZERO = re.compile(r"0\d+")

Kind = Literal["number", "datetime", "text"]


@dataclass(frozen=True)
class Facts:
    """One column, read once: its cells as numbers, dates or level codes, and how often they repeat.

    ``values`` are float64 (NaN missing), datetime64 (NaT missing) or int64 positions in
    ``levels`` (-1 missing). ``origin`` says what was done to read them. ``declared`` is True for
    a categorical dtype: the user has said what the numbers and dates in it are.
    """

    name: str
    dtype: str
    kind: Kind
    values: NDArray[Any]
    n_unique: int
    n_missing: int
    levels: NDArray[np.object_]
    origin: str = ""
    declared: bool = False
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of cells, missing ones included."""
        return len(self.values)

    @property
    def present(self) -> NDArray[Any]:
        """The cells that are not missing."""
        there = self.values >= 0 if self.kind == "text" else ~np.isnan(self.values)
        return cast("NDArray[Any]", self.values[there])

    @property
    def n_present(self) -> int:
        """Number of cells that are not missing."""
        return self.n_rows - self.n_missing

    @property
    def distinct_share(self) -> float:
        """Distinct values divided by the cells that are not missing: 1 where nothing repeats."""
        return self.n_unique / max(self.n_present, 1)

    @property
    def whole(self) -> bool:
        """Whether the column holds whole numbers only."""
        if self.kind != "number":
            return False
        present = self.present
        return bool((present == np.floor(present)).all())

    def named_like(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern is found in the name, as it is or in lower case."""
        return bool(pattern.search(self.name) or pattern.search(self.name.lower()))

    def digest(self) -> tuple[str, bytes]:
        """Equal for two columns exactly when their cells are equal after reading."""
        values = self.values
        if self.kind == "text":
            # Half a surrogate pair, from a file read in the wrong encoding, is not valid UTF-8.
            texts = [level.encode("utf-8", "surrogatepass") for level in self.levels]
            hashed = pd.util.hash_array(np.array(texts, dtype=object), categorize=False)
            values = np.append(hashed, np.uint64(0))[values]
        elif self.kind == "number":
            # One bit pattern for each of NaN and zero.
            values = np.where(np.isnan(values), np.nan, values + 0.0)
        return self.kind, hashlib.blake2b(np.ascontiguousarray(values).tobytes()).digest()

    def as_column(self, role: Role, reason: str) -> Column:
        """Return the column's line of the schema."""
        return Column(
            name=self.name,
            role=role,
            reason=reason,
            dtype=self.dtype,
            n_unique=self.n_unique,
            missing=self.n_missing / self.n_rows,
        )


def read_column(series: pd.Series[Any]) -> Facts:
    """Read the column as what its dtype or, in text, nearly all of its cells are.

    Raises
    ------
    InputError
        If the column holds complex numbers.
    """
    kind = family(series)
    if kind == "complex":
        raise InputError(
            f"Columns must hold real numbers, text or dates, however: column {series.name!r} is "
            f"complex ({series.dtype}). Split it into its real and imaginary parts."
        )
    if kind == "number" and _floats_lose(series):
        origin = "whole numbers that floats cannot tell apart, read as levels"
        return replace(read_levels(series), origin=origin)
    if kind in ("number", "duration"):
        return read_numbers(series, kind)
    if kind == "datetime":
        return datetime_facts(series, parse_datetime(series), f"dates of dtype {series.dtype}")
    if kind == "text":
        return _read_text(series)
    return read_levels(series)


def _floats_lose(series: pd.Series[Any]) -> bool:
    """Whether many whole numbers beyond 2**53, identifiers mostly, would become the same float."""
    if series.dtype.kind not in "iu" or series.notna().sum() == 0:
        return False
    if series.max() <= MAX_WHOLE and series.min() >= -MAX_WHOLE:
        return False
    values = to_float(series)
    n_floats = len(pd.unique(values[~np.isnan(values)]))
    return n_floats < KEPT_SHARE * series.nunique()


def read_levels(series: pd.Series[Any]) -> Facts:
    """Read the column as levels, whatever its dtype."""
    codes, levels = pd.factorize(to_text(series))
    return Facts(
        name=str(series.name),
        dtype=str(series.dtype),
        kind="text",
        values=codes,
        n_unique=len(levels),
        n_missing=int((codes < 0).sum()),
        levels=np.asarray(levels, dtype=object),
        declared=family(series) == "category",
    )


def read_numbers(series: pd.Series[Any], kind: str) -> Facts:
    """Read a column of the family ``"number"`` or ``"duration"``; infinite cells are noted."""
    values = to_float(series)
    n_infinite = int(np.isnan(values).sum()) - int(series.isna().sum())
    note = f"column {series.name!r}: {_count(n_infinite, 'infinite value')} read as missing"
    return number_facts(
        series,
        values,
        origin="durations read as seconds" if kind == "duration" else "",
        notes=(note,) if n_infinite else (),
    )


def number_facts(
    series: pd.Series[Any], values: NDArray[Any], origin: str, notes: tuple[str, ...] = ()
) -> Facts:
    """Return the facts of a column whose cells were read as the numbers ``values``."""
    missing = np.isnan(values)
    return Facts(
        name=str(series.name),
        dtype=str(series.dtype),
        kind="number",
        values=values,
        n_unique=len(pd.unique(values[~missing])),
        n_missing=int(missing.sum()),
        levels=np.empty(0, dtype=object),
        origin=origin,
        notes=notes,
    )


def datetime_facts(series: pd.Series[Any], values: NDArray[Any], origin: str) -> Facts:
    """Return the facts of a column whose cells were read as the dates ``values``."""
    return replace(number_facts(series, values, origin), kind="datetime")


def _read_text(series: pd.Series[Any]) -> Facts:
    """Read text and objects: as numbers or dates if nearly all cells are, otherwise as levels."""
    if pd.api.types.infer_dtype(series, skipna=True) == "timedelta":
        return number_facts(series, to_float(series), "durations read as seconds")
    plain = replace(read_levels(series), origin=_odd_cells(series))
    if plain.n_unique < 2:
        return plain
    sample = sample_of(plain.levels)
    if _looks_like_numbers(sample):
        return _numbers_of_text(series, plain) or plain
    if _looks_like_dates(sample):
        return _dates_of_text(series)
    return replace(plain, notes=_decimal_commas(plain.name, sample))


def _decimal_commas(name: str, levels: NDArray[Any]) -> tuple[str, ...]:
    """Give a hint and no reading: whether "1,234" is one or one thousand depends on its writer."""
    words = _worded(levels)
    commas = sum(bool(_DECIMAL_COMMA.fullmatch(word)) for word in words)
    if commas < NUMBER_SHARE * max(len(words), 1):
        return ()
    hint = (
        f"column {name!r} looks like numbers with a decimal comma, which are read as text; read "
        "the file with pandas.read_csv(..., decimal=',') and pass the DataFrame"
    )
    return (hint,)


def _odd_cells(series: pd.Series[Any]) -> str:
    """Say what an object column mixes, or an empty string if there is nothing to say."""
    if series.dtype.kind != "O" or isinstance(series.dtype, pd.StringDtype):
        return ""
    cells = sample_of(series.dropna().to_numpy(dtype=object))
    kinds = sorted({type(cell).__name__ for cell in cells})
    if any(isinstance(cell, list | dict | set | tuple | np.ndarray) for cell in cells):
        return f"cells are {' and '.join(kinds)}, read as text"
    if len(kinds) > 1 and "str" in kinds:
        return f"mixed cells ({', '.join(kinds)}), read as text"
    return ""


def sample_of(values: NDArray[Any]) -> NDArray[Any]:
    """At most SAMPLE values, evenly spaced: the same for the same column."""
    step = max(1, -(-len(values) // SAMPLE))
    return values[::step]


def _worded(levels: NDArray[Any]) -> list[str]:
    return [level for level in levels if level.lower() not in MISSING_WORDS]


def _looks_like_numbers(levels: NDArray[Any]) -> bool:
    words = _worded(levels)
    # A leading zero is part of a code, and no quantity is written with it.
    zeros = sum(bool(_LEADING_ZERO.fullmatch(word)) for word in words)
    if not words or zeros > 0.01 * len(words):
        return False
    parsed = parse_number_text(pd.Series(words, dtype=object))
    # Rough: levels, not cells, are counted here; the cells decide in _numbers_of_text.
    return bool(np.isfinite(parsed).mean() >= 0.5)


def _looks_like_dates(levels: NDArray[Any]) -> bool:
    words = _worded(levels)
    if not words or np.isnat(parse_datetime(pd.Series(words[:20], dtype=object))).all():
        return False  # most text is no date at all, and that is cheap to see
    parsed = parse_datetime(pd.Series(words, dtype=object))
    return bool((~np.isnat(parsed)).mean() >= DATE_SHARE)


def _numbers_of_text(series: pd.Series[Any], plain: Facts) -> Facts | None:
    values = to_float(series)
    is_word = np.array([level.lower() not in MISSING_WORDS for level in plain.levels] + [False])
    unread = is_word[plain.values] & np.isnan(values)
    n_read = int((~np.isnan(values)).sum())
    if n_read < NUMBER_SHARE * (n_read + int(unread.sum())):
        return None
    if unread.any() and plain.n_unique <= MAX_LEVELS:
        return None  # "0", "1", "2", "3+": few levels keep what reading as numbers would lose
    origin = f"numbers stored as {'text' if _is_text(series) else 'objects'}"
    wrong = not_numbers(series, values)
    return number_facts(series, values, f"{origin}; {wrong}" if wrong else origin)


def not_numbers(series: pd.Series[Any], values: NDArray[Any]) -> str:
    """Say which cells are there, but were not read, or an empty string."""
    unread = series[np.isnan(values) & series.notna().to_numpy()]
    if len(unread) == 0:
        return ""
    examples = ", ".join(repr(cell) for cell in list(dict.fromkeys(map(str, unread)))[:3])
    were = "cell was not a number and is" if len(unread) == 1 else "cells were not numbers and are"
    return f"{len(unread)} {were} read as missing, e.g. {examples}"


def _dates_of_text(series: pd.Series[Any]) -> Facts:
    day_first = prefers_day_first(series)
    values = parse_datetime(series, day_first=day_first)
    text = f"dates stored as {'text' if _is_text(series) else 'objects'}"
    order = ", the day before the month" if day_first else ""
    unread = int((np.isnat(values) & series.notna().to_numpy()).sum())
    wrong = f"; {_count(unread, 'cell')} no date and read as missing" if unread else ""
    return datetime_facts(series, values, f"{text}{order}{wrong}")


def _is_text(series: pd.Series[Any]) -> bool:
    return pd.api.types.infer_dtype(series, skipna=True) == "string"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun} is" if n == 1 else f"{n} {noun}s are"
