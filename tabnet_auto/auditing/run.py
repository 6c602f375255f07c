"""Examine the data before training: look, say, and on request act."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.auditing.leaks import find_leaks, find_missingness, find_order
from tabnet_auto.auditing.record import Audit, Finding
from tabnet_auto.auditing.sample import Sample, rows_for, take_sample
from tabnet_auto.auditing.shift import find_drift
from tabnet_auto.auditing.twins import equal_rows, find_duplicates, find_overlap, row_codes
from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.folds.forward import split_by_time
from tabnet_auto.folds.plan import FoldPlan, read_plan
from tabnet_auto.frames import list_names, read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.schema import Column, Schema
from tabnet_auto.table import Table, read_order, read_table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

MODES = ("warn", "act", "off")
SHARE = 0.04
"""Share of a time limit that the audit may take; what is left then is skipped."""
CELLS_A_SECOND = 1_000_000
"""Cells of text that are read in a second, about: a short limit means a smaller sample."""

AS_GIVEN = "folds kept as you gave them"
"""What is said where a user's folds, groups or time win over the audit."""
GIVEN = "as given"
"""How the reason of a role begins that the user gave: it wins over the audit."""

CHECKS: dict[str, tuple[Callable[[Sample], Iterator[Finding]], float]] = {
    "columns that nearly are the target": (find_leaks, 0.0),
    "the target where cells are missing": (find_missingness, 0.0),
    "the order of the rows": (find_order, 0.0),
    "identical rows": (find_duplicates, 0.0),
}
"""What is looked for, the cheapest first, and the seconds that must be left to begin with it."""
TEST_CHECKS: dict[str, tuple[Callable[[Sample], Iterator[Finding]], float]] = {
    "test rows in train": (find_overlap, 0.0),
    "test rows unlike train": (find_drift, 0.5),
}
"""The same where there are test rows."""


def audit(
    train: pd.DataFrame | str | Path,
    target: str,
    *,
    test: pd.DataFrame | str | Path | None = None,
    task: str = "auto",
    groups: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    roles: Mapping[str, str] | None = None,
) -> Audit:
    """Look for what makes scores promise too much, before anything is trained.

    A column that alone nearly is the target; an order of rows or identifiers that tells it;
    cells that are missing where the target is another; identical rows, which folds would
    learn from and be scored on; test rows that are training rows, or unlike them (adversarial
    validation: boosted trees learn to tell them apart, and are scored on rows they have not
    seen). All scores are out of sample, and what chance explains is not reported. Long tables
    are sampled evenly; the answer says so.

    Parameters
    ----------
    train, target, test, task, groups, time, weight, roles
        As :func:`auto_fit` takes them. A target in ``test`` is only compared where a test row
        equals a training row.

    Returns
    -------
    Audit
        Print it; ``.findings``, ``.warnings`` and ``.to_frame()`` hold the same as data.

    Raises
    ------
    InputError
        If the data or an argument cannot be used as given.
    """
    table = read_table(train, target, groups=groups, time=time, weight=weight)
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    other = None if test is None else read_frame(test, what="test")
    return look(table, schema, encode_target(table.frame[table.target], schema), other)


def look(
    table: Table,
    schema: Schema,
    y: NDArray[Any],
    test: pd.DataFrame | None,
    seconds: float | None = None,
) -> Audit:
    """Run every check that ``seconds`` have room for; None means all."""
    until = None if seconds is None else monotonic() + seconds
    at_most = rows_for(len(schema.columns))
    if seconds is not None:  # half the time for reading
        cells = 0.5 * seconds * CELLS_A_SECOND
        at_most = min(at_most, int(cells / len(schema.columns)))
    sample = take_sample(table, schema, y, test, at_most)
    findings: list[Finding] = []
    skipped = _absent(schema, sample)
    checks = CHECKS if test is None else CHECKS | TEST_CHECKS
    for name, (check, least) in checks.items():
        if until is not None and monotonic() + least >= until:
            skipped.append(f"{name}: no time left")
        else:
            findings += check(sample)
    return Audit(_once(findings), sample.n_rows, len(y), tuple(skipped))


def examine(
    mode: str,
    table: Table,
    schema: Schema,
    y: NDArray[Any],
    test: pd.DataFrame | None,
    folds: object,
    trace: Trace,
    time_limit: float | None,
) -> tuple[Table, Schema]:
    """Audit before a fit: record it, note the warnings, and with ``"act"`` follow the offers.

    Raises
    ------
    InputError
        If ``mode`` is none of ``MODES``.
    """
    if mode not in MODES:
        raise InputError(
            f"audit must be one of {', '.join(map(repr, MODES))}, however: {mode!r}."
            f"{did_you_mean(mode, MODES)}"
        )
    if mode == "off":
        return table, schema
    found = look(table, schema, y, test, None if time_limit is None else SHARE * time_limit)
    trace.add("audit", **found.to_json())
    for one in found.warnings:
        if mode == "warn" or not one.action:
            trace.note(f"audit: {one.words}; {one.offer}")
    if found.skipped:
        trace.note(f"audit: not looked at: {'; '.join(found.skipped)}")
    if mode == "warn":
        return table, schema
    return _act(found, table, schema, test, folds, trace)


