"""Losses of stacked members: one number a member, so that their sum never mixes them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from tabnet_auto.metrics.objective import MAX_LOG_MEAN, SQUARED, Objective
from tabnet_auto.net.output import ByShare

ValueLoss = Callable[[Tensor, Tensor, float], Tensor]
"""``loss(output, y, quantile)`` of every row; ``output`` and ``y`` are ``(M, B)``."""


def _squared(output: Tensor, y: Tensor, _: float) -> Tensor:
    return 0.5 * (output - y).square()


def _absolute(output: Tensor, y: Tensor, _: float) -> Tensor:
    return (output - y).abs()


def _pinball(output: Tensor, y: Tensor, quantile: float) -> Tensor:
    """Koenker and Bassett 1978: an error below costs ``quantile``, one above the rest."""
    error = y - output
    return torch.maximum(quantile * error, (quantile - 1.0) * error)


def _poisson(output: Tensor, y: Tensor, _: float) -> Tensor:
    """Half the Poisson deviance of the mean ``exp(output)``."""
    log_mean = output.clamp(max=MAX_LOG_MEAN)
    return torch.xlogy(y, y) - y * output + log_mean.exp() - y


def _gamma(output: Tensor, y: Tensor, _: float) -> Tensor:
    """Half the gamma deviance of the mean ``exp(output)``."""
    log_mean = output.clamp(min=-MAX_LOG_MEAN)
    return y * (-log_mean).exp() + output - y.log() - 1.0


VALUE_LOSSES: dict[str, ValueLoss] = {
    "squared": _squared,
    "absolute": _absolute,
    "pinball": _pinball,
    "poisson": _poisson,
    "gamma": _gamma,
}


def row_losses(logits: Tensor, y: Tensor, objective: Objective = SQUARED) -> Tensor:
    """Cross-entropy (``y`` long) or the objective's loss of every row; ``(M, B)``."""
    if y.is_floating_point():
        return VALUE_LOSSES[objective.loss](logits.squeeze(2), y, objective.quantile)
    return functional.cross_entropy(logits.permute(0, 2, 1), y, reduction="none")


def row_counts(weight: Tensor | None, active: Tensor, dtype: torch.dtype) -> Tensor:
    """What each row's loss counts in its member's mean over the active rows; ``(M, B)``.

    ``weight`` has mean 1 over a member's training rows, so that dividing by the number of rows
    keeps the gradient of a weighted epoch unbiased.
    """
    counts = active.to(dtype) / active.sum(1, keepdim=True).clamp_min(1)
    return counts if weight is None else counts * weight


def member_losses(losses: Tensor, weight: Tensor | None, active: Tensor) -> Tensor:
    """Mean loss of each member, of :func:`row_losses` ``(M, B)``; ``(M,)``."""
    return (losses * row_counts(weight, active, losses.dtype)).sum(1)


def explained_share(logits: Tensor, losses: Tensor, loss_of: Callable[[Tensor], Tensor]) -> Tensor:
    """Share of a minibatch's loss that telling its rows apart explains, 0 to 1; ``(M,)``.

    Against the loss of the member's own mean prediction for all rows: mean probabilities of
    classes, mean output of values. Nothing flows back through it.

    **Shape**: ``logits (M, B, O)``; ``losses (M,)`` are ``loss_of(logits)``.
    """
    logits = logits.detach()
    is_class = logits.shape[2] > 1
    mean = logits.mean(1, keepdim=True)
    if is_class:
        mean = logits.softmax(2).mean(1, keepdim=True).clamp_min(1e-12).log()
    base = loss_of(mean.expand_as(logits)).clamp_min(1e-12)
    return (1.0 - losses.detach() / base).clamp(0.0, 1.0)


def counted(penalties: ByShare, share: Tensor) -> Tensor:
    """Add up penalties as they count where ``share (M,)`` of the loss is explained; ``(M,)``."""
    return early(share) * penalties.early + earned(share) * penalties.earned


def early(share: Tensor) -> Tensor:
    """How an early penalty counts where ``share`` of the loss is explained: (1 - x)^100.

    In full at the start; 0.37 at one hundredth, 0.006 at a twentieth.
    """
    return (1.0 - share).pow(100)


def earned(share: Tensor) -> Tensor:
    """How an earned penalty counts where ``share`` of the loss is explained: x³ (1 - x).

    Hardly anything before the signal is found or where there is little of it, and in proportion
    to the loss that is left where there is little of that. At most 0.105, at three quarters.
    """
    return share.pow(3) * (1.0 - share)


def weighted_mean(losses: Tensor, weight: Tensor | None, real: Tensor) -> Tensor:
    """Weighted mean over each member's real rows, for validation; ``(M,)``."""
    share = real.to(losses.dtype)
    if weight is not None:
        share = share * weight
    return torch.where(real, losses * share, 0.0).sum(1) / share.sum(1)
