"""The target's rows and labels: set aside, encoded, and given back as the user wrote them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.cells import cell_text, family, plain_cell, to_float, to_text
from tabnet_auto.errors import InputError
from tabnet_auto.frames import list_names, resolve_column
from tabnet_auto.schema import Label, Schema


def split_target(
    frame: pd.DataFrame, target: str
) -> tuple[pd.DataFrame, pd.Series[Any], NDArray[np.bool_], tuple[str, ...]]:
    """Set rows without a target aside.

    A target is missing where its cell is missing, infinite or blank.

    Parameters
    ----------
    frame
        A frame that went through :func:`tabnet_auto.frames.read_frame`.
    target
        The target's label.

    Returns
    -------
    features : pandas.DataFrame
        The other columns of the rows that have a target, index from 0.
    series : pandas.Series
        The target of these rows. Whole numbers that pandas holds as floats because another cell
        is missing are integers again: 0 and 1, as the user wrote them, and not 0.0 and 1.0.
    keep : numpy.ndarray
        One truth value for each row of ``frame``: whether it has a target.
    notes : tuple of str
        What was set aside, in words.

    Raises
    ------
    InputError
        If there is no such column, or no row has a target.
    """
    target = resolve_column(target, frame, "target")
    series = frame[target]
    if family(series) in ("number", "duration"):
        keep = ~np.isnan(to_float(series))
    else:
        # to_text knows infinite and blank cells in columns of objects too.
        keep = np.array([text is not None for text in to_text(series)], dtype=bool)
    if not keep.any():
        raise InputError(
            f"The target must have a value in at least one row, however: {target!r} is missing, "
            f"blank or infinite in all {len(frame)} rows. Check target=."
        )
    n_gone = int((~keep).sum())
    rows, were = ("1 row has", "was") if n_gone == 1 else (f"{n_gone} rows have", "were")
    notes = (f"{rows} no value of the target {target!r} and {were} set aside",) if n_gone else ()
    kept = frame.loc[keep].reset_index(drop=True)
    found = kept[target].astype("int64") if _widened(series) else kept[target]
    return kept.drop(columns=target), found, keep, notes


def _widened(series: pd.Series[Any]) -> bool:
    """Whether these are integers that pandas could only hold as floats, since a cell is missing.

    Only numpy's floats are forced on the user in this way: the nullable and the Arrow dtypes have
    integers with missing cells, so their floats are meant.
    """
    if not isinstance(series.dtype, np.dtype) or series.dtype.kind != "f":
        return False
    present = series.dropna().to_numpy(dtype="float64")
    # Beyond 2**53 floats have no decimals anyway.
    whole = (present == np.floor(present)) & (np.abs(present) <= 2**53)
    return len(present) < len(series) and bool(whole.all())


def encode_target(series: pd.Series[Any], schema: Schema) -> NDArray[Any]:
    """Return the target as the network learns it.

    Returns
    -------
    numpy.ndarray
        int64 positions in ``schema.classes``, or float64 values for regression.

    Raises
    ------
    InputError
        If a cell is missing, infinite, no number, or none of the classes.
    """
    if schema.task == "regression":
        values = to_float(series)
        if np.isnan(values).any():
            raise _bad_target(
                series, schema, int(np.flatnonzero(np.isnan(values))[0]), "a finite number"
            )
        return values
    labels = read_labels(series)
    # Canonical text is the second try: an integer target read back as text, say.
    exact = {label: i for i, label in enumerate(schema.classes)}
    texts = {cell_text(label): i for i, label in enumerate(schema.classes)}
    codes, uniques = pd.factorize(labels)
    table = [exact.get(u, texts.get(cell_text(u), -1)) for u in uniques]
    positions = np.array([*table, -1], dtype=np.int64)[codes]
    if (positions < 0).any():
        classes = f"one of the {len(schema.classes)} classes {list_names(schema.classes, 5)}"
        raise _bad_target(series, schema, int(np.flatnonzero(positions < 0)[0]), classes)
    return positions


def decode_labels(positions: NDArray[np.integer], schema: Schema) -> NDArray[Any]:
    """Return the labels at positions in ``schema.classes`` as the user wrote them.

    Returns
    -------
    numpy.ndarray
        bool, int64, float64 or object (text), with the shape of ``positions``. Labels that are
        all whole numbers are int64 where the target's dtype was an integer, and where it was a
        float only because cells were missing (see :func:`split_target`); a float target without
        missing cells keeps float64.

    Raises
    ------
    InputError
        If the task is regression, which has no labels.
    """
    if not schema.classes:
        raise InputError(
            f"Labels need a classification task, however: task={schema.task!r}. Use the predicted "
            "values as they are."
        )
    kind = type(schema.classes[0])
    dtype: Any = {bool: np.bool_, int: np.int64, float: np.float64}.get(kind, object)
    try:
        table = np.array(schema.classes, dtype=dtype)
    except OverflowError:  # whole numbers beyond 64 bits stay Python's
        table = np.array(schema.classes, dtype=object)
    return table[np.asarray(positions)]


def _bad_target(series: pd.Series[Any], schema: Schema, row: int, rule: str) -> InputError:
    return InputError(
        f"Every cell of the target {schema.target!r} must be {rule}, however: "
        f"{plain_cell(series.iloc[row])!r} in row {row}. Correct or remove the row."
    )


def read_labels(series: pd.Series[Any]) -> NDArray[np.object_]:
    """Return the target's cells as plain bool, int, float or str, None where missing."""
    kind = family(series)
    if kind == "category":
        categories = read_labels(pd.Series(series.cat.categories))
        return cast(
            "NDArray[np.object_]", _objects([*categories, None])[series.cat.codes.to_numpy()]
        )
    missing = series.isna().to_numpy()
    cells = series.astype(object).tolist()
    plain = [None if gone else _label(cell) for cell, gone in zip(cells, missing, strict=True)]
    types = {type(label) for label in plain if label is not None}
    if len(types) > 1 and types != {int, float}:
        return to_text(series)
    if types == {int, float}:
        plain = [None if label is None else float(cast("float", label)) for label in plain]
    return _objects(plain)


def _label(cell: object) -> Label | None:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, str | bool | int | float):
        return cell
    return cell_text(cell)


def _objects(values: list[Any]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
