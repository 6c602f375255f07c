"""Single columns, and the order of the rows, that tell the target better than they should."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.auditing.record import Finding, Level
from tabnet_auto.auditing.sample import Floats, Sample, spaced
from tabnet_auto.auditing.score import Told, as_columns, parts_of, rank_correlation, tell
from tabnet_auto.folds.offers import says_when
from tabnet_auto.schema import Schema

SCORED_CELLS = 1_000_000
"""Cells that are scored, at most."""
SCORED_ROWS = 20_000
"""Rows that are scored, at most."""
MIN_ROWS = 50
"""Rows from which anything is said."""
LEAK_CLASSES, LEAK_VALUES, LEAK_AUC = 0.96, 0.98, 0.99
"""Explained variance of classes and of values, or ROC AUC, from which a column nearly is the
target. Honest columns come near: a mushroom's odour explains 0.94 of whether it can be eaten."""
ORDER, ORDER_WARNING = 0.1, 0.9
"""Explained variance from which the order of the rows is worth a remark, and a warning."""
IN_TIME_WARNING = 0.25
"""The latter where a column says that the order is time."""
IN_ORDER = 0.99
"""Rank correlation, either way, from which a column of times says so."""
LATE, LATER = 0.99, 0.5
"""Test rows are later ones if more than ``LATER`` of them follow ``LATE`` of the training rows."""
MISSING, MISSING_WARNING = 0.02, 0.25
"""The same for whether a cell is missing."""
SURE = 30.0
"""Rows times explained variance from which it is no chance: a column without information reaches
it in one of 10 million cases (chi-squared, one degree of freedom)."""


def find_leaks(sample: Sample) -> Iterator[Finding]:
    """Find columns that nearly are the target, each judged out of part."""
    rows = _scored(sample)
    if len(rows) < MIN_ROWS:
        return
    schema, target = sample.schema, _target(sample)[rows]
    part = parts_of(len(rows))
    enough = LEAK_CLASSES if schema.classes else LEAK_VALUES
    for position, name in enumerate(sample.columns):
        level = bool(sample.is_level[position])
        told = tell(sample.x[rows, position], target, part, is_level=level)
        if told.r2 >= enough or told.auc >= LEAK_AUC:
            yield Finding(
                "leak", "warning", (name,), _figures(told),
                f"column {name!r} alone nearly is the target ({_how_well(told, schema)})",
                "if it is not known before the target is, leave it out: "
                f"roles={{{name!r}: 'drop'}}", "drop",
            )  # fmt: skip


def find_order(sample: Sample) -> Iterator[Finding]:
    """Find identifiers, and else the order of the rows, that order the target."""
    rows = _scored(sample)
    if len(rows) < MIN_ROWS:
        return
    target, part = _target(sample)[rows], parts_of(len(rows))
    told = [tell(ids[rows], target, part, is_level=False) for ids in sample.ids.T]
    least = max(ORDER, SURE / len(rows))
    found = [(name, o) for name, o in zip(sample.id_names, told, strict=True) if o.r2 >= least]
    for name, one in found:
        ids = sample.ids[rows, sample.id_names.index(name)]
        clock = _clock(sample, rows, ids)
        yield _ordering((name,), one, f"the order of identifier {name!r}", sample, clock)
    if not found:
        place = sample.place[rows].astype(np.float64)
        told_by_place = tell(place, target, part, is_level=False)
        if told_by_place.r2 >= least:
            clock = _clock(sample, rows, place)
            yield _ordering((), told_by_place, "the order of the rows", sample, clock)


def find_missingness(sample: Sample) -> Iterator[Finding]:
    """Find columns whose missing cells come with another target than their other cells."""
    target = _target(sample)
    n, total = len(target), float(((target - target.mean(axis=0)) ** 2).sum())
    if n < MIN_ROWS or total == 0:
        return
    for name, x in zip(sample.columns, sample.x.T, strict=True):
        gone = np.isnan(x)
        share = float(gone.mean())
        if not 0 < share < 1:
            continue
        gap = target[gone].mean(axis=0) - target[~gone].mean(axis=0)
        r2 = float(n * share * (1 - share) * (gap**2).sum()) / total
        if r2 >= MISSING and n * r2 >= SURE:
            yield _missing(sample, name, gone, r2)


