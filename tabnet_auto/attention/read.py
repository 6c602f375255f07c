"""Rows go through the networks: weights and losses, also with columns taken away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabnet_auto.design import MISSING_CODE, Design, Layout
from tabnet_auto.metrics import Objective
from tabnet_auto.net.inputs import RawRows
from tabnet_auto.net.output import Output
from tabnet_auto.train.loss import row_losses
from tabnet_auto.train.members import Task
from tabnet_auto.train.predict import chunk_rows, forward_chunks
from tabnet_auto.train.rows import Targets

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows with a target, of each of M members its own: what attention is measured on.

    ``rows`` the raw rows ``(M, n, ...)``; ``y (M, n)`` their targets as members learn them.
    """

    rows: RawRows
    y: Tensor
    layout: Layout
    objective: Objective

    @property
    def n_rows(self) -> int:
        """Rows of each member."""
        return self.y.shape[1]

    def first(self, n: int) -> Sample:
        """Return n of the rows at most, evenly spaced."""
        if n >= self.n_rows:
            return self
        index = torch.from_numpy(_spaced(self.n_rows, n)).to(self.y.device)
        rows = RawRows(*(block[:, index] for block in self.rows))
        return Sample(rows, self.y[:, index], self.layout, self.objective)

    def losses(self, logits: Tensor, part: slice) -> Tensor:
        """Loss of some of the rows; ``(M, n)``."""
        return row_losses(logits, self.y[:, part], self.objective)


def held_out_sample(task: Task, n: int, device: torch.device) -> Sample:
    """Return at most ``n`` validation rows of each member, evenly spaced through its fold."""
    targets = Targets(task.design, task.tables, task.folds.train, device, task.objective)
    valid = task.folds.valid
    n = min(n, *(len(rows) for rows in valid))
    index = np.stack([rows[_spaced(len(rows), n)] for rows in valid])
    y, _ = targets.gather(torch.from_numpy(index).to(device))
    return Sample(_gather(task.design, index, device), y, task.layout, task.objective)


def common_rows(design: Design, n_members: int, n: int, device: torch.device) -> RawRows:
    """Return at most ``n`` evenly spaced rows, the same ones for every member."""
    index = _spaced(design.n_rows, min(n, design.n_rows))
    return _gather(design, np.tile(index, (n_members, 1)), device)


def _gather(design: Design, index: NDArray[np.int64], device: torch.device) -> RawRows:
    """Rows ``(M, n)`` of each member, without a copy of all the others on the device."""
    member = np.arange(len(index))[:, None]
    return RawRows(
        torch.from_numpy(design.x_num[index]).to(device, torch.float64),
        torch.from_numpy(design.codes[index]).to(device),
        torch.from_numpy(design.x_stat[member, index]).to(device, torch.float32),
    )


def _spaced(total: int, n: int) -> NDArray[np.int64]:
    return np.linspace(0, total - 1, n).astype(np.int64)


class Reading(NamedTuple):
    """``weights (M, n, D)``: the steps averaged by their size; ``steps (M, S, D)``: each step's
    mean over the rows; ``losses (M, n)``.
    """  # noqa: D205 - one sentence of three fields

    weights: NDArray[np.float32]
    steps: Floats
    losses: NDArray[np.float32]


@torch.no_grad()
def read_sample(net: nn.Module, sample: Sample) -> Reading:
    """Read the rows of a sample, each member its own."""
    weights, losses = [], []
    steps: Tensor | float = 0.0
    for part, output in _outputs(net, sample.rows):
        weights.append(output.mean_weights().cpu().numpy())
        losses.append(sample.losses(output.logits, part).cpu().numpy())
        steps = steps + output.masks.sum(2)
    assert isinstance(steps, Tensor)
    mean: Floats = steps.double().cpu().numpy().transpose(1, 0, 2) / sample.n_rows
    return Reading(np.concatenate(weights, axis=1), mean, np.concatenate(losses, axis=1))


@torch.no_grad()
def read_weights(net: nn.Module, rows: RawRows) -> NDArray[np.float32]:
    """Weights of every row, the steps averaged by their size; ``(M, n, D)``."""
    parts = [output.mean_weights().cpu().numpy() for _, output in _outputs(net, rows)]
    return np.concatenate(parts, axis=1)


@torch.no_grad()
def mean_losses(net: nn.Module, sample: Sample) -> Floats:
    """Mean loss of each member; ``(M,)``."""
    total = sum(
        sample.losses(output.logits, part).sum(1) for part, output in _outputs(net, sample.rows)
    )
    assert isinstance(total, Tensor)
    mean: Floats = total.double().cpu().numpy() / sample.n_rows
    return mean


def _outputs(net: nn.Module, rows: RawRows) -> Iterator[tuple[slice, Output]]:
    """Pass each member's rows through it, chunk by chunk."""
    net.eval()
    n_members, n = rows.shape
    size = chunk_rows(net, n_members)
    for start in range(0, n, size):
        part = slice(start, min(start + size, n))
        yield part, net(rows.part(part))


def blanked(rows: RawRows, gone: Tensor, layout: Layout) -> RawRows:
    """Return the rows with some columns missing, as a user's missing cells are.

    **Shape**: ``gone`` ``(M, n, D)`` boolean, or anything that broadcasts to it.
    """
    fill = (float("nan"), MISSING_CODE, float("nan"))
    return RawRows(
        *(
            block.masked_fill(gone[..., own], value) if own.numel() else block
            for block, own, value in zip(rows, _block_columns(rows, layout), fill, strict=True)
        )
    )


def shuffled(rows: RawRows, column: int, order: Tensor, layout: Layout) -> RawRows:
    """Return the rows with all encoded parts of one column exchanged among them."""
    blocks = []
    for block, own in zip(rows, _block_columns(rows, layout), strict=True):
        mine = torch.nonzero(own == column).flatten()
        changed = block.clone() if mine.numel() else block
        if mine.numel():
            changed[:, :, mine] = block[:, order][:, :, mine]
        blocks.append(changed)
    return RawRows(*blocks)


def _block_columns(rows: RawRows, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """For each block, which of the user's columns each of its features came from."""
    of_feature = torch.from_numpy(layout.feature_to_column).to(rows.x_num.device)
    sizes = [len(layout.numeric), len(layout.category), len(layout.statistic)]
    numeric, category, statistic = torch.split(of_feature, sizes)
    return numeric, category, statistic


def over_seeds(values: NDArray[np.floating], fold: Sequence[int]) -> NDArray[np.floating]:
    """Average the members of each fold: leading axis M to leading axis n_folds."""
    own = np.asarray(fold)
    return np.stack([values[own == i].mean(axis=0) for i in sorted(set(fold))])


def attention_chunks(
    net: nn.Module, design: Design, fold: Sequence[int]
) -> Iterator[NDArray[np.float32]]:
    """Yield the weights of every row chunk by chunk; ``(n_folds, S, rows, D)``, seeds averaged."""
    for output in forward_chunks(net, design, len(fold)):
        yield over_seeds(output.masks.transpose(0, 1).cpu().numpy(), fold).astype(np.float32)
