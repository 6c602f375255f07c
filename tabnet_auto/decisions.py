"""From probabilities to labels: the rule that a metric of labels is greatest under.

The rule is tuned on out-of-fold probabilities only. Its score is cross-fitted: the labels of a
fold's rows come from a rule tuned on the other folds' rows, so that no row is scored by a rule
that it helped to choose. The rule that predicts is tuned on all of them.

A tuned rule is kept only where it pays: its gain over the most probable class, on rows that did
not tune it, must be more than its standard error. That is judged on the rows that tune, by parts
of these, so the choice of a fold's rule does not see the fold's rows either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.folds import Folds
from tabnet_auto.metrics import Metric
from tabnet_auto.metrics.paired import Gain, paired_gain
from tabnet_auto.metrics.rules import RULES, OfConfusion, RuleName, decide

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

MAX_TUNED_CLASSES = 30
"""With more classes each has few rows to tune its offset on: the most probable one is predicted."""
N_PARTS = 5
"""Parts that the rows of a single fold are dealt into, to be tuned and scored in turn."""
MAX_JUDGED_ROWS = 20_000
"""Rows on which it is judged whether tuning pays, at most: more make no difference beyond noise."""


@dataclass(frozen=True)
class Decision:
    """How probabilities become labels.

    ``rule``, ``values``
        ``argmax``: the most probable class. ``threshold``: the second class from this
        probability. ``offsets``: the class of the greatest log-probability plus offset, one a
        class. ``cut_points``: how many of the increasing ``values`` the expected class position
        reaches.
    ``part_values``
        Values of the rules that out-of-fold rows are scored with, by part (:func:`row_parts`).
    ``argmax_score``
        Out-of-fold score of the most probable class, to compare with.
    ``gain``, ``gain_error``
        What tuning the rule adds to that score, on rows that did not tune it, and its standard
        error.

    Values are empty where tuning does not pay: the most probable class is predicted.
    """

    rule: RuleName = "argmax"
    values: tuple[float, ...] = ()
    part_values: tuple[tuple[float, ...], ...] = ()
    argmax_score: float = float("nan")
    gain: float = float("nan")
    gain_error: float = float("nan")

    def labels(self, p: Floats) -> Positions:
        """Class positions of new rows; ``(n, n_classes)`` probabilities to ``(n,)``."""
        return decide(self.rule, p, self.values)

    @property
    def threshold(self) -> float:
        """Probability from which the second of two classes is predicted."""
        return self.values[0] if self.rule == "threshold" and self.values else 0.5

    def cross_fitted(self, p: Floats, part: Positions) -> Floats:
        """Return each row's label, decided by the rule of its part, as certain probabilities.

        ``p`` are ``(n, n_classes)`` out-of-fold probabilities and ``part (n,)`` their parts. Rows
        without a prediction keep their NaN. With ``argmax`` the probabilities are returned.
        """
        if self.rule == "argmax":
            return p
        decided = np.full(p.shape, np.nan)
        known = ~np.isnan(p[:, 0])
        for number, values in enumerate(self.part_values):
            own = known & (part == number)
            decided[own] = np.eye(p.shape[1])[decide(self.rule, p[own], values)]
        return decided

    def describe(self, classes: Sequence[object]) -> str:
        """Say the rule in words."""
        return RULES[self.rule if self.values else "argmax"].describe(self.values, classes)

    def reason(self) -> str:
        """Say why the rule was tuned or not; nothing where there was nothing to tune."""
        if self.rule == "argmax":
            return ""
        what, size = self.rule.replace("_", " "), f"{self.gain:+.4f}, standard error "
        gain = f"{size}{self.gain_error:.4f}, on rows that did not tune it"
        if self.values:
            return f"decision: tuned {what} (gain {gain})"
        return f"decision: the most probable class (gain of tuned {what} {gain})"


def tune_decision(
    metric: Metric,
    y: NDArray[Any],
    oof: Floats,
    weight: NDArray[np.floating] | None,
    folds: Folds,
) -> Decision:
    """Tune the metric's rule on out-of-fold probabilities, for prediction and for each part.

    ``y (n,)`` are class positions, ``oof (n, n_classes)`` probabilities or ``(n,)`` values, NaN
    where no member held a row out. Values, and metrics that are not of labels, need no rule.
    """
    rule = _rule_of(metric, oof)
    counts = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    known = ~np.isnan(oof.reshape(len(oof), -1)[:, 0]) & (counts > 0)
    if rule == "argmax" or metric.of_confusion is None:
        return Decision()
    part = row_parts(folds, len(y))
    lesson = _Lesson(rule, metric.of_confusion, oof, y, counts, part)
    values, gain = lesson.worth(np.flatnonzero(known))
    parts = range(int(part.max(initial=0)) + 1)
    return Decision(
        rule=rule,
        values=values,
        part_values=tuple(
            lesson.worth(np.flatnonzero(known & (part != number)))[0] for number in parts
        ),
        argmax_score=metric.score(
            y[known], oof[known], weight if weight is None else weight[known]
        ),
        gain=gain.gain,
        gain_error=gain.error,
    )


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What a rule is tuned on: probabilities ``(n, k)``, class positions, weights, parts."""

    rule: RuleName
    of_confusion: OfConfusion
    p: Floats
    y: Positions
    weight: Floats
    part: Positions

    def worth(self, rows: Positions) -> tuple[tuple[float, ...], Gain]:
        """Return values tuned on rows, none where that does not pay, and what they gain."""
        if len(rows) < 2 * N_PARTS:
            return (), Gain(0.0, float("inf"))
        gain = self._judge(rows)
        return (self._tune(rows) if gain.beyond_noise else ()), gain

    def _tune(self, rows: Positions) -> tuple[float, ...]:
        return RULES[self.rule].tune(
            self.of_confusion, self.p[rows], self.y[rows], self.weight[rows]
        )

    def _judge(self, rows: Positions) -> Gain:
        """Tune on all but one of some parts of the rows, label that one, and so on."""
        if len(rows) > MAX_JUDGED_ROWS:
            rows = np.random.default_rng(0).choice(rows, MAX_JUDGED_ROWS, replace=False)
        part = self.part[rows] % N_PARTS
        if len(np.unique(part)) < 2:
            part = np.random.default_rng(0).permutation(np.arange(len(rows)) % N_PARTS)
        tuned = np.empty(len(rows), dtype=np.int64)
        for number in np.unique(part):
            own = part == number
            tuned[own] = decide(self.rule, self.p[rows[own]], self._tune(rows[~own]))
        return paired_gain(
            self.of_confusion, self.y[rows], self.p[rows].argmax(axis=1), tuned,
            self.weight[rows], self.p.shape[1],
        )  # fmt: skip


def row_parts(folds: Folds, n_rows: int) -> Positions:
    """Return the part of each row, -1 for rows that no fold holds out; ``(n_rows,)``.

    A row's part is the first fold that holds it out. Where that is one fold for all rows, they
    are dealt into ``N_PARTS`` at random.
    """
    part = np.full(n_rows, -1, dtype=np.int64)
    for fold in reversed(range(folds.n_folds)):
        part[folds.valid[folds.of_fold(fold)[0]]] = fold
    held = np.flatnonzero(part >= 0)
    first, number = np.unique(part[held], return_inverse=True)
    if len(first) == 1:
        number = np.random.default_rng(0).permutation(np.arange(len(held)) % N_PARTS)
    part[held] = number
    return part


def _rule_of(metric: Metric, oof: Floats) -> RuleName:
    if oof.ndim == 1 or oof.shape[1] > MAX_TUNED_CLASSES or metric.tuning == "argmax":
        return "argmax"
    return "threshold" if oof.shape[1] == 2 else metric.tuning
