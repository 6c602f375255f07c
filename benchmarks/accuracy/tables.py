"""Frames as peers read them: numbers, and text as categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.accuracy.sets import Problem

ISO_DATE = r"\d{4}-\d\d-\d\d.*"


@dataclass(frozen=True)
class Tables:
    """Float columns (missing is NaN) and ``category`` columns, whose levels are training's.

    A level that only test rows have is missing there, as it would be for any of the peers.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    numbers: tuple[str, ...]
    categories: tuple[str, ...]


def make_tables(problem: Problem) -> Tables:
    """Turn dates into seconds, text into categories; numbers and missing cells stay."""
    train, test = problem.train.drop(columns=problem.target), problem.test
    numbers: dict[str, tuple[pd.Series, pd.Series]] = {}
    categories: dict[str, tuple[pd.Series, pd.Series]] = {}
    for name in train.columns:
        both = train[name], test[name]
        if pd.api.types.is_numeric_dtype(train[name]):
            numbers[name] = tuple(part.astype(float) for part in both)
        elif train[name].dropna().astype(str).str.fullmatch(ISO_DATE).all():
            numbers[name] = tuple(_seconds(part) for part in both)
        else:
            levels = pd.CategoricalDtype(sorted(train[name].dropna().astype(str).unique()))
            categories[name] = tuple(_levels(part, levels) for part in both)
    merged = {name: (numbers | categories)[name] for name in train.columns}
    return Tables(
        train=pd.DataFrame({name: own for name, (own, _) in merged.items()}),
        test=pd.DataFrame({name: other for name, (_, other) in merged.items()}),
        numbers=tuple(numbers), categories=tuple(categories),
    )  # fmt: skip


def _levels(column: pd.Series, levels: pd.CategoricalDtype) -> pd.Series:
    # Compared as objects: levels may mix text and numbers, and the text types of pandas differ.
    texts = column.astype(object)
    known = texts.notna()
    codes = pd.Index(levels.categories).get_indexer(texts.where(known, "").astype(str))
    codes[~known.to_numpy()] = -1
    return pd.Series(pd.Categorical.from_codes(codes, dtype=levels), index=column.index)


def _seconds(column: pd.Series) -> pd.Series:
    times = pd.to_datetime(column, utc=True, format="ISO8601")
    return (times - pd.Timestamp("1970-01-01", tz="UTC")).dt.total_seconds()


def fill_medians(tables: Tables) -> Tables:
    """Put training medians for missing numbers, for peers that take none."""
    names = list(tables.numbers)
    medians = tables.train[names].median().fillna(0.0)
    filled = [frame.assign(**frame[names].fillna(medians)) for frame in (tables.train, tables.test)]
    return Tables(*filled, tables.numbers, tables.categories)


def mean_of(parts: list[np.ndarray]) -> np.ndarray:
    """Bag the folds: the mean of their probabilities or values."""
    return np.mean(np.stack([np.asarray(part, dtype=float) for part in parts]), axis=0)


def spread(probabilities: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Put columns of the classes a model saw at their positions, zero elsewhere."""
    full = np.zeros((len(probabilities), n_classes))
    full[:, np.asarray(labels, dtype=int)] = probabilities
    return full
