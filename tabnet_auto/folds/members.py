"""Who learns from whom: for every member its training rows, its validation rows, its seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError

Rows = NDArray[np.int64]
SEED_STEP = 1000
"""Between a fold's seeds: folds are numbered on within it."""
MAX_NOTES = 3
"""Classes that notes name, at most; the others are counted."""


@dataclass(frozen=True)
class Folds:
    """The members of a run: folds times seeds, one entry a member, fold by fold.

    ``train[i]`` and ``valid[i]`` are sorted row positions, ``fold[i]`` and ``seed[i]`` say
    which fold and which seed member i is; ``rule`` says in words how the rows were split.
    Repeated folds are numbered on. ``groups (n,)`` are numbers of the rows' groups where rows
    must stay together within the training rows too; a saved model does not keep them.
    ``kind[i]`` says which kind of network member i is, of those that its configuration knows
    (empty: all are of kind 0). ``one_start`` says whether the networks of one seed start from the
    same weights in all folds.
    """

    train: tuple[Rows, ...]
    valid: tuple[Rows, ...]
    fold: tuple[int, ...]
    seed: tuple[int, ...]
    rule: str
    groups: NDArray[np.int64] | None = None
    kind: tuple[int, ...] = ()
    one_start: bool = False

    @property
    def start(self) -> tuple[int, ...]:
        """Seeds of the members' first weights; ``(M,)``.

        From one start folds come to read much the same columns: what differs is what their rows
        say. Their mean then gains less from what differs by chance.
        """
        if not self.one_start:
            return self.seed
        return tuple(seed - fold for seed, fold in zip(self.seed, self.fold, strict=True))

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

    @property
    def n_seeds(self) -> int:
        """Members a fold."""
        return self.n_members // self.n_folds

    def select(self, members: Sequence[int]) -> Folds:
        """Return some members only, in the given order."""
        return replace(
            self,
            train=tuple(self.train[i] for i in members),
            valid=tuple(self.valid[i] for i in members),
            fold=tuple(self.fold[i] for i in members),
            seed=tuple(self.seed[i] for i in members),
            kind=tuple(self.kind[i] for i in members if self.kind),
        )

    def of_seeds(self, seeds: Sequence[int]) -> tuple[int, ...]:
        """Return the members of some seeds, by their numbers within a fold, fold by fold."""
        return tuple(f * self.n_seeds + s for f in range(self.n_folds) for s in seeds)

    def only_seeds(self, seeds: Sequence[int] | None) -> Folds:
        """Return the same folds with some of their seeds; with None all."""
        return self if seeds is None else self.select(self.of_seeds(seeds))

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of a fold's members, the same in all folds; ``(n_seeds,)``."""
        return tuple(self.kind[: self.n_seeds]) or (0,) * self.n_seeds

    def with_kinds(self, kinds: Sequence[int]) -> Folds:
        """Say of which kinds a fold's members are."""
        return replace(self, kind=tuple(kinds) * self.n_folds)

    def with_seeds(self, kinds: Sequence[int]) -> tuple[Folds, Rows]:
        """Give every fold a member of each of ``kinds``: first those that it has, then new ones.

        Also returns which of the old members each new one shares its rows with; ``(M,)``.
        """
        own, now = [self.of_fold(fold) for fold in dict.fromkeys(self.fold)], self.n_seeds
        n_seeds = len(kinds)
        source = [members[s if s < now else 0] for members in own for s in range(n_seeds)]
        more = [0 if s < now else s * SEED_STEP for _ in own for s in range(n_seeds)]
        longer = self.select(source)
        seed = tuple(a + b for a, b in zip(longer.seed, more, strict=True))
        return replace(longer, seed=seed).with_kinds(kinds), np.array(source)


def group_numbers(groups: NDArray[Any] | None) -> NDArray[np.int64] | None:
    """Number the groups that rows are of; ``(n,)``, or None where there are none."""
    return None if groups is None else np.unique(groups, return_inverse=True)[1]


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


def ignored_notes(folds: Folds, time: NDArray[Any] | None) -> list[str]:
    """Say where folds, as the user gave them, do not go by the groups or the time that are given.

    ``time (n,)`` says when each row came.
    """
    first = [folds.of_fold(fold)[0] for fold in range(folds.n_folds)]
    pairs = [(folds.train[member], folds.valid[member]) for member in first]
    notes = []
    if (groups := folds.groups) is not None:
        parted = sum(bool(np.isin(groups[valid], groups[train]).any()) for train, valid in pairs)
        if parted:
            notes.append(
                f"{folds.rule}: {parted} of {len(pairs)} folds learn from groups that they "
                "validate on, scores hold for known groups. For new ones, leave folds= to groups="
            )
    if time is not None:
        later = sum(bool(time[train].max() > time[valid].min()) for train, valid in pairs)
        if later:
            notes.append(
                f"{folds.rule}: {later} of {len(pairs)} folds learn from rows later than some "
                "that they validate on, scores hold for known times. For later rows, leave "
                "folds= to time="
            )
    return notes