def _act(
    found: Audit,
    table: Table,
    schema: Schema,
    test: pd.DataFrame | None,
    folds: object,
    trace: Trace,
) -> tuple[Table, Schema]:
    """Follow the offers of the warnings, and say for each whether it was followed."""
    looked_at, plan = schema, read_plan(folds)
    given = table.groups is not None or table.time is not None
    free = not given and plan is not None and plan.rule == "auto"
    for one in found.warnings:
        if one.action == "drop":
            dropped = _without(schema, one)
            left = [name for name in one.columns if dropped[name].used]
            done = "left out" if not left else (
                f"kept: {list_names(left)} (the role is given, or no other column is left)"
            )  # fmt: skip
            schema = dropped
        elif one.action == "group":
            done = "identical rows stay in one fold" if free else AS_GIVEN
            if free and table.time is None:  # rows of one instant are in one fold anyway
                table = replace(table, groups=_twin_groups(table, schema))
        elif one.action == "forward":
            table, schema, done = _forward(table, schema, one, plan if free else None)
        elif one.action == "set aside" and test is not None:
            table, done = _set_aside(table, looked_at, test, folds)
        else:
            continue
        trace.note(f"audit: {one.words}; {done}")
    return table, schema


def _without(schema: Schema, finding: Finding) -> Schema:
    """Drop a finding's columns, but none whose role the user gave, and not the last one."""
    drops = {name for name in finding.columns if not schema[name].reason.startswith(GIVEN)}
    if all(column.name in drops for column in schema.used):
        return schema

    def changed(column: Column) -> Column:
        if column.name not in drops:
            return column
        return replace(column, role="drop", reason=f"audit: {finding.words}")

    return replace(schema, columns=tuple(changed(column) for column in schema.columns))


def _forward(
    table: Table, schema: Schema, finding: Finding, plan: FoldPlan | None
) -> tuple[Table, Schema, str]:
    """Let folds go forward in time by a finding's last column, as ``time=`` would, if they can.

    They are left as they are if the user said what they are (no ``plan``), or where a class would
    be absent from rows that are learned from or validated on.
    """
    if plan is None:
        return table, schema, AS_GIVEN
    name = finding.columns[-1]
    try:
        when = read_order(table.frame[name])
        pairs, _ = split_by_time(when, plan.resolved("time"))
    except InputError as error:
        return table, schema, f"folds kept: {str(error).removesuffix('.')}"
    labels = table.frame[table.target]
    n_classes = labels.nunique() if schema.classes else 0
    if any(labels.iloc[side].nunique() < n_classes for pair in pairs for side in pair):
        return table, schema, "folds kept: going forward, one would lack a class"
    unread = _without(schema, replace(finding, columns=(name,)))
    done = f"folds go forward in time by {name!r}"
    done += "" if unread[name].used else ", which is not learned from"
    return replace(table, time=when), unread, done


def _twin_groups(table: Table, schema: Schema) -> NDArray[np.int64]:
    """Number all rows so that identical ones share a number."""
    n_rows = len(table.frame)
    y = np.zeros(n_rows, dtype=np.int64)
    return row_codes(take_sample(table, schema, y, None, n_rows).x)


def _set_aside(
    table: Table, schema: Schema, test: pd.DataFrame, folds: object
) -> tuple[Table, str]:
    """Set training rows aside that a test row equals, if folds and what is left allow it."""
    if read_plan(folds) is None:
        return table, "rows kept: the folds that you gave count them"
    n_rows, y = len(table.frame), table.frame[table.target]
    at_most = max(n_rows, len(test))
    sample = take_sample(table, schema, np.zeros(n_rows, dtype=np.int64), test, at_most)
    keep = np.flatnonzero(~equal_rows(sample))
    if 2 * len(keep) < n_rows or (schema.classes and y.iloc[keep].nunique() < y.nunique()):
        return table, "rows kept: without them half of train, or a class, would be gone"
    done = f"{n_rows - len(keep):,} training rows set aside, oof holds NaN for them"
    return table.take(keep, done), done


def _absent(schema: Schema, sample: Sample) -> list[str]:
    missing = [column.name for column in schema.used if column.name not in sample.columns]
    return [f"columns that test lacks ({list_names(missing)})"] if missing else []


def _once(findings: list[Finding]) -> tuple[Finding, ...]:
    """Say of a column that nearly is the target no more than that."""
    leaks = {name for one in findings if one.kind == "leak" for name in one.columns}
    kept = [
        one for one in findings if one.kind != "missingness" or not leaks.intersection(one.columns)
    ]
    return tuple(sorted(kept, key=lambda one: one.level != "warning"))
