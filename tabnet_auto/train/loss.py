"""Losses of stacked members: one number a member, so that their sum never mixes them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def row_losses(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy (``y`` long) or half squared error of every row; ``(M, B)``."""
    if y.is_floating_point():
        return 0.5 * (logits.squeeze(2) - y).square()
    return functional.cross_entropy(logits.permute(0, 2, 1), y, reduction="none")


def member_losses(logits: Tensor, y: Tensor, weight: Tensor | None, active: Tensor) -> Tensor:
    """Mean loss of each member over its active rows; ``(M,)``.

    ``weight`` has mean 1 over a member's training rows, so that dividing by the number of rows
    keeps the gradient of a weighted epoch unbiased.
    """
    share = active.to(logits.dtype)
    if weight is not None:
        share = share * weight
    return (row_losses(logits, y) * share).sum(1) / active.sum(1).clamp_min(1)


def weighted_mean(losses: Tensor, weight: Tensor | None, real: Tensor) -> Tensor:
    """Weighted mean over each member's real rows, for validation; ``(M,)``."""
    share = real.to(losses.dtype)
    if weight is not None:
        share = share * weight
    return torch.where(real, losses * share, 0.0).sum(1) / share.sum(1)
