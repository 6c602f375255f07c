"""Rows of the search: every fold's training rows, split again; its held-out rows stay unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds, check_fold_weights, make_folds
from tabnet_auto.table import Table
from tabnet_auto.train.members import Task

INNER_FOLDS = (4, 3, 2)
"""Of so many parts of a fold's training rows one judges the configurations; fewer where the groups
or classes do not suffice."""


class Rows(NamedTuple):
    """What is given of the rows that have a target: the task, ``y (n,)``, groups, time, weights."""

    task: str
    y: NDArray[Any]
    groups: NDArray[Any] | None
    time: NDArray[Any] | None
    weight: NDArray[np.floating] | None

    @classmethod
    def of(cls, task: str, y: NDArray[Any], table: Table) -> Rows:
        """Gather what a table gives of its rows."""
        return cls(task, y, table.groups, table.time, table.weight)


def inner_folds(folds: Folds, given: Rows, max_rows: int) -> Folds:
    """Split the training rows of each fold once more: one member a fold.

    By time where there is one (the latest rows judge), and by groups, else stratified. Of more
    than ``max_rows`` rows a random sample is split, the same for all folds.

    Raises
    ------
    InputError
        If a fold's training rows cannot be split.
    """
    n, seed = len(given.y), folds.seed[0]
    sample = np.arange(n)
    if n > max_rows:
        sample = np.sort(np.random.default_rng(seed).choice(n, max_rows, replace=False))
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for fold in range(folds.n_folds):
        rows = np.intersect1d(folds.train[folds.of_fold(fold)[0]], sample)
        learn, judge = _split(given, rows, seed)
        pairs.append((rows[learn], rows[judge]))
    train, valid = tuple(own for own, _ in pairs), tuple(own for _, own in pairs)
    first = tuple(folds.seed[folds.of_fold(fold)[0]] for fold in range(folds.n_folds))
    split = Folds(train, valid, tuple(range(len(pairs))), first, "inner", folds.groups)
    check_fold_weights(split, given.weight)
    return split


def _split(
    given: Rows, rows: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions within ``rows``: those that learn, and those that judge."""
    time = None if given.time is None else given.time[rows]
    groups = None if given.groups is None else given.groups[rows]
    for n_folds in INNER_FOLDS:
        try:
            made = make_folds(
                given.task, given.y[rows], folds=n_folds, groups=groups, time=time, seed=seed
            )
        except InputError:
            if n_folds == INNER_FOLDS[-1]:
                raise
            continue
        break
    largest = int(np.argmax([len(train) for train in made.train]))
    return made.train[largest], made.valid[largest]


def side_by_side(task: Task, n: int) -> Task:
    """Give every fold n members, next to each other, and keep only the rows they use."""
    folds, design = task.folds, task.design
    used = np.unique(np.concatenate([*folds.train, *folds.valid]))
    member = np.repeat(np.arange(folds.n_members), n)

    def own(sides: tuple[NDArray[np.int64], ...]) -> tuple[NDArray[np.int64], ...]:
        placed = [np.searchsorted(used, rows) for rows in sides]
        return tuple(placed[m] for m in member)

    assert design.y is not None
    kept = replace(
        design, x_num=design.x_num[used], codes=design.codes[used],
        x_stat=design.x_stat[:, used][member], y=design.y[used],
        weight=None if design.weight is None else design.weight[used],
    )  # fmt: skip
    many = Folds(
        own(folds.train), own(folds.valid), tuple(folds.fold[m] for m in member),
        tuple(folds.seed[m] for m in member), folds.rule,
    )  # fmt: skip
    return replace(task, design=kept, tables=task.tables.select(member), folds=many)
