"""What a report is made from: one frozen record of plain numbers and words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """How one member learned; the lists have one entry an epoch, NaN where not measured.

    Members of one ``fold`` (from 0) share a colour; without it every member has its own.
    """

    label: str
    epochs: list[int]
    train_loss: list[float]
    valid_loss: list[float]
    score: list[float]
    best_epoch: int
    fold: int | None = None


@dataclass(frozen=True, eq=False)
class BinaryPredictions:
    """Out-of-fold probabilities of ``positive`` and whether each row truly is (1) or not (0).

    ``n_rows`` is the number of rows the sample was drawn from; 0 means it is no sample.
    """

    positive: str
    negative: str
    probability: Floats
    truth: NDArray[np.int64]
    n_rows: int = 0


@dataclass(frozen=True, eq=False)
class MulticlassPredictions:
    """Out-of-fold counts, true class by predicted class, in the order of ``labels``."""

    labels: list[str]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RegressionPredictions:
    """Out-of-fold predictions and true values of the same rows.

    ``n_rows`` is the number of rows the sample was drawn from; 0 means it is no sample.
    """

    predicted: Floats
    truth: Floats
    n_rows: int = 0


Predictions = BinaryPredictions | MulticlassPredictions | RegressionPredictions


@dataclass(frozen=True)
class Trust:
    """Whether it hurts to lose what the attention reads.

    ``harm[i]`` is what is lost when ``columns[i]`` is scrambled (negative: something is won),
    ``method`` says what that is and how it was measured, ``attention[i]`` is the column's mean
    share, ``agreement`` the rank correlation of the two over all columns.
    """

    columns: list[str]
    attention: list[float]
    harm: list[float]
    agreement: float
    method: str = "rise of the validation loss with one column shuffled at a time"


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report shows, as plain data.

    ``leaderboard`` has one record a model: ``name``, ``folds`` (the score of each fold),
    ``mean``, ``seconds``, ``weight`` (its share of the blend).
    ``attention`` is ``(fold, column)`` with rows that sum to 1, ``attention_steps`` is
    ``(fold, step, column)``; both are empty where no network was trained.
    ``stability`` is the mean Spearman correlation between the folds' attention.
    ``schema_rows`` has one record a column: ``name, role, reason, dtype, n_unique, missing``.
    ``predictions`` and ``trust`` may be missing.
    """

    title: str
    summary: dict[str, str]
    leaderboard: list[dict[str, Any]]
    metric_name: str
    greater_is_better: bool
    curves: list[Curve]
    columns: list[str]
    attention: Floats
    attention_steps: Floats
    stability: float
    schema_rows: list[dict[str, Any]]
    notes: list[str]
    predictions: Predictions | None
    reproduce: str
    trust: Trust | None = field(default=None)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit the column names: a shifted label would go unseen."""
        for name, array in (("attention", self.attention), ("steps", self.attention_steps)):
            if array.size and array.shape[-1] != len(self.columns):
                raise InputError(
                    f"{name} must have one value a column ({len(self.columns)}), however: its "
                    f"shape is {array.shape}. Pass `columns` in the order of the last axis."
                )

    @property
    def has_attention(self) -> bool:
        """Whether there are masks to show."""
        return self.attention.size > 0
