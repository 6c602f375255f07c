"""Linear maps of piecewise-linear features, at the cost of the few elements that differ.

A value feature is encoded by R elements: the value, ``n`` bins that fill up one after the other
(PLE, arXiv 2203.05556), and one that is 1 where the value is missing. A linear map of them is a
piecewise-linear function with ``n`` knots, so with running sums of the bins' weights a row reads
three rows of a table instead of R, and is written to three in the way back.

Shapes: M members, B rows of a minibatch, V features of R = n + 2 elements, H outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from tabnet_auto.net.native import library


class Piecewise(NamedTuple):
    """Encoded values of the rows, each ``(M, B, V)``.

    ``value`` smoothly clipped, 0 where missing; ``position`` in [0, 1], which ``n`` times is the
    place among the knots; ``missing`` bool.
    """

    value: Tensor
    position: Tensor
    missing: Tensor

    def elements(self, n_bins: int) -> Tensor:
        """Return all elements of every feature; ``(M, B, V, R)``."""
        value, missing = self.value.unsqueeze(3), self.missing.unsqueeze(3)
        bins = torch.arange(n_bins, device=value.device, dtype=value.dtype)
        filled = (self.position.unsqueeze(3) * n_bins - bins).clamp(0.0, 1.0)
        present = torch.cat([value, filled], dim=3).masked_fill(missing, 0.0)
        return torch.cat([present, missing.to(present.dtype)], dim=3)


class Weights(NamedTuple):
    """What makes the elements into outputs: ``factor * scale * of_elements``.

    ``of_elements (M, V R, H)``, ``scale (M, V, R)``.
    """

    of_elements: Tensor
    scale: Tensor
    factor: float


def is_fused(features: Piecewise, weight: Tensor) -> bool:
    """Tell whether the functions below can be used: on a CPU, in single precision."""
    return library.is_usable(features.value, weight)


def piecewise_sum(features: Piecewise, shares: Tensor | None, weights: Weights) -> Tensor:
    """Sum the features' outputs times ``shares (M, B, V)`` (1 without); ``(M, B, H)``."""
    of_elements, scale, factor = weights
    return cast("Tensor", _Sum.apply(shares, of_elements, scale, factor, features))


def piecewise_dot(features: Piecewise, vectors: Tensor, weights: Weights) -> Tensor:
    """Scalar product of each feature's output with ``vectors (M, B, H)``; ``(M, B, V)``."""
    of_elements, scale, factor = weights
    return cast("Tensor", _Dot.apply(vectors, of_elements, scale, factor, features))


class _Sum(Function):
    @staticmethod
    def forward(
        ctx: Any,
        shares: Tensor | None,
        of_elements: Tensor,
        scale: Tensor,
        factor: float,
        features: Piecewise,
    ) -> Tensor:
        weights = Weights(_rows_together(of_elements), _rows_together(scale), factor)
        shares = None if shares is None else shares.contiguous()
        table = _knots(weights)
        _save(ctx, shares, table, weights, features)
        return _sum(features, shares, table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        shares, table, weights, features = _saved(ctx)
        grad = grad.contiguous()
        of_shares = None if shares is None else _dot(features, grad, table)
        return of_shares, *_knots_backward(features, shares, grad, weights), None, None


class _Dot(Function):
    @staticmethod
    def forward(
        ctx: Any,
        vectors: Tensor,
        of_elements: Tensor,
        scale: Tensor,
        factor: float,
        features: Piecewise,
    ) -> Tensor:
        weights = Weights(_rows_together(of_elements), _rows_together(scale), factor)
        vectors = vectors.contiguous()
        table = _knots(weights)
        _save(ctx, vectors, table, weights, features)
        return _dot(features, vectors, table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        vectors, table, weights, features = _saved(ctx)
        grad = grad.contiguous()
        of_weights = _knots_backward(features, grad, vectors, weights)
        return _sum(features, grad, table), *of_weights, None, None


def _save(
    ctx: Any, other: Tensor | None, table: Tensor, weights: Weights, features: Piecewise
) -> None:
    ctx.save_for_backward(other, table, weights.of_elements, weights.scale, *features)
    ctx.factor = weights.factor


def _saved(ctx: Any) -> tuple[Any, Tensor, Weights, Piecewise]:
    other, table, of_elements, scale, *features = ctx.saved_tensors
    return other, table, Weights(of_elements, scale, ctx.factor), Piecewise(*features)


def _knots(weights: Weights) -> Tensor:
    """Outputs at the knots, the running sums of the bins; ``(M, V, R, H)``."""
    of_elements, scale, factor = weights
    table = of_elements.new_empty(*scale.shape, of_elements.shape[2])
    sizes = (of_elements.stride(0), scale.stride(0), *table.shape)
    library.call("knots_forward", of_elements, scale, table, factor, *sizes)
    return table


def _knots_backward(
    features: Piecewise, shares: Tensor | None, vectors: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """Gradients of elements' weights and scale, from the sum over rows of share times vector."""
    of_elements, scale, factor = weights
    to, to_scale = torch.empty(of_elements.shape), torch.empty(scale.shape)
    n_members, n_batch = features.value.shape[:2]
    strides = (of_elements.stride(0), scale.stride(0))
    sizes = (n_members, n_batch, *scale.shape[1:], of_elements.shape[2])
    given = (*features, shares, vectors, of_elements, scale, to, to_scale)
    library.call("knots_backward", *given, factor, *strides, *sizes)
    return to, to_scale


def _sum(features: Piecewise, shares: Tensor | None, table: Tensor) -> Tensor:
    out = table.new_empty(*features.value.shape[:2], table.shape[3])
    _run("piecewise_sum", features, shares, table, out)
    return out


def _dot(features: Piecewise, vectors: Tensor, table: Tensor) -> Tensor:
    out = torch.empty(features.value.shape)
    _run("piecewise_dot", features, vectors, table, out)
    return out


def _run(
    kernel: str, features: Piecewise, other: Tensor | None, table: Tensor, out: Tensor
) -> None:
    sizes = (table.shape[0], features.value.shape[1], *table.shape[1:])
    library.call(kernel, *features, other, table, out, *sizes)


def _rows_together(tensor: Tensor) -> Tensor:
    """Return the tensor with each member's numbers in one piece; members may lie apart."""
    return tensor if tensor[0].is_contiguous() else tensor.contiguous()
