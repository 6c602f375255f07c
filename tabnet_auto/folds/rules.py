"""The table of rules: each turns the rows' targets, groups or times into pairs of row positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.folds.forward import split_by_time
from tabnet_auto.folds.members import Rows
from tabnet_auto.folds.plan import FoldPlan

Pairs = list[tuple[Rows, Rows]]

MAX_BINS = 10
"""Quantile bins that a numeric target is stratified by, at most."""
ROWS_A_BIN = 2
"""Rows of a bin that each fold should get, at least; with fewer there are fewer bins."""
MAX_GROUP_FOLDS = 100
"""Groups that are left out one by one, at most."""


@dataclass(frozen=True, eq=False)
class Question:
    """The rows to split: class positions or values ``y (n,)``, and what else is given of them."""

    task: str
    y: NDArray[Any]
    groups: NDArray[Any] | None
    time: NDArray[Any] | None
    seed: int

    def natural_rule(self) -> str:
        """Return the rule that what is given of the rows asks for."""
        if self.time is not None:
            return "time" if self.groups is None else "time_group"
        return "stratified" if self.groups is None else "stratified_group"

    def need(self, what: str, rule: str) -> NDArray[Any]:
        """Return the groups or the time, which a rule goes by."""
        values: NDArray[Any] | None = getattr(self, what)
        if values is None:
            raise InputError(
                f"folds={rule!r} goes by the column passed as {what}=, however: {what}=None."
            )
        return values

    def strata(self, n_folds: int) -> tuple[NDArray[np.int64], str]:
        """Return what folds are stratified by, ``(n,)``, and what to say of it after the rule.

        Values are stratified by quantile bins: ``MAX_BINS``, or as many as leave each fold
        ``ROWS_A_BIN`` rows of a bin; repeated values share a bin.
        """
        if self.task != "regression":
            return np.unique(self.y, return_inverse=True)[1], ""
        n_bins = max(1, min(MAX_BINS, len(self.y) // (ROWS_A_BIN * n_folds)))
        edges = np.unique(np.quantile(self.y, np.linspace(0, 1, n_bins + 1)[1:-1]))
        bins = np.searchsorted(edges, self.y, side="left")
        return bins, f" by {len(np.unique(bins))} quantile bins of the target"


def _check_rows(question: Question, plan: FoldPlan) -> None:
    if len(question.y) < 2 * plan.n_folds:
        raise InputError(
            f"There must be at least two rows a fold, however: {len(question.y)} rows for "
            f"folds={plan.n_folds}. Pass a smaller folds=."
        )


def _times(plan: FoldPlan, what: str) -> str:
    """Say how many folds there are."""
    repeats = "" if plan.repeats == 1 else f"{plan.repeats} times "
    return f"{repeats}{plan.n_folds} {what}"


def _seeds(question: Question, plan: FoldPlan) -> Iterator[int]:
    """Give each repeat a seed; the first is the run's."""
    return iter(range(question.seed, question.seed + plan.repeats))


def _pairs(fold: NDArray[np.int64], n_folds: int) -> Pairs:
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(n_folds)]


