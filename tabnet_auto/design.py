"""What crosses from the frame to the network: numbers, and the way back to the user's columns.

The rows lie once in memory, however many members learn from them: :class:`Design` holds raw
numbers and shared category codes. What a member learned from *its own* training rows is a
handful of small tables, :class:`MemberTables`, applied to each gathered minibatch inside the
network. Leak-safety follows from the tables: none of them has seen a row outside its member's
training rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]

UNKNOWN_CODE = 0
"""Shared code, and embedding row, of a level that the member has not learned."""
MISSING_CODE = 1
"""Shared code, and embedding row, of a missing category."""
FIRST_LEVEL_CODE = 2
"""Shared code of a category feature's first level."""
MAX_ONE_HOT = 100
"""Levels up to which a companion sees a category one-hot; beyond, its statistics stand for it."""

FeatureKind = Literal["numeric", "category", "statistic"]


@dataclass(frozen=True)
class Feature:
    """One encoded feature: what it is called, and which of the user's columns it came from."""

    name: str
    column: str
    kind: FeatureKind


@dataclass(frozen=True)
class Layout:
    """The order of the encoded features, and the map from each back to the user's column.

    ``columns`` are the D columns of the user that reach the network; ``numeric``, ``category``
    and ``statistic`` name the columns of ``Design.x_num``, ``Design.codes`` and
    ``Design.x_stat``; ``n_codes`` is the number of shared codes of each category feature
    (unknown and missing included).
    """

    columns: tuple[str, ...]
    numeric: tuple[Feature, ...]
    category: tuple[Feature, ...]
    statistic: tuple[Feature, ...]
    n_codes: tuple[int, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """All features in the order in which the network holds its tokens."""
        return (*self.numeric, *self.category, *self.statistic)

    @property
    def level_of_number(self) -> NDArray[np.bool_]:
        """Whether each category feature holds the levels of numbers that are read as well."""
        numbers = {feature.name for feature in self.numeric}
        return np.array([feature.column in numbers for feature in self.category], dtype=bool)

    @property
    def feature_to_column(self) -> IntArray:
        """Index into ``columns`` for each feature; shape ``(n_features,)``."""
        position = {name: i for i, name in enumerate(self.columns)}
        return np.array([position[f.column] for f in self.features], dtype=np.int64)


@dataclass(frozen=True)
class Design:
    """The rows, as numbers shared by all members.

    ``x_num``
        ``(n, n_numeric)`` float64, raw values, NaN where missing, never infinite.
    ``codes``
        ``(n, n_category)`` int32 shared codes (0 unknown level, 1 missing, 2... levels).
    ``x_stat``
        ``(n_members, n, n_statistic)`` float32: statistics that each member learned from its
        own training rows (target statistics, text components), standardised over those rows,
        NaN where missing. On a member's training rows target statistics are cross-fitted
        within those rows.
    ``y``
        ``(n,)`` float64 values, or int64 class positions; None for rows without a target.
    ``weight``
        ``(n,)`` float64 sample weights, or None.
    """

    x_num: FloatArray
    codes: IntArray
    x_stat: FloatArray
    y: NDArray[np.generic] | None = None
    weight: FloatArray | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.x_num.shape[0]

    def with_target(self, y: NDArray[np.generic], weight: FloatArray | None = None) -> Design:
        """Return the same rows with a target and, if given, sample weights."""
        return replace(self, y=y, weight=weight)


@dataclass(frozen=True)
class MemberTables:
    """What each member learned from its own training rows, stacked over members.

    ``quantiles``
        ``(n_members, n_numeric, n_quantiles)`` float64: values at evenly spaced probabilities
        from 0 to 1, non-decreasing, of the distribution in which a repeated value weighs one
        quantile at most; all zero for a feature without a value in those rows.
    ``center``, ``scale``
        ``(n_members, n_numeric)`` float64: median, and the robust spread that divides.
    ``lookup``
        ``(n_members, sum(n_codes))`` int32: from shared code (each feature's codes after the
        previous feature's) to the member's own embedding row within that feature; 0 for a
        level that these training rows do not hold often enough.
    ``n_levels``
        ``(n_category,)`` int64: embedding rows each category feature needs (the most that any
        member uses, unknown and missing included).
    ``y_center``, ``y_scale``
        ``(n_members,)`` float64: target standardisation; 0 and 1 for classes.
    """

    quantiles: FloatArray
    center: FloatArray
    scale: FloatArray
    lookup: IntArray
    n_levels: IntArray
    y_center: FloatArray
    y_scale: FloatArray

    @property
    def n_members(self) -> int:
        """Number of members."""
        return self.center.shape[0]

    def select(self, members: IntArray | slice) -> MemberTables:
        """Return the tables of some members only, in the given order."""
        return MemberTables(
            quantiles=self.quantiles[members],
            center=self.center[members],
            scale=self.scale[members],
            lookup=self.lookup[members],
            n_levels=self.n_levels,
            y_center=self.y_center[members],
            y_scale=self.y_scale[members],
        )