def _missing(sample: Sample, name: str, gone: NDArray[np.bool_], r2: float) -> Finding:
    schema, y = sample.schema, sample.y
    if schema.classes:
        shares = [np.bincount(y[own], minlength=len(schema.classes)) / own.sum()
                  for own in (gone, ~gone)]  # fmt: skip
        apart = np.abs(shares[0] - shares[1])
        label = 1 if len(apart) == 2 else int(apart.argmax())
        there, absent = float(shares[1][label]), float(shares[0][label])
        said = f"{schema.classes[label]!r} in {absent:.0%} of the rows, else in {there:.0%}"
    else:
        absent, there = float(y[gone].mean()), float(y[~gone].mean())
        said = f"its mean is {absent:.4g}, else {there:.4g}"
    warns = r2 >= MISSING_WARNING
    return Finding(
        "missingness", "warning" if warns else "remark", (name,),
        {"missing": float(gone.mean()), "r2": r2, "target_missing": absent, "target_there": there},
        f"where {name!r} is missing ({gone.mean():.1%} of rows), the target is another: {said}",
        "networks may use that; if cells are filled in only after the target is known, "
        f"leave it out: roles={{{name!r}: 'drop'}}", "drop" if warns else "",
    )  # fmt: skip


def _ordering(
    columns: tuple[str, ...], told: Told, what: str, sample: Sample, clock: str
) -> Finding:
    """Say that an order tells the target; where a column says that it is time, offer to go by it.

    Else nothing is done about it on request: folds in blocks of an order that tells the target
    would hold out one class, or one range of values, each, and learn from the others.
    """
    how_well, figures = _how_well(told, sample.schema), _figures(told)
    if not clock:
        return Finding(
            "order", _level(told, ORDER_WARNING), columns, figures,
            f"{what} tells the target ({how_well})",
            "it is not learned from; if rows came in time, pass time= with their order, if in "
            "blocks, groups= with the blocks",
        )  # fmt: skip
    words = f"{what}, which is that of {clock!r}, tells the target ({how_well})"
    later = _share_later(sample, clock)
    if later <= LATER:
        return Finding(
            "order", "remark", (*columns, clock), {**figures, "later": later}, words,
            "the test rows lie among these times, as validation rows do that are dealt at random",
        )  # fmt: skip
    level = _level(told, IN_TIME_WARNING)
    seen = "the test rows are later ones" if later <= 1 else "if new rows are later ones"
    return Finding(
        "order", level, (*columns, clock), figures, words,
        f"folds dealt at random are scored on known times; {seen}: pass time={clock!r}",
        "forward" if level == "warning" else "",
    )  # fmt: skip


def _clock(sample: Sample, rows: NDArray[np.int64], order: Floats) -> str:
    """Return the column of times in whose order, or against it, rows stand; "" if there is none."""
    for position, name in enumerate(sample.columns):
        when = sample.x[rows, position]
        # time= must say of every row when it came.
        usable = says_when(sample.schema[name]) and not np.isnan(when).any()
        if usable and abs(rank_correlation(when, order)) >= IN_ORDER:
            return name
    return ""


def _share_later(sample: Sample, clock: str) -> float:
    """Return which share of the test rows is later than nearly all of train; inf without any."""
    if sample.x_test is None or not len(sample.x_test):
        return float("inf")
    position = sample.columns.index(clock)
    late = np.quantile(sample.x[:, position], LATE)
    return float((sample.x_test[:, position] > late).mean())


def _level(told: Told, warning: float) -> Level:
    return "warning" if told.r2 >= warning else "remark"


def _scored(sample: Sample) -> NDArray[np.int64]:
    at_most = min(SCORED_ROWS, SCORED_CELLS // max(len(sample.columns), 1))
    return spaced(sample.n_rows, at_most)


def _target(sample: Sample) -> Floats:
    return as_columns(sample.y, len(sample.schema.classes))


def _how_well(told: Told, schema: Schema) -> str:
    """Say a score in words: the ROC AUC where there is one."""
    if not np.isnan(told.auc):
        return f"ROC AUC {told.auc:.3f} on rows that it was not learned on"
    what = "classes" if schema.classes else "ranks"
    return f"it explains {told.r2:.1%} of the variance of its {what}, out of sample"


def _figures(told: Told) -> dict[str, float]:
    return {"r2": told.r2} if np.isnan(told.auc) else {"r2": told.r2, "auc": told.auc}
