"""Who learns from whom: for every member its training rows, its validation rows, its seed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError

Rows = NDArray[np.int64]
MAX_NOTES = 3
"""Classes that notes name, at most; the others are counted."""


@dataclass(frozen=True)
class Folds:
    """The members of a run: folds times seeds, one entry a member, fold by fold.

    ``train[i]`` and ``valid[i]`` are sorted row positions, ``fold[i]`` and ``seed[i]`` say
    which fold and which seed member i is; ``rule`` says in words how the rows were split.
    """

    train: tuple[Rows, ...]
    valid: tuple[Rows, ...]
    fold: tuple[int, ...]
    seed: tuple[int, ...]
    rule: str

    @property
    def n_members(self) -> int:
        """Folds times seeds."""
        return len(self.train)

    @property
    def n_folds(self) -> int:
        """Number of different folds."""
        return len(set(self.fold))

    def of_fold(self, fold: int) -> tuple[int, ...]:
        """Return the members of one fold."""
        return tuple(i for i, other in enumerate(self.fold) if other == fold)


def make_folds(
    task: str,
    y: NDArray[np.generic],
    *,
    folds: int | Any | Iterable[tuple[Any, Any]] = 5,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
    n_seeds: int = 1,
    seed: int = 0,
) -> Folds:
    """Split the rows and give every fold its seeds.

    ``folds`` is a number of folds, a scikit-learn splitter, or explicit pairs of training and
    validation row positions. A number means: by time when ``time`` is given (each fold is
    validated on the rows that follow its training rows), by group when ``groups`` is given,
    stratified for classes, shuffled for values.

    Raises
    ------
    InputError
        If there are fewer rows, groups, or rows of a class than folds, or an explicit pair is
        empty, overlaps, or points outside the rows.
    """
    _check_seed(seed)
    if isinstance(folds, bool) or (isinstance(folds, int | np.integer) and folds < 2):
        raise InputError(f"folds must be at least 2, however: folds={folds!r}.")
    if isinstance(folds, int | np.integer):
        pairs, rule = _split(task, y, int(folds), groups, time, seed)
    elif hasattr(folds, "split") and not isinstance(folds, str):
        pairs, rule = _ask_splitter(folds, y, groups), f"{type(folds).__name__} as given"
    elif isinstance(folds, Iterable) and not isinstance(folds, str):
        pairs, rule = list(folds), "explicit index pairs"
    else:
        raise InputError(
            "folds must be a number, a scikit-learn splitter, or pairs of row positions, "
            f"however: folds={folds!r}."
        )
    checked = [_check_pair(i, pair, len(y)) for i, pair in enumerate(pairs)]
    if not checked:
        raise InputError("folds must hold at least one pair of row positions, however: none.")
    return Folds(
        train=tuple(train for train, _ in checked for _ in range(n_seeds)),
        valid=tuple(valid for _, valid in checked for _ in range(n_seeds)),
        fold=tuple(i for i in range(len(checked)) for _ in range(n_seeds)),
        seed=tuple(seed + 1000 * s + i for i in range(len(checked)) for s in range(n_seeds)),
        rule=rule,
    )


def _check_seed(seed: object) -> None:
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= int(cast("int", seed)) < 2**32:
        raise InputError(
            f"seed must be a whole number from 0 to 2**32 - 1, however: seed={seed!r}."
        )


def _ask_splitter(
    splitter: Any, y: NDArray[np.generic], groups: NDArray[Any] | None
) -> list[tuple[Any, Any]]:
    try:
        return list(splitter.split(np.zeros((len(y), 1)), y, groups))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"folds={splitter!r} must be able to split the {len(y)} rows that have a target, "
            f"however: {error} Pass another splitter, or a number."
        ) from error


def _split(
    task: str,
    y: NDArray[np.generic],
    n_folds: int,
    groups: NDArray[Any] | None,
    time: NDArray[Any] | None,
    seed: int,
) -> tuple[list[tuple[Any, Any]], str]:
    from sklearn import model_selection as ms

    if len(y) < 2 * n_folds:
        raise InputError(
            f"There must be at least two rows a fold, however: {len(y)} rows for "
            f"folds={n_folds}. Pass a smaller folds=."
        )
    if time is not None and groups is not None:
        raise InputError(
            "A number of folds goes by time or by groups, however: both are given. Leave one out, "
            "or pass a splitter or pairs of row positions as folds=."
        )
    if time is not None:
        order = np.argsort(time, kind="stable")
        pairs = ms.TimeSeriesSplit(n_folds).split(order)
        rule = f"{n_folds} folds forward in time"
        return [(order[train], order[valid]) for train, valid in pairs], rule
    rows = np.zeros((len(y), 1))
    if groups is not None:
        n_groups = len(set(groups.tolist()))
        if n_groups < n_folds:
            raise InputError(
                f"There must be at least as many groups as folds, however: {n_groups} groups "
                f"for folds={n_folds}. Pass folds={max(n_groups, 2)} or other groups."
            )
        if task == "regression" or np.unique(y, return_counts=True)[1].max() < n_folds:
            return list(ms.GroupKFold(n_folds).split(rows, y, groups)), f"{n_folds} group folds"
        grouped = ms.StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():  # about rare classes: split_notes says it in our words
            warnings.simplefilter("ignore", UserWarning)
            return list(grouped.split(rows, y, groups)), f"{n_folds} stratified group folds"
    if task == "regression":
        shuffled = ms.KFold(n_folds, shuffle=True, random_state=seed)
        return list(shuffled.split(rows)), f"{n_folds} shuffled folds, seed {seed}"
    return _stratified(y, n_folds, seed), f"{n_folds} stratified folds, seed {seed}"


def _stratified(y: NDArray[np.generic], n_folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Stratified folds in which a class with fewer rows than folds is dealt out as far as it goes.

    scikit-learn's StratifiedKFold warns about such classes and deals them all the same; here
    the rows of each class, shuffled, continue round the folds where the previous class ended,
    so folds differ by at most one row and every class is spread as evenly as its count allows.
    """
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)])
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % n_folds
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(n_folds)]


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


