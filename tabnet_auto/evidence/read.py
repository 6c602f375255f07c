"""Held-out rows go through the networks: what every fold reads and predicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tabnet_auto.design import Design
from tabnet_auto.evidence.record import Floats, Rows, StepWork
from tabnet_auto.net.attention import ColumnAttention
from tabnet_auto.train.loss import row_losses
from tabnet_auto.train.members import Task
from tabnet_auto.train.predict import chunk_rows, forward_chunks, to_predictions
from tabnet_auto.train.rows import RowStore, Targets

SURVEY_ROWS = 2000
"""Held-out rows that cohorts and steps are measured on, at most, all folds together."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Rows that all networks read: K seeds of every fold.

    ``masks (F, K, S, n, D)``, ``sizes (F, K, S, n)``; ``outputs`` are each fold's predictions, the
    mean over its seeds.
    """

    masks: NDArray[np.float32]
    sizes: NDArray[np.float32]
    outputs: Floats


def read_rows(net: nn.Module, task: Task, rows: Rows) -> Reading:
    """Return how the networks of every fold read the same rows."""
    masks, sizes, outputs = [], [], []
    for output in forward_chunks(net, _part(task.design, rows), task.folds.n_members):
        masks.append(output.masks.transpose(0, 1).cpu().numpy())
        sizes.append(output.step_shares().transpose(0, 1).cpu().numpy())
        outputs.append(
            to_predictions(output.logits, task.tables, is_class=task.classes is not None)
        )
    fold = task.folds.fold
    return Reading(
        _by_fold(np.concatenate(masks, axis=2), fold),
        _by_fold(np.concatenate(sizes, axis=2), fold),
        _over_seeds(np.concatenate(outputs, axis=1), fold),
    )


@dataclass(frozen=True, eq=False)
class Survey:
    """Held-out rows, each read by the fold that held it out.

    ``rows (F, k)`` row positions; ``attention (F, k, D)`` the steps averaged by their size;
    ``steps`` what each step does.
    """

    rows: Rows
    attention: NDArray[np.float32]
    steps: StepWork


def survey_rows(net: nn.Module, task: Task) -> Survey:
    """Read evenly spaced validation rows of every fold by its own networks."""
    folds = task.folds
    n = min(SURVEY_ROWS // folds.n_folds or 1, *(len(rows) for rows in folds.valid))
    picked = np.stack(
        [rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)] for rows in folds.valid]
    )
    own = _OwnRows(net, task, picked)
    base = own.read()
    change, harm = [], []
    for step in _steps(net, base.sizes.shape[1]):
        with _uniform(step):
            other = own.read()
        change.append(_distance(base.logits, other.logits, is_class=task.classes is not None))
        harm.append((other.losses - base.losses).mean(axis=1, dtype=np.float64))
    unknown = np.full((folds.n_members, base.sizes.shape[1]), np.nan)
    steps = StepWork(
        size=_over_seeds(base.sizes.mean(axis=2), folds.fold).astype(np.float64),
        change=_over_seeds(np.stack(change, axis=1) if change else unknown, folds.fold),
        harm=_over_seeds(np.stack(harm, axis=1) if harm else unknown, folds.fold),
    )
    # Seeds of one fold hold the same rows out.
    first = [folds.of_fold(i)[0] for i in range(folds.n_folds)]
    return Survey(picked[first], _over_seeds(base.attention, folds.fold), steps)


@dataclass(frozen=True, eq=False)
class _OwnReading:
    attention: NDArray[np.float32]  # (M, n, D)
    sizes: NDArray[np.float32]  # (M, S, n)
    logits: Floats  # (M, n, n_outputs)
    losses: Floats  # (M, n)


class _OwnRows:
    """Rows of each member's own, ready to be read again and again."""

    def __init__(self, net: nn.Module, task: Task, picked: Rows) -> None:
        device = next(net.parameters()).device
        self.net = net.eval()
        part = _part(task.design, picked.ravel())
        index = torch.arange(picked.size, device=device).reshape(picked.shape)
        self.rows = RowStore(part, device).at(index).gathered()
        everyone = replace(part, y=task.design.y[picked.ravel()])  # type: ignore[index]
        # Losses of single rows: how rows are weighted in training does not matter.
        self.objective = replace(task.objective, class_weight=None, relative=0)
        targets = Targets(everyone, task.tables, task.folds.train, device, self.objective)
        self.y, _ = targets.gather(index)

    @torch.no_grad()
    def read(self) -> _OwnReading:
        n_members, n = self.y.shape
        size = chunk_rows(self.net, n_members)
        parts = []
        for start in range(0, n, size):
            part = slice(start, start + size)
            output = self.net(self.rows.part(part))
            shares, attention = output.step_shares(), output.mean_weights()
            losses = row_losses(output.logits, self.y[:, part], self.objective)
            parts.append((attention, shares.transpose(0, 1), output.logits.double(), losses))
        joined = [
            torch.cat(block, dim=d)
            for block, d in zip(zip(*parts, strict=True), (1, 2, 1, 1), strict=True)
        ]
        return _OwnReading(*(block.cpu().numpy() for block in joined))


def _part(design: Design, rows: Rows) -> Design:
    """Return some rows of the design, without their targets."""
    return Design(design.x_num[rows], design.codes[rows], design.x_stat[:, rows])


def _by_fold(values: NDArray[Any], fold: Sequence[int]) -> NDArray[Any]:
    """Return ``(F, K, ...)`` of members ``(M, ...)``."""
    own = np.asarray(fold)
    return np.stack([values[own == i] for i in sorted(set(fold))])


def _over_seeds(values: NDArray[Any], fold: Sequence[int]) -> NDArray[Any]:
    return _by_fold(values, fold).mean(axis=1)


def _steps(net: nn.Module, n_steps: int) -> list[ColumnAttention]:
    """Return the attention steps, none where the network's steps are of another kind."""
    found = [module for module in net.modules() if isinstance(module, ColumnAttention)]
    return found if len(found) == n_steps else []


@contextmanager
def _uniform(step: ColumnAttention) -> Iterator[None]:
    """Make one step look at all columns alike: no strength, no choice."""
    kept = step.strength.detach().clone()
    with torch.no_grad():
        step.strength.fill_(-torch.inf)
    try:
        yield
    finally:
        with torch.no_grad():
            step.strength.copy_(kept)


def _distance(a: Floats, b: Floats, *, is_class: bool) -> Floats:
    """Mean over rows of the distance of two predictions, from logits ``(M, n, n_outputs)``."""
    if is_class:
        p, q = (torch.from_numpy(logits).softmax(dim=2).numpy() for logits in (a, b))
        return 0.5 * np.abs(p - q).sum(axis=2).mean(axis=1)
    return np.abs(a - b)[:, :, 0].mean(axis=1)
