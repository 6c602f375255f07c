"""Which rows are worth a look, and the record of how they were read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tabnet_auto.cells import to_text
from tabnet_auto.evidence.read import read_rows
from tabnet_auto.evidence.record import Floats, Rows, RowSample
from tabnet_auto.train.members import Task
from tabnet_auto.view.tables import cell_number

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 400
MIN_ROWS = 40
MAX_LEVELS = 500_000
"""Weights that a sample keeps, about: folds x seeds x steps x rows x columns, one byte each."""
MAX_CELLS = 40_000
"""Values that a sample keeps, about: rows x columns, as text."""
MAX_CLASSES = 6
"""Classes that have a group of their own, the most frequent ones."""
LETTERS = 28
"""Letters of a value that are kept."""
NUMBER_LETTERS = 7
"""Letters up to which a broken number is kept as it is: it may be a version, 3.10."""


def row_errors(predicted: Floats, truth: NDArray[np.generic]) -> Floats:
    """Return 1 - probability of the true class, or the absolute error; NaN without prediction."""
    if predicted.ndim == 2:
        return 1.0 - predicted[np.arange(len(truth)), truth.astype(np.int64)]
    return np.abs(predicted - truth.astype(np.float64))


def sample_size(n_folds: int, n_seeds: int, n_steps: int, n_columns: int) -> tuple[int, int]:
    """Return how many rows a sample of bounded size has, and of how many seeds it keeps the masks.

    Seeds are kept apart where enough rows then fit; otherwise 1: their mean.
    """
    one = n_folds * n_steps * n_columns
    kept = n_seeds if MAX_LEVELS // (one * n_seeds) >= MIN_ROWS else 1
    fit = min(MAX_LEVELS // (one * kept), MAX_CELLS // n_columns)
    return int(np.clip(fit, MIN_ROWS, MAX_ROWS)), kept


def choose_groups(
    predicted: Floats,
    truth: NDArray[np.generic],
    names: tuple[str, ...],
    n: int,
    seed: int = 0,
    threshold: float = 0.5,
) -> dict[str, Rows]:
    """Return groups of rows worth a look, at most about ``n`` rows together.

    Parameters
    ----------
    predicted
        Out-of-fold predictions ``(n_rows, n_classes)`` or ``(n_rows,)``; rows without one are
        never chosen.
    truth
        Class positions or values.
    names
        The classes as text, none for values.
    n
        Size of all groups together.
    seed
        Of the random groups.
    threshold
        Probability from which the second of two classes is predicted.
    """
    error = row_errors(predicted, truth)
    known = np.flatnonzero(~np.isnan(error))
    rng = np.random.default_rng(seed)
    worst = known[np.argsort(-error[known], kind="stable")]
    groups = {"largest errors": worst[: n // 4]}
    if names:
        two = len(names) == 2
        top = np.sort(predicted[known], axis=1)[:, -2:]
        gap = np.abs(predicted[known, 1] - threshold) if two else top[:, 1] - top[:, 0]
        close = known[np.argsort(gap, kind="stable")]
        groups["near the threshold" if two else "closest calls"] = close[: n // 6]
    parts = _truth_parts(truth, known, names)
    each = max(n // (4 * max(len(parts), 1)), 4)
    for name, rows in parts.items():
        groups[name] = np.sort(rng.permutation(rows)[:each])
    groups["random"] = np.sort(rng.permutation(known)[: n // 3])
    return {name: rows for name, rows in groups.items() if len(rows)}


def _truth_parts(
    truth: NDArray[np.generic], known: Rows, names: tuple[str, ...]
) -> dict[str, Rows]:
    """Return the rows of each frequent class, or of each fifth of the values."""
    if names:
        labels = truth[known].astype(np.int64)
        counts = np.bincount(labels, minlength=len(names))
        frequent = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLASSES])
        return {f"truly {names[i]}": known[labels == i] for i in frequent}
    if len(known) == 0:
        return {}
    ordered = known[np.argsort(truth[known], kind="stable")]
    fifths = np.array_split(ordered, 5)
    words = ("lowest", "second", "middle", "fourth", "highest")
    return {f"{word} fifth of the truth": rows for word, rows in zip(words, fifths, strict=True)}


def sample_rows(
    net: nn.Module,
    task: Task,
    oof: Floats,
    frame: pd.DataFrame,
    origin: Rows,
    n_steps: int,
    threshold: float = 0.5,
) -> RowSample | None:
    """Choose rows, and read them with the networks of every fold.

    ``oof`` are the blend's out-of-fold predictions of the rows of ``frame``, ``origin (n,)``
    their positions in the user's frame, ``threshold`` as in :func:`choose_groups`. None where no
    row has an out-of-fold prediction.
    """
    truth = task.design.y
    if truth is None:
        return None
    names = () if task.classes is None else tuple(str(label) for label in task.classes)
    columns = task.layout.columns
    n_seeds = task.folds.n_members // task.folds.n_folds
    n, kept = sample_size(task.folds.n_folds, n_seeds, n_steps, len(columns))
    chosen = choose_groups(oof, truth, names, n, threshold=threshold)
    if not chosen:
        return None
    rows = np.unique(np.concatenate(list(chosen.values())))
    reading = read_rows(net, task, rows)
    masks, sizes = reading.masks, reading.sizes
    if kept < n_seeds:
        masks, sizes = masks.mean(axis=1, keepdims=True), sizes.mean(axis=1, keepdims=True)
    peak = float(masks.max()) or 1.0
    held_out = np.full(len(truth), -1)
    for fold, valid in zip(task.folds.fold, task.folds.valid, strict=True):
        held_out[valid] = fold
    return RowSample(
        row=origin[rows],
        held_out=held_out[rows],
        levels=np.round(255.0 * np.sqrt(masks / peak)).astype(np.uint8),
        peak=peak,
        sizes=sizes,
        outputs=reading.outputs,
        predicted=oof[rows],
        truth=truth[rows],
        error=row_errors(oof[rows], truth[rows]),
        cells=_cells(frame.iloc[rows], columns),
        groups={name: np.searchsorted(rows, own).tolist() for name, own in chosen.items()},
    )


def _cells(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[list[str]]:
    """Return the values of some columns as short texts, row by row; blank where missing."""
    texts = [[_short(text) for text in to_text(frame[name])] for name in columns]
    return [list(row) for row in zip(*texts, strict=True)]


def _short(text: str | None) -> str:
    if text is None:
        return ""
    plain = " ".join(text.split())
    if len(plain) > NUMBER_LETTERS and "." in plain:
        with suppress(ValueError):
            return cell_number(float(plain))
    return plain if len(plain) <= LETTERS else f"{plain[: LETTERS - 1]}…"
