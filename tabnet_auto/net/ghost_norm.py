"""Ghost batch norm (Hoffer et al. 2017, arXiv 1705.08741), M members side by side.

Virtual batches are an axis instead of a loop; the running statistics come out as the loop's.

Shapes: M members, B rows of a minibatch, F features, N virtual batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

_NORM_EPSILON = 1e-5
_HALF_ROOT = math.sqrt(0.5)


class Updates(NamedTuple):
    """What the running statistics keep ``(M or 1, 1, 1)``, and the shares of the new ones.

    ``of_mean`` and ``of_var`` are ``(M or 1, n, 1)``.
    """

    keep: Tensor
    of_mean: Tensor
    of_var: Tensor


@dataclass(frozen=True, eq=False)
class VirtualBatches:
    """How the rows of a minibatch fall into virtual batches, and what each adds to the average.

    ``n``, ``size``
        Number of virtual batches, and rows of each when all are full.
    ``member``
        ``(M or 1, n, B)``: 1 where a row belongs to a virtual batch; None when all are full
        (the rows then lie in order, so that a view splits them).
    ``rows``
        ``(M or 1, n, 1)``: rows of each virtual batch.
    ``later``
        ``(M or 1, n, 1)``: virtual batches that update the running statistics after this one.
    """

    n: int
    size: int
    member: Tensor | None
    rows: Tensor
    later: Tensor
    known: dict[float, Updates] = field(default_factory=dict)

    def updates(self, momentum: float) -> Updates:
        """Work out how all virtual batches go into the running statistics at once.

        One after the other, ``r <- (1 - p) r + p s_k`` gives
        ``(1 - p)^N r + sum_k p (1 - p)^(N - 1 - k) s_k``. The running variance is the unbiased
        one, as in torch. One row has no variance: it leaves the statistics alone. The same for
        every norm of a network, so it is worked out once.
        """
        if momentum not in self.known:
            counts = (self.rows > 1).to(self.rows.dtype)
            share = momentum * (1.0 - momentum) ** self.later * counts
            keep = (1.0 - momentum) ** counts.sum(1, keepdim=True)
            unbiased = share * self.rows / (self.rows - 1.0).clamp(min=1.0)
            self.known[momentum] = Updates(keep, share, unbiased)
        return self.known[momentum]

    @classmethod
    def split(cls, x: Tensor, size: int, valid: Tensor | None = None) -> VirtualBatches:
        """Split rows as ``x.chunk(ceil(B / size))`` does, each member's valid rows on their own.

        **Shape**: ``x`` ``(M, B, F)``, ``valid`` ``(M, B)`` boolean.

        A last virtual batch of one row, whose variance would be 0, joins the one before it.
        """
        n_rows = x.shape[1]
        n = math.ceil(n_rows / size)
        if valid is None and n_rows % n == 0:
            count = x.new_full((1, n, 1), n_rows // n)
            later = torch.arange(n - 1, -1, -1, dtype=x.dtype, device=x.device)
            return cls(n, n_rows // n, None, count, later.view(1, n, 1))
        if valid is None:
            valid = torch.ones(1, n_rows, dtype=torch.bool, device=x.device)
        total = valid.sum(1, keepdim=True)
        sizes = _divide_up(total, _divide_up(total, size).clamp_(min=1)).clamp_(min=1)
        used = _divide_up(total, sizes)
        used = used - ((used > 1) & (total - (used - 1) * sizes == 1)).long()
        own = torch.minimum((valid.cumsum(1) - 1) // sizes, used - 1)
        index = torch.arange(n, device=x.device).view(1, n, 1)
        member = ((own.unsqueeze(1) == index) & valid.unsqueeze(1)).to(x.dtype)
        count = member.sum(2, keepdim=True)
        later = (used.unsqueeze(1) - 1 - index).to(x.dtype)
        return cls(n, size, member, count, later)


def virtual_starts(n_rows: int, size: int) -> list[int]:
    """First rows of the virtual batches that :class:`VirtualBatches` makes, and ``n_rows``."""
    own = math.ceil(n_rows / math.ceil(n_rows / size))
    starts = list(range(0, n_rows, own))
    if len(starts) > 1 and n_rows - starts[-1] == 1:
        starts.pop()
    return [*starts, n_rows]


class GhostNorm(nn.Module):
    """Batch norm over virtual batches, a member each.

    In training each virtual batch is normalised by its own mean and variance, and the running
    statistics take in all of them in order, as a loop over them would. In evaluation the
    running statistics normalise.

    **Shape**: ``(M, B, F)`` to ``(M, B, F)``; weight, bias and running statistics
    ``(M, 1, F)``.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_members: int, n_features: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(n_members, 1, n_features))
        self.bias = nn.Parameter(torch.zeros(n_members, 1, n_features))
        self.register_buffer("running_mean", torch.zeros(n_members, 1, n_features))
        self.register_buffer("running_var", torch.ones(n_members, 1, n_features))

    def forward(self, x: Tensor, batches: VirtualBatches | None) -> Tensor:
        """Normalise; ``batches`` may be None in evaluation only."""
        if not self.training or batches is None:
            scale = self.weight * (self.running_var + _NORM_EPSILON).rsqrt()
            shift = torch.addcmul(self.bias, self.running_mean, scale, value=-1.0)
            return torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype))
        if batches.member is None:
            full = x.view(x.shape[0], batches.n, batches.size, x.shape[2])
            weight, bias = self.weight.unsqueeze(1), self.bias.unsqueeze(1)
            y, mean, var = cast(
                "tuple[Tensor, Tensor, Tensor]",
                _Normalise.apply(full, weight, bias),
            )
            self._update(mean.squeeze(2), var.squeeze(2), batches)
            return y.view_as(x)
        y, mean, var = _normalise_ragged(x, self.weight, self.bias, batches)
        self._update(mean, var, batches)
        return y

    def gated(self, x: Tensor, batches: VirtualBatches | None, residual: Tensor | None) -> Tensor:
        """Normalise ``(M, B, 2 H)`` and gate: ``x1 sigmoid(x2)``, ``(M, B, H)``.

        With a ``residual (M, B, H)``: their sum, scaled by the root of one half.
        """
        gated = functional.glu(self(x, batches), dim=-1)
        return gated if residual is None else (residual + gated).mul_(_HALF_ROOT)

    @torch.no_grad()
    def _update(self, mean: Tensor, var: Tensor, batches: VirtualBatches) -> None:
        """Take statistics of all virtual batches ``(M, N, F)`` into the running ones at once."""
        keep, of_mean, of_var = batches.updates(self.momentum)
        self.running_mean.mul_(keep).add_((of_mean * mean).sum(1, keepdim=True))
        self.running_var.mul_(keep).add_((of_var * var).sum(1, keepdim=True))


