"""Groups of rows: by class, prediction, error, or the cells of a column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.live.rows import Rows, Sample, cell_words
from tabnet_auto.view.live.source import Floats, Source
from tabnet_auto.view.live.state import View
from tabnet_auto.view.svg import tick_label

if TYPE_CHECKING:
    import pandas as pd

TRUE, PREDICTED, ERROR, COLUMN = "truth", "prediction", "error", "column: "
MISSING = "(missing)"
N_VALUES = 7
"""Values of a column that are cohorts of their own; rarer ones share one."""


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Labels of the cohorts, and each row's position among them (-1: in none).

    ``said`` leads a label in where it stands alone: "truly", or a column's name. ``against`` is
    the cohort to set against the first, until another is chosen: the next one, or the other end
    of a range.
    """

    labels: tuple[str, ...]
    of_row: NDArray[np.int64]
    said: str = ""
    against: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The cohorts as each is called where it stands alone."""
        return tuple(
            label if label == MISSING else f"{self.said} {label}".strip() for label in self.labels
        )

    def pair(self, view: View) -> tuple[int, int]:
        """Return the positions of the two cohorts that are set against each other."""
        second = self.against if view.second is None else view.second
        last = len(self.labels) - 1
        return min(view.first, last), min(second, last)

    def sizes(self) -> list[int]:
        """Return the number of rows of each cohort."""
        return [int((self.of_row == i).sum()) for i in range(len(self.labels))]

    def means(self, weights: Floats) -> Floats:
        """Return the mean of weights ``(row, column)`` in each cohort; ``(cohort, column)``."""
        return np.stack([weights[self.of_row == i].mean(axis=0) for i in range(len(self.labels))])


def cohort_keys(rows: Rows) -> list[str]:
    """Return what rows can be grouped by; a column's name follows ``COLUMN``."""
    judged = [TRUE, PREDICTED, ERROR] if rows.truth is not None else [PREDICTED]
    return [*judged, *(COLUMN + name for name in rows.source.features if name in rows.frame)]


def cohort_words(source: Source, key: str) -> str:
    """Return what a key groups by, as a reader says it."""
    kind = "class" if source.classes else "value"
    said = {TRUE: f"true {kind}", PREDICTED: f"predicted {kind}", ERROR: "error, in tenths"}
    return said[key] if key in said else f"column {key.removeprefix(COLUMN)}"


def cohorts_of(sample: Sample, key: str) -> Cohorts:
    """Group the rows of a sample."""
    if key.startswith(COLUMN):
        return _by_column(sample.frame[key.removeprefix(COLUMN)])
    classes = sample.source.classes
    if key == ERROR:
        assert sample.error is not None
        return _by_quantile(sample.error, 10, "error")
    if key == PREDICTED and classes:
        return _by_class(sample.source.decide(sample.prediction), classes, "predicted")
    if key == PREDICTED:
        return _by_quantile(sample.prediction, 4, "predicted")
    assert sample.truth is not None
    if classes:
        found = np.where(np.isnan(sample.truth), -1, sample.truth).astype(np.int64)
        return _by_class(found, classes, "truly")
    return _by_quantile(sample.truth, 4, "truly")


def _by_class(of_row: NDArray[np.int64], classes: tuple[str, ...], say: str) -> Cohorts:
    return _present(list(classes), of_row, say)


def _present(labels: list[str], of_row: NDArray[np.int64], say: str = "") -> Cohorts:
    """Leave cohorts without rows out."""
    keep = [i for i in range(len(labels)) if (of_row == i).any()]
    place = np.full(len(labels) + 1, -1)
    place[keep] = np.arange(len(keep))
    return Cohorts(tuple(labels[i] for i in keep), place[of_row], say)


def _by_quantile(values: Floats, n: int, say: str) -> Cohorts:
    known = np.isfinite(values)
    if not known.any():
        return _present([MISSING], np.zeros(len(values), dtype=np.int64))
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, n + 1)))
    bins = max(len(edges) - 1, 1)
    # Right-closed, as pandas.qcut cuts: a tied value is never split.
    of_row = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, bins - 1)
    ends = [float(f"{edge:.3g}") for edge in edges]
    labels = [f"{tick_label(a)} to {tick_label(b)}" for a, b in pairwise(ends)]
    labels = [*(labels or [tick_label(ends[0])]), MISSING]
    found = _present(labels, np.where(known, of_row, bins).astype(np.int64), say)
    return replace(found, against=max(int(np.unique(of_row[known]).size) - 1, 1))


def is_cut(column: pd.Series[Any]) -> bool:
    """Whether a column's cohorts are quarters of its range and not its values."""
    return getattr(column.dtype, "kind", "O") in "iuf" and column.nunique() > N_VALUES


def _by_column(column: pd.Series[Any]) -> Cohorts:
    if is_cut(column):
        return _by_quantile(column.to_numpy(dtype=np.float64), 4, str(column.name))
    words = [cell_words(value) or MISSING for value in column.tolist()]
    found, counts = np.unique(words, return_counts=True)
    often = [str(name) for name in found[np.argsort(-counts, kind="stable")]]
    names = often if len(often) <= N_VALUES + 1 else [*often[:N_VALUES], "other values"]
    place = {name: i for i, name in enumerate(names)}
    last = len(names) - 1
    return _present(names, np.array([place.get(word, last) for word in words], dtype=np.int64))
