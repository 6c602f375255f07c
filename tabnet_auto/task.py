"""What is asked of the target, two classes, several, or values, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.cells import family, plain_cell, to_float
from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.facts import MAX_LEVELS, NUMBER_SHARE
from tabnet_auto.frames import list_names
from tabnet_auto.schema import TASKS, Label, Task
from tabnet_auto.target import read_labels

MAX_NUMBER_CLASSES = 15
"""Distinct whole numbers up to which a target may be classes."""
MAX_CLASSES = 1000
"""Classes the network is asked to tell apart at most."""

_Answer = tuple[Task, str, tuple[Label, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Target:
    """The target's cells as labels and, where all of them are numbers, as values."""

    name: str
    series: pd.Series[Any]
    counts: Mapping[Label, int]
    values: NDArray[np.float64]

    @property
    def classes(self) -> tuple[Label, ...]:
        return tuple(sorted(self.counts, key=lambda label: cast("Any", label)))

    @property
    def is_text(self) -> bool:
        return isinstance(next(iter(self.counts)), str)

    @property
    def is_number(self) -> bool:
        return bool(np.isfinite(self.values).all())


def infer_task(series: pd.Series[Any], task: str) -> _Answer:
    """Return the task, the reason for it, the sorted classes (none for regression), and notes.

    Parameters
    ----------
    series
        The target of the rows that have one.
    task
        ``"auto"``, or the task if the user has named it.

    Raises
    ------
    InputError
        If the task is unknown, or the target cannot be learned as such.
    """
    if task != "auto" and task not in TASKS:
        raise InputError(
            f"task must be 'auto' or one of {', '.join(TASKS)}, however: task={task!r}."
            f"{did_you_mean(task, TASKS)}"
        )
    target = _read_target(series)
    if task == "auto":
        chosen, reason = _guess_task(target)
    else:
        chosen, reason = cast("Task", task), "as given"
    if chosen == "regression":
        _check_values(target)
        return "regression", reason, (), ()
    _check_classes(target, chosen)
    if len(target.counts) == 2:
        reason = reason if chosen == "binary" else "given as multiclass; two classes are binary"
        chosen = "binary"
    return chosen, reason, target.classes, tuple(_class_notes(target))


def _read_target(series: pd.Series[Any]) -> _Target:
    name = str(series.name)
    if family(series) in ("complex", "datetime"):
        raise InputError(
            f"The target must be labels or real numbers, however: {name!r} has dtype "
            f"{series.dtype}. Convert it, dates to elapsed days for example."
        )
    labels = read_labels(series)
    if any(label is None for label in labels):
        raise InputError(
            f"Every row must have a target, however: {name!r} is missing in "
            f"{sum(label is None for label in labels)} rows. Set them aside with split_target."
        )
    counts = pd.Series(labels, dtype=object).value_counts(sort=False)
    rows = dict(zip(counts.index, counts.tolist(), strict=True))
    return _Target(name, series, rows, to_float(series))


def _guess_task(target: _Target) -> tuple[Task, str]:
    n_classes = len(target.counts)
    kind = family(target.series)
    if n_classes == 2:
        first, second = target.classes
        return "binary", f"two distinct values, {first!r} and {second!r}"
    # Classes by dtype; text that is numbers is judged as numbers.
    if kind == "category" or (target.is_text and not _mostly_numbers(target)):
        return "multiclass", f"{n_classes} distinct labels, dtype {target.series.dtype}"
    if kind == "duration":
        return "regression", "durations, read as seconds"
    how = "text that is numbers: " if target.is_text else ""
    number_classes = target.is_number and _are_number_classes(target.values)
    if number_classes:
        return "multiclass", (
            f"{how}{n_classes} distinct whole numbers, taken for classes; if they are quantities, "
            "pass task='regression'"
        )
    return "regression", (
        f"{how}{n_classes} distinct numbers; if they are classes, pass task='multiclass'"
    )


def _mostly_numbers(target: _Target) -> bool:
    """Whether text labels are numbers; few labels such as "0", "1", "2", "3+" are not."""
    few = len(target.counts) <= MAX_LEVELS
    return target.is_number or (not few and bool(np.isfinite(target.values).mean() >= NUMBER_SHARE))


def _are_number_classes(values: NDArray[np.float64]) -> bool:
    """Few whole numbers: less than one in ten distinct, or counted up from 0 or 1 and repeated."""
    distinct = np.unique(values)
    if len(distinct) > MAX_NUMBER_CLASSES or not (distinct == np.floor(distinct)).all():
        return False
    counted = distinct[0] in (0, 1) and distinct[-1] - distinct[0] + 1 == len(distinct)
    return len(distinct) < 0.1 * len(values) or (counted and len(values) >= 3 * len(distinct))


def _check_values(target: _Target) -> None:
    if not target.is_number:
        row = int(np.flatnonzero(~np.isfinite(target.values))[0])
        raise InputError(
            f"Regression needs a target of finite numbers, however: {target.name!r} holds "
            f"{plain_cell(target.series.iloc[row])!r} in row {row}. Correct or remove such rows, "
            "or pass task='multiclass'."
        )
    if len(np.unique(target.values)) == 1:
        raise InputError(
            f"The target must have at least two distinct values, however: {target.name!r} is "
            f"{target.values[0]:g} in all {len(target.values)} rows. Check target=."
        )


def _check_classes(target: _Target, task: Task) -> None:
    n_classes, n_rows = len(target.counts), len(target.series)
    if n_classes == 1:
        raise InputError(
            f"The target must have at least two classes, however: {target.name!r} is "
            f"{target.classes[0]!r} in all {n_rows} rows. Check target=, or add rows of other "
            "classes."
        )
    if task == "binary" and n_classes != 2:
        raise InputError(
            f"A binary target must have exactly two classes, however: {target.name!r} has "
            f"{n_classes}: {list_names(target.classes, 5)}. Pass task='multiclass'."
        )
    limit = min(MAX_CLASSES, n_rows // 2)
    if n_classes > max(limit, 2):
        raise InputError(
            f"A class must have two rows on average, and there must be at most {MAX_CLASSES} "
            f"classes, however: {target.name!r} has {n_classes} distinct labels in {n_rows} rows, "
            f"e.g. {list_names(target.classes, 3)}. Check target=, merge rare labels, or pass "
            "task='regression' if they are quantities."
        )


def _class_notes(target: _Target) -> Iterator[str]:
    rare = [label for label in target.classes if target.counts[label] < 2]
    if rare:
        has = "class has" if len(rare) == 1 else "classes have"
        yield (
            f"{len(rare)} {has} a single row ({list_names(rare, 5)}): either learned from or "
            "validated on, never both"
        )