def _stratified(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Deal the rows of each stratum, shuffled, round the folds.

    scikit-learn's StratifiedKFold warns about classes with fewer rows than folds and deals them
    all the same; here each stratum continues where the previous one ended, so folds differ by at
    most one row and every class is spread as evenly as its count allows.
    """
    _check_rows(question, plan)
    strata, how = question.strata(plan.n_folds)
    rule = _times(plan, f"stratified folds{how}, seed {question.seed}")
    return _dealt(strata, question, plan), rule


def _shuffled(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Deal all rows, shuffled, round the folds."""
    _check_rows(question, plan)
    one = np.zeros(len(question.y), dtype=np.int64)
    rule = _times(plan, f"shuffled folds, seed {question.seed}")
    return _dealt(one, question, plan), rule


def _dealt(strata: NDArray[np.int64], question: Question, plan: FoldPlan) -> Pairs:
    pairs: Pairs = []
    for seed in _seeds(question, plan):
        rng = np.random.default_rng(seed)
        order = np.concatenate(
            [rng.permutation(np.flatnonzero(strata == label)) for label in np.unique(strata)]
        )
        fold = np.empty(len(strata), dtype=np.int64)
        fold[order] = np.arange(len(strata)) % plan.n_folds
        pairs += _pairs(fold, plan.n_folds)
    return pairs


def _grouped(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Deal whole groups so that folds have about as many rows."""
    one = np.zeros(len(question.y), dtype=np.int64)
    return _dealt_groups(one, question, plan), _times(plan, "group folds")


def _stratified_grouped(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Deal whole groups so that folds have about as many rows, of each class or bin too."""
    strata, how = question.strata(plan.n_folds)
    rule = _times(plan, f"stratified group folds{how}")
    return _dealt_groups(strata, question, plan), rule


def _dealt_groups(strata: NDArray[np.int64], question: Question, plan: FoldPlan) -> Pairs:
    _check_rows(question, plan)
    groups = np.unique(question.need("groups", plan.rule), return_inverse=True)[1]
    n_groups = int(groups.max()) + 1
    if n_groups < plan.n_folds:
        raise InputError(
            f"There must be at least as many groups as folds, however: {n_groups} groups "
            f"for folds={plan.n_folds}. Pass folds={max(n_groups, 2)} or other groups."
        )
    k = int(strata.max()) + 1
    counts = np.bincount(groups * k + strata, minlength=n_groups * k).reshape(n_groups, k)
    rows = np.column_stack([counts, counts.sum(axis=1)]).astype(np.float64)
    pairs: Pairs = []
    for repeat, seed in enumerate(_seeds(question, plan)):
        order = np.random.default_rng(seed).permutation(n_groups)
        if repeat == 0:  # large ones first balances best, but is the same for every shuffle
            order = order[np.argsort(-rows[order, -1], kind="stable")]
        pairs += _pairs(deal_groups(rows, order, plan.n_folds)[groups], plan.n_folds)
    return pairs


def deal_groups(
    counts: NDArray[np.float64], order: NDArray[np.int64], n_folds: int
) -> NDArray[np.int64]:
    """Give each group in turn to the fold where it adds least to the folds' unevenness.

    ``counts (n_groups, k)`` are rows of each group and stratum. Unevenness is the sum over
    strata of the squared shares that the folds hold; of equal folds the one with the fewest rows
    of the last column is taken. Returns ``(n_groups,)`` fold numbers.
    """
    fold = np.empty(len(counts), dtype=np.int64)
    held = np.zeros((n_folds, counts.shape[1]))
    scale = 1.0 / np.maximum(counts.sum(axis=0), 1.0) ** 2
    for group in order:
        added = held @ (counts[group] * scale)
        fold[group] = np.lexsort((held[:, -1], added))[0]
        held[fold[group]] += counts[group]
    return fold


def _leave_one_group_out(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Make every group a fold."""
    names, groups = np.unique(question.need("groups", plan.rule), return_inverse=True)
    if not 2 <= len(names) <= MAX_GROUP_FOLDS:
        raise InputError(
            f"folds='leave_one_group_out' needs 2 to {MAX_GROUP_FOLDS} groups, each trains a "
            f"network, however: {len(names)}. Pass folds='group' or other groups."
        )
    return _pairs(groups, len(names)), f"{len(names)} folds, each one group"


def _forward(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Validate on rows later than those learned from."""
    _check_rows(question, plan)
    return split_by_time(question.need("time", plan.rule), plan)


def _forward_grouped(question: Question, plan: FoldPlan) -> tuple[Pairs, str]:
    """Validate on later rows, and learn from none of the groups that these are of."""
    groups = question.need("groups", plan.rule)
    forward, rule = _forward(question, plan)
    pairs = [(_of_others(groups, *pair, plan.rule), pair[1]) for pair in forward]
    before, after = (sum(len(train) for train, _ in own) for own in (forward, pairs))
    return pairs, f"{rule}, groups of validation rows not learned from ({after / before:.0%} left)"


def _of_others(groups: NDArray[Any], train: Rows, valid: Rows, rule: str) -> Rows:
    """Return the training rows of groups that no validation row is of."""
    others = train[~np.isin(groups[train], groups[valid])]
    if len(others) == 0:
        raise InputError(
            f"folds={rule!r} must leave training rows in every fold, however: all {len(train)} "
            f"that precede {len(valid)} validation rows are of their groups. Pass fewer folds, "
            "folds='time' to learn from these groups, too, or folds='stratified_group' to leave "
            "time out."
        )
    return others


RULES: dict[str, Callable[[Question, FoldPlan], tuple[Pairs, str]]] = {
    "stratified": _stratified,
    "shuffled": _shuffled,
    "group": _grouped,
    "stratified_group": _stratified_grouped,
    "leave_one_group_out": _leave_one_group_out,
    "time": _forward,
    "time_group": _forward_grouped,
}
"""Rules by name; ``auto`` names one of them."""
