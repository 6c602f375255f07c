"""What fits the page: its explorers hold as much as leaves the whole file small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.packed import pack
from tabnet_auto.view.report_data import Cohorts, ReportData, RowSample

PAGE = 2_000_000
"""Bytes of a page, at most."""
N_NAMED = 4
"""Groupings that are named where they are left out."""


def fit_explorers(data: ReportData, room: int) -> tuple[str, dict[str, str]]:
    """Return what the explorers hold, packed, and in words what there was no room for.

    Parameters
    ----------
    data
        The numbers of the report; masks must be among them.
    room
        Bytes that the packed text may take. Means of folds and steps come first, then those of
        seeds, where they leave half of the room; rows and groups of rows share the rest. Rows
        keep the columns that they read most, groups the first groupings.

    Returns
    -------
    tuple of str and dict
        The packed text, empty where not even the means fit, and sentences by the name of the
        section that they belong to.
    """
    if _size(data) <= room:
        return pack(data), {}
    no_seeds = np.empty((0, 0, 0)), np.empty((0, 0, 0, 0))
    kept = replace(
        data, rows=None, cohorts=None, seed_attention=no_seeds[0], seed_steps=no_seeds[1]
    )
    if _size(kept) > room:
        return "", {"attention": _no_explorers(data)}
    said: dict[str, str] = {}
    kept, said["attention"] = _with_seeds(kept, data, room // 2)
    of_groups = _size(replace(kept, cohorts=data.cohorts)) - _size(kept)
    rest = room - _size(kept)
    kept, said["rows"] = _with_rows(kept, data, room - min(of_groups, rest // 2))
    kept, said["cohorts"] = _with_groups(kept, data, room)
    return pack(kept), {name: words for name, words in said.items() if words}


def _size(data: ReportData) -> int:
    """Return what the packed text takes at most; with all effort, some percent less."""
    return len(pack(data, effort=6))


def _no_explorers(data: ReportData) -> str:
    n_folds, n_columns = data.attention.shape
    return (
        f"{n_folds} folds of {n_columns:,} columns have no room for explorers on a page: its "
        "pictures and tables show the most-read columns. fit.attention has all of them."
    )


def _with_seeds(kept: ReportData, data: ReportData, room: int) -> tuple[ReportData, str]:
    if data.seed_attention.size == 0 or data.seed_attention.shape[1] < 2:
        return kept, ""
    made = replace(kept, seed_attention=data.seed_attention, seed_steps=data.seed_steps)
    if _size(made) <= room:
        return made, ""
    return kept, (
        f"The page holds the mean of the {data.seed_attention.shape[1]} seeds: it has no room for "
        "each of them."
    )


def _with_rows(kept: ReportData, data: ReportData, room: int) -> tuple[ReportData, str]:
    rows = data.rows
    if rows is None:
        return kept, ""
    order = _most_read(rows)

    def made(n: int) -> ReportData:
        return replace(kept, rows=_of_columns(rows, np.sort(order[:n])) if n else None)

    n = _most(len(order), made, room)
    if n == 0:
        return kept, "The page has no room for an explorer of rows. fit.attention.rows reads all."
    return made(n), "" if n == len(order) else (
        f"Of {len(order):,} columns, the explorer of rows holds the {n:,} that some row here reads "
        "most: the page has no room for more. fit.attention.rows reads all."
    )


def _most_read(rows: RowSample) -> NDArray[np.intp]:
    """Return the columns in the order of the largest weight that a row gives them."""
    levels = rows.levels.reshape(-1, rows.levels.shape[-1])
    return np.lexsort((-levels.mean(axis=0), -levels.max(axis=0).astype(np.int64)))


def _of_columns(rows: RowSample, columns: NDArray[np.intp]) -> RowSample:
    kept = columns.tolist()
    cells = [[cells[c] for c in kept] for cells in rows.cells]
    return replace(rows, cells=cells, levels=rows.levels[..., columns], columns=kept)


def _with_groups(kept: ReportData, data: ReportData, room: int) -> tuple[ReportData, str]:
    cohorts = data.cohorts
    if cohorts is None:
        return kept, ""
    titles = list(dict.fromkeys(cohorts.by))

    def made(n: int) -> ReportData:
        return replace(kept, cohorts=_of_titles(cohorts, titles[:n]) if n else None)

    n = _most(len(titles), made, room)
    if n == len(titles):
        return made(n), ""
    named = ", ".join(titles[n : n + N_NAMED])
    more = len(titles) - n - N_NAMED
    return made(n), (
        f"Left out, as the page has no room: groups by {named}"
        f"{f' and {more} more' if more > 0 else ''}. fit.evidence.cohorts has them."
    )


def _of_titles(cohorts: Cohorts, titles: list[str]) -> Cohorts:
    own = [i for i, by in enumerate(cohorts.by) if by in titles]
    return replace(
        cohorts,
        by=[cohorts.by[i] for i in own],
        label=[cohorts.label[i] for i in own],
        n_rows=[cohorts.n_rows[i] for i in own],
        mean=cohorts.mean[own],
        error=cohorts.error[own],
        members=[cohorts.members[i] for i in own] if cohorts.members else [],
    )


def _most(n: int, made: Callable[[int], ReportData], room: int) -> int:
    """Return how many, at most ``n``, have room; what the first take says how many to try."""
    least = _size(made(0))
    while n > 0 and (size := _size(made(n))) > room:
        n = min(n - 1, int(0.98 * n * max(room - least, 0) / (size - least)))
    return n
