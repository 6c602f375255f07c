"""Which rows to learn from: distinct training sets, and a sample where a set is large."""

from __future__ import annotations

import numpy as np

from tabnet_auto.design import IntArray
from tabnet_auto.folds import Folds, Rows

MAX_SAMPLE = 50_000
"""Rows from which quantiles and text components are learned at most."""


def distinct_training_rows(folds: Folds) -> tuple[tuple[Rows, ...], IntArray]:
    """Return every training set once, and which of them each member learns from.

    Members of one fold that differ in their seed only share a training set, and with it
    everything the encoder learns.

    Returns
    -------
    sources
        The distinct training sets, in the order of the first member that uses each.
    source
        ``(n_members,)`` int64 index into ``sources``.
    """
    position: dict[bytes, int] = {}
    sources: list[Rows] = []
    source = np.empty(folds.n_members, dtype=np.int64)
    for member, rows in enumerate(folds.train):
        key = np.ascontiguousarray(rows).tobytes()
        if key not in position:
            position[key] = len(sources)
            sources.append(rows)
        source[member] = position[key]
    return tuple(sources), source


def sample_rows(rows: Rows, limit: int = MAX_SAMPLE) -> Rows:
    """Return at most ``limit`` of ``rows``, always the same ones, in their order."""
    if len(rows) <= limit:
        return rows
    # Random positions and not every k-th row: a sorted or periodic frame would bias the latter.
    chosen = np.random.default_rng(0).choice(len(rows), size=limit, replace=False)
    return rows[np.sort(chosen)]