class _Normalise(Function):
    """Normalise each virtual batch: ``(M, N, rows, F)``, weight and bias ``(M, 1, 1, F)``.

    Two means instead of ``var_mean``, and one backward instead of autograd's chain: a quarter
    of the time on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = x.mean(2, keepdim=True)
        centred = x - mean
        var = centred.square().mean(2, keepdim=True)
        inverse = (var + _NORM_EPSILON).rsqrt()
        scale = weight * inverse
        ctx.save_for_backward(centred, inverse, scale)
        ctx.mark_non_differentiable(mean, var)
        ctx.set_materialize_grads(False)  # no zeros for the statistics
        return torch.addcmul(bias.to(x.dtype), centred, scale.to(x.dtype)), mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        if grad is None:
            return None, None, None
        centred, inverse, scale = ctx.saved_tensors
        total = grad.sum(2, keepdim=True)
        moment = (grad * centred).sum(2, keepdim=True) * inverse
        n_rows = grad.shape[2]
        # dx = scale (g - mean(g) - x_hat mean(g x_hat)), in two passes
        dx = torch.addcmul(scale * total / -n_rows, grad, scale)
        dx.addcmul_(centred, scale * inverse * moment / -n_rows)
        return dx, moment.sum(1, keepdim=True), total.sum(1, keepdim=True)


def _normalise_ragged(
    x: Tensor, weight: Tensor, bias: Tensor, batches: VirtualBatches
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise virtual batches of unequal sizes; also return their ``(M, N, F)`` statistics.

    Membership is a matrix here, so that sums over virtual batches, and the way back to rows,
    are matrix products. Rows that belong to none come out as ``bias``.
    """
    assert batches.member is not None
    member = batches.member.expand(x.shape[0], -1, -1)
    back = member.transpose(1, 2)
    average = member / batches.rows.clamp(min=1.0)
    mean = torch.bmm(average, x)
    centred = x - torch.bmm(back, mean)
    var = torch.bmm(average, centred.square())
    scale = torch.bmm(back, (var + _NORM_EPSILON).rsqrt() * weight)
    return torch.addcmul(bias, centred, scale), mean.detach(), var.detach()


def _divide_up(a: Tensor, b: Tensor | int) -> Tensor:
    """Divide whole numbers and round up."""
    return -(-a // b)
