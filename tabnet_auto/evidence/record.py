"""The evidence of a fit as frozen records of plain arrays and text, and their saved form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowSample:
    """Some rows of the training frame, as every fold's networks read and predict them.

    ``row``
        ``(n,)`` positions among the rows of the frame that the user gave.
    ``held_out``
        ``(n,)`` the fold that did not learn from the row.
    ``levels``, ``peak``
        ``(n_folds, K, S, n, D)`` uint8: a weight is ``peak * (level / 255) ** 2``. The square
        keeps small weights apart. K is the number of a fold's seeds, or 1 where their mean was
        kept because all of them would have been too much.
    ``sizes``
        ``(n_folds, K, S, n)`` float32: how much each step weighs in the row; sums to 1 over S.
    ``outputs``
        ``(n_folds, n, n_classes)`` probabilities or ``(n_folds, n)`` values of each fold.
    ``predicted``, ``truth``, ``error``
        Out-of-fold prediction ``(n, n_classes)`` or ``(n,)``, truth ``(n,)`` (class position or
        value), and what is missing: 1 - probability of the true class, or absolute error.
    ``cells``
        n rows of D short texts, the values as the user wrote them, cut to some letters and
        digits; blank where missing.
    ``groups``
        Why rows are in the sample: a name, and positions in the sample in a telling order.
    """

    row: Rows
    held_out: Rows
    levels: NDArray[np.uint8]
    peak: float
    sizes: NDArray[np.float32]
    outputs: Floats
    predicted: Floats
    truth: NDArray[np.generic]
    error: Floats
    cells: Sequence[Sequence[str]]
    groups: Mapping[str, Sequence[int]]


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Mean attention of groups of held-out rows, each row read by networks new to it.

    One entry a cohort: ``by`` says what the rows were grouped by, ``label`` which group it is,
    ``n_rows (C,)`` how many there are; ``mean (C, D)`` and ``error (C, D)`` are the mean
    attention and its standard error over those rows. ``total`` rows were read. ``members`` are
    the positions in the :class:`RowSample` of the rows that belong to each cohort, read or not;
    none in models saved before they were kept.
    """

    by: Sequence[str]
    label: Sequence[str]
    n_rows: Rows
    mean: Floats
    error: Floats
    total: int
    members: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, eq=False)
class StepWork:
    """What each step does; arrays ``(n_folds, S)``, on held-out rows.

    ``size``
        Mean share of the step in what all steps add to the hidden state.
    ``change``
        Mean change of the prediction when the step looks at all columns alike: total variation
        of the probabilities (0 to 1), or standard deviations of the target. NaN where a
        network has no step that can be made to.
    ``harm``
        Rise of the loss by the same; negative: the step's choice does harm.
    """

    size: Floats
    change: Floats
    harm: Floats


@dataclass(frozen=True, eq=False)
class Drift:
    """How far the test rows are from the training rows.

    ``columns``, ``shift (C,)``, ``chance (C,)``
        The distance of each column's distributions, 0 to 1, and what it would reach in 19 of 20
        cases if the rows were dealt at random; see :func:`tabnet_auto.evidence.drift.shift_of`.
    ``predicted``
        Predictions of a sample of the test rows, ``(n, n_classes)`` or ``(n,)``.
    ``n_test``
        Number of test rows.
    """

    columns: Sequence[str]
    shift: Floats
    chance: Floats
    predicted: Floats
    n_test: int


@dataclass(frozen=True, eq=False)
class Evidence:
    """All of it; ``rows`` is None where a model was saved without them."""

    rows: RowSample | None = None
    cohorts: Cohorts | None = None
    steps: StepWork | None = None
    drift: Drift | None = None

    def without_rows(self) -> Evidence:
        """Return it without single rows, and without what is said of them."""
        groups = None if self.cohorts is None else replace(self.cohorts, members=())
        return replace(self, rows=None, cohorts=groups)

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return plain JSON data and named arrays."""
        data: dict[str, Any] = {}
        arrays: dict[str, NDArray[Any]] = {}
        for part in fields(self):
            record = getattr(self, part.name)
            if record is None:
                continue
            data[part.name] = {}
            for field in fields(record):
                value = getattr(record, field.name)
                if isinstance(value, np.ndarray):
                    arrays[f"{part.name}.{field.name}"] = value
                else:
                    data[part.name][field.name] = value
        return data, arrays

    @classmethod
    def from_state(cls, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Evidence:
        """Read back what :meth:`to_state` wrote."""
        parts = {}
        for name, kind in _PARTS.items():
            if name in data:
                prefix = f"{name}."
                own = {k[len(prefix) :]: a for k, a in arrays.items() if k.startswith(prefix)}
                if name == "rows" and own["levels"].ndim == 4:  # of a time before seeds were kept
                    own |= {part: own[part][:, None] for part in ("levels", "sizes")}
                parts[name] = kind(**data[name], **own)
        return cls(**parts)


_PARTS: dict[str, Any] = {"rows": RowSample, "cohorts": Cohorts, "steps": StepWork, "drift": Drift}
