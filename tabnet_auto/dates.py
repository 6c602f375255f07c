"""What a date is: a reader of dates, times and numbers that fits every dtype.

As in :mod:`tabnet_auto.cells`, each cell is read by itself; only whether a column writes the day
before the month is a property of the whole column.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.cells import by_category, family, is_uniform, map_cells, to_text

_NAT = np.datetime64("NaT", "us")
_TIME = (
    r"(?:[T\s]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[AaPp][Mm])?"
    r"\s*(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:1[5-9]|2[01])\d{2}"
_DATE = {
    # 2020-01-31, 2020-01, 20200131, 20200131T235900
    "year first": re.compile(
        rf"\d{{4}}([-/.])\d{{1,2}}\1\d{{1,2}}{_TIME}|{_YEAR}[-/](?:0[1-9]|1[0-2])"
        rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[T ]\d{{4}}(?:\d{{2}})?Z?)?"
    ),
    # 31.01.2020: written with dots, the day comes first wherever such dates are in use
    "dotted": re.compile(rf"\d{{1,2}}\.\d{{1,2}}\.\d{{4}}{_TIME}|\d{{2}}\.\d{{2}}\.\d{{2}}{_TIME}"),
    # 01/31/2020, 31-01-2020, 1/31/20
    "numbers": re.compile(rf"\d{{1,2}}([-/])\d{{1,2}}\1(?:\d{{4}}|\d{{2}}){_TIME}"),
    # 31 Jan 2020, 31-Jan-20, Jan 31st, 2020, Jan 2020, Fri Jan 31 10:00:00 2020
    "named": re.compile(
        rf"{_WEEKDAY}(?:{_DAY}[-\s/.]*{_MONTH}[-\s/.,]*(?:\d{{4}}|\d{{2}}){_TIME}"
        rf"|{_MONTH}[-\s.]+{_DAY},?\s+\d{{4}}{_TIME}|{_MONTH}[-\s,]+{_YEAR}"
        rf"|{_MONTH}\s+\d{{1,2}}\s+\d{{1,2}}:\d{{2}}:\d{{2}}\s+\d{{4}})",
        re.IGNORECASE,
    ),
}
_SHORT_YEAR = re.compile(r"^(\d{1,2}[-/.](?:\d{1,2}|[A-Za-z]{3,9})[-/.])(\d{2})(?=\D|$)")
_DAY_MONTH = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/]\d{2}")


def parse_datetime(series: pd.Series[Any], *, day_first: bool = False) -> NDArray[np.datetime64]:
    """Return the column as ``datetime64[us]`` in UTC without a zone, NaT for what is no date.

    Parameters
    ----------
    series
        Dates of any dtype (a period is its start, a zone is converted to UTC), date objects, or
        text: ISO dates, ``01/31/2020``, ``31.01.2020``, dates with an English month name, each
        with or without a time. Text without a full date, such as ``"13:45"`` or ``"today"``, is
        no date, since its meaning would change from day to day. Numbers are read by their size:
        years (1500 to 2199), 201912, 20191231, and Unix time in s, ms, us or ns.
    day_first
        How to read ``01/02/2020``: month first, or day first. Where only one of the two makes a
        date, that one is taken. See :func:`prefers_day_first`.
    """
    kind = family(series)
    if kind == "category":
        return by_category(series, lambda part: parse_datetime(part, day_first=day_first), _NAT)
    if kind == "datetime":
        return _native_datetime(series)
    if kind == "number":
        return map_cells(series, _datetime_of_number, _NAT, "datetime64[us]")
    if kind != "text":
        return np.full(len(series), _NAT)
    if not is_uniform(series):
        return map_cells(
            series, lambda cell: _datetime_of_cell(cell, day_first), _NAT, "datetime64[us]"
        )
    codes, uniques = pd.factorize(series)
    return np.append(_datetime_of_texts(list(uniques), day_first), _NAT)[codes]


def prefers_day_first(series: pd.Series[Any]) -> bool:
    """Whether dates such as ``13/01/2020`` say that this column writes the day before the month.

    A property of a whole column: learn it from the training rows, store it, and pass it to
    :func:`parse_datetime` for every later frame.
    """
    if family(series) not in ("text", "category"):
        return False
    texts = [text for text in pd.unique(to_text(series)) if text is not None]
    pairs = [match.groups() for text in texts if (match := _DAY_MONTH.match(text))]
    day_before = sum(int(first) > 12 for first, _ in pairs)
    return day_before > sum(int(second) > 12 for _, second in pairs)


def _native_datetime(series: pd.Series[Any]) -> NDArray[np.datetime64]:
    column: Any = series
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif isinstance(column.dtype, pd.ArrowDtype) and "date" in str(column.dtype):
        column = column.astype("timestamp[us][pyarrow]")
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return cast("NDArray[np.datetime64]", column.to_numpy(dtype="datetime64[us]", na_value=_NAT))


def _datetime_of_number(value: float | Decimal) -> np.datetime64:
    if not np.isfinite(float(value)) or value != int(value):
        return _NAT
    number = int(value)
    if 1500 <= number < 2200:
        return np.datetime64(f"{number}-01-01", "us")
    if 150000 < number < 220000:
        number = number * 100 + 1
    if 15000000 < number < 22000000:
        return _datetime_of_digits(str(number))
    for first, per_us in ((10**8, 10**6), (10**11, 10**3), (10**14, 1)):
        if first <= number < 100 * first:
            return np.datetime64(number * per_us, "us")
    return np.datetime64(number // 1000, "us") if 10**17 <= number < 10**19 else _NAT


def _datetime_of_digits(digits: str) -> np.datetime64:
    try:
        return np.datetime64(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}", "us")
    except ValueError:
        return _NAT


def _datetime_of_cell(cell: object, day_first: bool) -> np.datetime64:  # noqa: FBT001
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", errors="replace")
    if isinstance(cell, str):
        return cast("np.datetime64", _datetime_of_texts([cell], day_first)[0])
    if isinstance(cell, pd.Period):
        cell = cell.start_time
    if not isinstance(cell, dt.date | np.datetime64):
        return _NAT
    try:
        stamp = pd.Timestamp(cell)
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        return cast("np.datetime64", stamp.to_datetime64().astype("datetime64[us]"))
    except (ValueError, OverflowError):
        return _NAT


def _datetime_of_texts(
    texts: list[Any],
    day_first: bool,  # noqa: FBT001 - private, always given
) -> NDArray[np.datetime64]:
    """Read distinct texts, style by style: each style has its own order of day and month."""
    stripped = [text.strip() if isinstance(text, str) else "" for text in texts]
    parsed = np.full(len(texts), _NAT)
    for style, pattern in _DATE.items():
        at = [i for i, text in enumerate(stripped) if pattern.fullmatch(text)]
        if at:
            first = style == "dotted" or (style == "numbers" and day_first)
            full = [_SHORT_YEAR.sub(_full_year, stripped[i]) for i in at]
            parsed[at] = _to_datetime(full, first)
    return parsed


def _to_datetime(texts: list[str], day_first: bool) -> NDArray[np.datetime64]:  # noqa: FBT001
    with warnings.catch_warnings():
        # pandas warns about dates where only one order of day and month is possible.
        warnings.simplefilter("ignore")
        stamps = pd.to_datetime(
            pd.Series(texts, dtype=object),
            format="mixed",
            errors="coerce",
            utc=True,
            dayfirst=day_first,
        )
    return _native_datetime(stamps)


def _full_year(match: re.Match[str]) -> str:
    """Two-digit years as POSIX reads them; pandas' own rule moves with the current year."""
    year = int(match[2])
    return f"{match[1]}{year + (2000 if year < 69 else 1900)}"
