"""One selection of the published TabNet: weights, what may be used later, and the entropy.

Shapes: M members, B rows of a minibatch, D columns of the user.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from tabnet_auto.config import PaperConfig
from tabnet_auto.net.native import library
from tabnet_auto.net.sparse import ENTMAX15, SPARSE_MAPS, SPARSEMAX, row_sizes

_CODES = {"sparsemax": SPARSEMAX, "entmax15": ENTMAX15}


class Selection(NamedTuple):
    """``weights`` and ``prior (M, B, D)``, the next prior scales; ``entropy (M, B)``."""

    weights: Tensor
    prior: Tensor
    entropy: Tensor


def select(logits: Tensor, prior: Tensor | None, config: PaperConfig) -> Selection:
    """Choose columns: ``M = map(P * logits)``, next ``P * (gamma - M)``, entropy of each row.

    Equations of section 3.2 of the paper (arXiv 1908.07442); entropy
    ``-sum_j M_j log(M_j + epsilon)``. ``logits (M, B, D)``; no ``prior`` in the first step.
    """
    if config.mask in _CODES and library.is_usable(logits, prior):
        return Selection(*_NativeSelect.apply(logits, prior, config))
    weights = SPARSE_MAPS[config.mask](logits if prior is None else logits * prior)
    used = config.gamma - weights
    entropy = -(weights * (weights + config.epsilon).log()).sum(-1)
    return Selection(weights, used if prior is None else prior * used, entropy)


class _NativeSelect(Function):
    """The selection as one kernel each way."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, prior: Tensor | None, config: PaperConfig
    ) -> tuple[Tensor, Tensor, Tensor]:
        logits = logits.contiguous()
        excess, weights, following = (torch.empty_like(logits) for _ in range(3))
        entropy = logits.new_empty(logits.shape[:-1])
        ctx.settings = (config.gamma, config.epsilon, _CODES[config.mask])
        given = (logits, prior, excess, weights, following, entropy)
        library.call("select_forward", *given, *ctx.settings, *row_sizes(logits))
        ctx.save_for_backward(logits, prior, excess)
        ctx.set_materialize_grads(False)
        return weights, following, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, Tensor | None, None]:
        logits, prior, excess = ctx.saved_tensors
        of_weights, of_next, of_entropy = grads
        shapes = (logits.shape, None, logits.shape[:-1])
        given = [
            torch.zeros(shape) if g is None and shape is not None else g
            for g, shape in zip((of_weights, of_next, of_entropy), shapes, strict=True)
        ]
        to, to_prior = torch.empty_like(logits), None if prior is None else torch.empty_like(prior)
        contiguous = [None if g is None else g.contiguous() for g in given]
        outputs = (logits, prior, excess, to, to_prior)
        library.call("select_backward", *contiguous, *outputs, *ctx.settings, *row_sizes(logits))
        return to, to_prior, None
