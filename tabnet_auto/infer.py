"""What the columns mean, and why: the schema of a frame.

Each column is read once into :class:`tabnet_auto.facts.Facts`, and :mod:`tabnet_auto.roles` turns
the facts into a role; :mod:`tabnet_auto.task` says what is asked of the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from tabnet_auto.errors import InputError
from tabnet_auto.facts import read_column, read_levels
from tabnet_auto.frames import resolve_column
from tabnet_auto.roles import GAPLESS, check_roles, detect_role, given_role
from tabnet_auto.schema import Column, Schema
from tabnet_auto.task import infer_task

_NOTHING: Mapping[str, str] = MappingProxyType({})


def infer_schema(
    frame: pd.DataFrame,
    target: str,
    *,
    task: str = "auto",
    roles: Mapping[str, str] | None = None,
    ignore: Mapping[str, str] = _NOTHING,
) -> Schema:
    """Return the role of every column, the task, and the reason for each.

    Parameters
    ----------
    frame
        A frame that went through :func:`tabnet_auto.frames.read_frame`, target included, rows
        without a target removed (see :func:`tabnet_auto.target.split_target`).
    target
        The target's label.
    task
        ``"auto"``, or the task if the user has named it.
    roles
        Roles that the user has given; they win over everything else.
    ignore
        Columns that take no part as features (group, time, weight), and why.

    Raises
    ------
    InputError
        If a name or role is unknown, a given role or task does not fit the values, or no column
        is left to learn from.
    """
    target = resolve_column(target, frame, "target")
    given = check_roles(roles or {}, frame, target)
    ignored = {resolve_column(name, frame, "ignore"): why for name, why in ignore.items()}
    chosen, why, classes, target_notes = infer_task(frame[target], task)
    notes = list(target_notes)
    seen: dict[tuple[str, bytes], str] = {read_column(frame[target]).digest(): target}
    columns = []
    for name in (label for label in frame.columns if label != target):
        series = frame[name]
        if name in given:
            column, found = given_role(name, series, given[name])
            if name in ignored:
                column = replace(column, reason=f"{column.reason}; {ignored[name]}")
        elif name in ignored:
            column, found = read_levels(series).as_column("drop", ignored[name]), []
        else:
            column, found = _inferred(name, series, seen, target)
        columns.append(column)
        notes += found
    columns = _keep_something(columns)
    return Schema(target, chosen, why, classes, tuple(columns), tuple(notes))


def _inferred(
    name: str, series: pd.Series[Any], seen: dict[tuple[str, bytes], str], target: str
) -> tuple[Column, list[str]]:
    facts = read_column(series)
    notes = list(facts.notes)
    role, reason = detect_role(facts)
    if role != "constant":
        first = seen.setdefault(facts.digest(), name)
        if first == target:
            notes.append(
                f"column {name!r} equals the target in every row; if it is not known before the "
                f"target is, leave it out: roles={{{name!r}: 'drop'}}"
            )
        elif first != name:
            role, reason = "duplicate", f"equals column {first!r} in every row"
    return facts.as_column(role, reason), notes


def _keep_something(columns: list[Column]) -> list[Column]:
    """Check that a column is left; a lone gapless run of numbers is then kept after all."""
    if any(column.used for column in columns):
        return columns
    kept = [
        replace(c, role="numeric", reason=f"{c.reason}; kept, since no other column is usable")
        if c.role == "identifier" and c.reason.startswith(GAPLESS)
        else c
        for c in columns
    ]
    if any(column.used for column in kept):
        return kept
    listed = "; ".join(f"{c.name!r} is {c.role} ({c.reason})" for c in columns[:10])
    raise InputError(
        "There must be at least one column to learn from, however: "
        f"{listed or 'the target is the only column'}. "
        "Give a column a role with roles={'column': 'categorical'}, for example."
    )
