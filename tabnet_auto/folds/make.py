"""From what the user asks to the members: rows split by rule, by splitter, or as given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.folds.members import SEED_STEP, Folds, Rows, group_numbers
from tabnet_auto.folds.plan import RULE_NAMES, read_plan
from tabnet_auto.folds.rules import RULES, Question


def make_folds(
    task: str,
    y: NDArray[np.generic],
    *,
    folds: Any = 5,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
    n_seeds: int = 1,
    seed: int = 0,
) -> Folds:
    """Split the rows and give every fold its seeds.

    ``folds`` is a number of folds, the name of a rule, a :class:`FoldPlan`, a scikit-learn
    splitter, or explicit pairs of training and validation row positions. A number means: by
    time when ``time`` is given (each fold is validated on rows that follow its training rows),
    by group when ``groups`` is given, by both when both are (no row is learned from whose group
    is validated on), stratified otherwise, values by quantile bins.

    Raises
    ------
    InputError
        If there are fewer rows, groups, or instants than the folds need, a rule lacks the
        groups or the time it goes by, or an explicit pair is empty, overlaps, or points outside
        the rows.
    """
    _check_seed(seed)
    pairs, rule = _split(Question(task, y, groups, time, seed), folds)
    checked = [_check_pair(i, pair, len(y)) for i, pair in enumerate(pairs)]
    if not checked:
        raise InputError("folds must hold at least one pair of row positions, however: none.")
    return Folds(
        train=tuple(train for train, _ in checked for _ in range(n_seeds)),
        valid=tuple(valid for _, valid in checked for _ in range(n_seeds)),
        fold=tuple(i for i in range(len(checked)) for _ in range(n_seeds)),
        seed=tuple(seed + SEED_STEP * s + i for i in range(len(checked)) for s in range(n_seeds)),
        rule=rule,
        groups=group_numbers(groups),
    )


def _split(question: Question, folds: Any) -> tuple[list[Any], str]:
    """Return pairs of training and validation rows, and how they came about."""
    if (plan := read_plan(folds)) is not None:
        name = plan.rule if plan.rule != "auto" else question.natural_rule()
        return RULES[name](question, plan.resolved(name))
    if hasattr(folds, "split") and not isinstance(folds, str):
        return _ask_splitter(folds, question), f"{type(folds).__name__} as given"
    if isinstance(folds, Iterable) and not isinstance(folds, str):
        return list(folds), "explicit index pairs"
    raise InputError(
        f"folds must be a number, one of {', '.join(RULE_NAMES)}, a FoldPlan, a scikit-learn "
        f"splitter, or pairs of row positions, however: folds={folds!r}."
        f"{did_you_mean(folds, RULE_NAMES)}"
    )


def _check_seed(seed: object) -> None:
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= int(cast("int", seed)) < 2**32:
        raise InputError(
            f"seed must be a whole number from 0 to 2**32 - 1, however: seed={seed!r}."
        )


def _ask_splitter(splitter: Any, question: Question) -> list[tuple[Any, Any]]:
    n_rows = len(question.y)
    try:
        return list(splitter.split(np.zeros((n_rows, 1)), question.y, question.groups))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"folds={splitter!r} must be able to split the {n_rows} rows that have a target, "
            f"however: {error} Pass another splitter, or a number."
        ) from error


def _check_pair(number: int, pair: Any, n_rows: int) -> tuple[Rows, Rows]:
    train, valid = _read_pair(number, pair)
    if len(train) == 0 or len(valid) == 0:
        raise InputError(
            "Every fold must have training and validation rows, however: fold "
            f"{number} has {len(train)} and {len(valid)}."
        )
    for side in (train, valid):
        if side[0] < 0 or side[-1] >= n_rows:
            raise InputError(
                f"Row positions must lie in 0..{n_rows - 1}, however: fold {number} has "
                f"{side[0]}..{side[-1]}. Positions count the rows that have a target."
            )
    shared = np.intersect1d(train, valid)
    if len(shared):
        raise InputError(
            f"Training and validation rows must not overlap, however: fold {number} shares "
            f"{len(shared)} rows, position {shared[0]} among them."
        )
    return train, valid


def _read_pair(number: int, pair: Any) -> tuple[Rows, Rows]:
    try:
        train, valid = (np.asarray(side).ravel() for side in pair)
    except (TypeError, ValueError) as error:
        raise InputError(
            "folds must hold pairs of training and validation row positions, however: fold "
            f"{number} is {pair!r:.100}."
        ) from error
    for side in (train, valid):
        if len(side) and side.dtype.kind not in "iu":
            raise InputError(
                f"Row positions must be whole numbers, however: fold {number} has {side.dtype}. "
                "Pass np.flatnonzero(mask) for a mask."
            )
    return np.sort(train.astype(np.int64)), np.sort(valid.astype(np.int64))
