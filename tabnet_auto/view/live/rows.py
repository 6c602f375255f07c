"""The rows of the user's frame with their predictions and attention, computed when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.view.live.source import Floats, RowAttention, Source
from tabnet_auto.view.live.state import View
from tabnet_auto.view.svg import shorten
from tabnet_auto.view.tables import cell_number

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 2000
"""Rows of a frame that are predicted and attended to at once, at most."""
SAMPLE_CELLS = 20_000_000
"""Weights held for these rows, at most (four bytes each): wide frames have fewer rows."""
PAGE_ROWS = 15


@dataclass(frozen=True, eq=False)
class Sample:
    """Evenly spaced rows of a frame; predictions and attention are made once and kept.

    ``position`` are the rows' positions in the user's frame, ``n_all`` the rows they were
    taken from.
    """

    source: Source
    frame: pd.DataFrame
    position: NDArray[np.int64]
    n_all: int
    truth: Floats | None
    known: Floats | None

    @cached_property
    def prediction(self) -> Floats:
        """Probabilities ``(n, n_classes)`` or values ``(n,)``; out-of-fold where there are any."""
        if self.known is None:
            return self.source.predict(self.frame)
        gone = np.isnan(self.known.reshape(len(self.known), -1)[:, 0])
        if not gone.any():
            return self.known
        # Rows that no fold held out (in time-forward splits, the first) are predicted as new ones.
        filled = self.known.copy()
        filled[gone] = self.source.predict(self.frame.loc[gone].reset_index(drop=True))
        return filled

    @cached_property
    def attention(self) -> RowAttention:
        """Attention of all networks to the rows."""
        return self.source.attend(self.frame)

    @cached_property
    def error(self) -> Floats | None:
        """Absolute error, or one minus the true class's probability; NaN without a truth."""
        if self.truth is None:
            return None
        if not self.source.classes:
            return np.abs(self.prediction - self.truth)
        known = ~np.isnan(self.truth)
        error = np.full(len(self.truth), np.nan)
        position = self.truth[known].astype(np.int64)
        error[known] = 1.0 - self.prediction[known, position]
        return error


class Rows:
    """The user's frame behind a dashboard."""

    def __init__(self, source: Source, frame: pd.DataFrame) -> None:
        self.source, self.frame = source, frame
        self.truth = source.truth(frame)
        self.known = source.trained_on(frame)
        self.sample = lru_cache(maxsize=4)(self._sample)
        self.one = lru_cache(maxsize=16)(self._one)

    def __len__(self) -> int:
        return len(self.frame)

    def _sample(self, where: str) -> Sample:
        """Return the rows that a query keeps, evenly thinned to what can be held."""
        found = self._matching(where)
        cells = self.source.steps.size
        most = max(1, min(SAMPLE_ROWS, SAMPLE_CELLS // max(cells, 1)))
        spaced = np.linspace(0, len(found) - 1, min(len(found), most)).astype(np.int64)
        return self._take(found[spaced], len(found))

    def _one(self, row: int) -> Sample:
        if not 0 <= row < len(self.frame):
            raise InputError(
                f"A row must be a position from 0 to {len(self.frame) - 1}, however: {row}."
            )
        return self._take(np.array([row]), 1)

    def _take(self, position: NDArray[np.int64], n_all: int) -> Sample:
        return Sample(
            source=self.source,
            frame=self.frame.iloc[position].reset_index(drop=True),
            position=position,
            n_all=n_all,
            truth=None if self.truth is None else self.truth[position],
            known=None if self.known is None else self.known[position],
        )

    def _matching(self, where: str) -> NDArray[np.int64]:
        if not where.strip():
            return np.arange(len(self.frame))
        try:
            # The user's own expression in the user's own kernel.
            kept = self.frame.query(where, engine="python")
        except Exception as error:
            raise InputError(
                f"'Rows where' must be a pandas query such as age > 40 and sex == 'female', "
                f"however: {where!r} ({type(error).__name__}: {error})."
            ) from error
        if len(kept) == 0:
            raise InputError(f"'Rows where' must keep at least one row, however: {where!r} has 0.")
        return kept.index.to_numpy(dtype=np.int64)


# --- orders -----------------------------------------------------------------------------------


def _least_sure(sample: Sample) -> Floats:
    ordered = np.sort(sample.prediction, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def _highest(sample: Sample) -> Floats:
    p = sample.prediction
    return -(p if p.ndim == 1 else p[:, -1])


def _largest_error(sample: Sample) -> Floats:
    assert sample.error is not None
    return -sample.error


ORDERS: dict[str, Callable[[Sample], Floats]] = {
    "as they come": lambda sample: sample.position.astype(np.float64),
    "largest error first": _largest_error,
    "least sure first": _least_sure,
    "highest prediction first": _highest,
    "lowest prediction first": lambda sample: -_highest(sample),
}
"""Names of orders, and the key by which rows are sorted, smallest first."""


def orders_for(rows: Rows) -> list[str]:
    """Return the orders that these rows can be put in."""
    unfit = {"least sure first"} if not rows.source.classes else set()
    if len(rows.source.classes) > 2:
        unfit |= {"highest prediction first", "lowest prediction first"}
    if rows.truth is None:
        unfit.add("largest error first")
    return [name for name in ORDERS if name not in unfit]


def page_of(sample: Sample, view: View) -> NDArray[np.int64]:
    """Return the positions within the sample of the rows on the current screen."""
    order = np.argsort(ORDERS[view.order](sample), kind="stable")
    start = (min(view.page, n_pages(sample)) - 1) * PAGE_ROWS
    return order[start : start + PAGE_ROWS]


def n_pages(sample: Sample) -> int:
    """Return the number of screens of rows."""
    return max(1, -(-len(sample.position) // PAGE_ROWS))


# --- words ------------------------------------------------------------------------------------


def cell_words(value: Any) -> str:
    """Return a cell as a reader sees it; empty where it is missing."""
    if value is None or value != value or str(value) in ("NaT", "<NA>"):  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        return f"{number:.0f}" if number == int(number) and abs(number) < 1e15 else f"{number:.6g}"
    return str(value)


def short_words(value: Any) -> str:
    """Return a cell as there is room for it in a picture of many."""
    return (
        cell_number(float(value)) if isinstance(value, float | np.floating) else cell_words(value)
    )


def value_words(value: float, sign: str = "") -> str:
    """Return a value of the target with six digits; large ones whole, their thousands apart.

    >>> [value_words(v) for v in (12.34567, 9999.95, 123800.4)], value_words(-24150.6, "+")
    (['12.3457', '9999.95', '123,800'], '-24,151')
    """
    return f"{value:{sign},.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:{sign}.6g}"


def prediction_words(prediction: Any, source: Source) -> str:
    """Return one row's prediction: the label and its probability, or the value."""
    if not source.classes:
        return value_words(float(prediction))
    label = label_of(prediction, source)
    return f"{shorten(source.classes[label], 16)} ({float(prediction[label]):.0%})"


def label_of(prediction: Floats, source: Source) -> int:
    """Return the position of the class that is predicted from one row's probabilities."""
    return int(source.decide(prediction[None])[0])


def truth_words(truth: float, source: Source) -> str:
    """Return one row's true label or value; empty where it is not known."""
    if np.isnan(truth):
        return ""
    return source.classes[int(truth)] if source.classes else value_words(truth)
