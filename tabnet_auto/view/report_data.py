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
    ``threshold`` is the probability from which ``positive`` is predicted.
    """

    positive: str
    negative: str
    probability: Floats
    truth: NDArray[np.int64]
    n_rows: int = 0
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class MulticlassPredictions:
    """Out-of-fold counts, true class by predicted class, in the order of ``labels``.

    A sample of ``n_rows`` rows has its ``probability (n, class)`` and the positions of the
    ``predicted`` and true classes ``(n,)``; it may be missing.
    """

    labels: list[str]
    counts: NDArray[np.int64]
    probability: Floats = field(default_factory=lambda: np.empty((0, 0)))
    predicted: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    truth: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    n_rows: int = 0


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


FOLD_MEAN = "fold mean"
"""The order of columns by a fold's mean attention, as a legend has room for it."""


@dataclass(frozen=True)
class TrustCurves:
    """What happens to the loss while columns are taken away, or given, in some order.

    ``kind`` is ``"deletion"`` or ``"insertion"``; ``share`` the share of columns taken or given
    so far, from 0 to 1; ``losses`` one curve over it for each order (``"attention"``,
    ``"permutation importance"``, ``"random"``); ``verdict`` says in words what they show.
    """

    kind: str
    share: list[float]
    losses: dict[str, list[float]]
    verdict: str = ""


@dataclass(frozen=True, eq=False)
class StepWork:
    """What each step does, arrays ``(fold, step)``; NaN where not measured.

    ``size`` is its share of the hidden state, ``change`` how far the prediction moves when the
    step looks at all columns alike (``unit`` says in what), ``harm`` how much the loss rises.
    """

    size: Floats
    change: Floats
    harm: Floats
    unit: str


@dataclass(frozen=True, eq=False)
class RowSample:
    """Rows to look at one by one, n of them, read by every fold.

    ``names`` and ``cells`` (n rows of one text a column), ``truth`` and ``predicted`` (out of
    fold) are what is shown; ``by_fold[f][i]`` is fold f's prediction of row i, ``held_out[i]``
    the fold that did not learn from it (-1: none). ``error`` orders rows, ``error_label`` says
    what it is. ``levels (fold, seed, step, n, column)`` uint8: a weight is
    ``peak * (level / 255) ** 2``; ``sizes (fold, seed, step, n)`` is each step's share in the
    row's mean; there is one seed where only the mean over seeds was kept. ``groups`` names
    positions in a telling order. ``n_rows`` rows were to choose from. ``columns`` are the positions
    of the columns that ``cells`` and ``levels`` have, nothing where they have all.
    """

    names: list[str]
    held_out: list[int]
    cells: list[list[str]]
    truth: list[str]
    predicted: list[str]
    by_fold: list[list[str]]
    error: list[float]
    error_label: str
    levels: NDArray[np.uint8]
    peak: float
    sizes: Floats
    groups: dict[str, list[int]]
    n_rows: int
    columns: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Mean attention of groups of rows, one entry a group.

    ``by`` and ``label`` say which, ``n_rows`` how many of ``total``; ``mean`` and ``error``
    (standard error) are ``(group, column)``; ``members`` are the positions of its rows in the
    :class:`RowSample`, nothing where they are not known.
    """

    by: list[str]
    label: list[str]
    n_rows: list[int]
    mean: Floats
    error: Floats
    total: int
    members: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Drift:
    """Distance of test from training rows by column, what chance would reach, and predictions.

    ``train`` and ``test`` are predictions of either side to compare: of the class
    ``of_class``, or values where it is empty. Of several ``classes`` they are the mean
    probability of each.
    """

    columns: list[str]
    shift: list[float]
    chance: list[float]
    train: Floats
    test: Floats
    of_class: str
    n_test: int
    classes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SearchTrials:
    """What a search of settings tried.

    ``trials`` has one record a configuration and fold (from 0): ``fold, number`` (0 is the
    preset's own), ``values`` in the order of ``names``, ``rung, loss, score`` and ``rank`` (0: not
    used). ``words`` say what came of it.
    """

    names: list[str]
    trials: list[dict[str, Any]]
    words: str


@dataclass(frozen=True)
class AuditTable:
    """What was found in the data before training.

    ``findings`` are rows of four words: what, how grave, what was found, what can be done;
    ``scope`` says what was looked at.
    """

    findings: tuple[tuple[str, str, str, str], ...]
    scope: str


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report shows, as plain data.

    ``leaderboard`` has one record a model: ``name``, ``folds`` (the score of each fold),
    ``mean``, ``seconds``, ``weight`` (its share of the blend).
    ``attention`` is ``(fold, column)`` with rows that sum to 1, ``attention_steps`` is
    ``(fold, step, column)``; both are empty where no network was trained. ``seed_attention``
    ``(fold, seed, column)`` and ``seed_steps`` ``(fold, seed, step, column)`` are the same before
    the mean over seeds.
    ``stability`` is the mean Spearman correlation between the folds' attention; ``agreements``
    are more figures of how far folds, seeds and rows agree, each with what it is of.
    ``schema_rows`` has one record a column: ``name, role, reason, dtype, n_unique, missing``.
    ``plan`` is what was to be trained.
    ``predictions``, ``trust``, ``trust_curves``, ``step_work``, ``rows``, ``cohorts``,
    ``drift``, ``audit`` and ``search`` may be missing.
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
    trust: Trust | None = None
    trust_curves: tuple[TrustCurves, ...] = ()
    plan: dict[str, str] = field(default_factory=dict)
    step_work: StepWork | None = None
    rows: RowSample | None = None
    cohorts: Cohorts | None = None
    drift: Drift | None = None
    search: SearchTrials | None = None
    audit: AuditTable | None = None
    agreements: tuple[tuple[str, float], ...] = ()
    seed_attention: Floats = field(default_factory=lambda: np.empty((0, 0, 0)))
    seed_steps: Floats = field(default_factory=lambda: np.empty((0, 0, 0, 0)))

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit the column names: a shifted label would go unseen."""
        n = len(self.columns)
        arrays: list[tuple[str, NDArray[Any], int]] = [
            ("attention", self.attention, n),
            ("steps", self.attention_steps, n),
            ("attention of seeds", self.seed_attention, n),
            ("steps of seeds", self.seed_steps, n),
        ]
        if self.rows is not None:
            arrays.append(("rows", self.rows.levels, len(self.rows.columns) or n))
        if self.cohorts is not None:
            arrays.append(("cohorts", self.cohorts.mean, n))
        for name, array, width in arrays:
            if array.size and array.shape[-1] != width:
                raise InputError(
                    f"{name} must have one value a column ({width}), however: its "
                    f"shape is {array.shape}. Pass `columns` in the order of the last axis."
                )

    @property
    def has_attention(self) -> bool:
        """Whether there are masks to show."""
        return self.attention.size > 0
