"""What every network of the package returns, and what it may be told of its goal."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Goal(NamedTuple):
    """What a minibatch's rows are trained for, where that is one of two losses.

    ``y``
        ``(M, B)``: int64 classes of cross-entropy, or float32 values of half the squared error.
    ``counts``
        ``(M, B)``: what a row's loss is multiplied with before a member's are added up.
    """

    y: Tensor
    counts: Tensor


class ByShare(NamedTuple):
    """Penalties that count by what a member has learned so far; each ``(M,)``.

    ``early``
        Counts until something is learned (:func:`tabnet_auto.train.loss.early`).
    ``earned``
        Counts by what is learned and what is left (:func:`tabnet_auto.train.loss.earned`).
    """

    early: Tensor
    earned: Tensor


class Output(NamedTuple):
    """Predictions and what was looked at, of M members for B rows.

    ``logits``
        ``(M, B, n_outputs)``.
    ``masks``
        ``(S, M, B, D)``: attention weights of each step over the user's columns; each row of
        each step is non-negative and sums to 1.
    ``step_size``
        ``(S, M, B)``: how much each step weighs in the mean attention (need not sum to 1).
    ``penalty``
        ``(M,)``: what the network adds to each member's training loss (sparsity, say).
    ``by_share``
        Penalties that count by the share of its loss that a member explains. None: there are none.
    ``objective``
        ``(M,)``: each member's loss and penalty, of a network that was told its :class:`Goal` and
        took gradients on the way. It alone leads back to the parameters then, and masks and sizes
        are of no step (S = 0). None: it did not.
    """

    logits: Tensor
    masks: Tensor
    step_size: Tensor
    penalty: Tensor
    by_share: ByShare | None = None
    objective: Tensor | None = None

    def step_shares(self) -> Tensor:
        """How much each step weighs in a row; ``(S, M, B)``, sums to 1 over S.

        Steps weigh the same in a row for which none puts anything out, as a few of the published
        network's do.
        """
        total = self.step_size.sum(0)
        nothing = total < 1e-12
        sizes = torch.where(nothing, 1.0, self.step_size)
        return sizes / torch.where(nothing, len(sizes), total)

    def mean_weights(self) -> Tensor:
        """Weights of each row, the steps averaged by their size; ``(M, B, D)``, rows sum to 1."""
        return (self.step_shares().unsqueeze(3) * self.masks).sum(0)
