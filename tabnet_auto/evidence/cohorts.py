"""Groups of held-out rows: by class, by error, by the values of a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.cells import to_float, to_text
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.evidence.record import Cohorts, Floats
from tabnet_auto.evidence.rows import row_errors
from tabnet_auto.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS = 24
"""Columns whose values make cohorts, those with the most attention."""
MAX_VALUES = 7
"""Values of a column that have a cohort of their own; the rest are one."""
N_PARTS = 5
"""Cohorts of equal size of a numeric column, and of a target that is a value."""
MIN_COHORT = 5
"""Rows below which a mean says nothing."""

Labels = NDArray[np.object_]
"""The cohort of each row as text, None for a row in none."""


def measure_cohorts(
    attention: Floats,
    columns: Sequence[str],
    frame: pd.DataFrame,
    schema: Schema,
    truth: NDArray[np.generic],
    predicted: Floats,
) -> Cohorts:
    """Average the attention over groups of rows.

    Parameters
    ----------
    attention
        ``(n, D)``, each row read by networks that did not learn from it.
    columns
        The D columns' names.
    frame
        The same n rows, which make the groups, and below them m rows that are to be found in
        these groups.
    schema
        What the columns mean.
    truth, predicted
        Class positions or values ``(n + m,)``, and out-of-fold predictions.
    """
    by, label, n_rows, mean, error, members = [], [], [], [], [], []
    n = len(attention)
    order_of_use = np.argsort(-attention.mean(axis=0), kind="stable")
    busiest = [schema[columns[i]] for i in order_of_use]
    for title, order, labels in _groupings(frame, n, schema, busiest, truth, predicted):
        for name in order:
            own = attention[labels[:n] == name]
            if len(own) < MIN_COHORT:
                continue
            members.append(np.flatnonzero(labels[n:] == name).tolist())
            by.append(title)
            label.append(name)
            n_rows.append(len(own))
            mean.append(own.mean(axis=0))
            error.append(own.std(axis=0, ddof=1) / np.sqrt(len(own)))
    width = attention.shape[1]
    return Cohorts(
        by=by,
        label=label,
        n_rows=np.array(n_rows, dtype=np.int64),
        mean=np.array(mean, dtype=np.float64).reshape(-1, width),
        error=np.array(error, dtype=np.float64).reshape(-1, width),
        total=n,
        members=members,
    )


def _groupings(
    frame: pd.DataFrame,
    n: int,
    schema: Schema,
    columns: list[Column],
    truth: NDArray[np.generic],
    predicted: Floats,
) -> Iterator[tuple[str, list[str], Labels]]:
    """Yield what rows are grouped by, the groups in their order, and the group of each row.

    The first ``n`` rows make the groups.
    """
    if schema.classes:
        names = np.array([str(label) for label in schema.classes], dtype=object)
        yield "true class", *_by_value(names[truth.astype(np.int64)], n)
    else:
        yield "true value", *_by_size(truth.astype(np.float64), n, _number)
    tenths = _by_rank(row_errors(predicted, truth), n, 10)
    yield "error, by tenths", [_tenth(i) for i in range(10)], tenths
    made = 0
    for column in columns:
        if column.role == "text" or made == MAX_COLUMNS:
            continue
        order, labels = _by_column(frame[column.name], n, column)
        if len(order) > 1:
            made += 1
            yield column.name, order, labels


def _by_column(series: pd.Series[Any], n: int, column: Column) -> tuple[list[str], Labels]:
    few = column.n_unique <= MAX_VALUES + 1
    if column.role == "datetime":
        instants = parse_datetime(series, day_first=prefers_day_first(series))
        values = instants.astype("datetime64[s]").astype(np.float64)
        values[np.isnat(instants)] = np.nan
        return _by_size(values, n, _day)
    if column.role == "numeric" or (column.role == "discrete" and not few):
        return _by_size(to_float(series), n, _number)
    order, labels = _by_value(to_text(series), n)
    if column.role == "discrete":
        numbers = {name: to_float(series[labels == name])[0] for name in order if name != MISSING}
        order = sorted(order, key=lambda name: numbers.get(name, np.inf))
    return order, labels


MISSING = "(missing)"


def _by_value(texts: NDArray[np.object_], n: int) -> tuple[list[str], Labels]:
    """Group by the most frequent values; the others are one group, missing ones another."""
    labels = np.array([MISSING if text is None else text for text in texts], dtype=object)
    values, counts = np.unique(labels[:n].astype(str), return_counts=True)
    order = [str(v) for v in values[np.argsort(-counts, kind="stable")] if v != MISSING]
    kept = order if len(order) <= MAX_VALUES + 1 else order[:MAX_VALUES]
    if len(kept) < len(order):
        rest = f"({len(order) - len(kept)} others)"
        labels[~np.isin(labels.astype(str), [*kept, MISSING])] = rest
        kept = [*kept, rest]
    return kept + [MISSING] * bool((labels == MISSING).any()), labels


def _by_size(values: Floats, n: int, word: Any) -> tuple[list[str], Labels]:
    """Group by parts of equal size, labelled by their range; equal values stay together."""
    labels: Labels = np.full(len(values), MISSING, dtype=object)
    known = np.isfinite(values)
    if not known[:n].any():
        return [], labels
    edges = np.unique(np.quantile(values[:n][known[:n]], np.linspace(0, 1, N_PARTS + 1)))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(len(edges) - 2, 0))
    order = []
    for part in range(max(len(edges) - 1, 1)):
        own = known & (place == part)
        if own.any():
            low, high = word(float(values[own].min())), word(float(values[own].max()))
            name = low if low == high else f"{low} to {high}"
            labels[own] = name
            order.append(name)
    return list(dict.fromkeys(order)) + [MISSING] * bool((~known).any()), labels


def _by_rank(values: Floats, n: int, n_parts: int) -> Labels:
    """Group by parts of equal size; a row below the first ``n`` joins the part it falls into."""
    labels: Labels = np.full(len(values), None, dtype=object)
    known = np.flatnonzero(np.isfinite(values[:n]))
    parts = np.array_split(known[np.argsort(values[known], kind="stable")], n_parts)
    for i, part in enumerate(parts):
        labels[part] = _tenth(i)
    first = np.array([values[part[0]] for part in parts if len(part)])
    for row in n + np.flatnonzero(np.isfinite(values[n:])):
        labels[row] = _tenth(max(int(np.searchsorted(first, values[row], "right")) - 1, 0))
    return labels


def _tenth(i: int) -> str:
    return {0: "1 (smallest)", 9: "10 (largest)"}.get(i, str(i + 1))


def _number(value: float) -> str:
    """Return an end of a range; thousands stand apart, but not those of a year."""
    if 1e4 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"


def _day(value: float) -> str:
    return str(np.datetime64(int(value), "s").astype("datetime64[D]"))
