"""From a Design to the matrix that a companion reads, by tables of the member's own rows only.

Nothing is learned here: numbers, codes and statistics are those of :class:`Design`, and what
depends on data comes from :class:`MemberTables`, which saw the member's training rows alone. So
a companion is as leak-safe as the networks, and its encoding is saved with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.design import MAX_ONE_HOT, Design, Layout, MemberTables

Floats = NDArray[np.float64]

SOFT_LIMIT = 3.0
"""Standardised numbers are squeezed smoothly into plus and minus so much."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """``x (n, d)`` and, for each column, how many category codes it holds: 0 for a number."""

    x: Floats
    n_levels: tuple[int, ...]

    def take(self, rows: NDArray[np.int64]) -> Matrix:
        """Return some rows."""
        return Matrix(self.x[rows], self.n_levels)


def member_codes(
    design: Design, layout: Layout, tables: MemberTables, member: int
) -> NDArray[np.int32]:
    """Category codes ``(n, n_category)`` as one member knows them: 0 for what it has not learned.

    1 is a missing cell; the levels that the member learned follow.
    """
    first = np.concatenate([[0], np.cumsum(layout.n_codes[:-1])]).astype(np.int64)
    lookup = tables.lookup[member]
    known: NDArray[np.int32] = lookup[design.codes + first[: design.codes.shape[1]]]
    return known


def tree_matrix(design: Design, layout: Layout, tables: MemberTables, member: int) -> Matrix:
    """Raw numbers with NaN where missing, then category codes, then statistics with NaN.

    Trees need neither scaling nor filling; libraries with native categories are told which
    columns hold codes.
    """
    codes = member_codes(design, layout, tables, member).astype(np.float64)
    parts = [design.x_num, codes, design.x_stat[member].astype(np.float64)]
    n_levels = [0] * design.x_num.shape[1] + tables.n_levels.tolist()
    n_levels += [0] * design.x_stat.shape[2]
    return Matrix(np.concatenate(parts, axis=1), tuple(n_levels))


def dense_matrix(design: Design, layout: Layout, tables: MemberTables, member: int) -> Matrix:
    """Standardised numbers, which of them are missing, one-hot levels, and statistics.

    For linear models, neighbours and networks: no NaN, all columns of similar size. Numbers are
    centred and scaled robustly and squeezed by ``z / sqrt(1 + (z / 3)**2)`` (RealMLP, Holzmüller
    et al. 2024), missing ones are 0 and marked. Categories of more than ``MAX_ONE_HOT`` levels
    are left to their statistics.
    """
    missing = np.isnan(design.x_num)
    z = (design.x_num - tables.center[member]) / tables.scale[member]
    z = np.where(missing, 0.0, z / np.sqrt(1.0 + np.square(z / SOFT_LIMIT)))
    codes = member_codes(design, layout, tables, member)
    one_hot = [
        codes[:, [i]] == np.arange(n)
        for i, n in enumerate(tables.n_levels.tolist())
        if n <= MAX_ONE_HOT
    ]
    statistics = np.nan_to_num(design.x_stat[member].astype(np.float64))
    x = np.concatenate([z, missing, *one_hot, statistics], axis=1, dtype=np.float64)
    return Matrix(x, (0,) * x.shape[1])


View = Callable[[Design, Layout, MemberTables, int], Matrix]
VIEWS: dict[str, View] = {"trees": tree_matrix, "dense": dense_matrix}
"""How a companion sees the rows."""
