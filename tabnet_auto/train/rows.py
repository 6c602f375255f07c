"""The rows on the device, once for all members, and the members' minibatches as index gathers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabnet_auto.design import Design, MemberTables
from tabnet_auto.metrics.objective import LOG_LINK, SQUARED, Objective
from tabnet_auto.net.inputs import IndexedRows
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.output import Goal
from tabnet_auto.train.loss import row_counts, row_losses
from tabnet_auto.train.weights import loss_weights

SMALLEST_MEAN = 1e-12
"""Mean of the training rows that a log link takes for one of zeros."""


class RowStore:
    """Rows as tensors on a device; raw numbers in float64, so that large offsets keep digits."""

    def __init__(self, design: Design, device: torch.device | str = "cpu") -> None:
        self.x_num = torch.from_numpy(np.array(design.x_num)).to(device, torch.float64)
        self.codes = torch.from_numpy(np.array(design.codes)).to(device)
        self.x_stat = torch.from_numpy(np.array(design.x_stat)).to(device, torch.float32)

    def at(self, index: Tensor) -> IndexedRows:
        """Rows of each member, where they lie; index ``(M, B)``."""
        return IndexedRows(self.x_num, self.codes, self.x_stat, index)

    def shared(self, start: int, stop: int) -> IndexedRows:
        """Return the same rows for all members."""
        index = torch.arange(start, stop, device=self.x_num.device)
        return self.at(index.expand(len(self.x_stat), -1))

    def select(self, members: Sequence[int]) -> None:
        """Keep only some members' statistics."""
        self.x_stat = self.x_stat[list(members)]


class Targets:
    """Targets and weights on the device as the objective says, standardised by member.

    A log link's targets are shares of the mean of the member's training rows. Weights have
    mean 1 over those rows (:func:`loss_weights`).
    """

    def __init__(
        self,
        design: Design,
        tables: MemberTables,
        train_rows: Sequence[NDArray[np.int64]],
        device: torch.device | str = "cpu",
        objective: Objective = SQUARED,
    ) -> None:
        assert design.y is not None
        self.objective = objective
        y = torch.from_numpy(np.array(objective.learned(design.y))).to(device)
        self.is_class = not y.is_floating_point()
        self.y = y if self.is_class else y.to(torch.float64)
        self.center = torch.from_numpy(np.array(tables.y_center)).to(device)[:, None]
        self.scale = torch.from_numpy(np.array(tables.y_scale)).to(device)[:, None]
        if objective.loss in LOG_LINK:
            mean = self.center.clamp_min(SMALLEST_MEAN)
            self.center, self.scale = torch.zeros_like(mean), mean
        weight = loss_weights(design.y, design.weight, train_rows, objective)
        self.weight = None if weight is None else torch.from_numpy(weight).to(device)

    def gather(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Target and weight of each member's rows; index ``(M, B)``."""
        y = self.y.take(index)
        if not self.is_class:
            y = ((y - self.center) / self.scale).float()
        return y, None if self.weight is None else self.weight.gather(1, index)

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the objective's loss of every gathered row; ``(M, B)``."""
        return row_losses(outputs, y, self.objective)

    def goal(self, y: Tensor, weight: Tensor | None, active: Tensor) -> Goal | None:
        """Return what gathered rows are trained for, where a network may be told in advance."""
        if not (self.is_class or self.objective.loss == "squared"):
            return None
        return Goal(y, row_counts(weight, active, torch.float32))

    def select(self, members: Sequence[int]) -> None:
        """Keep only some members."""
        rows = list(members)
        self.center, self.scale = self.center[rows], self.scale[rows]
        self.weight = None if self.weight is None else self.weight[rows]


class Batch(NamedTuple):
    """One step's rows of each member.

    ``rows (M, B)`` row positions; ``active (M, B)`` whether a place holds a row of this step
    (a member whose epoch has fewer steps than the longest pauses at the end, one with fewer
    rows than a batch is padded); ``share (M,)`` how much of its epoch each member has done by
    the middle of the step.
    """

    rows: NDArray[np.int64]
    active: NDArray[np.bool_]
    share: NDArray[np.float64]

    @property
    def paused(self) -> list[int]:
        """Members whose epoch is over."""
        return np.flatnonzero(~self.active.any(1)).tolist()


def epoch_batches(
    train_rows: Sequence[NDArray[np.int64]], batch_size: int, random: MemberRandom
) -> Iterator[Batch]:
    """Deal one epoch of minibatches, each member from its own shuffle of its own rows."""
    dealt = []
    for member, rows in enumerate(train_rows):
        shuffled = random.permutation(member, rows)
        size = min(batch_size, len(rows))
        n_steps = len(rows) // size
        dealt.append(shuffled[: n_steps * size].reshape(n_steps, size))
    n_steps_of = np.array([len(rows) for rows in dealt])
    width = max(rows.shape[1] for rows in dealt)
    for step in range(n_steps_of.max()):
        index = np.zeros((len(dealt), width), dtype=np.int64)
        active = np.zeros((len(dealt), width), dtype=bool)
        for member, rows in enumerate(dealt):
            own = rows[min(step, len(rows) - 1)]
            index[member, : len(own)] = own
            active[member, : len(own)] = step < len(rows)
        yield Batch(index, active, np.minimum((step + 0.5) / n_steps_of, 1.0))


def padded(rows: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Stack rows of unequal number: ``index (M, n)`` padded with 0, and ``real (M, n)``."""
    width = max((len(own) for own in rows), default=0)
    index = np.zeros((len(rows), width), dtype=np.int64)
    real = np.zeros((len(rows), width), dtype=bool)
    for member, own in enumerate(rows):
        index[member, : len(own)], real[member, : len(own)] = own, True
    return index, real


def spread_rows(rows: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    """Return so many of the rows, evenly spaced; all if there are no more."""
    return rows[np.linspace(0, len(rows) - 1, min(n_rows, len(rows))).astype(np.int64)]
