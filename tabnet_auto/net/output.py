"""What every network of the package returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


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
    ``earned_penalty``
        ``(M,)``: a penalty that counts by what a member has learned so far, and by what is left
        to learn (:func:`tabnet_auto.train.loss.earned`). None: no such penalty.
    """

    logits: Tensor
    masks: Tensor
    step_size: Tensor
    penalty: Tensor
    earned_penalty: Tensor | None = None
