"""Maps from logits to attention weights: softmax, sparsemax and 1.5-entmax, over the last axis.

All three take logits of any leading shape ``(..., D)`` and return non-negative weights of the
same shape and dtype that sum to 1. A logit of minus infinity gets weight 0 exactly; every row
needs at least one finite logit. Half-precision logits are mapped in float32.

Sparsemax and entmax are exact: both have the form ``relu(z - tau) ** power`` with the one
threshold ``tau`` a row at which the weights sum to 1. On a CPU it is found without sorting, by
Newton's method from below on a convex function, which three to seven passes bring to rounding.
Sorting (measured on one core) cost as much at 5 columns, 1.2 to 2 times as much at 14, 2.6 to 5
times at 200. On other devices, and inside a compiled or exported graph, a loop that looks at its
numbers would stall, so there the threshold comes from sorted logits, and one Newton step removes
the cancellation of the cumulative sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable

from tabnet_auto.config import SparseMap
from tabnet_auto.net.native import library

_EXTRA_PASSES = 64
"""Newton passes allowed beyond one a column (each pass without progress is a rounding error)."""
SPARSEMAX, ENTMAX15, SOFTMAX = 1, 2, 3
MAP_CODES: dict[SparseMap, int] = {
    "softmax": SOFTMAX, "sparsemax": SPARSEMAX, "entmax15": ENTMAX15
}  # fmt: skip
"""How the kernels know the maps."""
_VECTOR_WIDTH = 16
"""Below this many columns torch's own softmax works number by number on a CPU: 3 to 6 times
slower than passes over the whole tensor."""


def softmax(logits: Tensor) -> Tensor:
    """Return ``exp(z_i) / sum_j exp(z_j)``: zero only for a logit of minus infinity.

    **Shape**: ``(..., D)`` to ``(..., D)``.

    >>> softmax(torch.tensor([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    if not _is_eager_cpu(logits) or logits.shape[-1] >= _VECTOR_WIDTH:
        return torch.softmax(logits, dim=-1)
    weights = _NarrowSoftmax.apply(_widen(logits))
    return cast("Tensor", weights).to(logits.dtype)


def sparsemax(logits: Tensor) -> Tensor:
    """Return the point of the simplex nearest to the logits, ``relu(z - tau)``.

    Martins and Astudillo 2016, arXiv 1602.02068, equation 2 and algorithm 1.

    **Shape**: ``(..., D)`` to ``(..., D)``.

    >>> sparsemax(torch.tensor([1.0, 0.5, -1.0])).tolist()
    [0.75, 0.25, 0.0]
    """
    weights = _Sparsemax.apply(_widen(logits))
    return cast("Tensor", weights).to(logits.dtype)


def entmax15(logits: Tensor) -> Tensor:
    """Return 1.5-entmax, ``relu(z / 2 - tau) ** 2``: sparse, with a smoother edge.

    Peters, Niculae and Martins 2019, arXiv 1905.05702, equation 10 and algorithm 2.

    **Shape**: ``(..., D)`` to ``(..., D)``.

    >>> entmax15(torch.tensor([2.0, 0.0])).tolist()
    [1.0, 0.0]
    """
    weights = _Entmax15.apply(_widen(logits))
    return cast("Tensor", weights).to(logits.dtype)


SPARSE_MAPS: dict[SparseMap, Callable[[Tensor], Tensor]] = {
    "softmax": softmax,
    "sparsemax": sparsemax,
    "entmax15": entmax15,
}
"""The maps by the name that a configuration uses."""


class _NarrowSoftmax(Function):
    """Softmax of few columns; saves its output only."""

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor) -> Tensor:
        weights = (logits - logits.amax(-1, keepdim=True)).exp_()
        weights /= weights.sum(-1, keepdim=True)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        grad = grad * weights
        return torch.addcmul(grad, weights, grad.sum(-1, keepdim=True), value=-1.0)


class _Sparsemax(Function):
    """Sparsemax; saves its output only. Gradient: section 2.5 of the paper."""

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor) -> Tensor:
        if library.is_usable(logits):
            weights = _native_excess(logits, SPARSEMAX)
        else:
            z = _shift(logits, 1.0)
            tau = _threshold(z, _sparsemax_step, _sparsemax_sorted)
            weights = (z - tau).clamp_(min=0.0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        if library.is_usable(grad, weights):
            return _native_backward(grad, weights, SPARSEMAX)
        support = weights.sign()
        grad = grad * support
        mean = grad.sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
        return torch.addcmul(grad, support, mean, value=-1.0)


class _Entmax15(Function):
    """1.5-entmax; saves the root of its output only. Gradient: proposition 2 of the paper."""

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor) -> Tensor:
        if library.is_usable(logits):
            root = _native_excess(logits, ENTMAX15)
        else:
            z = _shift(logits, 0.5)
            tau = _threshold(z, _entmax15_step, _entmax15_sorted)
            root = (z - tau).clamp_(min=0.0)
        # Not the output, which costs no memory: a CPU takes 40 times as long for the root of
        # an exact zero as for that of another number.
        ctx.save_for_backward(root)
        return root.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors
        if library.is_usable(grad, root):
            return _native_backward(grad, root, ENTMAX15)
        grad = grad * root
        mean = grad.sum(-1, keepdim=True) / root.sum(-1, keepdim=True)
        return torch.addcmul(grad, root, mean, value=-1.0)


def _native_excess(logits: Tensor, code: int) -> Tensor:
    excess = torch.empty(logits.shape)
    library.call("excess_forward", logits.contiguous(), excess, code, *row_sizes(logits))
    return excess


def _native_backward(grad: Tensor, excess: Tensor, code: int) -> Tensor:
    to = torch.empty_like(excess)
    library.call("excess_backward", grad.contiguous(), excess, to, code, *row_sizes(to))
    return to


def row_sizes(rows: Tensor) -> tuple[int, int]:
    """Return the number of rows and of columns."""
    return rows.numel() // max(rows.shape[-1], 1), rows.shape[-1]


def _is_eager_cpu(logits: Tensor) -> bool:
    """Tell whether looking at numbers is free, and passes over memory are what costs."""
    return logits.device.type == "cpu" and not torch.compiler.is_compiling()


def _widen(logits: Tensor) -> Tensor:
    """Return half-precision logits as float32, others as they are."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def _shift(logits: Tensor, factor: float) -> Tensor:
    """Return the scaled logits in [-1, 0], with the same weights.

    The threshold is at least the largest scaled logit less 1 (that weight alone would reach
    1), so whatever lies lower has weight 0 wherever it lies: it may as well lie at -1. This
    takes care of huge and infinite logits, which would spoil sums.
    """
    return (logits - logits.amax(-1, keepdim=True)).mul_(factor).clamp_(min=-1.0)


def _threshold(
    z: Tensor, step: Callable[[Tensor], Tensor], from_sorted: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return tau of each row of shifted logits; ``(..., D)`` to ``(..., 1)``.

    ``step`` gives Newton's change of tau from the excess ``relu(z - tau)``.
    """
    if not _is_eager_cpu(z):
        tau = from_sorted(z.sort(-1, descending=True).values)
        return tau + step((z - tau).clamp_(min=0.0))
    tau = torch.full_like(z[..., :1], -1.0)
    excess = torch.empty_like(z)
    # Convergence is quadratic for entmax, and for sparsemax finite: a row that moves by no more
    # than this has arrived.
    tolerance = 8.0 * torch.finfo(z.dtype).eps
    moving = torch.ones_like(tau)
    for _ in range(z.shape[-1] + _EXTRA_PASSES):
        change = step(torch.sub(z, tau, out=excess).clamp_(min=0.0))
        # A row that has arrived stands still, whatever the others need: its result does not
        # depend on its company, and a NaN does not prolong the work.
        tau += change.mul_(moving)
        moving = (change > tolerance).to(z.dtype)
        if not moving.any():
            break
    return tau


def _sparsemax_step(excess: Tensor) -> Tensor:
    """Newton's step for ``sum(excess) = 1``: exact once the support is right."""
    surplus = excess.sum(-1, keepdim=True) - 1.0
    # A sum of signs: counting a boolean tensor is several times slower on a CPU.
    return surplus.div_(excess.sign_().sum(-1, keepdim=True))


def _entmax15_step(excess: Tensor) -> Tensor:
    """Newton's step for ``norm(excess) = 1``.

    The norm is convex in tau and nearly linear (exactly so for equal logits), unlike the sum
    of squares: two passes fewer.
    """
    norm: Tensor = torch.linalg.vector_norm(excess, dim=-1, keepdim=True)
    return ((norm - 1.0) * norm).div_(excess.sum(-1, keepdim=True))


def _sparsemax_sorted(z: Tensor) -> Tensor:
    """Tau from descending logits: algorithm 1 of the sparsemax paper."""
    rank = torch.arange(1, z.shape[-1] + 1, device=z.device, dtype=z.dtype)
    surplus = z.cumsum(-1) - 1.0
    size = (rank * z > surplus).sum(-1, keepdim=True).clamp_(min=1)  # 0 in a row with NaN
    return surplus.gather(-1, size - 1) / size


def _entmax15_sorted(z: Tensor) -> Tensor:
    """Tau from descending halved logits: algorithm 2 of the entmax paper."""
    rank = torch.arange(1, z.shape[-1] + 1, device=z.device, dtype=z.dtype)
    mean = z.cumsum(-1) / rank
    spread = z.square().cumsum(-1) / rank - mean.square()
    tau = mean - (1.0 / rank - spread).clamp_(min=0.0).sqrt_()
    size = (tau <= z).sum(-1, keepdim=True).clamp_(min=1)  # 0 in a row with NaN
    return tau.gather(-1, size - 1)
