"""The door through which every user's table enters: frames, mappings of columns, and files.

A frame that went through :func:`read_frame` has a plain row index and unique text labels; its
cells still have whatever dtype they came with. What a cell is says :mod:`tabnet_auto.cells`.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd

from tabnet_auto.errors import InputError, NotInstalledError, did_you_mean


def read_frame(data: object, *, what: str = "train", min_rows: int = 1) -> pd.DataFrame:
    """Return the user's table as a new pandas frame with a plain index and text labels.

    Parameters
    ----------
    data
        A pandas or polars DataFrame, a polars LazyFrame, a mapping of columns, or the path of a
        ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` or ``.parquet`` file. It is never changed.
    what
        What the table is called in error messages.
    min_rows
        Rows that the table must have; 0 where a table without rows is an answer too.

    Returns
    -------
    pandas.DataFrame
        A new frame object (its columns may share memory with the caller's) whose index counts
        the rows from 0 and whose labels are unique text. The caller re-attaches its own index.

    Raises
    ------
    InputError
        If the table cannot be read, is too small, or has two columns with the same label.
    NotInstalledError
        If a Parquet file is given and pyarrow is not installed.
    """
    frame = _open(data, what)
    if frame.shape[0] < min_rows or frame.shape[1] == 0:
        raise InputError(
            f"{what} must have at least {'one row and ' if min_rows else ''}one column, however: "
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


def free_names(wanted: Iterable[str], frame: pd.DataFrame) -> Iterator[str]:
    """Return the wanted labels, with underscores where the frame has such a column."""
    taken = set(frame.columns)
    for label in wanted:
        name = label
        while name in taken:
            name += "_"
        taken.add(name)
        yield name


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
