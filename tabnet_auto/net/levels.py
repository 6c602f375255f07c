"""One trained number a level, beside the values: what the published TabNet reads.

Shapes: M members, B rows of a minibatch, V values, C category features.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from tabnet_auto.net.native import library


def join_levels(value: Tensor, table: Tensor, level: Tensor, offset: Tensor) -> Tensor:
    """Values, then the number of each feature's level; ``(M, B, V + C)``.

    ``value (M, B, V)`` leads back to nothing. ``table (M, levels)`` holds all features' numbers,
    those of each from ``offset (C,)`` on; ``level (M, B, C)``.
    """
    if not level.shape[2]:
        return value
    if library.is_usable(value, table):
        joined = _Joined.apply(value, table, level, offset)
        return cast("Tensor", joined)
    index = (level + offset).flatten(1)
    return torch.cat([value, table.gather(1, index).view(level.shape)], dim=2)


class _Joined(Function):
    """The same from kernels."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, table: Tensor, level: Tensor, offset: Tensor) -> Tensor:
        n_values, n_levels = value.shape[2], table.shape[1]
        level, table = level.contiguous(), table.contiguous()
        joined = value.new_empty(*value.shape[:2], n_values + level.shape[2])
        ctx.sizes = (*level.shape, n_values, n_levels)
        library.call("join_levels", value.contiguous(), table, level, offset, joined, *ctx.sizes)
        ctx.save_for_backward(level, offset)
        return joined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None, None]:
        of_table = grad.new_zeros(grad.shape[0], ctx.sizes[-1])
        library.call(
            "join_levels_backward", grad.contiguous(), *ctx.saved_tensors, of_table, *ctx.sizes
        )
        return None, of_table, None, None
