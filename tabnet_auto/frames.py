"""The door through which every user's table enters, and cell readers that fit every dtype.

A frame that went through :func:`read_frame` has a plain row index and unique text labels; its
cells still have whatever dtype they came with. The readers :func:`to_float`, :func:`to_text` and
:func:`parse_datetime` turn any column into plain numpy arrays. Each cell is read by itself, so a
cell means the same in the frame that was learned from and in the frame to predict, even where
the column's dtype differs (integers that became floats because one of them is missing).
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import importlib
import numbers
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.errors import InputError, NotInstalledError, did_you_mean

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
_NAT = np.datetime64("NaT", "us")


# ---------------------------------------------------------------------------------------------
# the door
# ---------------------------------------------------------------------------------------------


def read_frame(data: object, *, what: str = "train") -> pd.DataFrame:
    """Return the user's table as a new pandas frame with a plain index and text labels.

    Parameters
    ----------
    data
        A pandas or polars DataFrame, a polars LazyFrame, a mapping of columns, or the path of a
        ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` or ``.parquet`` file. It is never changed.
    what
        What the table is called in error messages.

    Returns
    -------
    pandas.DataFrame
        A new frame object (its columns may share memory with the caller's) whose index counts
        the rows from 0 and whose labels are unique text. The caller re-attaches its own index.

    Raises
    ------
    InputError
        If the table cannot be read, is empty, or has two columns with the same label.
    NotInstalledError
        If a Parquet file is given and pyarrow is not installed.
    """
    frame = _open(data, what)
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise InputError(
            f"{what} must have at least one row and one column, however: "
            f"{frame.shape[0]} rows and {frame.shape[1]} columns."
        )
    labels = [_label_text(label) for label in frame.columns]
    _check_unique(labels, what)
    frame.columns = pd.Index(labels, dtype=object)
    frame.index = pd.RangeIndex(len(frame))
    # Sparse columns lack most of the cell operations used below.
    sparse = [name for name in labels if isinstance(frame[name].dtype, pd.SparseDtype)]
    for name in sparse:
        frame[name] = cast("Any", frame[name]).sparse.to_dense()
    return frame


def resolve_column(name: object, frame: pd.DataFrame, what: str) -> str:
    """Return the text label of the column that the user calls ``name``.

    Parameters
    ----------
    name
        A label as the user has it: text, a number, or a tuple of a MultiIndex.
    frame
        A frame that went through :func:`read_frame`.
    what
        The argument's name, for the error message.

    Raises
    ------
    InputError
        If there is no such column.
    """
    label = _label_text(name)
    if label in frame.columns:
        return label
    raise InputError(
        f"{what} must name a column of the frame, however: {what}={name!r}."
        f"{did_you_mean(label, frame.columns)} The columns are {list_names(frame.columns)}."
    )


def list_names(names: Iterable[object], limit: int = 10) -> str:
    """Return the first names quoted and joined, and how many more there are.

    >>> list_names(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    texts = [repr(str(name)) for name in names]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more


def _open(data: object, what: str) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        # A subclass (geopandas, say) would bring its own rules for columns; a plain frame has none.
        frame: pd.DataFrame = pd.DataFrame(data, copy=False).copy(deep=False)
        return frame
    if type(data).__module__.partition(".")[0] == "polars" and hasattr(data, "lazy"):
        return _from_polars(data)
    if isinstance(data, str | os.PathLike):
        return _from_file(Path(data), what)
    if isinstance(data, dict):
        return _from_dict(data, what)
    raise InputError(
        f"{what} must be a pandas or polars DataFrame, a dict of columns, or the path of a CSV or "
        f"Parquet file, however: {type(data).__name__}. Wrap it: pd.DataFrame(data)."
    )


def _from_dict(data: dict[Any, Any], what: str) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = pd.DataFrame(data)
    except ValueError as error:
        raise InputError(
            f"{what} must have columns of equal length, however: {error}. "
            "Pass lists or arrays with one value a row."
        ) from error
    return frame


def _from_polars(data: Any) -> pd.DataFrame:
    if hasattr(data, "collect"):
        data = data.collect()
    if not hasattr(data, "to_pandas"):
        data = data.to_frame()
    try:
        return cast("pd.DataFrame", data.to_pandas())
    except ImportError:
        # polars converts through pyarrow; plain lists are slower, but need nothing.
        return _from_dict({column.name: column.to_list() for column in data.get_columns()}, "data")


def _label_text(label: object) -> str:
    if isinstance(label, tuple):
        return ".".join(str(part) for part in label)
    return str(label)


def _check_unique(labels: Iterable[str], what: str) -> None:
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise InputError(
            f"{what} must have columns with different labels (compared as text), however: "
            f"{list_names(twice)} occur more than once. Rename them."
        )


# ---------------------------------------------------------------------------------------------
# files
# ---------------------------------------------------------------------------------------------


def _from_file(path: Path, what: str) -> pd.DataFrame:
    endings: dict[str, Callable[[Path, str], pd.DataFrame]] = {
        ".csv": _read_csv,
        ".csv.gz": _read_csv,
        ".tsv": _read_csv,
        ".tsv.gz": _read_csv,
        ".parquet": _read_parquet,
    }
    read = next((endings[e] for e in endings if path.name.lower().endswith(e)), None)
    if read is None:
        raise InputError(
            f"{what} must be a file that ends with {', '.join(endings)}, however: {str(path)!r}. "
            "Read other files with pandas and pass the DataFrame."
        )
    if not path.is_file():
        raise InputError(
            f"{what} must be the path of an existing file, however: {str(path)!r} is not there. "
            "Check the path, it is relative to the current directory."
        )
    return read(path, what)


def _read_csv(path: Path, what: str) -> pd.DataFrame:
    try:
        with _open_text(path) as lines:
            separator = _separator(path, lines.readline())
        with _open_text(path) as lines:
            header = next(csv.reader(lines, delimiter=separator), [])
        # pandas would silently rename the second "a" to "a.1".
        _check_unique([cell.strip() for cell in header if cell.strip()], what)
        # low_memory=False: otherwise the dtype of a long column may differ from piece to piece.
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig", low_memory=False)
    except InputError:
        raise
    except (ValueError, OSError, EOFError, csv.Error) as error:
        # ValueError covers pandas' parser errors and bytes that are not UTF-8.
        raise InputError(
            f"{what} must be a UTF-8 text table, however: {path.name!r} cannot be read ({error}). "
            "Read it with pandas.read_csv and pass the DataFrame."
        ) from error


def _open_text(path: Path) -> Any:
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _separator(path: Path, header: str) -> str:
    """Tab for .tsv; otherwise the most frequent separator of the header, a comma when in doubt."""
    if ".tsv" in path.name.lower():
        return "\t"
    return max(",;\t|", key=header.count)


def _read_parquet(path: Path, what: str) -> pd.DataFrame:
    try:
        importlib.import_module("pyarrow")
    except ImportError as error:
        raise NotInstalledError(
            f"Reading the Parquet file {path.name!r} needs pyarrow, however: it is not installed. "
            "Run: pip install pyarrow"
        ) from error
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:
        # pyarrow's own errors are ValueErrors and OSErrors.
        raise InputError(
            f"{what} must be a Parquet file, however: {path.name!r} cannot be read ({error}). "
            "Write it again with DataFrame.to_parquet."
        ) from error


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


def _is_uniform(series: pd.Series[Any]) -> bool:
    """Whether equal cells look equal: not so in object columns, where 1 == True."""
    if isinstance(series.dtype, pd.StringDtype) or series.dtype.kind != "O":
        return True
    return pd.api.types.infer_dtype(series, skipna=True) == "string"


def _map_cells(
    series: pd.Series[Any],
    convert: Callable[[Any], object],
    empty: object,
    dtype: type | str,
) -> NDArray[Any]:
    """Apply ``convert`` to every cell that is not missing, once a distinct value where possible."""
    if _is_uniform(series):
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


def _by_category(
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
        return _by_category(series, to_float, np.nan)
    if kind == "text":
        return parse_number_text(series)
    if kind == "duration":
        # pandas-stubs knows .dt of timedelta columns only by their static type.
        series = cast("Any", series).dt.total_seconds()
    # to_numpy may return the caller's own memory; infinities are replaced in a copy.
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
    return _map_cells(series, _number, np.nan, "float64")


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
        return _by_category(series, to_text, None)
    return _map_cells(series, cell_text, None, object)


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


# ---------------------------------------------------------------------------------------------
# dates
# ---------------------------------------------------------------------------------------------

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
        return _by_category(series, lambda part: parse_datetime(part, day_first=day_first), _NAT)
    if kind == "datetime":
        return _native_datetime(series)
    if kind == "number":
        return _map_cells(series, _datetime_of_number, _NAT, "datetime64[us]")
    if kind != "text":
        return np.full(len(series), _NAT)
    if not _is_uniform(series):
        return _map_cells(
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