def check_fold_weights(folds: Folds, weight: NDArray[np.floating] | None) -> None:
    """Check that every fold has weight on both sides.

    Raises
    ------
    InputError
        If all training rows or all validation rows of a fold have weight 0.
    """
    if weight is None:
        return
    for what, sides in (("training", folds.train), ("validation", folds.valid)):
        for member, rows in enumerate(sides):
            if not weight[rows].any():
                raise InputError(
                    "Every fold must have training and validation rows with a weight above 0, "
                    f"however: all {len(rows)} {what} rows of fold {folds.fold[member]} have "
                    "weight 0. Pass fewer folds, or other weights."
                )


def split_notes(folds: Folds, y: NDArray[np.generic], classes: Sequence[object]) -> list[str]:
    """Say in words which classes are absent from the training or validation rows of folds.

    ``y (n,)`` holds positions in ``classes``; no classes, no notes.
    """
    notes = []
    for what, sides, effect in (
        ("training", folds.train, "their members cannot predict it"),
        ("validation", folds.valid, "their scores do not see it"),
    ):
        absent = np.zeros(len(classes), dtype=np.int64)
        for fold in range(folds.n_folds if classes else 0):
            rows = sides[folds.of_fold(fold)[0]]
            absent += np.bincount(y[rows], minlength=len(classes)) == 0
        notes += [
            f"class {classes[label]!r} has no {what} rows in {absent[label]} of {folds.n_folds} "
            f"folds: {effect}"
            for label in np.flatnonzero(absent)[:MAX_NOTES]
        ]
        if (more := np.count_nonzero(absent) - MAX_NOTES) > 0:
            notes.append(f"... and {more} more classes have no {what} rows in some fold")
    return notes
