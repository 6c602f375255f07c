"""What is searched: ranges around the preset's defaults, by the size of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabnet_auto.config import Preset, Search
from tabnet_auto.errors import InputError, did_you_mean

Settings = dict[str, float]
"""One configuration: values by name."""

DIMENSIONS = {"lr": True, "weight_decay": True, "dropout": False, "column_dropout": False}
"""What can differ between members of one network, and whether it is searched in logarithms."""
MANY_ROWS = 10_000
"""Training rows from which less regularisation is tried."""
FEW_COLUMNS = 8
"""Columns up to which fewer of them are dropped."""


@dataclass(frozen=True)
class Range:
    """A range to search, half of it on either side of the centre."""

    low: float
    centre: float
    high: float
    log: bool

    def at(self, place: float) -> float:
        """Value at a place from 0 (low) over 0.5 (centre) to 1 (high)."""
        points = (self.low, self.centre, self.high)
        if not self.log:
            return float(np.interp(place, (0.0, 0.5, 1.0), points))
        return math.exp(np.interp(place, (0.0, 0.5, 1.0), np.log(points)))


Space = dict[str, Range]


def default_settings(preset: Preset) -> Settings:
    """Return what the preset says of everything that can be searched."""
    known = {**vars(preset.train), **vars(preset.net)}
    return {name: float(known[name]) for name in DIMENSIONS if name in known}


def search_space(preset: Preset, *, task: str, n_rows: int, n_columns: int, given: Search) -> Space:
    """Ranges to search for ``n_rows`` training rows of ``n_columns`` columns.

    Small data are worth stronger regularisation, values less dropout than classes, and of a few
    columns none is easily spared. What the preset switches off (0) stays off. Ranges of ``given``
    win; then only what they name is searched.

    Raises
    ------
    InputError
        If a named setting cannot be searched, or its range is empty or out of bounds.
    """
    centre = default_settings(preset)
    if given.space is not None:
        return {name: _read(name, pair, centre) for name, pair in given.space.items()}
    decay = 10.0 if n_rows < MANY_ROWS else 3.0
    ranges = {
        "lr": (centre["lr"] / 4.0, centre["lr"] * 3.0),
        "weight_decay": (centre["weight_decay"] / 10.0, centre["weight_decay"] * decay),
        "dropout": (0.0, 0.5 if task != "regression" and n_rows < MANY_ROWS else 0.3),
        "column_dropout": (0.0, 0.15 if n_columns <= FEW_COLUMNS else 0.3),
    }
    return {name: _around(name, *ranges[name], value) for name, value in centre.items() if value}


def _around(name: str, low: float, high: float, default: float) -> Range:
    return Range(min(low, default), default, max(high, default), log=DIMENSIONS[name])


def _read(name: str, pair: object, centre: Mapping[str, float]) -> Range:
    if name not in centre:
        raise InputError(
            f"space must name settings that can be searched: {', '.join(centre)}, however: "
            f"{name!r}.{did_you_mean(name, centre)}"
        )
    known = isinstance(pair, tuple | list) and len(pair) == 2
    numbers = known and all(isinstance(end, int | float) for end in pair)  # type: ignore[attr-defined]
    low, high = (float(end) for end in pair) if numbers else (math.nan, math.nan)  # type: ignore[attr-defined]
    most = 1.0 if "dropout" in name else math.inf
    if not (0.0 <= low < high < most) or (name == "lr" and low == 0.0):
        raise InputError(
            f"The range of {name!r} must be two numbers, low before high, of at least 0 (a "
            f"learning rate above it, a dropout below 1), however: {pair!r}."
        )
    log = DIMENSIONS[name] and low > 0.0
    middle = math.sqrt(low * high) if log else 0.5 * (low + high)
    inside = low <= centre[name] <= high
    return Range(low, centre[name] if inside else middle, high, log=log)


def check_search(search: object) -> Search | None:
    """Return how to search; None for not at all.

    Raises
    ------
    InputError
        If it is no truth value or :class:`Search`, or one of its numbers is out of bounds.
    """
    if search is None or search is False:
        return None
    if search is True:
        return Search()
    if not isinstance(search, Search):
        raise InputError(f"search must be True, False or a Search, however: search={search!r}.")
    if search.engine not in ("halving", "optuna"):
        raise InputError(
            f"engine must be 'halving' or 'optuna', however: {search.engine!r}."
            f"{did_you_mean(search.engine, ('halving', 'optuna'))}"
        )
    if search.n_configurations < 2 or not 0.0 < search.share < 1.0 or search.max_rows < 100:
        raise InputError(
            "A search must have at least 2 configurations, a share of the time between 0 and 1 "
            f"and 100 rows or more, however: {search!r}."
        )
    return search
